"""Checkers of chapter 05, the rotation in NumPy."""

import numpy as np

from ropebook.exercises import Wrong, call, exercise
from ropebook.frequencies import frequencies
from ropebook.rotation import rotate, rotate_half_split

NEAR, FAR = np.array([3, 0, 1, 7, 2]), np.array([4001, 60007, 2, 30003, 513])
PRECISE = 1e-9  # far above the rounding of float64 at these positions, 1e-11, and far below that of float32, 1e-4


@exercise("5.1")
def speeds(answer):
    """A function (head_dim, base) -> (D/2,) array of theta_i = base ** (-2 i / D)."""
    for head_dim, base in ((4, 10000.0), (8, 10000.0), (6, 8.0), (128, 500000.0)):
        got, expected = _numbers(call(answer, head_dim, base)), frequencies(head_dim, base)
        if got.shape != expected.shape:
            raise Wrong(f"One speed for each pair: head_dim = {head_dim} has {head_dim // 2} pairs, and you return shape {got.shape}.")
        if not np.allclose(got, expected, rtol=1e-12, atol=0):
            raise Wrong(f"For head_dim = {head_dim}, base = {base:g}: {_why_not_speeds(head_dim, base, got, expected)}")
    return "The exponents run from 0 to −(d − 2)/d, and the base sets how slow the last pair is."


