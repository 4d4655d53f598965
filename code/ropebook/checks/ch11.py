"""Checkers of chapter 11, linear attention with RoPE."""

import numpy as np

from ropebook.checks.asking import asked, asked_for_memory, one_number, real_numbers
from ropebook.checks.ch11_mistakes import ROPE_MISTAKES, SHARE_MISTAKES, STEP_MISTAKES, SUM_MISTAKES, causal, mean, rope, share
from ropebook.exercises import Wrong, exercise
from ropebook.frequencies import frequencies
from ropebook.linear import sides, summed

CLOSE = 1e-4  # relative and absolute: float32 is off by 1e-5 at the positions below, mistakes by hundredths at least
MANY = 3_000, 20_000  # words; the table for the first, 72 MB, is refused before anyone makes that for the second, 3.2 GB
ROOM = 30_000_000  # bytes, as the statement says


def _near(one, other):
    return np.shape(one) == np.shape(other) and np.allclose(one, other, rtol=CLOSE, atol=CLOSE)


def _compare(name, got, right, mistakes=(), case=()):
    """Nothing if the outputs are right; else the lesson of the mistake that explains them, or the worst entry in words."""
    if _near(got, right):
        return
    with np.errstate(all="ignore"):
        lesson = next((lesson for lesson, wrong in mistakes if _near(got, wrong(*case))), None)
    t, e = np.unravel_index(np.abs(got - right).argmax(), right.shape)
    raise Wrong(f"For {name}: {lesson or f'entry {e} of word {t} should be {right[t, e]:.6g}; yours is {got[t, e]:.6g}.'}")


def _rows(result, name, right):
    """The reader's outputs, in the shape of the right ones."""
    got = real_numbers(result)
    if got.shape != right.shape:
        raise Wrong(f"For {name} the outputs have shape {right.shape}, a row a word; yours have {got.shape}.")
    return got


def _many_words(answer, case):
    """case(T) makes the answer's arguments and the right outputs: right in 30 MB, for 3,000 words and for 20,000."""
    for T in MANY:
        arguments, right = case(T)
        name = f"{T:,} words"
        result, peak = asked_for_memory(answer, name, *arguments)
        if peak > ROOM:
            raise Wrong(f"Right for a few words, but for {name} it takes {peak / 1e6:.0f} MB: that looks like a table of T² weights. "
                        "Multiply keys and values first, as on the right of (11a).")
        _compare(name, _rows(result, name, right), right)


def _words(T, D, E):
    """Queries and keys (T, D) and values (T, E), which rise so that no weights make the same means of them."""
    rng = np.random.default_rng([11, T])
    return *rng.standard_normal((2, T, D)), rng.standard_normal((T, E)) + np.linspace(0, 2, T)[:, None]


SIZES = ((7, 4, 3), (5, 5, 5), (1, 6, 2), (30, 3, 8))  # T, F, E


@exercise("11.1")
def attend(answer):
    """A function (phi_q, phi_k, v) -> attention with the weights phi_q phi_kᵀ, each row over its sum, without the table."""
    for size in SIZES:
        case = _features(*size)
        name = "T = {}, F = {}, E = {}".format(*size)
        right = mean(*case)
        got = _rows(asked(answer, name, size == SIZES[0], *(x.copy() for x in case)), name, right)
        _compare(name, got, right, SUM_MISTAKES, case)

    def many(T):
        a, b, v = _features(T, 8, 4)
        return (a, b, v), summed(a, b, a, b, v)
    _many_words(answer, many)
    return "All that the queries read of 20,000 words is a matrix and a row: as many numbers as for ten."


def _features(T, F, E):
    q, k, v = _words(T, F, E)
    return np.exp(q), np.exp(k), v


PLACES = (  # name, positions (T,), D, E, base
    ("positions 0 to 6", np.arange(7.0), 8, 8, 10000.0),
    ("positions that start at 20 and skip some", np.array([20.0, 21, 25, 26, 40, 43]), 8, 3, 10000.0),
    ("positions in between", np.array([3.5, 0.25, 12.75, 7.5, -2.5]), 4, 5, 500.0),
    ("one word", np.array([9.0]), 6, 2, 10000.0),
)


@exercise("11.2")
def rope_linear(answer):
    """A function (q, k, v, positions, theta) -> equation 19 with elu + 1, without the table."""
    for name, at, D, E, base in PLACES:
        case = _text(at, D, E, base)
        right = rope(*case)
        got = _rows(asked(answer, name, name == PLACES[0][0], *(x.copy() for x in case)), name, right)
        _compare(name, got, right, ROPE_MISTAKES, case)

    def many(T):
        q, k, v, at, theta = case = _text(np.arange(T) / 2, 8, 4, 10000.0)
        return case, summed(*sides(q, k, at, theta), v)
    _many_words(answer, many)
    return "RoPE asks attention for nothing but a query and a key, so it needs no table here either."


def _text(at, D, E, base):
    return *_words(len(at), D, E), at, frequencies(D, base)


TEXTS = (  # as PLACES
    ("a text at 0, 1, 2, …", np.arange(40.0), 8, 3, 10000.0),
    ("a second text, at 100 and on", 100 + np.cumsum(np.resize([0.5, 1, 4, 2.5, 1], 30)), 8, 3, 10000.0),
    ("a third text, with another base", np.cumsum(np.resize([3, 0.5, 1], 30)), 6, 6, 500.0),
)


