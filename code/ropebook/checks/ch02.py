"""Checkers of chapter 02, encodings of positions."""

import numpy as np

from ropebook.checks.expressions import expression, value
from ropebook.encodings import ENCODINGS, random_weights, sinusoid
from ropebook.exercises import Wrong, call, exercise

PLACES = ((3, 6), (0, 6), (1, 2), (2.5, 8), (-7, 4), (23, 16))  # position, width
CLOSE = 1e-5  # above the rounding of float32 at these positions, below every mistake


@exercise("2.1")
def waves(answer):
    """A function (position, width) -> (width,) array sin, cos, sin, cos, … of position * 10000 ** (-2 t / width)."""
    given = []
    for position, width in PLACES:
        got = np.array(call(answer, position, width))  # a copy: the function may use one array for all its answers
        if got.shape != (width,):
            raise Wrong(f"For width = {width} return {width} numbers, shape ({width},); yours has shape {got.shape}.")
        if not np.issubdtype(got.dtype, np.number) or np.iscomplexobj(got):
            raise Wrong(f"Return real numbers; yours are {got.dtype}.")
        given.append(got)
    same = lambda make: all(np.abs(got - make(*place)).max() <= CLOSE for got, place in zip(given, PLACES, strict=True))
    if same(sinusoid):
        return "Sines and cosines side by side, and the last wave is so long that few texts see it whole."
    if np.allclose(given[0], given[1], atol=CLOSE):
        raise Wrong("Positions 0 and 3 get the same vector: that is the slip in the printed equation 4. Inside sine and cosine stands the position.")
    for mistake, lesson in WAVES:
        if same(mistake):
            raise Wrong(lesson)
    apart = np.max([np.abs(got - sinusoid(*place)).max() for got, place in zip(given, PLACES, strict=True)])
    if apart < 2e-3:
        raise Wrong(f"Right but for rounding: you are off by up to {apart:.0e}. Keep all digits, in float64 or float32.")
    position, width, right, got = next((*place, sinusoid(*place), got) for got, place in zip(given, PLACES, strict=True)
                                       if not np.abs(got - sinusoid(*place)).max() <= CLOSE)
    entry = int(np.argmax(~(np.abs(got - right) <= CLOSE)))
    raise Wrong(f"For position = {position}, width = {width} entry {entry} should be {right[entry]:.4f}; yours is {got[entry]:.4f}.")


