"""Checkers of chapter 10, attention against distance."""

import numpy as np

from ropebook.checks.asking import asked, asked_for_memory, ending, one_number, real_numbers
from ropebook.decay import abel_bound, partial_sums, trivial_bound
from ropebook.exercises import Wrong, exercise
from ropebook.frequencies import frequencies
from ropebook.rotation import rotate, rotate_half_split

# Of |q||k|: an angle in float32 is off by 1000 · 2^-24 = 6e-5 at most, and the mistakes below move a score by a hundredth at least.
CLOSE = 1e-3

OFFSETS = ((8, 500.0, 3), (8, 500.0, -7), (6, 10000.0, 41), (128, 10000.0, 1000), (4, 20.0, 0), (2, 10000.0, 2))  # D, base, offset


@exercise("10.1")
def score_at(answer):
    """A function (q, k, offset, theta) -> the score of q (D,) at the position of k plus offset."""
    rng = np.random.default_rng(101)
    for head_dim, base, offset in OFFSETS:
        q, k, theta = *rng.standard_normal((2, head_dim)), frequencies(head_dim, base)
        name = f"D = {head_dim}, offset {offset}"
        result = asked(answer, name, (head_dim, base, offset) == OFFSETS[0], q.copy(), k.copy(), offset, theta.copy())
        got = _number(result, name, "A score is the real part of the sum.")
        right = _wave(q, k, offset, theta).real
        near = lambda other: abs(got - other) <= CLOSE * np.linalg.norm(q) * np.linalg.norm(k)
        if not near(right):
            lesson = next((lesson for lesson, wrong in SCORE_MISTAKES if near(wrong(q, k, offset, theta))), None)
            raise Wrong(f"For {name}: {lesson or f'expected {right:.3f}, got {got:.3f}.'}")
    return "One product a pair, made once, gives the score at every offset, with no rotation in sight."


def _pairs(x):
    return x[0::2] + 1j * x[1::2]


