"""Checkers of chapter 06, two layouts of one rotation."""

import numpy as np

from ropebook.checks.asking import asked, asked_for_memory, ending, real_numbers
from ropebook.checks.ch06_boxes import ILLS, SCORES, turner
from ropebook.exercises import Wrong, exercise
from ropebook.layouts import head_rows_to_half_split, head_rows_to_interleaved
from ropebook.rotation import to_half_split, to_interleaved

SHAPES = ((8,), (6,), (3, 8), (2, 3, 10), (4, 2, 1, 12), (16,), (2,))  # of x in 6.1; D = 4 alone would let the other direction pass


@exercise("6.1")
def riffled(answer):
    """A function (x) -> x with its last axis taken from half-split to interleaved order. Entries only move: equality is exact."""
    for shape in SHAPES:
        x = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
        got = _unchanged(answer, f"x of shape {shape}", shape == SHAPES[0], x)
        if got.shape != shape:
            advice = " Flatten the last two axes again, and only these." if got.size == x.size else ""
            raise Wrong(f"What you return has the shape of x, {shape}; yours has shape {got.shape}.{advice}")
        if not np.array_equal(got, to_interleaved(x)):
            raise Wrong(f"For x of shape {shape}: {_why_not_riffled(x, got)}")
    return "The first entry stays first and the last stays last. At D = 4 the way back would have passed too, so sizes up to 16 were tried."


def _why_not_riffled(x, got):
    first, second = np.split(x, 2, axis=-1)
    for wrong, lesson in (
        (x, "nothing has moved."),
        (to_half_split(x), "that is the other direction, to half-split. A riffle takes one entry from each half in turn."),
        (to_interleaved(np.concatenate([second, first], axis=-1)), "your riffle takes from the second half first. Entry 0 stays first."),
        (np.concatenate([second, first], axis=-1), "the halves have changed places, and nothing is riffled: 0, D/2, 1, D/2 + 1, …"),
        (to_interleaved(np.concatenate([first, second[..., ::-1]], axis=-1)), "your second half runs backwards."),
    ):
        if np.array_equal(got, wrong):
            return lesson
    right = to_interleaved(x)
    row = tuple(np.argwhere((got != right).any(axis=-1))[0])  # the first that is not right
    example = f"{_row(x[row])} should become {_row(right[row])}; yours is {_row(got[row])}."
    kept = np.array_equal(np.sort(got, axis=-1), x)
    return f"the row {example}" if kept else f"entries are lost, or have left their row. Reorder the last axis only: the row {example}"


DECKS = (52, 8, 128, 6, 96, 16, 4, 80, 102, 256, 2)  # at 102 the answer is 100, and 2 ** 100 does not fit in 64 bits
LINES = 1_000_000  # of code run before a loop counts as endless: 60 times what riffling 102 cards one by one takes
DECK = 500_000  # bytes: half of what 2 ** 18 numbered cards take at 4 bytes each, and 250 times what following one card takes


@exercise("6.2")
def riffles_needed(answer):
    """A function (d) -> the smallest r >= 1 with 2 ** r = 1 modulo d − 1."""
    for d in DECKS:
        with ending(LINES, _endless(d)):
            result = asked(answer, f"d = {d}", d == DECKS[0], d)
        _check_count(d, result)
    result, peak = asked_for_memory(answer, "d = 2**18", 2**18)
    _check_count(2**18, result)
    if peak > DECK:
        raise Wrong(f"Right, but for d = 2**18 it takes {peak / 1e6:.0f} MB: it holds as many numbers as there are cards. "
                    "Follow one card, as (6d) does.")
    _check_count(10**6, asked(answer, "d = 1000000", False, 10**6))
    return "A million entries are home after 180 riffles, and 2**20, which are more, after 20: what counts are the factors of d − 1."


def _endless(d):
    """The lesson of a loop that does not end."""
    advice = "Is it d − 1 that you divide by, and does no number overflow?"
    return (f"For d = {d} your function does not come to an end. "
            f"{advice if d > 2 else 'Divided by 1, every number leaves 0: d = 2 is a case of its own.'}")


def order_of_two(modulus):
    """The smallest r >= 1 with 2 ** r = 1 modulo the odd modulus."""
    return next(r for r in range(1, modulus + 1) if (2**r - 1) % modulus == 0)


def _check_count(d, result):
    got = real_numbers(result)
    if got.size != 1:
        raise Wrong(f"Return one whole number; for d = {d} yours has shape {got.shape}.")
    r, right = got.item(), order_of_two(d - 1)
    if r != right:
        raise Wrong(f"For d = {d} you return {r:.6g}. {_why_not_count(d, r, right)}")


