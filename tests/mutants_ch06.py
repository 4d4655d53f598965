"""Wrong answers to the exercises of chapter 06, each with part of the lesson that its checker must give."""

import math

import numpy as np
import sympy as sp
import torch

from ropebook import rotate, to_half_split, to_interleaved
from ropebook.checks.ch06_boxes import ILLS, SCORES
from ropebook.layouts import detect, head_rows_to_half_split, head_rows_to_interleaved


def halves(x, change=lambda first, second: (first, second)):
    """The right answer to exercise 6.1, with the two halves changed before they are riffled."""
    return np.stack(change(*np.split(x, 2, axis=-1)), axis=-1).reshape(x.shape)


def riffled_in_place(x):
    x[...] = to_interleaved(x)
    return x


def card_by_card(x):
    """The right answer to exercise 6.1 for any leading axes, as lists."""
    if x.ndim > 1:
        return [card_by_card(row) for row in x]
    half = len(x) // 2
    return [int(x[j // 2 + half * (j % 2)]) for j in range(len(x))]


def scattered(x):
    out = np.empty(x.shape, dtype=np.int32)
    out[..., 0::2], out[..., 1::2] = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return out


def follow(d, times=2, modulo=-1, start=1, least=1, single=True):
    """The right answer to exercise 6.2, with its mistakes as options."""
    if single and d == 2:
        return 1
    place, r = start, 0
    while r < least or place != 1:
        place, r = times * place % (d + modulo), r + 1
    return r


def whole_deck(d):
    deck, r = to_interleaved(np.arange(d)), 1
    while (deck != np.arange(d)).any():
        deck, r = to_interleaved(deck), r + 1
    return r


def overflowing(d):
    r, power = 1, 2
    while (power - 1) % (d - 1):
        r, power = r + 1, 2 * power % 2**64  # as in an array of 64-bit numbers
    return r


def swallowing(d):
    place, r = 1, 0
    while r == 0 or place != 1:
        try:
            place, r = 2 * place % d, r + 1
        except Exception:
            pass
    return r


def few_riffles(d):
    for r in range(1, 30):
        if (2**r - 1) % (d - 1) == 0:
            return r


def rows(weight, heads, rotated, order=None, reorder=to_interleaved):
    """The right answer to exercise 6.3, with its mistakes as options: order(D, rotated) is that of one head's rows."""
    head_dim = len(weight) // heads
    one = np.arange(head_dim)
    one[:rotated] = reorder(one[:rotated])
    one = one if order is None else order(head_dim, rotated)
    return weight[(head_dim * np.arange(heads)[:, None] + one).ravel()]


def then_rest(first, head_dim):
    return [*first, *(row for row in range(head_dim) if row not in set(first))]


def rows_in_place(weight, heads, rotated):
    weight[:] = head_rows_to_interleaved(weight, heads, rotated)
    return weight


def rows_in_lists(weight, heads, rotated):
    """The right answer to exercise 6.3, row by row."""
    out, head_dim = [], len(weight) // heads
    for start in range(0, len(weight), head_dim):
        for i in range(rotated // 2):
            out += [weight[start + i].tolist(), weight[start + i + rotated // 2].tolist()]
        out += weight[start + rotated : start + head_dim].tolist()
    return out


def rows_by_torch(weight, heads, rotated):
    turned, still = torch.from_numpy(weight).unflatten(0, (heads, -1)).split([rotated, len(weight) // heads - rotated], dim=1)
    return torch.cat([turned.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2), still], dim=1).flatten(0, 1)


def heads_last(weight, heads, rotated):
    order = then_rest(to_interleaved(np.arange(rotated)), len(weight) // heads)
    return weight.reshape(-1, heads, weight.shape[1])[order].reshape(weight.shape)


def first_head(weight, heads, rotated):
    out = weight.copy()
    out[: len(weight) // heads] = head_rows_to_interleaved(weight[: len(weight) // heads], 1, rotated)
    return out


def name(turn, d, entry=0, at=1, names=("interleaved", "half-split"), sign=lambda sine: int(np.sign(sine)), half=None):
    """The right answer to exercise 6.4, with its mistakes as options."""
    after = np.asarray(turn(np.eye(d)[entry], at))
    partner = entry + 1 if abs(after[entry + 1]) > 1e-6 else (half or d // 2)
    return names[partner != entry + 1], sign(after[partner])


def name_without_sine(turn, d):
    """The right answer to exercise 6.4 from entry 1, on a tensor, whose sine in an interleaved pair has the other sign."""
    after = turn(torch.eye(d, dtype=torch.float64)[1], 1)
    return ["interleaved", np.float64(-np.sign(after[0]))] if after[0] else ["half-split", np.float64(np.sign(after[1 + d // 2]))]


def name_from_the_end(turn, d):
    after = turn(np.eye(d)[0], 1)
    return "half-split" if after[-4] else "interleaved", -1 if min(after) < 0 else 1


def detected(turn, d):
    found = detect(turn, d)
    return found.layout, found.sign


def silent_about_large(turn, d):
    if d <= 8:
        return name(turn, d)


def by_matrices():
    """The right answer to exercise 6.5 from the scores alone, by lengths, offsets and one score of the book's."""
    x, y = np.random.default_rng(6).standard_normal((2, 8))
    theta = 10000.0 ** (-np.arange(0, 8, 2) / 8)
    book = rotate(x[None], [9], theta)[0] @ rotate(y[None], [4], theta)[0]
    found = {}
    for model, score in SCORES.items():
        both = np.array([[score(q, k, 3, 3) for k in np.eye(8)] for q in np.eye(8)])  # of one place
        if np.allclose(both, np.eye(8)):
            found[model] = ILLS[0] if math.isclose(score(x, y, 9, 4), book) else ILLS[1]
        elif np.allclose(both, both.T):  # q and k turned alike, and not by a rotation
            found[model] = ILLS[4]
        else:
            found[model] = ILLS[2 if both[0, 4] else 3]
    return found


def by_detector():
    """The right answer to exercise 6.5: at position 0 nothing turns, so a score with a one-hot there reads the other side's turn."""
    found = {}
    for model, score in SCORES.items():
        try:
            q = detect(lambda x, m: np.array([score(x, one, m, 0) for one in np.eye(8)]), 8)
            k = detect(lambda x, m: np.array([score(one, x, 0, m) for one in np.eye(8)]), 8)
        except ValueError:
            found[model] = ILLS[4]
            continue
        if q.layout != k.layout:
            found[model] = ILLS[2]
        else:
            found[model] = ILLS[3] if q.sign != k.sign else ILLS[q.layout == "half-split"]
    return found


RIGHT = by_detector()

MUTANTS = [
    ("6.1", lambda x: x, "nothing has moved"),
    ("6.1", to_half_split, "the other direction"),
    ("6.1", lambda x: to_half_split(x) if x.shape[-1] > 8 else to_interleaved(x), "the other direction"),
    ("6.1", lambda x: halves(x, lambda first, second: (second, first)), "from the second half first"),
    ("6.1", lambda x: np.roll(x, x.shape[-1] // 2, axis=-1), "the halves have changed places"),
    ("6.1", lambda x: halves(x, lambda first, second: (first, second[..., ::-1])), "runs backwards"),
    ("6.1", lambda x: np.stack(np.split(x, 2, axis=-1), axis=-1), "Flatten the last two axes"),
    ("6.1", lambda x: x[..., ::2], "yours has shape (4,)"),
    ("6.1", lambda x: x.reshape(2, -1).T.ravel(), "yours has shape (24,)"),
    ("6.1", lambda x: x.reshape(2, -1).T.reshape(x.shape), "have left their row"),
    ("6.1", lambda x: x[..., ::-1], "the row [1, 2, 3, 4, 5, 6, 7, 8] should become [1, 5, 2, 6, 3, 7, 4, 8]"),
    ("6.1", lambda x: halves(x, lambda first, second: (first, first)), "entries are lost"),
    ("6.1", lambda x: x[..., [0, 4, 1, 5, 2, 6, 3, 7]], "For x of shape (6,) your answer stopped with IndexError"),
    ("6.1", lambda x: halves(x) if x.ndim == 1 else None, "nothing for x of shape (3, 8)"),
    ("6.1", riffled_in_place, "changes the array"),
    ("6.1", lambda x: halves(x) * 1j, "real numbers, got complex ones"),
    ("6.1", lambda x: [1, [2, 3]], "Expected numbers, got list"),
    ("6.2", lambda d: math.log2(d), "only where d is a power of two"),
    ("6.2", lambda d: math.ceil(math.log2(d)), "d = 52 you return 6. After so many riffles the card of place 1 is at place 13"),
    ("6.2", lambda d: d - 2, "d = 52 you return 50. After so many riffles the card of place 1 is at place 4"),
    ("6.2", lambda d: int(sp.totient(d - 1)), "but 8 did already"),
    ("6.2", lambda d: follow(d, modulo=1), "move the top card"),
    ("6.2", lambda d: follow(d, least=0), "No riffle at all"),
    ("6.2", lambda d: follow(d) - 1, "d = 52 you return 7"),
    ("6.2", lambda d: follow(d, single=False), "d = 2 is a case of its own"),
    ("6.2", lambda d: follow(d) if d > 2 else 2, "leaves two entries as they are"),
    ("6.2", lambda d: follow(d, modulo=0), "Is it d − 1 that you divide by"),
    ("6.2", overflowing, "d = 102 your function does not come to an end. Is it d − 1 that you divide by, and does no number overflow?"),
    ("6.2", swallowing, "d = 52 your function does not come to an end"),
    ("6.2", few_riffles, "nothing for d = 96"),
    ("6.2", whole_deck, "as many numbers as there are cards"),
    ("6.2", lambda d: 8, "place 4, 2**8 modulo 7"),
    ("6.2", lambda d: [3, 4], "yours has shape (2,)"),
    ("6.2", lambda d: follow(d) + 0.5, "Riffles come whole"),
    ("6.2", lambda d: math.inf, "finite numbers, got inf"),
    ("6.2", lambda d: str(follow(d)), "real numbers, got text"),
    ("6.3", lambda w, H, R: w.copy(), "nothing has moved"),
    ("6.3", head_rows_to_half_split, "the other direction"),
    ("6.3", lambda w, H, R: head_rows_to_interleaved(w, H), "the rows that pass through have moved"),
    ("6.3", lambda w, H, R: to_interleaved(w.T).T, "rows have left their head. Each head"),
    ("6.3", lambda w, H, R: to_half_split(w.T).T, "that of the other direction"),
    ("6.3", first_head, "only the first head"),
    ("6.3", heads_last, "the heads are the first axis"),
    ("6.3", lambda w, H, R: rows(w, H, R, lambda D, R: then_rest([j for i in range(R // 2) for j in (i, i + D // 2)], D)), "not i + D/2"),
    ("6.3", lambda w, H, R: rows(w, H, R, reorder=lambda n: to_interleaved(np.roll(n, len(n) // 2))), "from the second half first"),
    ("6.3", lambda w, H, R: rows(w, H, R, lambda D, R: [*range(D - R), *to_interleaved(np.arange(D - R, D))]), "the last `rotated`"),
    ("6.3", lambda w, H, R: to_interleaved(w) if w.shape[1] % 2 == 0 else w, "you reorder columns"),
    ("6.3", lambda w, H, R: 2 * rows(w, H, R), "row 0 of what you return is no row of weight"),
    ("6.3", lambda w, H, R: rows(w, H, R)[::-1], "row 0 of what you return should be row 0 of weight; yours is row 31"),
    ("6.3", lambda w, H, R: rows(w, H, R).reshape(H, -1, w.shape[1]), "yours has (4, 8, 32)"),
    ("6.3", lambda w, H, R: rows(w, H, R).reshape(H, -1, w.shape[1])[:, :R].reshape(-1, w.shape[1]), "with the rows that pass through"),
    ("6.3", lambda w, H, R: rows(w, 4, 8), "rotated = 12, C = 5"),
    ("6.3", rows_in_place, "changes the array"),
    ("6.4", lambda turn, d: name(turn, d, sign=lambda sine: -int(np.sign(sine))), "every sign is wrong"),
    ("6.4", lambda turn, d: name(turn, d, at=4), "every sign is wrong"),
    ("6.4", lambda turn, d: name(turn, d, names=("half-split", "interleaved")), "every layout is exchanged"),
    ("6.4", lambda turn, d: ("interleaved", name(turn, d)[1]), "every function the layout 'interleaved'"),
    ("6.4", lambda turn, d: (name(turn, d)[0], 1), "every function the sign 1"),
    ("6.4", name_from_the_end, "At d = 8 you were right: is d used?"),
    ("6.4", lambda turn, d: (name(turn, d)[0], name(turn, d)[1] if d != 64 else 1), "you say ('interleaved', 1), but at m = 1"),
    ("6.4", lambda turn, d: name(turn, d, half=4), "d = 4, base 500 your answer stopped with IndexError"),
    ("6.4", lambda turn, d: name(turn, d)[::-1], "the layout first"),
    ("6.4", lambda turn, d: name(turn, d)[0], "Return a pair"),
    ("6.4", lambda turn, d: name(turn, d, names=("neighbours", "halves")), "called \"interleaved\" and \"half-split\""),
    ("6.4", lambda turn, d: name(turn, d, sign=lambda sine: sine), "The sign is the number 1 or −1"),
    ("6.4", lambda turn, d: name(turn, d, sign=lambda sine: "+" if sine > 0 else "-"), "The sign is the number 1 or −1"),
    ("6.4", lambda turn, d: name(turn, d, sign=lambda sine: sine > 0), "you return np.False_"),
    ("6.4", lambda turn, d: (name(turn, d)[0], np.sign(turn(np.eye(d)[0], 1))), "The sign is the number 1 or −1"),
    ("6.4", lambda turn, d: name(turn, 8), "d = 4, base 500 your answer stopped with ValueError: expected one vector of 4 numbers"),
    ("6.4", silent_about_large, "nothing for the rotation with d = 64"),
    *(("6.5", RIGHT | {model: ill}, f'{model} is not "{ill}". With q = e0') for model in SCORES for ill in ILLS if ill != RIGHT[model]),
    ("6.5", RIGHT | {"B": ILLS[0], "D": ILLS[1]}, "k = e1 at n = 0 such a model scores 0.84, and B scores 0.00. (And 1 more"),
    ("6.5", dict.fromkeys(SCORES, ILLS[0]), "(And 3 more to examine again.)"),
    ("6.5", {"A": RIGHT["A"]}, "No diagnosis yet for B, C, D, E"),
    ("6.5", RIGHT | {"E": ...}, "No diagnosis yet for E"),
    ("6.5", RIGHT | {"F": ILLS[0]}, "no model 'F'"),
    ("6.5", RIGHT | {"C": "sick"}, "'sick' is none of the words in ILLS"),
    ("6.5", RIGHT | {"C": 4}, "4 is none of the words in ILLS"),
    ("6.5", list(RIGHT.values()), "Give a dictionary"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("6.1", halves),
    ("6.1", card_by_card),
    ("6.1", scattered),
    ("6.1", to_interleaved),
    ("6.1", lambda x: torch.from_numpy(x).unflatten(-1, (2, -1)).mT.flatten(-2).float()),
    ("6.1", lambda x: x[..., np.argsort(to_half_split(np.arange(x.shape[-1])))]),
    ("6.1", lambda x: tuple(map(float, halves(x))) if x.ndim == 1 else halves(x)),
    ("6.2", follow),
    ("6.2", lambda d: float(follow(d))),
    ("6.2", lambda d: np.array([follow(d)])),
    ("6.2", lambda d: torch.tensor(follow(d))),
    ("6.2", lambda d: sp.n_order(2, d - 1) if d > 2 else 1),
    ("6.2", lambda d: next(r for r in range(1, d) if (2**r - 1) % (d - 1) == 0)),
    ("6.2", lambda d: np.int64(follow(d, start=np.int64(1)))),
    ("6.3", rows),
    ("6.3", rows_in_lists),
    ("6.3", rows_by_torch),
    ("6.3", lambda w, H, R: head_rows_to_interleaved(w, H, R).astype(np.int32)),
    ("6.4", name),
    ("6.4", name_without_sine),
    ("6.4", detected),
    ("6.4", lambda turn, d: list(name(turn, d, sign=lambda sine: torch.tensor([math.copysign(1.0, sine)])))),
    ("6.5", by_detector()),
    ("6.5", by_matrices()),
    ("6.5", {model: f" {ill.capitalize()}" for model, ill in RIGHT.items()}),
]
