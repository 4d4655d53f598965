"""Checkers of chapter 09, invariance."""

import numpy as np
import torch

from ropebook.checks.asking import asked, one_number
from ropebook.checks.ch09_boxes import BOXES
from ropebook.checks.turning import angles_of, checked, same, short, slack, speeds, turned, why_not_turned
from ropebook.exercises import Wrong, exercise
from ropebook.frequencies import frequencies

# D, base, m, n, shift, eps: the first with a distance that is not 0, then one whose m and n count for little, and one with shift 0
BOUNDS = ((8, 10000.0, 3, 40, 100, 2.0**-52), (64, 10000.0, 12, 7, 1_000_000, 2.0**-52), (6, 500.0, 900, 200, 50, 2.0**-23),
          (128, 500_000.0, 30, 0, 5000, 2.0**-10), (2, 10000.0, 1, 2, 0, 2.0**-7))  # fmt: skip


@exercise("9.1")
def growing_part(answer):
    """A function (q, k, m, n, shift, theta, eps) -> eps (m + n + shift) Σ theta_i |q_i||k_i|, one number."""
    rng = np.random.default_rng(91)
    for case in BOUNDS:
        head_dim, base, m, n, shift, eps = case
        q, k, theta = *rng.standard_normal((2, head_dim)), frequencies(head_dim, base)
        name = f"D = {head_dim}, m = {m}, n = {n}, shift = {shift:,}"
        got = one_number(asked(answer, name, case == BOUNDS[0], q.copy(), k.copy(), m, n, shift, theta.copy(), eps), name)
        given = q, k, m, n, shift, theta
        near = lambda other: np.isclose(got / eps, other, rtol=1e-4, atol=0)  # an answer in float32 is right to 1e-6
        if not near(_growing(*given)):
            lesson = next((lesson for lesson, wrong in BOUND_MISTAKES if near(wrong(*given, eps))), None)
            raise Wrong(f"For {name}: {lesson or f'expected {eps * _growing(*given):.4g}, got {got:.4g}.'}")
    return "Fast pairs and far positions make the error, and ε turns it from float64 into any other format."


def _pairs(x):
    return np.hypot(x[0::2], x[1::2])