def _why_not_count(d, r, right):
    if r != round(r):
        power = " The binary logarithm of d is the answer only where d is a power of two." if np.isclose(r, np.log2(d)) else ""
        return f"Riffles come whole.{power}"
    if r < 1:
        return "No riffle at all does not count: r is at least 1."
    if d == 2:
        return "One riffle leaves two entries as they are, so the smallest r ≥ 1 is 1."
    if r == order_of_two(d + 1):
        return "That is for riffles that move the top card: here the remainder is taken on division by d − 1."
    if r % right == 0:
        return f"So many riffles do bring the old order back, but {right} did already: stop at the first time."
    return f"After so many riffles the card of place 1 is at place {pow(2, int(r), d - 1)}, 2**{r:.0f} modulo {d - 1}; it should be home."


PROJECTIONS = ((4, 8, 8, 32), (1, 12, 12, 5), (3, 16, 6, 5), (2, 8, 4, 3), (5, 10, 2, 1), (2, 64, 16, 7))  # heads, head_dim, rotated, width


@exercise("6.3")
def rows_for_interleaved(answer):
    """A function (weight, heads, rotated) -> its rows from half-split to interleaved order. Rows only move: equality is exact."""
    for case in PROJECTIONS:
        heads, head_dim, rotated, width = case
        weight = np.arange(1.0, heads * head_dim * width + 1).reshape(-1, width)
        name = f"heads = {heads}, D = {head_dim}, rotated = {rotated}, C = {width}"
        got = _unchanged(answer, name, case == PROJECTIONS[0], weight, heads, rotated)
        if got.shape != weight.shape:
            raise Wrong(f"What you return has the shape of weight, {weight.shape}; for {name} yours has {got.shape}. "
                        "Do all heads stand below one another, with the rows that pass through?")
        if not np.array_equal(got, head_rows_to_interleaved(weight, heads, rotated)):
            raise Wrong(f"For {name}: {_why_not_rows(weight, heads, rotated, got)}")
    return "Every row is an old row in a new place, so nothing was rounded; for the keys call it again, with their own number of heads."


def _why_not_rows(weight, heads, rotated, got):
    is_row = (got[:, None] == weight).all(axis=-1)  # (H·D, H·D)
    if not is_row.any(axis=1).all():
        if np.array_equal(np.sort(got, axis=1), weight):
            return "you reorder columns. The rows make the entries of a query, the columns read the word."
        return f"row {is_row.any(axis=1).argmin()} of what you return is no row of weight. Move whole rows, and change nothing in them."
    rows, old = is_row.argmax(axis=1), np.arange(len(weight))
    for lesson, wrong in ROW_MISTAKES:
        if np.array_equal(rows, wrong(old, heads, rotated)):
            return lesson
    right = head_rows_to_interleaved(old, heads, rotated)
    here = (rows != right).argmax()
    return f"row {here} of what you return should be row {right[here]} of weight; yours is row {rows[here]}."


def _in_heads(order):
    """Every head's rows in the order that order(D, R) names; rows that it leaves out follow."""

    def reorder(n, heads, rotated):
        n = n.reshape(heads, -1)  # (H, D)
        rows = order(n.shape[1], rotated)
        return n[:, np.concatenate([rows, np.setdiff1d(np.arange(n.shape[1]), rows)])].ravel()

    return reorder


