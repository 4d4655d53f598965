"""Checkers of chapter 05, the rotation in NumPy."""

import numpy as np

from ropebook.exercises import NotAnswered, Wrong, call, exercise
from ropebook.frequencies import frequencies
from ropebook.rotation import rotate, rotate_half_split

NEAR, FAR, LONGER = np.array([3, 0, 1, 7, 2]), np.array([4001, 60007, 2, 30003, 513]), np.array([2, 0, 9, 4, 1, 30, 11])
CASES = ((8, 500.0, NEAR), (8, 500.0, FAR), (6, 10000.0, LONGER))  # D, base, positions: the notebook's own D, T and theta do not fit them all
CLOSE = 1e-5  # above the rounding of float32 results, 1e-6, and below what float32 angles do to the positions in FAR, 1e-4


@exercise("5.1")
def speeds(answer):
    """A function (head_dim, base) -> (D/2,) array of theta_i = base ** (-2 i / D)."""
    praise = "The exponents run from 0 to −(d − 2)/d, and the base sets how slow the last pair is."
    for head_dim, base in ((8, 10000.0), (4, 10000.0), (6, 8.0), (128, 500000.0)):
        got, expected = _numbers(call(answer, head_dim, base)), frequencies(head_dim, base)
        if got.shape != expected.shape:
            raise Wrong(f"One speed for each pair: head_dim = {head_dim} has {head_dim // 2} pairs, and you return shape {got.shape}.")
        if not np.allclose(got, expected, rtol=5e-6, atol=0):
            raise Wrong(f"For head_dim = {head_dim}, base = {base:g}: {_why_not_speeds(head_dim, base, got, expected)}")
        if not np.allclose(got, expected, rtol=1e-12, atol=0):
            praise = "To the digits of float32, that is. Angles far out need more: see In practice."
    return praise


