"""Checkers of chapter 01, attention without positions."""

import numpy as np

from ropebook.attention import attention, weights
from ropebook.checks.expressions import expression, value
from ropebook.exercises import Wrong, call, exercise

ORDERS = [[1, 2, 0], [0], [1, 0], [2, 0, 1], [3, 0, 4, 1, 2], [0, 2, 1, 3], [6, 4, 1, 0, 2, 5, 3]]  # first a cycle, which is not its own inverse


@exercise("1.1")
def shuffle(answer):
    """A function (order) -> P with (P @ X)[i] == X[order[i]]."""
    for order in ORDERS:
        handed, T = list(order), len(order)
        try:
            got = _real(call(answer, handed))
        except (TypeError, ValueError):
            call(answer, list(order))  # if the function itself failed, that error is the one to report
            raise Wrong(f"Return a matrix of real numbers, shape (T, T); for order = {order} I cannot read yours as one.") from None
        if handed != order:
            raise Wrong("Your function changes `order` itself. Work on a copy.")
        if got.shape != (T, T):
            raise Wrong(f"For order = {order} P must have shape ({T}, {T}); yours has shape {got.shape}.")
        right = np.zeros((T, T))
        right[np.arange(T), order] = 1
        if not np.array_equal(got, right):
            raise Wrong(f"For order = {order}: {_why_not_shuffled(got, right, order)}")
    return f"{len(ORDERS)} orders, and the transpose of each matrix undoes its shuffle."


def _real(numbers):
    """The numbers as float64; TypeError or ValueError if they are none, complex, or text."""
    if np.asarray(numbers).dtype.kind in "cSU":
        raise TypeError("complex numbers or text")
    return np.asarray(numbers, dtype=np.float64)


def _why_not_shuffled(got, right, order):
    T = len(order)
    if np.array_equal(got, right.T):
        return f"your P undoes the shuffle. Row 0 of P X should be row {order[0]} of X, so row 0 of P has its 1 in column {order[0]}."
    if np.array_equal(got, np.eye(T)):
        return "that is the identity, which leaves every word where it is."
    if np.array_equal(got, np.eye(T)[::-1]):
        return "that reverses the words, whatever `order` says."
    if not np.isfinite(got).all():
        return "P holds entries that are not finite numbers."
    if np.array_equal(got, np.round(got) * (got == 1)) and (got.sum(0) == 1).all() and (got.sum(1) == 1).all():
        row = int((got != right).any(1).argmax())
        return f"row {row} of P X should be row {order[row]} of X; yours is row {int(got[row].argmax())}."
    return "a permutation matrix has a single 1 in each row and each column, and zeros elsewhere; yours has not."


@exercise("1.2")
def orders_told_apart(answer):
    """Three numbers: how many of the 60 orders an encoder's mean, and the last word after one and two causal layers, tell apart."""
    if isinstance(answer, (set, frozenset)):
        raise Wrong("A Python set is as blind to order as an encoder. Give a tuple (a, b, c).")
    try:
        got = _real(answer)
    except (TypeError, ValueError):
        got = np.empty(0)
    if got.shape != (3,):
        raise Wrong("Give three numbers, a tuple (a, b, c).")
    for part, number, right in zip("abc", got, (1, 4, 60)):
        if not number == right:
            raise Wrong(f"({part}) {_why_not_told_apart(part, number)}")
    return "None, a little, and all: a second causal layer is what it takes."