def _wave(exponent=lambda t, C: -2 * t / C, base=10000.0, angle=lambda a: a, entries=(np.sin, np.cos), halves=False, position=lambda p: p):
    """Equation 4 with its mistakes as options."""

    def make(at, width):
        t = np.arange(width // 2)
        turns = [angle(position(at) * base ** (exponent(t, width))) for _ in entries]
        columns = [f(turn) for f, turn in zip(entries, turns, strict=True)]
        return np.concatenate(columns) if halves else np.stack(columns, axis=-1).ravel()

    return make


def _own_exponents(divide):
    """Entry j has an exponent of its own, j or 2 j in place of 2 t."""

    def make(at, width):
        j = np.arange(width)
        turn = at * 10000.0 ** (-divide * j / width)
        return np.where(j % 2, np.cos(turn), np.sin(turn))

    return make


WAVES = (
    (_wave(lambda t, C: -t / C), "Your exponent is −t/C. A wave has two entries, so the exponent is −2t/C and the last wave comes close to 10000 tokens per radian."),
    (_wave(lambda t, C: 2 * t / C), "Your waves get faster from pair to pair. Is the minus sign of the exponent there?"),
    (_wave(lambda t, C: -2 * (t + 1) / C), "Your t starts at 1. The first wave has t = 0 and turns by 1 radian per token."),
    (_wave(lambda t, C: -2 * t / max(C - 2, 1)), "Your last wave has a speed of 1/10000. With the exponent −2t/C it stops short of that."),
    (_wave(entries=(np.cos, np.sin)), "Sine and cosine have changed places: the sine comes first, at the even entries."),
    (_wave(halves=True), "Right numbers in another order: all sines first, then all cosines. Equation 4 puts the sine and the cosine of a wave side by side."),
    (_wave(entries=(np.cos, np.sin), halves=True), "All cosines first, then all sines. Equation 4 puts the sine and the cosine of a wave side by side, the sine first."),
    (_wave(angle=np.deg2rad), "That reads the angle in degrees; NumPy's sin and cos, and the book, take radians."),
    (_wave(angle=lambda a: 2 * np.pi * a), "There is a factor 2π too much: position times speed is the angle in radians already."),
    (_wave(base=1000.0), "Your base is 1000. Equation 4 has 10000, four zeros."),
    (_wave(base=100000.0), "Your base is 100000. Equation 4 has 10000, four zeros."),
    (_wave(entries=(np.sin, np.sin)), "Both entries of a wave are sines. The second is the cosine of the same angle."),
    (_wave(entries=(np.cos, np.cos)), "Both entries of a wave are cosines. The first is the sine of the same angle."),
    (_wave(position=int), "Whole positions are right, 2.5 is not. Do you round the position?"),
    (_wave(position=lambda p: p + 1), "You count positions from 1. The position is given; do not add to it."),
    (_own_exponents(1), "The cosine has an exponent of its own. Both entries of a wave turn at the same speed, −2t/C for entries 2t and 2t + 1."),
    (_own_exponents(2), "You count entries where equation 4 counts waves: t belongs to the entries 2t and 2t + 1 together."),
)  # fmt: skip


TURNS = [dict(r=r, theta=theta) for r, theta in ((3, 0.4), (-2, 0.5), (1, 1.3), (7, 0.11), (-5, 2.9), (2.5, -0.6))]


@exercise("2.2")
def between(answer):
    """sin(r theta), what is left of p_m J p_n."""
    found = expression(answer, {"r", "theta"})
    values = np.array([value(found, p) for p in TURNS])
    if not np.isfinite(values).all():
        raise Wrong("Your expression is not finite everywhere, and a dot product of waves is.")
    is_ = lambda f: np.abs(values - np.array([f(p["r"] * p["theta"]) for p in TURNS])).max() <= 1e-9
    if is_(np.sin):
        return "J turns a wave by a quarter, and a turn keeps the offset. Chapter 03 makes an encoding of that."
    if np.abs(values.imag).max() > 1e-9:
        raise Wrong("Sines and cosines of real angles give a real number; did you take the real part?")
    if is_(np.cos):
        raise Wrong("That is (2a), without a matrix. J exchanges the two entries of p_n and changes a sign.")
    if is_(lambda u: -np.sin(u)):
        raise Wrong("The sign is opposite. J p_n is (cos nθ, −sin nθ), and the sine of a difference is sin m cos n − cos m sin n.")
    if is_(lambda u: -np.cos(u)):
        raise Wrong("J exchanges the two entries of p_n: sines meet cosines, and no product of two sines is left.")
    if is_(lambda u: 2 * np.sin(u)) or is_(lambda u: np.sin(u) / 2):
        raise Wrong("A factor of 2 is wrong: two products, and one addition theorem that has no factor.")
    if "theta" not in {symbol.name for symbol in found.free_symbols}:
        raise Wrong("There is no theta in it: how fast does the wave turn?")
    if "r" not in {symbol.name for symbol in found.free_symbols}:
        raise Wrong("There is no r in it: the product does depend on the offset.")
    right = np.array([np.sin(p["r"] * p["theta"]) for p in TURNS])
    worst = int(np.abs(values - right).argmax())
    where = f"m − n = {TURNS[worst]['r']}, theta = {TURNS[worst]['theta']}"
    raise Wrong(f"For {where} the product is {right[worst]:.4f}; yours gives {values[worst].real:.4f}.")


LOOKUPS = (([4, 0, 9], [0, 5, 3, 9], 2), ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], 4), ([7, 30], [8, 7, 2, 6, 31], 1))