ROW_MISTAKES = (  # on row numbers n of H heads, R = rotated
    ("nothing has moved.", lambda n, H, R: n),
    ("that is the other direction. An interleaved head begins with row 0 and its old partner, row r/2.", head_rows_to_half_split),
    ("the rows that pass through have moved as well. Reorder the first `rotated` rows of each head.",
     lambda n, H, R: head_rows_to_interleaved(n, H)),
    ("rows have left their head. Each head keeps its own block of rows.", lambda n, H, R: to_interleaved(n)),
    ("rows have left their head, and the order is that of the other direction.", lambda n, H, R: to_half_split(n)),
    ("only the first head is reordered.", lambda n, H, R: head_rows_to_interleaved(n, 1, R)),
    ("the rows of a head stand together, so the heads are the first axis: weight.reshape(heads, -1, C).",
     lambda n, H, R: n.reshape(-1, H)[head_rows_to_interleaved(n[: len(n) // H], 1, R)].ravel()),
    ("the partner of row i is row i + r/2, with r = `rotated`, and not i + D/2.",
     _in_heads(lambda D, R: to_interleaved(np.r_[: R // 2, D // 2 : (D + R) // 2]))),
    ("your riffle takes from the second half first. Row 0 of a head has to stay at place 0.",
     _in_heads(lambda D, R: to_interleaved(np.roll(np.arange(R), R // 2)))),
    ("you reorder the last `rotated` rows of each head. The first ones turn, the others pass through.",
     _in_heads(lambda D, R: np.r_[: D - R, to_interleaved(np.arange(D - R, D))])),
)

TURNS = [(d, base, layout, sign) for d, base in ((8, 10000.0), (4, 500.0), (6, 1.0), (64, 500000.0), (12, 8.0))
         for layout in ("interleaved", "half-split") for sign in (1, -1)]


@exercise("6.4")
def name_layout(answer):
    """A function (turn, d) -> ("interleaved" or "half-split", 1 or −1)."""
    said = []
    for d, base, *right in TURNS:
        name = f"the rotation with d = {d}, base {base:g}"
        said.append(_name_and_sign(asked(answer, name, not said, turner(d, base, *right), d), name))
    if said != [(layout, sign) for _, _, layout, sign in TURNS]:
        raise Wrong(_why_not_named(said))
    return "One question is enough: at position 1 entry 0 keeps cos 1, and sin 1 stands at its partner, with the sign of the turn."


def _name_and_sign(result, name):
    if not isinstance(result, (tuple, list)) or len(result) != 2 or not isinstance(result[0], str):
        raise Wrong(f'Return a pair such as ("half-split", -1), the layout first; for {name} I got {result!r}.')
    layout, sign = result
    if layout not in ("interleaved", "half-split"):
        raise Wrong(f'The layouts are called "interleaved" and "half-split"; for {name} you return {layout!r}.')
    number = np.asarray(sign)
    if number.size != 1 or number.item() not in (1, -1):
        raise Wrong(f"The sign is the number 1 or −1; for {name} you return {sign!r}.")
    return layout, int(number.item())


def _why_not_named(said):
    names, signs = ([got[part] == case[2 + part] for got, case in zip(said, TURNS)] for part in (0, 1))
    if all(names) and not any(signs):
        return "Every layout is right, every sign is wrong. Forwards, entry 0 gives its partner +sin m; ask at m = 1, as sin 4 is negative."
    if all(signs) and not any(names):
        return "Every sign is right and every layout is exchanged: neighbours, (0, 1), are interleaved."
    for part, what in ((0, "layout"), (1, "sign")):
        if len({answer[part] for answer in said}) == 1:
            return f"You give every function the {what} {said[0][part]!r}. Both occur."
    index = [name and sign for name, sign in zip(names, signs)].index(False)
    d, base, _, _ = TURNS[index]
    after = turner(*TURNS[index])(np.eye(d)[0], 1)
    partner = 1 + np.abs(after[1:]).argmax()
    return (f"For d = {d}, base {base:g} you say {said[index]}, but at m = 1 entry 0 moves into entry {partner}, "
            f"with {after[partner]:+.2f}.{' At d = 8 you were right: is d used?' if d != 8 else ''}")


DIAGNOSES = {"A": ILLS[2], "B": ILLS[1], "C": ILLS[4], "D": ILLS[0], "E": ILLS[3]}
PROBES = ((0, 0, 1, 1), (0, 1, 1, 1), (0, 1, 1, 0))  # one-hots q and k, places m and n: any two models differ by 0.7 at one of them


@exercise("6.5")
def diagnosis(answer):
    """A dict from the names in SCORES to the words in ILLS."""
    if not isinstance(answer, dict) or not answer:
        raise Wrong(f'Give a dictionary such as {{"A": "{ILLS[0]}", …}}, with all of {", ".join(SCORES)}; I got {answer!r}.')
    if strange := [name for name in answer if name not in SCORES]:
        raise Wrong(f"There is no model {strange[0]!r}. They are called {', '.join(SCORES)}.")
    if missing := [name for name in SCORES if answer.get(name) in (None, ..., "")]:
        raise Wrong(f"No diagnosis yet for {', '.join(missing)}.")
    said = {name: " ".join(str(answer[name]).lower().split()) for name in SCORES}
    if strange := [name for name in SCORES if said[name] not in ILLS]:
        raise Wrong(f"{answer[strange[0]]!r} is none of the words in ILLS: {'; '.join(ILLS)}.")
    wrong = [name for name in SCORES if said[name] != DIAGNOSES[name]]
    if not wrong:
        return "No test of lengths or offsets tells B from D: it takes one score that is known to be right."
    more = f" (And {len(wrong) - 1} more to examine again.)" if len(wrong) > 1 else ""
    raise Wrong(f'{wrong[0]} is not "{said[wrong[0]]}". {_against(wrong[0], said[wrong[0]])}{more}')


def _against(name, ill):
    """The first probe at which a model with that ill would score otherwise."""
    other = next(model for model in SCORES if DIAGNOSES[model] == ill)
    for i, j, m, n in PROBES:
        would, does = (SCORES[model](np.eye(8)[i], np.eye(8)[j], m, n) for model in (other, name))
        if abs(would - does) > 0.7:
            return f"With q = e{i} at m = {m} and k = e{j} at n = {n} such a model scores {would:.2f}, and {name} scores {does:.2f}."


# ---- reading answers --------------------------------------------------------


def _unchanged(answer, name, first, x, *others):
    """The answer's numbers for a copy of x, which must come back as it was."""
    given = x.copy()
    got = real_numbers(asked(answer, name, first, given, *others))
    if not np.array_equal(given, x):
        raise Wrong("Your function changes the array that it was given. Write into a new one.")
    return got


def _row(values):
    return "[" + ", ".join(f"{value:g}" for value in values) + "]"