def _why_not_told_apart(part, number):
    if number > 60:
        return "There are only 60 orders. The two *the* are one word: exchanging them changes nothing, so 5! is divided by 2."
    if not (number >= 0 and number == int(number)):
        return f"{number:g} is not a count."
    if number == 0:
        return "Count how many different outputs the 60 orders give. That is at least 1."
    return {
        "a": {60: "Without positions the encoder cannot tell any two orders apart: (1c) says that shuffling leaves the mean as it is.",
              4: "The mean does not even know which word stood last; an encoder has no last word."},
        "b": {1: "The last word's output begins with the last word's own query (and the word itself is added): a different last word shows.",
              5: "The two *the* are one word with one vector, so only four different words can stand last.",
              60: "After one layer the last word sees the words before it as a bag: (1d). Their order does not reach it yet.",
              24: "24 orders end in *the*, but after one layer they all look alike to it: (1d).",
              12: "12 orders end in *dog*, but after one layer they all look alike to it: (1d)."},
        "c": {1: "With a mask the second layer reads words that have each seen a different past.",
              4: "That is one layer. The second layer reads words that have each seen a different past.",
              24: "24 is the number for four different words. Here there are five words, two of them equal: how many orders in all?"},
    }[part].get(int(number), {
        "a": "By (1c) a shuffle leaves the mean as it is. How many different means are there then?",
        "b": "The last word knows itself and the bag of the words before it. Which words can stand last, and what do they leave in the bag?",
        "c": "Two orders differ at some first place. The word there has seen another bag, and the last word reads its output: can any two look alike?",
    }[part])  # fmt: skip


SWITCHES = [dict(q_1=q, k_1=k, k_2=other) for q, k, other in (  # both signs of q with both of k_1 - k_2
    (0.7, 1.3, 0.4), (-1.1, 0.6, 2.1), (2.3, -0.9, 0.8), (0.4, 3.1, 1.7), (-0.6, -1.9, -0.2), (-0.8, 1.6, 0.5))]


@exercise("1.3")
def switch(answer):
    """z, an expression in q_1, k_1, k_2, with first output v_2 + (v_1 - v_2) * logistic(z)."""
    z = expression(answer, {"q_1", "k_1", "k_2"})
    values = np.array([value(z, p) for p in SWITCHES])
    if not np.isfinite(values).all():
        raise Wrong("Your z is not a finite number for all queries and keys.")
    if np.abs(values.imag).max() > 1e-9:
        raise Wrong("Your z is not real for all queries and keys. Is there the logarithm of something that can be negative?")
    values = values.real
    is_ = lambda f: np.abs(values - np.array([f(p["q_1"], p["k_1"], p["k_2"]) for p in SWITCHES])).max() <= 1e-9
    if is_(lambda q, k, other: q * (k - other)):
        return "Two scores, and only their difference matters: that is why the softmax may subtract the largest."
    lessons = [
        (lambda q, k, other: q * (other - k), "The sign is opposite. If the query likes the first key better, v_1 should get the larger share, and σ grows with z."),
        (lambda q, k, other: k - other, "Where is the query? A score is the product of query and key."),
        (lambda q, k, other: other - k, "Where is the query? A score is the product of query and key. The sign is opposite, too."),
        (lambda q, k, other: _logistic(q * (k - other)), "That is σ(z), the weight of v_1. Asked is z itself, what stands inside σ."),
        (lambda q, k, other: _logistic(q * (other - k)), "That is 1 − σ(z), the weight of v_2. Asked is z, what stands inside σ."),
        (lambda q, k, other: np.exp(q * (k - other)), "That is e^z, the ratio of the two weights. Take its logarithm."),
        (lambda q, k, other: np.exp(q * (other - k)), "That is e^(−z). Take its logarithm, and mind the sign."),
        (lambda q, k, other: q * k, "That is the first score alone. The weight of v_1 depends on the second as well."),
        (lambda q, k, other: q * other, "That is the second score alone. The weight of v_1 depends on the first as well."),
        (lambda q, k, other: q * (k + other), "If both scores grow by the same amount, the weights stay. Does your z stay, too?"),
        (lambda q, k, other: k / other, "Dividing the weights subtracts their exponents; it does not divide the keys."),
    ]  # fmt: skip
    for wrong, lesson in lessons:
        if is_(wrong):
            raise Wrong(lesson)
    right = np.array([p["q_1"] * (p["k_1"] - p["k_2"]) for p in SWITCHES])
    worst = int(np.abs(_logistic(values) - _logistic(right)).argmax())
    where = ", ".join(f"{name} = {number}" for name, number in SWITCHES[worst].items())
    raise Wrong(f"For {where} v_1 has the weight {_logistic(right[worst]):.4f}; with your z, σ(z) is {_logistic(values[worst]):.4f}.")


def _logistic(z):
    with np.errstate(all="ignore"):  # a wrong z may be anything
        return 1 / (1 + np.exp(-z))