@exercise("2.3")
def table_rows(answer):
    """A function (m, n, reach) -> (M, N) whole numbers clip(m - n, -reach, reach) + reach."""
    given = []
    for m, n, reach in LOOKUPS:
        handed = np.array(m), np.array(n)
        got = np.asarray(call(answer, *handed, reach))
        if not (np.array_equal(handed[0], m) and np.array_equal(handed[1], n)):
            raise Wrong("Your function writes into m or n. Make a new array.")
        if got.shape == (len(n), len(m)) != (len(m), len(n)):
            raise Wrong(f"Queries are rows and keys are columns: shape ({len(m)}, {len(n)}); yours is ({len(n)}, {len(m)}).")
        if got.shape != (len(m), len(n)):
            raise Wrong(f"{len(m)} queries and {len(n)} keys make shape ({len(m)}, {len(n)}); yours is {got.shape}.")
        if not np.issubdtype(got.dtype, np.integer):
            raise Wrong(f"Rows are looked up by whole numbers; yours are {got.dtype}, which NumPy does not take as an index.")
        given.append(got.astype(np.int64))
    offsets = [np.subtract.outer(m, n) for m, n, _ in LOOKUPS]
    same = lambda rows: all(np.array_equal(got, rows(offset, reach)) for got, offset, (_, _, reach) in zip(given, offsets, LOOKUPS, strict=True))
    if same(lambda d, r: np.clip(d, -r, r) + r):
        return "No row is outside the table, and the offset 0 has the middle one."
    for mistake, lesson in ROWS:
        if same(mistake):
            raise Wrong(lesson)
    case, i, j = next((case, *at) for case, (got, d) in enumerate(zip(given, offsets, strict=True))
                      for at in np.argwhere(got != np.clip(d, -LOOKUPS[case][2], LOOKUPS[case][2]) + LOOKUPS[case][2]))
    (m, n, reach), row = LOOKUPS[case], given[case][i, j]
    outside = f" The table has rows 0 to {2 * reach}." if not 0 <= row <= 2 * reach else ""
    raise Wrong(f"For m = {m[i]}, n = {n[j]}, reach = {reach} the row is {np.clip(m[i] - n[j], -reach, reach) + reach}; yours is {row}.{outside}")


ROWS = (
    (lambda d, r: np.clip(-d, -r, r) + r, "That is n − m. The book's offset is m − n, query minus key: row 0 is for keys far ahead of the query."),
    (lambda d, r: d + r, "Offsets beyond the reach lead outside the table. Clip them first."),
    (lambda d, r: np.clip(d, -r, r), "Yours go from −reach to reach. In NumPy row −1 is the last one, without an error: add reach."),
    (lambda d, r: np.clip(-d, -r, r), "Yours go from −reach to reach, and they are n − m. Query minus key, then add reach."),
    (lambda d, r: np.clip(d, 0, 2 * r), "Yours clip before they shift: all keys ahead of the query share row 0. Offset 0 has row `reach`."),
    (lambda d, r: np.clip(np.abs(d), 0, r), "A key ahead and a key behind share a row. Shaw's table tells them apart: keep the sign."),
    (lambda d, r: np.clip(np.abs(d), 0, r) + r, "A key ahead and a key behind share a row. Shaw's table tells them apart: keep the sign."),
    (lambda d, r: np.clip(d, -r, r) + r + 1, "Off by one: offset −reach has row 0, and row 2·reach + 1 does not exist."),
    (lambda d, r: np.clip(d, -r, r) + r - 1, "Off by one: offset −reach has row 0, and yours has −1."),
    (lambda d, r: np.clip(d, -r, r - 1) + r, "The last row is never used: the reach itself belongs to the table, at both ends."),
    (lambda d, r: (d + r) % (2 * r + 1), "Far offsets wrap round to the other end of the table. They should share the last row: clip."),
    (lambda d, r: d % (2 * r + 1), "Far offsets wrap round to the other end of the table. They should share the last row: clip."),
    (lambda d, r: (np.clip(d, -r, r)) % (2 * r + 1), "That is how NumPy counts negative indices; here row 0 is for offset −reach: add reach."),
)  # fmt: skip