@exercise("11.3")
def step(answer):
    """A function (state, q, k, v, at, theta) -> the newest word's output of causal equation 19, and a state of fixed size."""
    first, *_ = texts = [_text(*case) for _, *case in TEXTS]
    for (name, *_), text in zip(TEXTS, texts):
        states, outputs = [None], []
        for t in range(len(text[0])):
            out, state = _one_step(answer, f"{name}, word {t}", text is first and t == 0, states[-1], text, t)
            outputs.append(out)
            states.append(state)
        _compare(name, np.array(outputs), causal(*text), *_causes(outputs, text, first))
        _check_size(_size(states[2]), _size(state), len(outputs), np.size(text[1]) + np.size(text[2]))
    _check_two_at_once(answer, first)
    _check_going_back(answer, first)
    return "The whole past in D · E + D numbers, however long it is, and every old state is still good to go on from."


def _causes(outputs, text, first):
    """STEP_MISTAKES with the first word as the answer has it: some mistakes divide 0 by 0 there."""
    kept = lambda wrong: lambda *case: np.concatenate([outputs[:1], wrong(*case)[1:]])
    return [(lesson, kept(wrong)) for lesson, wrong in STEP_MISTAKES], (*text, first)


def _one_step(answer, name, first, state, text, t):
    """The answer's output (E,) for word t of the text, and its new state."""
    q, k, v, at, theta = text
    result = asked(answer, name, first, state, q[t].copy(), k[t].copy(), v[t].copy(), at[t].item(), theta.copy())
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong(f"Return two things, the output and the new state; for {name} you return {type(result).__name__}.")
    return _output(result[0], name, state is None, v[t].shape), result[1]


def _output(out, name, alone, shape):
    try:
        got = real_numbers(out)
    except Wrong as wrong:
        hint = " A word sees itself: add it to the sums before you read them." if alone and getattr(out, "shape", None) == shape else ""
        raise Wrong(f"For {name}, in the output, the first of the two that you return: {wrong}{hint}") from None
    if got.shape != shape:
        raise Wrong(f"For {name} the output has shape {shape}; yours has {got.shape}. Return the output first, then the state.")
    return got


def _size(state):
    """How many numbers a state holds, whatever it is made of; 8 characters or bytes are taken for one."""
    if hasattr(state, "shape"):
        return int(np.prod(state.shape))
    if isinstance(state, (str, bytes)):
        return len(state) // 8
    if isinstance(state, dict):
        return _size(list(state.values()))
    if getattr(state, "__closure__", None):
        return _size([cell.cell_contents for cell in state.__closure__])
    if hasattr(state, "__dict__"):
        return _size(vars(state))
    if hasattr(state, "__slots__") and not isinstance(state, (tuple, list)):
        return _size([getattr(state, name) for name in state.__slots__])
    if hasattr(state, "__iter__") and hasattr(state, "__len__"):
        return sum(map(_size, state))
    return 1


def _check_size(after_two, at_end, words, told):
    """told: the numbers in all keys and values of the text."""
    if at_end > 1.25 * after_two:  # some more, for the same numbers in text differ in length
        raise Wrong(f"The outputs are right, but your state holds {after_two} numbers after two words and {at_end} after {words}: it grows. "
                    "Keep the sums, not the words.")
    if at_end >= told:
        raise Wrong(f"The outputs are right, but your state holds {at_end} numbers; the keys and values of all {words} words are {told}. "
                    "Room for a number of words is full after so many. Keep the sums, not the words.")


def _check_two_at_once(answer, text):
    """Two texts, a word of each in turn: the first words of this one, and its words from 20 on."""
    *words, theta = text
    two = [(*(x[start : start + 10] for x in words), theta) for start in (0, 20)]
    states, outputs = [None, None], ([], [])
    for t in range(10):
        for i in (0, 1):
            out, states[i] = _one_step(answer, f"two texts in turn, word {t}", False, states[i], two[i], t)
            outputs[i].append(out)
    if not all(_near(np.array(got), causal(*text)) for got, text in zip(outputs, two)):
        raise Wrong("Each text is right alone; of two texts, a word of each in turn, one disturbs the other. Keep all that you know in the "
                    "state, and nothing in a global variable or a default argument.")


def _check_going_back(answer, text):
    """Before each word of a text its state is used for another word."""
    state, right = None, causal(*text)
    for t in range(10):
        _one_step(answer, "a word that is taken back", False, state, text, t + 20)
        out, state = _one_step(answer, "the word in its place", False, state, text, t)
        if not _near(out, right[t]):
            raise Wrong("A state was used for one word, then again for another in its place, and the second output is wrong: your step "
                        "changes the state that it is handed. S + … makes a new array; S += … changes the old one.")


WIDTHS = (8, 2, 4, 64, 6)  # D


@exercise("11.4")
def lowest_share(answer):
    """A function (phi_q, phi_k) -> the least weight that freely chosen angles of the pairs can make, over the bare weight."""
    rng = np.random.default_rng(114)
    for D in WIDTHS:
        a, b = np.exp(rng.standard_normal((2, D)))
        name = f"D = {D}"
        got, right = one_number(asked(answer, name, D == WIDTHS[0], a.copy(), b.copy()), name), share(a, b)
        near = lambda other: np.isclose(got, other, rtol=CLOSE, atol=0)
        if not near(right):
            lesson = next((lesson for lesson, wrong in SHARE_MISTAKES if near(wrong(a, b))), None)
            raise Wrong(f"For {name}: {lesson or _why_not_share(got, right)}")
    return ("It is −1 where the pairs of query and key point the same way, and lower elsewhere: angles can always take away the bare weight "
            "and as much again.")


def _why_not_share(got, right):
    if got > right:
        return (f"some choice of angles gives {right:.6g}, lower than your {got:.6g}. Each pair has an angle of its own, chosen freely: turn "
                "its two vectors until they point in opposite ways.")
    return (f"no choice of angles gives a share as low as your {got:.6g}; the lowest is {right:.6g}. A dot product of two vectors is never "
            "below minus the product of their lengths.")