@exercise("1.4")
def first_confusion(answer):
    """The smallest m for which 1/m and 1/(m + 1) are the same float16."""
    try:
        got = float(_real(answer)) if np.ndim(answer) == 0 and not isinstance(answer, (str, bool, np.bool_)) else None
    except (TypeError, ValueError):
        got = None
    if got is None:
        raise Wrong(f"Give one whole number; yours is {'text' if isinstance(answer, str) else type(answer).__name__}.")
    if not (1 <= got < np.inf and got == np.floor(got)):
        raise Wrong(f"A place is a whole number from 1 on; yours is {got:g}.")
    right = _confused(np.float16)[0]
    if got == right:
        return "Half precision keeps 11 binary digits of a number, and from there on two places may share all of them."
    here, there = np.float16(1 / got), np.float16(1 / (got + 1))
    stored = f"1/{got:.0f} and 1/{got + 1:.0f} are stored as {float(here):.8g} and {float(there):.8g}"
    if got == right + 1:
        raise Wrong("Off by one: that is the larger place of the pair. Asked is m, not m + 1.")
    if got == right - 1:
        raise Wrong(f"Off by one: {stored}, which differ still.")
    if got == 2048:
        raise Wrong("Up to 2048 half precision holds every whole number m exactly. The quotient 1/m has to be rounded much earlier.")
    if got == 1024:
        raise Wrong(f"1/1024 is the step of half precision at 1, its eps. But 1/m is far below 1, where the steps are finer: {stored}.")
    if got == _confused(np.float32)[0]:
        raise Wrong("That is the answer for single precision, np.float32. Half precision is np.float16.")
    if got == 190:  # NumPy has no bfloat16; a test computes this one with PyTorch
        raise Wrong("That is the answer for bfloat16, which keeps 8 binary digits. np.float16 keeps 11.")
    if here == there == 0:
        raise Wrong("There 1/m is rounded to 0. Two places are confused long before that.")
    if here == there:
        raise Wrong(f"{stored}, the same number indeed; but smaller m are confused, too.")
    raise Wrong(f"{stored}: two numbers. Compare after rounding both, for m = 1, 2, 3, and so on.")


def _confused(dtype, around=2**24):
    """The m below `around` for which 1/m and 1/(m + 1) are the same in `dtype`; looked for in blocks, the first that has any is returned."""
    for start in range(1, around, 2**18):
        m = np.arange(start, start + 2**18 + 1, dtype=np.float64)
        stored = (1 / m).astype(dtype)
        same = m[:-1][stored[:-1] == stored[1:]].astype(int)
        if same.size:
            return same
    return np.empty(0, dtype=int)


@exercise("1.5")
def blind(answer):
    """A function (f, rng) -> bool that says whether f(x[order]) == f(x)[order] for every order."""
    for name, f, is_blind, advice in BOXES:
        for seed in range(2):
            said = call(answer, f, np.random.default_rng(seed)) if name == BOXES[0][0] else answer(f, np.random.default_rng(seed))
            if said is None or said is ...:
                raise Wrong(f"It returned nothing for one function, {name}: every path needs a return.")
            if not isinstance(said, (bool, np.bool_)):
                raise Wrong(f"Return True or False, not {type(said).__name__}.")
            if is_blind and not said:
                raise Wrong(f"Your test calls this seeing, and it is blind: {name}. {advice}")
            if said and not is_blind:
                raise Wrong(f"Your test calls this blind, and it sees order: {name}. {advice}")
    return f"It judged {len(BOXES)} functions rightly, {sum(box[2] for box in BOXES)} of them blind, without looking inside."


def _head(x):
    """Queries, keys and values of words with any number of features: always the same weights for the same number."""
    C = x.shape[1]
    return (x @ w.T for w in np.random.default_rng(C).standard_normal((3, C, C)) / np.sqrt(C))


def _attend(x, causal=False):
    return attention(*_head(np.asarray(x, dtype=np.float64)), causal=causal)


def _biased(x, bias):
    """Attention with numbers added to its scores, (T, T)."""
    q, k, v = _head(x)
    return weights(q @ k.T / np.sqrt(x.shape[1]) + bias) @ v