SLOPES = (1 / 256, 0.07, 0.25, 0.9, 3.0)


@exercise("2.4")
def horizon(answer):
    """log(1000) / slope, the distance at which exp(-slope t) is 1/1000."""
    found = expression(answer, {"slope"})
    values = np.array([value(found, {"slope": s}) for s in SLOPES])
    if not np.isfinite(values).all():
        raise Wrong("Your distance is not a finite number for every slope.")
    if np.abs(values.imag).max() > 1e-9:
        raise Wrong("A distance is a real number.")
    s = np.array(SLOPES)
    right, log = np.log(1000) / s, np.log(1000)
    is_ = lambda other, rtol=1e-9: np.allclose(values, other, rtol=rtol, atol=0)
    if is_(right):
        return "A slope of 1/2 reaches 14 tokens, one of 1/256 reaches 1768: that is why each head has another."
    lessons = (
        (-right, "The sign is opposite: a distance is positive. The logarithm of 1/1000 is negative, and so is the exponent."),
        (3 / s, "That is the decimal logarithm. The softmax uses e, so take the natural one."),
        (np.log2(1000) / s, "That is the logarithm to base 2. The softmax uses e, so take the natural one."),
        (1000 / s, "There the *score* has lost 1000. The weight is e to the score, so it falls much sooner: take a logarithm."),
        (1 / (1000 * s), "Where is the logarithm? The factor e^(−slope·t) is 1/1000, not its exponent."),
        (np.full_like(s, log), "There is no slope in it: a steeper slope forgets sooner."),
        (np.full_like(s, 3.0), "There is no slope in it: a steeper slope forgets sooner."),
        (np.full_like(s, 1000.0), "There is no slope in it: a steeper slope forgets sooner."),
        (log * s, "A steeper slope forgets sooner, so the distance is divided by the slope."),
        (s / log, "That is the inverse. A steeper slope forgets sooner."),
        (np.exp(-1000 * s), "That is the factor at distance 1000. Asked is the distance at which the factor is 1/1000."),
        (np.ceil(right), "Do not round up: distances need not be whole here."),
        (np.floor(right), "Do not round down: distances need not be whole here."),
        (np.log(1000 / s), "Divide after the logarithm: the slope stands in the exponent, before t."),
        (np.log(1000) - s, "Divide by the slope; it multiplies t in the exponent."),
    )
    for wrong, lesson in lessons:
        if is_(wrong):
            raise Wrong(lesson)
    if is_(right, 1e-4):
        raise Wrong(f"Right to {int(-np.log10(np.abs(values / right - 1).max()))} digits. Keep sp.log(1000) instead of a rounded number.")
    worst = int(np.abs(values / right - 1).argmax())
    with np.errstate(all="ignore"):  # a wrong distance may be anything
        left = np.exp(-s[worst] * values[worst].real)
    raise Wrong(f"For slope = {s[worst]:.4g} your distance is {values[worst].real:.4g}. The farther key then weighs {left:.4g} of the nearer, not 1/1000.")