def _halves(x):
    return x[: len(x) // 2] + 1j * x[len(x) // 2 :]


def _wave(q, k, offset, theta, pairs=_pairs, conj=np.conj):
    return np.sum(pairs(q) * conj(pairs(k)) * np.exp(1j * offset * theta))


SCORE_MISTAKES = (
    ("that is the score at the opposite offset. The key is conjugated, not the query, and the exponent has a plus.",
     lambda q, k, m, t: _wave(q, k, -m, t).real),
    ("that is the score divided by √D; here it is not divided.", lambda q, k, m, t: _wave(q, k, m, t).real / np.sqrt(len(q))),
    ("that is the imaginary part of the sum; the score is the real one.", lambda q, k, m, t: _wave(q, k, m, t).imag),
    ("that is the modulus of the sum. Scores have a sign: take the real part.", lambda q, k, m, t: abs(_wave(q, k, m, t))),
    ("you take the modulus of each wave. Scores have a sign: take the real part of the sum.",
     lambda q, k, m, t: np.abs(_pairs(q) * _pairs(k)).sum()),
    ("your pairs are (i, i + D/2). Neighbours pair up here: (0, 1), (2, 3), …", lambda q, k, m, t: _wave(q, k, m, t, _halves).real),
    ("neither side is conjugated, so the angles of q and k add up. It is q times the conjugate of k.",
     lambda q, k, m, t: _wave(q, k, m, t, conj=np.array).real),
    ("that is the score at offset 0. Is `offset` used?", lambda q, k, m, t: _wave(q, k, 0, t).real),
    ("your exponent is −i/D. Is `theta` used? It holds the speeds already.", lambda q, k, m, t: _wave(q, k, m, np.sqrt(t)).real),
    ("those are the speeds of base 10000. Is `theta` used?", lambda q, k, m, t: _wave(q, k, m, frequencies(len(q))).real),
    ("every pair turns by 1 radian a token. Is `theta` used?", lambda q, k, m, t: _wave(q, k, m, 0 * t + 1).real),
    ("your angles are in turns or in degrees; they are in radians already.",
     lambda q, k, m, t: _wave(q, k, m, 2 * np.pi * t).real),
    ("that is twice the score: the waves of the pairs are added once.", lambda q, k, m, t: 2 * _wave(q, k, m, t).real),
)

RANDOM = np.random.default_rng(102).standard_normal((2, 40))
STEPS = (  # name, h, m, theta; the largest step is the last one, one of the middle and one that only complex numbers have
    ("a ramp upwards of 8 pairs", np.arange(3, 11) * (0.7 + 0j), 5, frequencies(16)),
    ("32 random pairs", RANDOM[0, :32] + 1j * RANDOM[1, :32], 100, frequencies(64)),
    ("a ramp down of 8 pairs", np.arange(8, 0, -1) * (0.5 - 1j), 20, frequencies(16, 500.0)),
    ("5 pairs of one length", np.exp(1j * np.array([0.0, 2.9, 0.1, 2.0, 1.0])), 3, frequencies(10, 50.0)),
    ("one pair", np.array([0.6 - 0.8j]), 7, frequencies(2)),
    ("5 random pairs at m = −11", RANDOM[0, 32:37] + 1j * RANDOM[1, 32:37], -11, frequencies(10)),
)


@exercise("10.2")
def bound(answer):
    """A function (h, m, theta) -> max |h_{i+1} − h_i| · sum |S_{i+1}|, one number."""
    for name, h, m, theta in STEPS:
        result = asked(answer, name, name == STEPS[0][0], h.copy(), m, theta.copy())
        got = _number(result, name, "A bound is made of absolute values.")
        right = abel_bound(h, [m], theta)[0]
        near = lambda other: np.isclose(got, other, rtol=1e-4, atol=0)
        if not near(right):
            lesson = next((lesson for lesson, wrong in BOUND_MISTAKES if near(wrong(h, m, theta))), None)
            raise Wrong(f"For {name}: {lesson or f'expected {right:.3f}, got {got:.3f}.'}")
    return "For the ramp down the bound says something; for random pairs compare it with np.abs(h).sum()."


def _steps(h):
    return np.abs(np.diff(h, append=0))


def _sums(m, theta):
    return partial_sums([m], theta)[0]


def _all(m, theta):
    return np.abs(_sums(m, theta)).sum()


BOUND_MISTAKES = (
    ("a difference is missing: after the last h comes a 0, and the step down to it counts.",
     lambda h, m, t: np.abs(np.diff(h)).max(initial=0) * _all(m, t)),
    ("the 0 stands after the last h only; yours stands before the first, too.",
     lambda h, m, t: np.abs(np.diff(h, prepend=0, append=0)).max() * _all(m, t)),
    ("a step up from 0 to the first h does not occur: the 0 stands after the last.",
     lambda h, m, t: np.abs(np.diff(h, prepend=0)).max() * _all(m, t)),
    ("the sums run from S_1 to S_{D/2}; yours stop one short, or begin with S_0 = 0.",
     lambda h, m, t: _steps(h).max() * np.abs(_sums(m, t)[:-1]).sum()),
    ("(37) has the sum of the |S|; that is their mean, as in Figure 2.", lambda h, m, t: _steps(h).max() * _all(m, t) / len(t)),
    ("that is the modulus of the sum of all S. Take the moduli first, then add.", lambda h, m, t: _steps(h).max() * abs(_sums(m, t).sum())),
    ("only the last S is in it. (37) adds the moduli of all.", lambda h, m, t: _steps(h).max() * abs(_sums(m, t)[-1])),
    ("the first factor is the largest |h|. (37) has the largest difference of neighbours.", lambda h, m, t: np.abs(h).max() * _all(m, t)),
    ("the differences are added. (37) takes the largest.", lambda h, m, t: _steps(h).sum() * _all(m, t)),
    ("that is the mean of the differences. (37) takes the largest.", lambda h, m, t: _steps(h).mean() * _all(m, t)),
    ("those are differences of moduli. Subtract the complex numbers first, then take the modulus.",
     lambda h, m, t: np.abs(np.diff(np.abs(h), append=0)).max() * _all(m, t)),
    ("the imaginary part of h is lost.", lambda h, m, t: _steps(h.real).max() * _all(m, t)),
    ("your waves are cosines only. S is a sum of e^{imθ}, with both parts.",
     lambda h, m, t: _steps(h).max() * np.abs(_sums(m, t).real).sum()),
    ("the single waves are added, and each has modulus 1. S_j is the sum of the first j.", lambda h, m, t: _steps(h).max() * len(t)),
    ("those are the waves at m = 1. Is `m` used?", lambda h, m, t: _steps(h).max() * _all(1, t)),
    ("the sums of |S| are there; the largest difference of h is not.", lambda h, m, t: _all(m, t)),
    ("that is the trivial bound, Σ|h|.", lambda h, m, t: trivial_bound(h)),
    ("that is the sharper bound before the largest difference is taken out. (37) has the product of a largest and a sum.",
     lambda h, m, t: (_steps(h) * np.abs(_sums(m, t))).sum()),
)

PEAKS = ((10000.0, 50, 150), (10000.0, 20, 40), (10000.0, 61, 200), (500.0, 35, 120), (10000.0, 133, 158))  # base, r, s


@exercise("10.3")
def two_peaks(answer):
    """A function (k, r, s, theta) -> a query with one score at offsets r and s, above those at 0 and halfway between.

    The sum of the two turned keys is one: in the cases here its scores at r and s lie above the others by 0.05 |q||k| or more.
    """
    rng = np.random.default_rng(103)
    for base, r, s in PEAKS:
        k, theta = rng.standard_normal(64), frequencies(64, base)
        name = f"r = {r}, s = {s}"
        got = real_numbers(asked(answer, name, (r, s) == PEAKS[0][1:], k.copy(), r, s, theta.copy()))
        if got.shape != k.shape:
            raise Wrong(f"A query has the shape of the key, {k.shape}; for {name} yours has shape {got.shape}.")
        if not got.any():
            raise Wrong(f"For {name} your query is 0, and so are all its scores.")
        _check_peaks(name, k, r, s, theta, got / np.linalg.norm(got))
    return "Scores are linear in the query, so a head can look at two distances at once. Three are no harder."


def _check_peaks(name, k, r, s, theta, query):
    score = lambda offset: _wave(query, k, offset, theta).real / np.linalg.norm(k)
    at_r, at_s, at_0, between = map(score, (r, s, 0, (r + s) / 2))
    if abs(at_r - at_s) <= CLOSE and at_r > max(at_0, between) + CLOSE:
        return
    for lesson, wrong in PEAK_MISTAKES:
        other = wrong(lambda u, turn=rotate: turn(k[None], [u], theta)[0], r, s)
        if query @ other > (1 - CLOSE**2) * np.linalg.norm(other):
            raise Wrong(f"For {name}: {lesson}")
    heights = f"Your scores, over |q||k|, are {at_r:.3f} at r, {at_s:.3f} at s, {at_0:.3f} at 0 and {between:.3f} halfway from r to s."
    raise Wrong(f"For {name}: {heights} The first two should be the same, and larger than the others.")


PEAK_MISTAKES = (  # turn(u) is the key turned by u
    ("that is the key as it was. Its best offset is 0; turn it.", lambda turn, r, s: turn(0)),
    ("that query is at its best at r, and s is forgotten. Add the one for s.", lambda turn, r, s: turn(-r)),
    ("that query is at its best at s, and r is forgotten. Add the one for r.", lambda turn, r, s: turn(-s)),
    ("your peaks are at −r and −s. The query comes `offset` tokens after the key and turns by as much: turn it back.",
     lambda turn, r, s: turn(r) + turn(s)),
    ("you subtract the query for s, so that s is a trough. Add.", lambda turn, r, s: turn(-r) - turn(-s)),
    ("you subtract the query for r, so that r is a trough. Add.", lambda turn, r, s: turn(-s) - turn(-r)),
    ("you have made two troughs. The queries are added, with a plus.", lambda turn, r, s: -turn(-r) - turn(-s)),
    ("you add the offsets, and the peak is at r + s. Add the queries.", lambda turn, r, s: turn(-r - s)),
    ("you take the mean of the offsets, and there is one peak, halfway between. Add the queries, not the offsets.",
     lambda turn, r, s: turn(-(r + s) / 2)),
    ("one of the two is turned the other way: both are turned back.", lambda turn, r, s: turn(-r) + turn(s)),
    ("one of the two is turned the other way: both are turned back.", lambda turn, r, s: turn(r) + turn(-s)),
    ("your pairs are (i, i + D/2). Neighbours pair up here: use rotate, not rotate_half_split.",
     lambda turn, r, s: turn(-r, rotate_half_split) + turn(-s, rotate_half_split)),
    ("one of the two is 0 tokens away: that is the key as it was.", lambda turn, r, s: turn(0) + turn(-s)),
    ("the queries have different weights, so the peaks have different heights.", lambda turn, r, s: turn(-r) + 2 * turn(-s)),
)

# length, d. First at or below 0: base 100 at 46 (d = 64) and 28 (d = 32), base 1000 at 197 (d = 64), base 10000 at 725 (d = 64) and 1707
# (d = 128); lengths stand on both sides of these, and 727 ends in a sum above 0.
LENGTHS = ((100, 64), (46, 64), (47, 64), (197, 64), (198, 64), (727, 64), (5, 128), (6, 128), (28, 32), (29, 32), (1707, 128), (1708, 128),
           (726, 64), (2, 32), (1, 32))
LONG = 100_000, 128  # its table of angles takes 51 MB, and as much again their cosines
ROOM = 40_000_000  # bytes: less than that table, and more than blocks of 30,000 offsets take, 31 MB


@exercise("10.4")
def base_for(answer):
    """A function (length, d) -> the smallest power of ten, 10 or more, with sum cos(m theta_i) > 0 for 0 <= m < length."""
    for length, d in LENGTHS:
        name = f"length = {length}, d = {d}"
        with ending(10_000 + 10 * length * d, f"For {name} your function does not come to an end. Do the speeds fall as the base grows?"):
            result = asked(answer, name, (length, d) == LENGTHS[0], length, d)
        _check_base(length, d, _number(result, name))
    length, d = LONG
    name = f"length = {length:,}, d = {d}"
    result, peak = asked_for_memory(answer, name, length, d)
    _check_base(length, d, _number(result, name))
    if peak > ROOM:
        raise Wrong(f"Right, but for {name} it takes {peak / 1e6:.0f} MB: the table of all angles. Work through the offsets in blocks.")
    return "At d = 64 ten times the base carries likeness 1.7 to 7.3 times as far: a sum of waves makes uneven steps."


def _check_base(length, d, base):
    right = smallest_base(length, d)
    if base == right:
        return
    name = f"For length = {length:,}, d = {d} you return {base:.6g}."
    if right > 10 and base == np.log10(right):
        raise Wrong(f"{name} That is the exponent; return the base.")
    if base < 10:
        raise Wrong(f"{name} The smallest base to try is 10.")
    if round(np.log10(base)) != np.log10(base):
        raise Wrong(f"{name} That is no whole power of ten.")
    raise Wrong(f"{name} {_too_small(length, d, base) if base < right else _too_large(length, d, base, right)}")


def _too_small(length, d, base):
    at = first_at_most_zero(d, base, length)
    total = np.cos(at * frequencies(d, base)).sum()
    return f"There the sum at offset {at} is {total:.3f}. {_which_offsets(d, base, at, length)}"


def _which_offsets(d, base, at, length):
    if at == length - 1:
        return "That is the last offset below `length`; does your search reach it?"
    if np.cos((length - 1) * frequencies(d, base)).sum() > 0:
        return "At the last offset it is positive again, so try all before it, too."
    return "It has to be above 0 at every whole offset below `length`."


def _too_large(length, d, base, right):
    if right > 10 and base == smallest_base(length, d, exponent=-1):
        return "Your speeds are base ** (−i/d). A pair has two entries, so they are base ** (−2i/d)."
    if np.cos(length * frequencies(d, right)).sum() <= 0:
        return f"Base {right} is enough: its sum is below 0 at offset {length}, which is one too far. Offsets stay below `length`."
    return f"Base {right} is enough: its sum is above 0 at all offsets below {length}."


def smallest_base(length, d, exponent=-2):
    """The answer to 10.4, for speeds base ** (exponent · i / d)."""
    base = 10
    while first_at_most_zero(d, base ** (-exponent / 2), length) is not None:
        base *= 10
    return base


def first_at_most_zero(d, base, length):
    """The first whole offset below length at which sum cos(m theta_i) is not above 0, or None."""
    theta = frequencies(d, base)
    for start in range(0, length, 10_000):
        sums = np.cos(np.outer(np.arange(start, min(start + 10_000, length)), theta)).sum(axis=1)
        if (sums <= 0).any():
            return start + int(np.argmax(sums <= 0))
    return None


# ---- reading answers --------------------------------------------------------


def _number(result, name, if_complex=""):
    """The answer as one real number; if_complex says why a complex one is not."""
    if if_complex and isinstance(result, (complex, np.complexfloating)):
        raise Wrong(f"For {name} you return a complex number. {if_complex}")
    return one_number(result, name)
