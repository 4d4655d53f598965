"""The black boxes of chapter 06: rotations for exercise 6.4, and attention scores with one fault each, or none, for 6.5."""

import numpy as np

from ropebook.frequencies import frequencies
from ropebook.rotation import rotate, rotate_half_split

ILLS = ["healthy", "weights of the other layout", "q and k of different layouts", "keys turned the wrong way", "no rotation"]


def turner(d, base, layout, sign):
    """turn(x, m) → (d,): one vector x (d,) turned by sign · m · theta, its pairs "interleaved" or "half-split"."""
    rotation = rotate if layout == "interleaved" else rotate_half_split
    return lambda x, m: rotation(_vector(x, d)[None], [sign * m], frequencies(d, base))[0]


def _vector(values, d):
    x = np.asarray(values, dtype=np.float64)
    if x.shape != (d,):
        raise ValueError(f"expected one vector of {d} numbers, got shape {x.shape}")
    return x


def _crossed(x, m):
    x, angle = _vector(x, 8), np.repeat(m * frequencies(8), 2)
    first, second = np.split(x, 2)
    return x * np.cos(angle) + np.concatenate([-second, first]) * np.sin(angle)


def _score(turn_q, turn_k):
    """score(q, k, m, n): q · k after q has turned to position m and k to n, without the division by the root of D."""
    return lambda q, k, m, n: float(turn_q(q, m) @ turn_k(k, n))


_NEIGHBOURS, _HALVES, _BACKWARDS = (turner(8, 10000.0, *how) for how in (("interleaved", 1), ("half-split", 1), ("interleaved", -1)))
SCORES = {
    "A": _score(_NEIGHBOURS, _HALVES),
    "B": _score(_HALVES, _HALVES),
    "C": _score(_crossed, _crossed),
    "D": _score(_NEIGHBOURS, _NEIGHBOURS),
    "E": _score(_NEIGHBOURS, _BACKWARDS),
}