VERDICTS = {  # name: (is its key one finished vector, why)
    "NoPE": (True, "its score is W_q x · W_k y, one query and one key, which know no position at all"),
    "sinusoidal": (True, "the wave is added to the word before W_q and W_k, so query and key each know their own position and meet in one product"),
    "learned": (True, "the vector p_n is added to the word before W_k; after that the key is one vector like any other"),
    "Shaw": (False, "its key is W_k (x_n + p̃_r), and r = m − n changes with every query: the key is never finished"),
    "Transformer-XL": (False, "its waves of m − n do split into waves of m and of n, but the two vectors then have C + D numbers, not D"),
    "T5": (False, "after the dot product it adds a number for the bucket of m − n, which no key can hold by itself"),
    "TUPE": (False, "words and positions meet in two separate products, and a number b for the offset comes on top: D numbers do not hold that"),
    "DeBERTa": (False, "its vectors p̃ belong to the offset m − n, so two of its three terms change with every query"),
    "ALiBi": (False, "it subtracts slope · |m − n| after the product. Behind a causal mask that would split into slope · m and slope · n, but in more than D numbers"),
    "RoPE": (True, "the query is turned by m and the key by n, each by its own position, and the score is their product"),
}  # fmt: skip


@exercise("2.5")
def storable(answer):
    """The set of names in ENCODINGS whose score is one dot product of a query that knows m and a key that knows n."""
    if isinstance(answer, dict) and not answer:
        raise Wrong("{} is an empty dictionary. Give a set of names, such as {\"T5\", \"ALiBi\"}.")
    if not isinstance(answer, (set, frozenset, list, tuple)) or not all(isinstance(name, str) for name in answer):
        raise Wrong("Give a set of names, such as {\"T5\", \"ALiBi\"}.")
    if strange := sorted(set(answer) - set(ENCODINGS)):
        raise Wrong(f"There is no encoding {strange[0]!r}. The names are {', '.join(ENCODINGS)}.")
    wrong = [name for name, (stored, _) in VERDICTS.items() if (name in answer) != stored]
    if not wrong:
        return "Of these four only RoPE sees the offset alone and something of it."
    name = wrong[0]
    verb = "belongs in the set" if VERDICTS[name][0] else "does not belong in the set"
    more = f" (And {len(wrong) - 1} more to think over.)" if len(wrong) > 1 else ""
    raise Wrong(f"{name} {verb}: {VERDICTS[name][1]}.{more}")


W = random_weights(np.random.default_rng(2), width=8, head_dim=8, longest=64, reach=4)


def _scores(name, where=lambda m: m, size=1.0):
    """An encoding as a black box (x, m) -> (T, T), its positions passed through `where` first."""
    return lambda x, m: ENCODINGS[name](size * np.asarray(x), size * np.asarray(x), where(np.asarray(m)), where(np.asarray(m)), W)


def _mirrored(x, m):
    """RoPE with its keys turned the wrong way: it sees m + n."""
    x, m = np.asarray(x), np.asarray(m)
    return ENCODINGS["RoPE"](x, x, m, -m, W)


def _one_entry(x, m):
    scores = _scores("ALiBi")(x, m)
    scores[-1, 0] += np.sin(m[0])
    return scores


def _entry_ahead(x, m):
    scores = _scores("RoPE")(x, m)
    scores[0, -1] += np.sin(m[0])
    return scores


def _corners(x, m):
    scores = _scores("NoPE")(x, m)
    for i, j, sign in ((0, 0, 1), (0, -1, -1), (-1, 0, -1), (-1, -1, 1)):
        scores[i, j] += sign * np.sin(m[0])
    return scores


def _unlike(x, m):
    """NoPE and a wave of the query's position times how far two words differ in their first feature."""
    first = np.asarray(x)[:, 0]
    return _scores("NoPE")(x, m) + np.sin(0.5 * np.asarray(m))[:, None] * np.subtract.outer(first, first)


def _one_diagonal_entry(x, m):
    scores = _scores("RoPE")(x, m)
    scores[0, 0] += np.sin(m[0])
    return scores