def _why_not_speeds(head_dim, base, got, expected):
    i = np.arange(head_dim // 2)
    same = lambda other: np.allclose(got, other, rtol=1e-5, atol=0)
    if same(np.sqrt(expected)):
        return "your exponent is −i/d. A pair has two entries, so pair i starts at entry 2i: the exponent is −2i/d."
    if base != 10000.0 and same(frequencies(head_dim)):
        return "those are the speeds for base 10000. Is `base` used?"
    if same(1 / expected):
        return "your speeds grow from pair to pair. Is the minus sign of the exponent there?"
    if same(base ** (-2 * (i + 1) / head_dim)):
        return "your i starts at 1. The first pair has i = 0 and turns by 1 radian per token."
    if same(base ** (-2 * (i - 1) / head_dim)):
        return "your i starts at −1. The paper writes i − 1 because its i starts at 1; here the first pair has i = 0."
    if same(base ** (-2 * i // head_dim).astype(float)):
        return "`//` cuts the exponent to a whole number. Divide with /."
    if same(np.geomspace(1, 1 / base, head_dim // 2)):
        return "your last speed is 1/b. The last pair has i = d/2 − 1, so its exponent, −(d − 2)/d, stops short of −1."
    if same(2 * np.pi / expected):
        return "those are wavelengths, tokens per turn. Speeds are radians per token."
    if same(expected[::-1]):
        return "those are the right speeds in the wrong order: the fastest pair comes first."
    if np.allclose(got, expected, rtol=1e-2, atol=0):
        return "close, but off after a few digits. Is a smaller float type, such as float16, at work?"
    return f"expected {_row(expected[:4])}, got {_row(got[:4])} in the first pairs."


@exercise("5.2")
def one_slow_turn(answer):
    """A function (length, head_dim) -> the base for which the slowest pair turns once in `length` tokens."""
    for length, head_dim in ((2000 * np.pi, 8), (512, 64), (32768, 128), (100, 4)):
        base = _numbers(call(answer, length, head_dim))
        if base.shape not in ((), (1,)):
            raise Wrong(f"Return one number, the base; yours has shape {base.shape}.")
        base = base.item()
        if not base > 0:
            raise Wrong(f"A base is positive; for length = {length:.6g}, head_dim = {head_dim} yours is {base:g}.")
        power = head_dim / (head_dim - 2)
        turns = length * base ** (-1 / power) / (2 * np.pi)
        if not np.isclose(turns, 1, rtol=1e-3):
            raise Wrong(f"For length = {length:.6g}, head_dim = {head_dim} and your base {base:.6g} the slowest pair makes "
                        f"{turns:.4g} turns, not 1. {_why_not_one_turn(base, length, power)}".rstrip())
    return "At d = 64, a text twice as long needs a base 2.05 times as large: two to the power 64/62."


def _why_not_one_turn(base, length, power):
    slowness = length / (2 * np.pi)  # tokens per radian of the slowest pair
    for other, lesson in (
        (length**power, "After one turn the angle is 2π, not 1."),
        ((length / 360) ** power, "Speeds are in radians: a full turn is 2π, not 360."),
        (slowness, "The slowest pair has i = d/2 − 1, so its exponent is −(d − 2)/d and not −1."),
        (slowness ** (1 / power), "Solve for the base: the exponent (d − 2)/d has to be undone, not applied again."),
        (slowness**-power, "Upside down: the longer the text, the larger the base."),
        (slowness ** (2 * power), "A 2 is lost: the last exponent is −2(d/2 − 1)/d, which is −(d − 2)/d."),
        (slowness ** (8 / 6), "That is the base for d = 8. Is `head_dim` used?"),
        (((length - 1) / (2 * np.pi)) ** power, "The turn is complete at offset `length`, not one token sooner."),
        (int(slowness**power), "Cut to a whole number, a small base is too far off; a base need not be whole."),
    ):
        if np.isclose(base, other, rtol=1e-6):
            return lesson
    return ""


@exercise("5.3")
def rotate_rows(answer):
    """A function (x, positions, theta) -> x (T, D) with every row turned, pairs (2i, 2i+1)."""
    _check_rotation(answer, rotate, MISTAKES)
    return "Every row stands at the position that the caller gave, and x is as it was."


def _check_rotation(answer, right, mistakes):
    """Compare the reader's rotation with `right`; where they differ, give the lesson of the mistake that explains it."""
    for head_dim, base, positions in CASES:
        theta, x = frequencies(head_dim, base), np.random.default_rng(5).standard_normal((len(positions), head_dim))
        got, expected = _turned(answer, x, positions, theta), right(x, positions, theta)
        if not np.allclose(got, expected, rtol=0, atol=CLOSE):
            raise Wrong(_first_match(mistakes, x, positions, theta, got) or _where(x, positions, theta, got, expected))


@exercise("5.4")
def packed_scores(answer):
    """A function (q, k, lengths, theta) -> scores (T, T) of documents packed in one row, −inf between documents."""
    for lengths, head_dim, base in (((3, 4), 8, 500.0), ((5,), 6, 10000.0), ((2, 1, 3), 6, 10000.0)):
        theta, (q, k) = frequencies(head_dim, base), np.random.default_rng(6).standard_normal((2, sum(lengths), head_dim))
        got = _numbers(_call_sized(answer, q.copy(), k.copy(), lengths, theta.copy()), finite=False)
        if got.shape != (len(q), len(q)):
            raise Wrong(f"{len(q)} tokens have {len(q)} × {len(q)} scores; yours has shape {got.shape}.")
        document = np.repeat(np.arange(len(lengths)), lengths)
        together = document[:, None] == document
        _check_mask(lengths, together, got)
        expected = _scores(q, k, theta, 1, 1)
        if not np.allclose(got[together], expected[together], rtol=0, atol=CLOSE):
            raise Wrong(_why_not_scores(q, k, theta, lengths, together, got, expected))
    return ("Each document scores as if it stood alone. Positions that start again at 0 and positions that run on give the same scores, "
            "since only offsets count; what keeps documents apart is the mask.")


def _check_mask(lengths, together, got):
    if np.isnan(got).any():
        raise Wrong("Some scores are not a number. Multiplying by infinity does that; choose with np.where.")
    if not together.all() and ((got == -np.inf) == together).all():
        raise Wrong("Your mask is the wrong way round: −inf goes where the documents differ.")
    for wrong, lesson in ((together & ~np.isfinite(got), "are in one document, so their score is a finite number. No causal mask is asked for"),
                          (~together & (got != -np.inf), "are in different documents, so their score must be −inf")):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise Wrong(f"With lengths = {lengths}, query {row} and key {column} {lesson}; yours is {got[row, column]:.4g}.")


def _scores(q, k, theta, sign_q, sign_k, turn=rotate):
    at = np.arange(len(q))
    return turn(q, sign_q * at, theta) @ turn(k, sign_k * at, theta).T / np.sqrt(q.shape[1])


def _why_not_scores(q, k, theta, lengths, together, got, expected):
    same = lambda other: np.allclose(got[together], other[together], rtol=0, atol=CLOSE)
    head_dim, factor = q.shape[1], got[0, 0] / expected[0, 0]
    if factor > 0 and same(expected * factor):
        size = "√d times too large" if np.isclose(factor, np.sqrt(head_dim)) else f"the right ones times {factor:.3g}"
        return f"Your scores are {size}: divide q·k by the root of the head's dimension, here √{head_dim}."
    if same(expected.T):
        return "Your scores are transposed: row t holds the scores of query t."
    if same(_scores(q, k, frequencies(head_dim), 1, 1)):
        return "You turn at the speeds of base 10000, whatever theta says. Use the argument."
    if same(_scores(q, k, theta, 1, 1, rotate_half_split)):
        return "Your pairs are (i, i + d/2). In this book's default layout neighbours pair up, as in `rotate`."
    if same(_scores(q, k, theta, 0, 0)):
        return "Inside a document your scores are those of vectors that were not turned. Has each token a position of its own?"
    if any(same(_scores(q, k, theta, *signs)) for signs in ((1, 0), (0, 1))):
        return "Only one of query and key is turned, so your score knows one position and not the offset. Turn both."
    if any(same(_scores(q, k, theta, *signs)) for signs in ((1, -1), (-1, 1))):
        return "Query and key turn in opposite directions, so your score depends on m + n. Turn both the same way."
    if same(_scores(q, k, theta, -1, -1)):
        return "Query and key both turn the other way. The angle of a token is its position times theta, with a plus."
    row, column = np.argwhere(together & ~np.isclose(got, expected, rtol=0, atol=CLOSE))[0]
    return (f"With lengths = {lengths}, query {row} and key {column} should score {expected[row, column]:.3f}; "
            f"yours is {got[row, column]:.3f}. Do the positions go up by one from token to token?")


@exercise("5.5")
def mended(answer):
    """The half-split rotation, mended from a function that mixes two layouts."""
    _check_rotation(answer, rotate_half_split, HALF_SPLIT_MISTAKES)
    return "Entries i and i + d/2 now share one angle. Pairs and angles have to come from the same layout."


def _with(spread, quarter):
    """x cos + quarter sin, its angles spread over the entries by `spread` and its other half made by `quarter`."""

    def turn(x, positions, theta):
        angles = spread(np.outer(positions, theta))  # (T, D)
        return x * np.cos(angles) + quarter(x) * np.sin(angles)
    return turn


def _repeat(angles):
    return np.repeat(angles, 2, axis=-1)


def _tile(angles):
    return np.tile(angles, 2)


def _neighbours(x, sign=-1):
    return np.stack([sign * x[:, 1::2], x[:, 0::2]], axis=-1).reshape(x.shape)


def _halves(x, sign=-1):
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([sign * second, first], axis=-1)


def _sliced_then_joined(x):
    return np.concatenate([-x[:, 1::2], x[:, 0::2]], axis=-1)


def overwritten(x, positions, theta):
    """Interleaved, with the first entries of the pairs overwritten before the second ones are made."""
    out, angles = x.copy(), np.outer(positions, theta)
    out[:, 0::2] = x[:, 0::2] * np.cos(angles) - x[:, 1::2] * np.sin(angles)
    out[:, 1::2] = out[:, 0::2] * np.sin(angles) + x[:, 1::2] * np.cos(angles)
    return out


ROUNDED = "Near position 0 your rows are nearly right and far away they drift: are the angles in a smaller float type? Keep them in float64."
ROW_NUMBER = "You turn row t by t. The position of a row is positions[t], and the caller decides what it is."
ALL_ALIKE = "You turn every row by one position. Row t has positions[t]: give positions a second axis, positions[:, None]."
ONE_TOO_FAR = "Every row is one token too far: a row at position 0 must stay as it is."
OWN_THETA = "You turn at the speeds of base 10000, whatever theta says. Use the argument."
DEGREES = "Your angles are taken for degrees. Positions times theta are radians, as np.cos wants them."
NO_MINUS = "Both sines carry a plus. In a turn one of the two entries of each pair gets minus the other: see the quarter turn in (34)."
COSINE_ONLY = "That is the first half of (34), where you are; the sine of where a quarter turn would take you is missing."
MISTAKES = (
    ("You turn the other way: look at the sign of the sine, or of the entry that you negate.", lambda x, at, th: rotate(x, -at, th)),
    ("Your pairs are (i, i + d/2). In this book's default layout neighbours pair up: (0, 1), (2, 3), …", rotate_half_split),
    ("Your pairs and your angles come from two layouts. Neighbours share an angle: is it np.repeat or np.tile?", _with(_tile, _neighbours)),
    ("Your angles suit neighbours, (0, 1), (2, 3), …, but the entries that you swap are (i, i + d/2).", _with(_repeat, _halves)),
    ("The quarter turn has the right numbers in the wrong places: first and second entries alternate, −x1, x0, −x3, x2, …",
     _with(_repeat, _sliced_then_joined)),
    (NO_MINUS, _with(_repeat, lambda x: _neighbours(x, 1))),
    (COSINE_ONLY, _with(_repeat, lambda x: 0 * x)),
    ("The second entries are made from first entries that are already turned. Keep the old ones until both are done.", overwritten),
    (ROW_NUMBER, lambda x, at, th: rotate(x, np.arange(len(at)), th)),
    (ALL_ALIKE, lambda x, at, th: rotate(x, np.full(len(at), at[0]), th)),
    (ONE_TOO_FAR, lambda x, at, th: rotate(x, at + 1, th)),
    (OWN_THETA, lambda x, at, th: rotate(x, at, frequencies(x.shape[1]))),
    (DEGREES, lambda x, at, th: rotate(x, np.deg2rad(at), th)),
    ("Cosine and sine have changed places: at position 0 a row must stay as it is.",
     lambda x, at, th: rotate(rotate(x, -at, th), np.full(len(at), np.pi / 2), np.ones(len(th)))),
)
HALF_SPLIT_MISTAKES = (
    ("Nothing is mended yet. Turn the one-hot e0 at position 1: entry 0 keeps cos(theta[0]), and which sine does its partner get?",
     _with(_repeat, _halves)),
    ("A rotation, but of the other layout: its pairs are neighbours. Leave the pairs as they were, and change the angles.", rotate),
    ("Pairs are neighbours now and their angles are not: mixed the other way round.", _with(_tile, _neighbours)),
    ("The pairs are right, and they turn the other way: leave the minus sign where it was.", lambda x, at, th: rotate_half_split(x, -at, th)),
    ("The minus sign was not the fault, and the angles still suit neighbours. Which entries have to share an angle?",
     _with(_repeat, lambda x: -_halves(x))),
    ("The split into halves was right. The fault is in another line: which entries have to share an angle?", _with(_repeat, _sliced_then_joined)),
    ("The angles are right now. Put the split back: first and second are the two halves of x.", _with(_tile, _sliced_then_joined)),
    (NO_MINUS, _with(_tile, lambda x: _halves(x, 1))),
    (COSINE_ONLY, _with(_tile, lambda x: 0 * x)),
    (ROW_NUMBER, lambda x, at, th: rotate_half_split(x, np.arange(len(at)), th)),
    (ONE_TOO_FAR, lambda x, at, th: rotate_half_split(x, at + 1, th)),
    (OWN_THETA, lambda x, at, th: rotate_half_split(x, at, frequencies(x.shape[1]))),
    (DEGREES, lambda x, at, th: rotate_half_split(x, np.deg2rad(at), th)),
)


def _numbers(result, finite=True):
    """The reader's result as real float64 numbers."""
    try:
        got = np.asarray(result)
        if np.iscomplexobj(got):
            raise Wrong("Expected real numbers, got complex ones. For pairs, `.view(float)` gives their entries back.")
        got = got.astype(np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"Expected numbers, got {type(result).__name__}.") from None
    if finite and not np.isfinite(got).all():
        raise Wrong(f"Expected finite numbers, got {got[~np.isfinite(got)][0]}.")
    return got


def _call_sized(answer, x, *others):
    """call(answer, x, …); for an x of another size than the notebook's T = 5, D = 8 an error names the size."""
    try:
        return call(answer, x, *others)
    except (Wrong, NotAnswered):
        raise
    except Exception as error:
        if x.shape == (5, 8):
            raise
        raise Wrong(f"For rows of shape {x.shape} your answer stopped with {type(error).__name__}: {error}. "
                    "Are all sizes and speeds those of the arguments, and none the notebook's own D, T or theta?") from None


def _turned(answer, x, positions, theta):
    """The reader's turned rows, from copies that must come back unchanged."""
    given = x.copy()
    got = _numbers(_call_sized(answer, given, positions.copy(), theta.copy()))
    if got.shape != x.shape:
        raise Wrong(f"x has shape {x.shape}, and so has what you return; yours has shape {got.shape}.")
    if not np.array_equal(given, x):
        raise Wrong("Your function changes the x it was given. Write into a new array, such as np.empty_like(x).")
    return got


def _first_match(mistakes, x, positions, theta, got):
    """The lesson of the mistake that explains the answer, or None."""
    return next((lesson for lesson, wrong in mistakes if np.allclose(got, wrong(x, positions, theta), rtol=0, atol=CLOSE)), None)


def _where(x, positions, theta, got, expected):
    still = (got == x)[positions != 0]  # (rows that should move, D)
    if still.all():
        return "Every row comes back as it was."
    if still.all(axis=0).any():
        return f"Entries {', '.join(map(str, np.flatnonzero(still.all(axis=0))))} come back as they were, in every row. Is every pair turned?"
    near = positions < 10
    slip = 2**-7 * (1 + positions[:, None] * theta.max()) * np.linalg.norm(x, axis=-1, keepdims=True)  # what bfloat16 angles may do
    if (np.abs(got - expected) < slip)[near].all() and np.abs(got - expected).max() < 10:
        return ROUNDED
    row, column = np.argwhere(~np.isclose(got, expected, rtol=0, atol=CLOSE))[0]
    return (f"In the row at position {positions[row]}, entry {column} should be {expected[row, column]:.3f}; yours is {got[row, column]:.3f}. "
            f"(x has shape {x.shape}.)")


def _row(values):
    return "[" + ", ".join(f"{value:.4g}" for value in values) + "]"