def _why_not_speeds(head_dim, base, got, expected):
    i = np.arange(head_dim // 2)
    same = lambda other: np.allclose(got, other, rtol=1e-9, atol=0)
    if same(np.sqrt(expected)):
        return "your exponent is −i/d. A pair has two entries, so pair i starts at entry 2i: the exponent is −2i/d."
    if base != 10000.0 and same(frequencies(head_dim)):
        return "those are the speeds for base 10000. Is `base` used?"
    if same(1 / expected):
        return "your speeds grow from pair to pair. Is the minus sign of the exponent there?"
    if same(base ** (-2 * (i + 1) / head_dim)):
        return "your i starts at 1. The first pair has i = 0 and turns by 1 radian per token."
    if same(2 * np.pi / expected):
        return "those are wavelengths, tokens per turn. Speeds are radians per token."
    if same(expected[::-1]):
        return "those are the right speeds in the wrong order: the fastest pair comes first."
    if np.allclose(got, expected, rtol=1e-2, atol=0):
        return "right to two digits only. Is a smaller float type, such as float32, at work?"
    return f"expected {_row(expected[:4])}, got {_row(got[:4])} in the first pairs."


@exercise("5.2")
def one_slow_turn(answer):
    """A function (length, head_dim) -> the base for which the slowest pair turns once in `length` tokens."""
    for length, head_dim in ((2000 * np.pi, 8), (512, 64), (32768, 128), (100, 4)):
        base = _numbers(call(answer, length, head_dim))
        if base.shape != ():
            raise Wrong(f"Return one number, the base; yours has shape {base.shape}.")
        if not base > 0:
            raise Wrong(f"A base is positive; for length = {length:.6g}, head_dim = {head_dim} yours is {base:g}.")
        power = head_dim / (head_dim - 2)
        turns = length * base ** (-1 / power) / (2 * np.pi)
        if not np.isclose(turns, 1, rtol=1e-3):
            raise Wrong(f"For length = {length:.6g}, head_dim = {head_dim} and your base {base:.6g} the slowest pair makes "
                        f"{turns:.4g} turns, not 1. {_why_not_one_turn(base, length, power)}".rstrip())
    return "At d = 64, a text twice as long needs a base 2.05 times as large: two to the power 64/62."


def _why_not_one_turn(base, length, power):
    if np.isclose(base, length**power):
        return "After one turn the angle is 2π, not 1."
    if np.isclose(base, length / (2 * np.pi)):
        return "The slowest pair has i = d/2 − 1, so its exponent is −(d − 2)/d and not −1."
    if np.isclose(base, (length / (2 * np.pi)) ** (1 / power)):
        return "Solve for the base: the exponent (d − 2)/d has to be undone, not applied again."
    return ""


@exercise("5.3")
def rotate_rows(answer):
    """A function (x, positions, theta) -> x (T, D) with every row turned, pairs (2i, 2i+1)."""
    theta = frequencies(8)
    x = np.random.default_rng(5).standard_normal((5, 8))
    for positions in (NEAR, FAR):
        got, expected = _turned(answer, x, positions, theta), rotate(x, positions, theta)
        if not np.allclose(got, expected, rtol=0, atol=PRECISE):
            raise Wrong(_first_match(MISTAKES, x, positions, theta, got) or _where(positions, got, expected))
    return "Every row stands at the position that the caller gave, and x is as it was."


@exercise("5.4")
def packed_scores(answer):
    """A function (q, k, lengths, theta) -> scores (T, T) of documents packed in one row, −inf between documents."""
    theta = frequencies(8)
    for lengths in ((3, 4), (5,), (2, 1, 3)):
        q, k = np.random.default_rng(6).standard_normal((2, sum(lengths), 8))
        got = _numbers(call(answer, q.copy(), k.copy(), lengths, theta.copy()), finite=False)
        if got.shape != (len(q), len(q)):
            raise Wrong(f"{len(q)} tokens have {len(q)} × {len(q)} scores; yours has shape {got.shape}.")
        document = np.repeat(np.arange(len(lengths)), lengths)
        together = document[:, None] == document
        _check_mask(lengths, together, got)
        expected = _scores(q, k, theta, 1, 1)
        if not np.allclose(got[together], expected[together], rtol=0, atol=PRECISE):
            raise Wrong(_why_not_scores(q, k, theta, lengths, together, got, expected))
    return ("Each document scores as if it stood alone. Positions that start again at 0 and positions that run on give the same scores, "
            "since only offsets count; what keeps documents apart is the mask.")


def _check_mask(lengths, together, got):
    if np.isnan(got).any():
        raise Wrong("Some scores are not a number. Multiplying by infinity does that; choose with np.where.")
    for wrong, lesson in ((together & ~np.isfinite(got), "are in one document, so their score is a finite number. No causal mask is asked for"),
                          (~together & (got != -np.inf), "are in different documents, so their score must be −inf")):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise Wrong(f"With lengths = {lengths}, query {row} and key {column} {lesson}.")


def _scores(q, k, theta, sign_q, sign_k):
    at = np.arange(len(q))
    return rotate(q, sign_q * at, theta) @ rotate(k, sign_k * at, theta).T / np.sqrt(q.shape[1])


def _why_not_scores(q, k, theta, lengths, together, got, expected):
    same = lambda other: np.allclose(got[together], other[together], rtol=0, atol=PRECISE)
    if same(expected * np.sqrt(q.shape[1])):
        return "Your scores are √d times too large: divide by the root of the head's dimension."
    if same(expected.T):
        return "Your scores are transposed: row t holds the scores of query t."
    if same(_scores(q, k, theta, 0, 0)):
        return "Inside a document your scores are those of vectors that were not turned. Has each token a position of its own?"
    if any(same(_scores(q, k, theta, *signs)) for signs in ((1, 0), (0, 1))):
        return "Only one of query and key is turned, so your score knows one position and not the offset. Turn both."
    if any(same(_scores(q, k, theta, *signs)) for signs in ((1, -1), (-1, 1))):
        return "Query and key turn in opposite directions, so your score depends on m + n. Turn both the same way."
    row, column = np.argwhere(together & ~np.isclose(got, expected, rtol=0, atol=PRECISE))[0]
    return (f"With lengths = {lengths}, query {row} and key {column} should score {expected[row, column]:.3f}; "
            f"yours is {got[row, column]:.3f}. Do the positions go up by one from token to token?")


@exercise("5.5")
def mended(answer):
    """The half-split rotation, mended from a function that mixes two layouts."""
    theta = frequencies(8)
    x = np.random.default_rng(7).standard_normal((5, 8))
    for positions in (NEAR, FAR):
        got, expected = _turned(answer, x, positions, theta), rotate_half_split(x, positions, theta)
        if not np.allclose(got, expected, rtol=0, atol=PRECISE):
            raise Wrong(_first_match(HALF_SPLIT_MISTAKES, x, positions, theta, got) or _where(positions, got, expected))
    return "Entries i and i + d/2 now share one angle. Pairs and angles have to come from the same layout."


def mixed(x, positions, theta):
    """Half-split pairs with interleaved angles: no rotation at all."""
    angles = np.repeat(np.outer(positions, theta), 2, axis=-1)  # (T, D)
    first, second = np.split(x, 2, axis=-1)
    return x * np.cos(angles) + np.concatenate([-second, first], axis=-1) * np.sin(angles)


def mixed_the_other_way(x, positions, theta):
    """Interleaved pairs with half-split angles."""
    angles = np.tile(np.outer(positions, theta), 2)  # (T, D)
    quarter = np.stack([-x[..., 1::2], x[..., 0::2]], axis=-1).reshape(x.shape)
    return x * np.cos(angles) + quarter * np.sin(angles)


ROUNDED = "Near position 0 your rows are nearly right and far away they drift: are the angles in a smaller float type? Keep them in float64."
ROW_NUMBER = "You turn row t by t. The position of a row is positions[t], and the caller decides what it is."
ALL_ALIKE = "You turn every row by one position. Row t has positions[t]: give positions a second axis, positions[:, None]."
ONE_TOO_FAR = "Every row is one token too far: a row at position 0 must stay as it is."
MISTAKES = (
    ("You turn the other way: look at the sign of the sine, or of the entry that you negate.", lambda x, at, th: rotate(x, -at, th)),
    ("Your pairs are (i, i + d/2). In this book's default layout neighbours pair up: (0, 1), (2, 3), …", rotate_half_split),
    ("Your pairs and your angles come from two layouts. Neighbours share an angle: is it np.repeat or np.tile?", mixed_the_other_way),
    ("Your angles suit neighbours, (0, 1), (2, 3), …, but the entries that you swap are (i, i + d/2).", mixed),
    (ROW_NUMBER, lambda x, at, th: rotate(x, np.arange(len(at)), th)),
    (ALL_ALIKE, lambda x, at, th: rotate(x, np.full(len(at), at[0]), th)),
    (ONE_TOO_FAR, lambda x, at, th: rotate(x, at + 1, th)),
    ("Cosine and sine have changed places: at position 0 a row must stay as it is.",
     lambda x, at, th: rotate(rotate(x, -at, th), np.full(len(at), np.pi / 2), np.ones(len(th)))),
)
HALF_SPLIT_MISTAKES = (
    ("Nothing is mended yet. Turn the one-hot e0 at position 1: entry 0 keeps cos(theta[0]), and which sine does its partner get?", mixed),
    ("A rotation, but of the other layout: its pairs are neighbours. Leave the pairs as they were, and change the angles.", rotate),
    ("Pairs are neighbours now and their angles are not: mixed the other way round.", mixed_the_other_way),
    ("The pairs are right, and they turn the other way: leave the minus sign where it was.", lambda x, at, th: rotate_half_split(x, -at, th)),
    (ROW_NUMBER, lambda x, at, th: rotate_half_split(x, np.arange(len(at)), th)),
    (ONE_TOO_FAR, lambda x, at, th: rotate_half_split(x, at + 1, th)),
)


def _numbers(result, finite=True):
    """The reader's result as real float64 numbers."""
    try:
        got = np.asarray(result)
        if np.iscomplexobj(got):
            raise Wrong("Expected real numbers, got complex ones. `.view(float)` turns pairs back into entries.")
        got = got.astype(np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"Expected numbers, got {type(result).__name__}.") from None
    if finite and not np.isfinite(got).all():
        raise Wrong(f"Expected finite numbers, got {got[~np.isfinite(got)][0]}.")
    return got


def _turned(answer, x, positions, theta):
    """The reader's turned rows, from copies that must come back unchanged."""
    given = x.copy()
    got = _numbers(call(answer, given, positions.copy(), theta.copy()))
    if got.shape != x.shape:
        raise Wrong(f"x has shape {x.shape}, and so has what you return; yours has shape {got.shape}.")
    if not np.array_equal(given, x):
        raise Wrong("Your function changes the x it was given. Write into a new array, such as np.empty_like(x).")
    return got


def _first_match(mistakes, x, positions, theta, got):
    """The lesson of the mistake that explains the answer, or None."""
    return next((lesson for lesson, wrong in mistakes if np.allclose(got, wrong(x, positions, theta), rtol=0, atol=PRECISE)), None)


def _where(positions, got, expected):
    near = positions < 10
    if np.abs(got - expected)[near].max() < 0.05 and np.abs(got - expected).max() < 10:
        return ROUNDED
    row, column = np.argwhere(~np.isclose(got, expected, rtol=0, atol=PRECISE))[0]
    return f"In the row at position {positions[row]}, entry {column} should be {expected[row, column]:.3f}; yours is {got[row, column]:.3f}."


def _row(values):
    return "[" + ", ".join(f"{value:.4g}" for value in values) + "]"
