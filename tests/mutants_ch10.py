"""Wrong answers to the exercises of chapter 10, each with part of the lesson that its checker must give."""

import numpy as np
import torch

from ropebook import frequencies, rotate, rotate_half_split
from ropebook.decay import abel_bound, pair_products, scores


def complex_pairs(x):
    return x[0::2] + 1j * x[1::2]


def complex_halves(x):
    return x[: len(x) // 2] + 1j * x[len(x) // 2 :]


def waves(q, k, offset, theta, pairs=complex_pairs, read=np.real, conj=np.conj):
    """The right answer to exercise 10.1, with its mistakes as options."""
    return read((pairs(q) * conj(pairs(k)) * np.exp(1j * offset * theta)).sum())


def query_conjugated(q, k, offset, theta):
    return (complex_pairs(q).conj() * complex_pairs(k) * np.exp(1j * offset * theta)).sum().real


def by_rotation(q, k, offset, theta):
    return rotate(q[None], [offset], theta)[0] @ k


def single_precision(q, k, offset, theta):
    q, k, theta = (torch.tensor(a, dtype=torch.float32) for a in (q, k, theta))
    return (torch.view_as_complex(q.view(-1, 2)) * torch.view_as_complex(k.view(-1, 2)).conj() * torch.exp(1j * offset * theta)).sum().real


def loop(q, k, offset, theta):
    """The right answer to exercise 10.1 without complex numbers."""
    score = 0.0
    for i, speed in enumerate(theta):
        a, b, c, d = *q[2 * i : 2 * i + 2], *k[2 * i : 2 * i + 2]
        score += (a * c + b * d) * np.cos(offset * speed) - (b * c - a * d) * np.sin(offset * speed)
    return [score]


def abel(h, m, theta, steps=lambda h: np.abs(np.diff(h, append=0)), largest=np.max, sums=lambda S: np.abs(S).sum(), wave=lambda z: z):
    """The right answer to exercise 10.2, with its mistakes as options."""
    return largest(steps(h)) * sums(np.cumsum(wave(np.exp(1j * m * theta))))


def abel_loop(h, m, theta):
    S, total, largest = 0, 0.0, 0.0
    for i, speed in enumerate(theta):
        S += complex(np.cos(m * speed), np.sin(m * speed))
        total += abs(S)
        largest = max(largest, abs((h[i + 1] if i + 1 < len(h) else 0) - h[i]))
    return total * largest


def turned(k, offset, theta, turn=rotate):
    return turn(k[None], [offset], theta)[0]


def peaks(k, r, s, theta, offsets=lambda r, s: (-r, -s), weights=(1, 1), turn=rotate):
    """The right answer to exercise 10.3, with its mistakes as options."""
    return sum(weight * turned(k, offset, theta, turn) for weight, offset in zip(weights, offsets(r, s)))


def another_query(k, r, s, theta):
    """A right answer to exercise 10.3 that is not the sum: a random query, corrected to score 1 at r and s, and 0 at 0 and halfway."""
    rows = rotate(np.stack([k] * 4), [-r, -s, 0, -(r + s) / 2], theta)  # (4, D), the scores are rows @ query
    query = np.random.default_rng(1).standard_normal(len(k))
    return query + np.linalg.lstsq(rows, np.array([1, 1, 0, 0]) - rows @ query, rcond=None)[0]


def search(length, d, offsets=lambda length: np.arange(length), start=10, exponent=-2, block=10_000):
    """The right answer to exercise 10.4, with its mistakes as options."""
    base, m = start, offsets(length)
    theta = lambda base: float(base) ** (exponent * np.arange(d // 2) / d)
    while not all((np.cos(np.outer(m[at : at + block], theta(base))).sum(axis=1) > 0).all() for at in range(0, len(m), block)):
        base *= 10
    return base


def pair_by_pair(length, d):
    """The right answer to exercise 10.4, one wave at a time."""
    m = np.arange(float(length))
    for exponent in range(1, 100):
        sums = np.zeros(length)
        for speed in frequencies(d, 10.0**exponent):
            sums += np.cos(m * speed)
        if sums.min() > 0:
            return 10**exponent


def offset_by_offset(length, d):
    base = 10.0
    while True:
        theta = frequencies(d, base)
        if all(np.cos(m * theta).sum() > 0 for m in range(length)):
            return np.array([base])
        base *= 10


def never_ends(length, d):
    base = 10
    while True:
        if np.cos(np.arange(length) * 1.0).min() > 0:
            return base


MUTANTS = [
    ("10.1", query_conjugated, "opposite offset. The key is conjugated"),
    ("10.1", lambda q, k, m, t: waves(q, k, -m, t), "opposite offset"),
    ("10.1", lambda q, k, m, t: waves(k, q, m, t), "opposite offset"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, t, complex_halves), "Neighbours pair up here"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, t) / np.sqrt(len(q)), "divided by √D"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, t, read=np.imag), "imaginary part of the sum"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, t, read=np.abs), "modulus of the sum"),
    ("10.1", lambda q, k, m, t: np.abs(pair_products(q, k)).sum(), "modulus of each wave"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, t, read=complex), "complex number. A score is the real part"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, t, conj=np.array), "neither side is conjugated"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, np.sqrt(t)), "exponent is −i/D"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, frequencies(len(q))), "speeds of base 10000"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, 1), "by 1 radian a token"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, 2 * np.pi * t), "they are in radians already"),
    ("10.1", lambda q, k, m, t: q @ k, "that is the score at offset 0"),
    ("10.1", lambda q, k, m, t: 2 * waves(q, k, m, t), "twice the score"),
    ("10.1", lambda q, k, m, t: waves(q, k, abs(m), t), "offset -7: that is the score at the opposite offset"),
    ("10.1", lambda q, k, m, t: (complex_pairs(q) * complex_pairs(k).conj() * np.exp(1j * m * t)).real, "Return one number"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, t) + 1, "expected"),
    ("10.1", lambda q, k, m, t: waves(q, k, m, t) if len(q) == 8 else None, "nothing for D = 6"),
    ("10.2", lambda h, m, t: abel(h, m, t, steps=lambda h: np.abs(np.diff(h))), "a difference is missing"),
    ("10.2", lambda h, m, t: abel(h, m, t, steps=lambda h: np.abs(np.diff(h, prepend=0))), "the 0 stands after the last"),
    ("10.2", lambda h, m, t: abel(h, m, t, steps=lambda h: np.abs(np.diff(h, prepend=0, append=0))), "before the first, too"),
    ("10.2", lambda h, m, t: abel(h, m, t, sums=lambda S: np.abs(S[:-1]).sum()), "yours stop one short, or begin with S_0"),
    ("10.2", lambda h, m, t: abel(h, m, t, sums=lambda S: np.abs(S).mean()), "that is their mean"),
    ("10.2", lambda h, m, t: abel(h, m, t, sums=lambda S: np.abs(S.sum())), "Take the moduli first"),
    ("10.2", lambda h, m, t: abel(h, m, t, sums=lambda S: np.abs(S[-1])), "only the last S"),
    ("10.2", lambda h, m, t: abel(h, m, t, steps=np.abs), "the first factor is the largest |h|"),
    ("10.2", lambda h, m, t: abel(h, m, t, largest=np.sum), "the differences are added"),
    ("10.2", lambda h, m, t: abel(h, m, t, largest=np.mean), "mean of the differences"),
    ("10.2", lambda h, m, t: abel(np.abs(h), m, t), "differences of moduli"),
    ("10.2", lambda h, m, t: abel(h.real, m, t), "the imaginary part of h is lost"),
    ("10.2", lambda h, m, t: abel(h, m, t, wave=np.real), "cosines only"),
    ("10.2", lambda h, m, t: np.abs(np.diff(h, append=0)).max() * len(t), "the single waves are added"),
    ("10.2", lambda h, m, t: abel(h, 1, t), "Is `m` used"),
    ("10.2", lambda h, m, t: abel(h, m, t, largest=lambda steps: 1), "the largest difference of h is not"),
    ("10.2", lambda h, m, t: np.abs(h).sum(), "trivial bound"),
    ("10.2", lambda h, m, t: (np.abs(np.diff(h, append=0)) * np.abs(np.cumsum(np.exp(1j * m * t)))).sum(), "sharper bound"),
    ("10.2", lambda h, m, t: np.diff(h, append=0).max() * abel(h * 0 + 1, m, t), "complex number. A bound is made of absolute values"),
    ("10.2", lambda h, m, t: abel(h, m, t) / 2, "expected"),
    ("10.2", lambda h, m, t: abel_bound(h, [m, m + 1], t), "Return one number"),
    ("10.2", lambda h, m, t: abel(h, m, t) if len(h) > 1 else None, "nothing for one pair"),
    ("10.3", lambda k, r, s, t: k, "the key as it was"),
    ("10.3", lambda k, r, s, t: turned(k, -r, t), "at its best at r, and s is forgotten"),
    ("10.3", lambda k, r, s, t: turned(k, -s, t), "at its best at s, and r is forgotten"),
    ("10.3", lambda k, r, s, t: peaks(k, -r, -s, t), "at −r and −s"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t, weights=(1, -1)), "s is a trough"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t, weights=(-1, 1)), "r is a trough"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t, weights=(-1, -1)), "two troughs"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t, weights=(1, 2)), "different weights"),
    ("10.3", lambda k, r, s, t: turned(k, -r - s, t), "the peak is at r + s"),
    ("10.3", lambda k, r, s, t: turned(turned(k, -r, t), -s, t), "the peak is at r + s"),
    ("10.3", lambda k, r, s, t: turned(k, -(r + s) / 2, t), "one peak, halfway between"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t, lambda r, s: (-r, s)), "one of the two is turned the other way"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t, lambda r, s: (r, -s)), "one of the two is turned the other way"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t, turn=rotate_half_split), "use rotate, not rotate_half_split"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t, lambda r, s: (0, -s)), "0 tokens away"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s + 1, t), "The first two should be the same"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t) + 3 * turned(k, 0, t), "The first two should be the same"),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, frequencies(64)), "For r = 35, s = 120"),
    ("10.3", lambda k, r, s, t: rotate(np.stack([k, k]), [-r, -s], t), "yours has shape (2, 64)"),
    ("10.3", lambda k, r, s, t: 0 * k, "is 0, and so are all its scores"),
    ("10.4", lambda length, d: search(length, d, lambda n: np.arange(n + 1)), "Offsets stay below `length`"),
    ("10.4", lambda length, d: search(length, d, lambda n: np.arange(max(n - 1, 1))), "does your search reach it?"),
    ("10.4", lambda length, d: search(length, d, lambda n: np.array([n - 1])), "At the last offset it is positive again"),
    ("10.4", lambda length, d: search(length, d, lambda n: np.arange(0, n, 2)), "does your search reach it?"),
    ("10.4", lambda length, d: search(length, d, lambda n: np.arange(0, n, 10)), "does your search reach it?"),
    ("10.4", lambda length, d: search(length, d, lambda n: np.arange(0, n, 3)), "does your search reach it?"),
    ("10.4", lambda length, d: search(length, d, exponent=-1), "base ** (−i/d)"),
    ("10.4", never_ends, "does not come to an end. Do the speeds fall"),
    ("10.4", lambda length, d: int(np.log10(search(length, d))), "That is the exponent"),
    ("10.4", lambda length, d: search(length, d, start=1), "smallest base to try is 10"),
    ("10.4", lambda length, d: search(length, d, start=100), "Base 10 is enough"),
    ("10.4", lambda length, d: search(length, d) / 2, "no whole power of ten"),
    ("10.4", lambda length, d: 10 * search(length, d), "is enough: its sum is above 0"),
    ("10.4", lambda length, d: 1000, "For length = 46, d = 64 you return 1000"),
    ("10.4", lambda length, d: search(length, 64), "For length = 29, d = 32"),
    ("10.4", lambda length, d: search(length, d, block=length), "the table of all angles"),
    ("10.4", lambda length, d: search(length, d, block=length // 2 + 1), "the table of all angles"),
    ("10.4", lambda length, d: search(length, d) if length < 3000 else None, "nothing for length = 100,000"),
    ("10.4", lambda length, d: search(length, d) if length < 3000 else 10**6, "the sum at offset 27115 is"),
    ("10.4", lambda length, d: [search(length, d), d], "Return one number"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("10.1", waves),
    ("10.1", by_rotation),
    ("10.1", single_precision),
    ("10.1", loop),
    ("10.1", lambda q, k, m, t: scores(pair_products(q, k), [m], t)),
    ("10.1", lambda q, k, m, t: rotate(q[None], [1000 + m], t)[0] @ rotate(k[None], [1000], t)[0]),
    ("10.2", abel),
    ("10.2", abel_loop),
    ("10.2", lambda h, m, t: abel_bound(h, [m], t)),
    ("10.2", lambda h, m, t: abel(h.astype(np.complex64), m, t.astype(np.float32))),
    ("10.2", lambda h, m, t: abel(h.conj(), -m, t)),
    ("10.3", peaks),
    ("10.3", lambda k, r, s, t: peaks(k, r, s, t) / 2),
    ("10.3", lambda k, r, s, t: 1e6 * peaks(k, r, s, t)),
    ("10.3", lambda k, r, s, t: peaks(k.astype(np.float32), r, s, t)),
    ("10.3", lambda k, r, s, t: torch.from_numpy(peaks(k, r, s, t))),
    ("10.3", lambda k, r, s, t: turned(peaks(k, 0, s - r, t), -r, t).tolist()),
    ("10.3", another_query),
    ("10.4", search),
    ("10.4", pair_by_pair),
    ("10.4", offset_by_offset),
    ("10.4", lambda length, d: search(length, d, block=30_000)),
    ("10.4", lambda length, d: float(search(length, d, block=777))),
]