SHIFTS = "Draw small and large shifts, odd and even, and positions up to 40."
ENTRIES = "Compare all T · T scores, one by one."
DRAWS = "Draw many times: random words, random positions from 0 on, random shifts."
ROUNDING = "Does your test allow for rounding, which grows with the scores?"
BOXES = (
    ("ALiBi", _scores("ALiBi"), True, f"Shift all positions by the same number, leave the words as they are. {ROUNDING}"),
    ("sinusoidal", _scores("sinusoidal"), False, DRAWS),
    *((name, _scores(name), name not in ("learned", "TUPE"), ROUNDING if name not in ("learned", "TUPE") else DRAWS)
      for name in ENCODINGS if name not in ("ALiBi", "sinusoidal")),
    ("RoPE with keys turned the other way, by −n", _mirrored, False, "It sees m + n. Draw random words (zeros hide it), and shifts of several sizes."),
    ("RoPE that takes positions two by two, rounding them down to an even number", _scores("RoPE", lambda m: 2 * (m // 2)), False, SHIFTS),
    ("RoPE whose positions stop at 24", _scores("RoPE", lambda m: np.minimum(m, 24)), False, SHIFTS),
    ("NoPE with a bonus for keys in the second block of 20 tokens", lambda x, m: _scores("NoPE")(x, m) + (np.asarray(m) >= 20), False, SHIFTS),
    ("ALiBi with a bonus for the key at position 0", lambda x, m: _scores("ALiBi")(x, m) + 3.0 * (np.asarray(m) == 0), False,
     f"Position 0 must be among your draws. {DRAWS}"),
    ("ALiBi with an absolute number in one corner of the matrix", _one_entry, False, ENTRIES),
    ("RoPE with an absolute number for the first word's score with itself", _one_diagonal_entry, False, ENTRIES),
    ("RoPE with an absolute number for the first query and the last key", _entry_ahead, False,
     f"{ENTRIES} Keys ahead of the query count, too."),
    ("NoPE with a wave added to two corners of the matrix and taken from the other two", _corners, False, f"{ENTRIES} Their sums stay."),
    ("NoPE with a wave of each query's position times the difference of the two words", _unlike, False,
     "Draw different words for the places of one text."),
    ("RoPE divided by the logarithm of the last position", lambda x, m: _scores("RoPE")(x, m) / np.log(3 + np.max(m)), False, DRAWS),
    ("RoPE divided by the logarithm of how far the text reaches", lambda x, m: _scores("RoPE")(x, m) / np.log(3 + np.ptp(m)), True,
     "Shift all positions together: then the reach of the text stays."),
    ("NoPE with each query's score raised by a wave of its position times its first feature",
     lambda x, m: _scores("NoPE")(x, m) + (np.asarray(x)[:, 0] * np.sin(0.5 * np.asarray(m)))[:, None], False, DRAWS),
    ("NoPE with a wave of each query's distance from the middle of the text",
     lambda x, m: _scores("NoPE")(x, m) + np.sin(np.asarray(m) - np.mean(m))[:, None], True, "Shift all positions together: then the middle moves along."),
    ("ALiBi by place in the array, whatever the positions are", lambda x, m: _scores("ALiBi")(x, np.arange(len(m))), True,
     "Asked is what a shift of the positions does, not an exchange of the words."),
    ("RoPE of words ten times as large", _scores("RoPE", size=10.0), True, ROUNDING),
)  # fmt: skip


@exercise("2.6")
def offset_only(answer):
    """A function (scores, rng) -> bool that says whether scores(x, m + shift) == scores(x, m)."""
    for index, (name, scores, alone, advice) in enumerate(BOXES):
        for seed in range(2):
            rng = np.random.default_rng(seed)
            said = call(answer, scores, rng) if index == 0 else answer(scores, rng)
            if said is None or said is ...:
                raise Wrong(f"It returned nothing for one black box, {name}: every path needs a return.")
            if not isinstance(said, (bool, np.bool_)):
                raise Wrong(f"Return True or False, not {type(said).__name__}.")
            if alone and not said:
                raise Wrong(f"Your test says that the scores move, and they stay: {name}. {advice}")
            if said and not alone:
                raise Wrong(f"Your test says that the scores stay, and they move: {name}. {advice}")
    return f"It judged {len(BOXES)} black boxes rightly, and the scores of {sum(box[2] for box in BOXES)} stay under every shift."