def _gaps(x):
    places = np.arange(len(x))
    return places[:, None] - places  # (T, T)


def _places(x):
    return np.arange(len(x))[:, None]  # (T, 1)


def _ranks(x):
    return (x[:, None] > x[None]).sum(1).astype(float)  # how many words have a smaller feature: no ties broken by place


MOVES = "The outputs must move with the words: compare f(x[order]) with f(x)[order]."
RANDOM = "draw random orders, and compare f(x[order]) with f(x)[order], row by row."
ROUNDING = "Sums in another order differ in the last digits: allow for rounding."
BOXES = (
    ("attention", lambda x: _attend(x), True, f"{MOVES} {ROUNDING}"),
    ("attention after adding the place to each word", lambda x: _attend(x + np.sin(_places(x) + np.arange(x.shape[1]))), False, MOVES),
    ("each word by itself", lambda x: np.tanh(x), True, MOVES),
    ("the order of the words reversed", lambda x: x[::-1].copy(), False,
     f"Comparing sums over the words does not find it, nor does reversing them: {RANDOM}"),
    ("the words moved on by one place", lambda x: np.roll(x, 1, axis=0), False,
     f"Comparing sums over the words does not find it, nor does rotating them: {RANDOM}"),
    ("the mean of all words, at every place", lambda x: np.tile(x.mean(0), (len(x), 1)), True, ROUNDING),
    ("each feature sorted over the words", lambda x: np.sort(x, axis=0), False, "Its output stays where it is instead of moving with the words."),
    ("causal attention", lambda x: _attend(x, causal=True), False, f"Its last word may stay the same: {RANDOM}"),
    ("the largest value of each feature, at every place", lambda x: np.tile(x.max(0), (len(x), 1)), True, MOVES),
    ("the mean of the words so far", lambda x: np.cumsum(x, axis=0) / (_places(x) + 1), False, f"Its last word is blind: {RANDOM}"),
    ("how many words are smaller, for each feature", _ranks, True, MOVES),
    ("attention with a penalty on distance (ALiBi)", lambda x: _biased(x, -0.5 * np.abs(_gaps(x))), False,
     "Reversing the words does not find it, nor do two words alone: draw random orders of several words."),
    ("the same two numbers for any word", lambda x: np.full((len(x), 2), [3.0, -1.0]), True, "The width of the output may differ from that of the words."),
    ("the number of the place, whatever the word", lambda x: _places(x) + 0.0, False, "The width of the output may differ from that of the words."),
    ("two layers of attention, 1000 times as large", lambda x: 1000 * _attend(x + _attend(x)), True, f"{ROUNDING} Large outputs have large roundings."),
    ("distance on a ring, where the last word is next to the first", lambda x: _biased(x, np.cos(2 * np.pi * _gaps(x) / len(x))), False,
     "Rotating the order does not find it, nor do three words alone: draw random orders of more words."),
    ("each word times its distance from the middle", lambda x: x * np.abs(_places(x) - (len(x) - 1) / 2), False,
     "Reversing the order does not find it, nor do two words alone: draw random orders of several words."),
    ("the first two words as they are, a place added to the others", lambda x: x + np.maximum(_places(x) - 1, 0), False,
     "With two words it is blind, and exchanging the first two does not find it: draw random orders of several words."),
    ("the place added to the last feature only", lambda x: x + _places(x) * (np.arange(x.shape[1]) == x.shape[1] - 1), False,
     "Compare all features of the outputs, not the first alone."),
    ("every second word with the opposite sign", lambda x: x * (-1.0) ** _places(x), False,
     "Compare the outputs themselves: their lengths stay."),
    ("a place added to negative features only", lambda x: np.where(x < 0, x + _places(x), x), False, "Draw words with features of both signs."),
    ("attention with a thousandth of the place added", lambda x: _attend(x) + 0.001 * _places(x), False, "Your tolerance is too large: rounding is near 1e-15 of the outputs."),
    ("a word's distance to the nearest other word", lambda x: np.sqrt(np.sort(((x[:, None] - x) ** 2).sum(-1), axis=1)[:, :2][:, -1:]), True,
     MOVES),
)  # fmt: skip