def _halves(x):
    return np.hypot(x[: len(x) // 2], x[len(x) // 2 :])


def _growing(q, k, m, n, shift, theta, lengths=_pairs):
    """The right answer without ε."""
    return (m + n + shift) * (theta @ (lengths(q) * lengths(k)))


def _other_places(count):
    """The right answer with another number for m + n + s."""
    return lambda q, k, m, n, s, t, eps: count(m, n, s) * (t @ (_pairs(q) * _pairs(k)))


def _entries(x):
    return x[0::2], x[1::2]


def _by_entry(q, k):
    (a, b), (c, d) = _entries(q), _entries(k)
    return abs(a * c) + abs(b * d)


def _dots(q, k):
    (a, b), (c, d) = _entries(q), _entries(k)
    return a * c + b * d


def _sum_of(parts):
    """The right answer with parts(q, k), (D/2,), for the products of lengths."""
    return lambda q, k, m, n, s, t, eps: (m + n + s) * (t @ parts(q, k))


BOUND_MISTAKES = (
    ("m and n are missing. Their angles are rounded, too, before the shift and after it.", _other_places(lambda m, n, s: s)),
    ("that counts the four places without the half: each angle errs by ε/2 of its size at most.",
     _other_places(lambda m, n, s: 2 * (m + n + s))),
    ("that is half of it. The factor ½ of each angle is used up: m + n + (m + s) + (n + s) is 2 (m + n + s).",
     _other_places(lambda m, n, s: (m + n + s) / 2)),
    ("the shift counts for both words: that gives m + n + 2s. It is m + n + s, half of the sum over the four places.",
     _other_places(lambda m, n, s: m + n + 2 * s)),
    ("the shift is missing.", _other_places(lambda m, n, s: m + n)),
    ("you take m − n. Errors do not cancel as angles do: their sizes add up.", _other_places(lambda m, n, s: abs(m - n) + s)),
    ("you take m − n. Errors do not cancel as angles do: their sizes add up.", _other_places(lambda m, n, s: m - n + s)),
    ("only the query’s places are counted; the key’s angles are rounded as well.", _other_places(lambda m, n, s: m + s)),
    ("only the key’s places are counted; the query’s angles are rounded as well.", _other_places(lambda m, n, s: n + s)),
    ("the speeds are missing: a pair’s angle is m θ_i.", lambda q, k, m, n, s, t, eps: (m + n + s) * (_pairs(q) @ _pairs(k))),
    ("those are the speeds of base 10000. Is `theta` used?",
     lambda q, k, m, n, s, t, eps: _growing(q, k, m, n, s, frequencies(len(q)))),
    ("you take sizes entry by entry. A turn mixes the two entries of a pair: it takes the lengths of the pairs.", _sum_of(_by_entry)),
    ("you take the pairs’ dot products, at these angles. Elsewhere a pair may add as much as |q_i||k_i|.", _sum_of(_dots)),
    ("you take the sizes of the pairs’ dot products, at these angles. Elsewhere a pair may add as much as |q_i||k_i|.",
     _sum_of(lambda q, k: abs(_dots(q, k)))),
    ("the lengths are squared: √(a² + b²), or np.hypot(a, b), is the length of a pair.",
     _sum_of(lambda q, k: (_pairs(q) * _pairs(k)) ** 2)),
    ("you take the lengths of the whole vectors for those of the pairs.",
     lambda q, k, m, n, s, t, eps: (m + n + s) * t.sum() * np.linalg.norm(q) * np.linalg.norm(k)),
    ("you multiply two sums over the pairs. It is one sum, of θ_i |q_i||k_i|.",
     lambda q, k, m, n, s, t, eps: (m + n + s) * t.sum() * (_pairs(q) @ _pairs(k))),
    ("that is the largest pair’s part; add up all.", lambda q, k, m, n, s, t, eps: (m + n + s) * (t * _pairs(q) * _pairs(k)).max()),
    ("that is the mean over the pairs; add up.", lambda q, k, m, n, s, t, eps: _growing(q, k, m, n, s, t) / len(t)),
    ("your pairs are (i, i + D/2). Neighbours pair up here: (0, 1), (2, 3), …",
     lambda q, k, m, n, s, t, eps: _growing(q, k, m, n, s, t, _halves)),
    ("that is divided by √D. The raw score is not.", lambda q, k, m, n, s, t, eps: _growing(q, k, m, n, s, t) / len(q) ** 0.5),
    ("ε is missing. Is `eps` used?", lambda q, k, m, n, s, t, eps: _growing(q, k, m, n, s, t) / eps),
    ("that is the ε of float64. Is `eps` used?", lambda q, k, m, n, s, t, eps: _growing(q, k, m, n, s, t) * 2.0**-52 / eps),
    ("the part that does not grow is in it, too. Here it is asked without.",
     lambda q, k, m, n, s, t, eps: _growing(q, k, m, n, s, t) + (16 + len(t)) * (_pairs(q) @ _pairs(k))),
)  # fmt: skip

CAP = 200_000
# tolerance, name of the speeds, theta; no tolerance is a power of two, so no error equals it. In the third case a search that does not
# end at 200,000 ends at 207,248, and not, as with a speed of 1, at 16 million.
REACHES = (
    (3e-4, "speeds of D = 16", frequencies(16)),
    (1e-4, "speeds of D = 8 and base 500", frequencies(8, 500.0)),
    (2.5e-3, "speeds of D = 16", frequencies(16)),
    (3e-5, "speeds of D = 24", frequencies(24)),
    (1e-3, "the speeds 0.001, 0.9 and 0.3", np.array([0.001, 0.9, 0.3])),
    (2e-6, "the one speed 0.01", np.array([0.01])),
    (1e-3, "the one speed 1", np.array([1.0])),
    (0.05, "speeds of D = 8", frequencies(8)),
)


@exercise("9.2")
def carries(answer):
    """A function (tolerance, theta) -> the largest M up to 200,000 with all float32 angles at 0 … M within the tolerance."""
    for index, (tolerance, which, theta) in enumerate(REACHES):
        name = f"tolerance {tolerance:g} and {which}"
        got = one_number(asked(answer, name, index == 0, tolerance, theta.copy()), name)
        right = reach(tolerance, theta)
        if got != right:
            raise Wrong(f"For {name} you return {got:,.10g}. {_why_not_reach(got, right, tolerance, theta)}")
    return "From there on errors come and go; each doubling of the angle doubles the largest. And a speed of 1 carries to 2²⁴."


def reach(tolerance, theta, exact=lambda at, theta: at * theta.astype(np.float32), reduce=np.max, first=True):
    """The right answer to 9.2, or with another truth, another error over the pairs, or the last good position of all."""
    last = 0
    for start in range(0, CAP + 1, 50_000):
        at = np.arange(start, min(start + 50_000, CAP + 1), dtype=np.float64)[:, None]  # (N, 1)
        angle = at.astype(np.float32) * theta.astype(np.float32)  # (N, D/2)
        good = reduce(np.abs(angle.astype(np.float64) - exact(at, theta)), axis=1) <= tolerance
        if first and not good.all():
            return start + int(np.argmin(good)) - 1
        last = start + int(np.flatnonzero(good).max(initial=-1)) if good.any() else last
    return last


def _why_not_reach(got, right, tolerance, theta):
    is_ = lambda **options: got == reach(tolerance, theta, **options)
    below = tolerance * 2.0**24 / theta.max()
    if got == right + 1:
        return "That is the first position that fails, or one beyond 200,000. Return the last before it."
    if got == right - 1 and right == CAP:
        return "Nothing fails here up to 200,000, and 200,000 itself counts."
    if right == CAP and got > CAP:
        return f"M is at most {CAP:,}. Where nothing fails up to there, that is the answer: a search has to end."
    if right < CAP and got >= CAP:
        return (f"But position {right + 1:,} fails. Are both sides of your comparison in float32? Make the exact product in float64, "
                "and try all speeds: that of 1 never fails.")
    if is_(first=False):
        return f"But position {right + 1:,} fails. Errors come and go: look for the first that is too large, not for the last that is not."
    if is_(exact=lambda at, theta: at * theta):
        return "One of the two products has the speed before it is rounded. Both have the rounded speed."
    if is_(reduce=np.sum):
        return "You add up the errors of all speeds. Each has to be within the tolerance by itself."
    if is_(reduce=np.mean):
        return "You take the mean error over the speeds. Each has to be within the tolerance."
    if got > right and np.log2(got) % 1 == 0:
        return "You try powers of two only, and there every product is exact. Try every whole position."
    if abs(got - below) <= 1:
        return "That is what the bound promises, ε/2 of the angle. Half a unit in the last place is often less: try the positions."
    if got < right:
        return f"But at positions up to {right:,} every angle is within {tolerance:g} of the exact product."
    return f"But at position {right + 1:,} an angle is off by more than {tolerance:g}."


DOUBLE = torch.float64
MOVES = (  # (B, H, T, D), base if it is given, dtype, starts below: first all sizes differ, then a wrong axis fits
    ((3, 2, 5, 8), (), DOUBLE, 30),
    ((2, 3, 4, 6), (500.0,), DOUBLE, 30),
    ((3, 3, 4, 8), (), DOUBLE, 30),
    ((4, 2, 4, 8), (), DOUBLE, 30),
    ((1, 2, 3, 8), (), DOUBLE, 30),
    *(((3, 2, 5, 8), (), dtype, 4096) for dtype in (torch.float32, torch.bfloat16, torch.float16, DOUBLE)),
)


@exercise("9.3")
def move(answer):
    """A function (keys, start, base) -> keys (B, H, T, D), every row of text b turned by start[b] more."""
    for index, (sizes, base, dtype, below) in enumerate(MOVES):
        generator = torch.Generator().manual_seed(930 + index)
        start = below - 1 - torch.randperm(below - 1, generator=generator)[: sizes[0]]
        theta = speeds(sizes[-1], *base)
        bare = torch.randn(sizes, generator=generator, dtype=DOUBLE)
        keys = turned(bare, angles_of(torch.arange(sizes[2]), theta)).to(dtype)
        name = f"keys {sizes} in {short(dtype)} and start {start.tolist()}"
        given = keys.clone(), start.clone()
        got = checked(asked(answer, name, index == 0, *given, *base), sizes, dtype, name)
        if not (torch.equal(given[0], keys) and torch.equal(given[1], start)):
            raise Wrong("Your function changes what it was given. Other texts still need the stored keys: write into a new tensor.")
        at = start[:, None].expand(-1, sizes[2])  # (B, T)
        angles = angles_of(at, theta)
        if ((got - turned(keys, angles)).abs() > _room(keys, angles)).any():
            raise Wrong(f"For {name}: {_why_not_moved(keys, start, theta, base, got, angles, far=below > 30)}")
    return "One turn for a whole document, the same for all its words, and its keys stand anywhere."


def _room(keys, angles):
    """How far from exact the entries may be: of 16-bit keys one rounding of the result, and before it those of float32, angles too.

    Wider keys may be turned in their own dtype, twice even (3 roundings each), but by angles in float64.
    """
    if torch.finfo(keys.dtype).bits > 16:
        return slack(keys, angles, keys.dtype, roundings=6)
    once = torch.finfo(keys.dtype).eps / 2 * turned(keys, angles).abs()
    return once + slack(keys, angles, torch.float32, angle_unit=2.0**-24)


def _why_not_moved(keys, start, theta, base, got, angles, far):
    single = slack(keys, angles, torch.float32, angle_unit=2.0**-24)
    if keys.dtype == DOUBLE and ((got - turned(keys, angles)).abs() <= single).all():
        return "right to the digits of float32 only. Are the angles made in float32? Make them in float64, theta included."
    if torch.finfo(keys.dtype).bits == 16 and ((got - turned(keys, angles)).abs() <= slack(keys, angles, keys.dtype, 2.0**-24)).all():
        return (f"off by some roundings to {short(keys.dtype)}, where one would do. Make angles, cosines and sines in float64, and round the "
                "result, once.")
    if far:
        return (f"near 0 you were right, far away you are off by up to {(got - turned(keys, angles)).abs().max():.2g}. "
                f"Are positions or angles rounded to {short(keys.dtype)} or less? Make them in float64.")
    by = lambda at: turned(keys, angles_of(at, theta))
    words, texts = torch.arange(keys.shape[2]), start[:, None]
    mistakes = (
        ("the words’ own turns, 0 … T − 1, are in the keys already, and you turn by them again. Only the start is missing.",
         by(texts + words)),
        ("you turn by 0 … T − 1, which is in the keys already, and not by the start.", by(words)),
        ("you turn the words’ own turns back as well: the keys come out as if all stood at the start.", by(texts - words)),
        ("you turn back to where nothing is turned, and leave it there. Turn by the start.", by(-words)),
        ("every text is moved by start[0]. Each has its own start.", by(start[:1].expand(len(words)))),
        ("you move word t by start[t]. The start belongs to the text, the first axis.", by(start) if len(start) == len(words) else None),
        ("you move head h by start[h]. The start belongs to the text, the first axis.",
         turned(keys, (start.double()[:, None] * theta)[:, None]) if len(start) == keys.shape[1] else None),
        ("you go the other way: from 0 to the start is a turn by plus the start.", by(-texts.expand(-1, len(words)))),
    )  # fmt: skip
    if lesson := next((lesson for lesson, wrong in mistakes if same(got, wrong)), None):
        return lesson
    return why_not_turned(keys, texts.expand(-1, len(words)), *(base or (10000.0,)), got)


def _taking_any(score):
    """The box for words as lists or tensors as well."""
    return lambda q, k, m, n: score(np.asarray(q), np.asarray(k), m, n)


@exercise("9.4")
def invariant(answer):
    """A function (score, rng) -> whether score(q, k, m, n) stays when both positions move together."""
    for index, (name, score, right, advice) in enumerate(BOXES):
        for seed in range(2):
            said = asked(answer, f"a box, {name}", index == 0, _taking_any(score), np.random.default_rng(seed))
            said = said.item() if getattr(said, "shape", None) == () else said  # of NumPy, or a tensor
            if not isinstance(said, bool):
                raise Wrong(f"Return True or False; for a box you returned {type(said).__name__}.")
            if said != right:
                verdict = "absolute, and it is invariant" if right else "invariant, and it is not"
                raise Wrong(f"Your test calls this {verdict}: {name}. {advice}")
    right = sum(box[2] for box in BOXES)
    return f"It judged {len(BOXES)} boxes rightly, {right} of them invariant, and some of these useless: that takes another test."
