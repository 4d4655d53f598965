"""Checkers of chapter 15, longer texts."""

import numpy as np
import torch
from torch.nn.functional import normalize

from ropebook.checks.asking import asked, ending, lesson_of, one_number
from ropebook.checks.ch15_addresses import ADDRESSES, ERROR_MISTAKES, clustered
from ropebook.checks.ch15_mistakes import CEILING_MISTAKES, CONTRAST_MISTAKES, F1_MISTAKES, best_share, contrasted, macro
from ropebook.exercises import Wrong, exercise

CLOSE = 1e-4  # relative and absolute: float32 is off by 1e-6 at most, mistakes by hundredths


def _near(got, other, off=CLOSE):
    return other is not None and np.isclose(got, other, rtol=CLOSE, atol=off)


def _compare(cases, results, right, mistakes):
    """Of all results, the first that is not right, with the lesson of the mistake that explains them all."""
    for (name, *case), got in zip(cases, results):
        if not _near(got, right(*case)):
            lesson = lesson_of(mistakes, [case for _, *case in cases], results, _near)
            raise Wrong(f"For {name}: {lesson or f'it should be {right(*case):.6g}; yours is {got:.6g}.'}")


def _untouched(names, before, after):
    for name, one, other in zip(names, before, after):
        if not torch.equal(one, other):
            raise Wrong(f"Your function changes the {name} that it was given. Others may still need it: write into a new tensor.")


def _draw(seed, N, *shares):
    """Labels (N,) of classes that are as frequent as their shares, and guesses of which about half are right."""
    rng = np.random.default_rng([15, seed])
    labels, others = rng.choice(len(shares), size=(2, N), p=shares)
    return labels, np.where(rng.random(N) < 0.5, labels, others)


PIECES = (  # name, labels, guesses, classes
    ("nine pieces of three classes", [0, 0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 0, 1, 1, 1, 0, 2, 2], 3),
    ("forty pieces of four classes", *_draw(1, 40, 0.5, 0.2, 0.2, 0.1), 4),
    ("a class that is present and never guessed", [0, 0, 1, 2, 2, 2], [0, 1, 1, 0, 1, 0], 3),
    ("a class that is guessed and never present", [0, 0, 2, 2, 2, 0], [0, 1, 2, 1, 2, 2], 3),
    ("a class that is neither present nor guessed", [0, 0, 0, 2, 2, 3], [0, 0, 2, 2, 3, 3], 4),
    ("five classes of which the last is never present", [0, 1, 1, 2, 3, 3, 3], [0, 1, 2, 2, 3, 4, 3], 5),
    ("six classes of which the last two are neither present nor guessed", [3, 0, 1, 1, 2, 3, 3], [3, 0, 1, 2, 2, 3, 1], 6),
    ("a thousand pieces of eight classes", *_draw(2, 1000, *(2.0 ** -np.array([1, 2, 3, 4, 5, 6, 7, 7]))), 8),
    ("guesses that are all right", [1, 1, 1, 0, 2], [1, 1, 1, 0, 2], 3),
    ("a single piece, guessed wrong", [1], [0], 2),
)


@exercise("15.1")
def macro_f1(answer):
    """A function (labels, guesses, classes) -> (15a)."""
    cases, results = [(name, np.array(labels), np.array(guesses), K) for name, labels, guesses, K in PIECES], []
    for name, *sides, K in cases:
        given = [torch.tensor(side) for side in sides]
        results.append(_share_of(answer, name, not results, *given, K))
        _untouched(("labels", "guesses"), map(torch.tensor, sides), given)
    _compare(cases, results, macro, F1_MISTAKES)
    return "Each era counts the same, however few its pieces: to miss a rare one costs as much as to miss a frequent one."


def _share_of(answer, name, first, *given):
    try:
        return one_number(asked(answer, name, first, *given), name)
    except Wrong as wrong:
        if any(sign in str(wrong) for sign in ("finite", "ZeroDivisionError", "InvalidOperation")):
            raise Wrong(f"For {name} you divide by 0. (15a) divides by P + G and by nothing else, not by P, by G or by R; where P + G "
                        "is 0, the class counts as 0.") from None
        raise


PLACES = (  # firsts, gaps, cut
    ([0, 1, 2, 3], [1, 2, 4, 8], 5),
    ([3, 9, 4], [1, 5], 4),
    ([2, 9, 4, 11, 0], [1, 3, 20, 6], 9),
    ([7, 1], [3, 2, 5], 1),
    ([0], [1, 2], 1),
    ([5, 6], [2], 0),
    ([7, 1, 30], [3, 2], 100),
    (range(16), [2**k for k in range(9)], 64),
    (range(0, 60, 3), [1, 5, 25, 70], 40),
)
TWO_MARKS = tuple((f"firsts = {list(firsts)}, gaps = {gaps}, cut = {cut}, order = {order}", list(firsts), gaps, cut, order)
                  for firsts, gaps, cut in PLACES for order in (True, False))  # fmt: skip


@exercise("15.2")
def ceiling(answer):
    """A function (firsts, gaps, cut, order) -> the share that the best reader gets right."""
    results = []
    for name, firsts, gaps, cut, order in TWO_MARKS:
        given = list(firsts), list(gaps)
        results.append(one_number(asked(answer, name, not results, *given, cut, order), name))
        if given != (firsts, gaps):
            raise Wrong("Your function changes the lists that it was given. Others may still need them.")
    _compare(TWO_MARKS, results, best_share, CEILING_MISTAKES)
    return "What the longer text is worth and what the order is worth are both known before a model is trained."


TRIPLETS = (  # B, M, C, temperature, the type of their numbers
    (5, 5, 8, 0.5, torch.float32),
    (4, 7, 6, 0.05, torch.float32),
    (6, 2, 3, 2.0, torch.float64),
    (1, 3, 4, 0.3, torch.float32),
    (4, 0, 5, 0.2, torch.float32),
    (4, 6, 6, 0.001, torch.float32),
    (3, 3, 6, 0.001, torch.float64),
)
SMALL = 0.01  # e^(1/temperature) is no float32 below this


@exercise("15.3")
def contrast(answer):
    """A function (anchors (B, C), positives (B, C), negatives (M, C), temperature) -> the mean loss (15b)."""
    for index, (B, M, C, temperature, dtype) in enumerate(TRIPLETS):
        sides, name = _triplets(index, B, M, C, dtype), f"B = {B}, M = {M}, C = {C} and temperature {temperature:g}"
        given = [side.clone() for side in sides]
        got = _loss_of(answer, name, index == 0, given, temperature)
        _untouched(("anchors", "positives", "negatives"), sides, given)
        near = lambda other: _near(got, other, CLOSE + 4e-6 / temperature)  # two float32 cosines are off by C + 4 roundings each
        if not near(contrasted(*sides, temperature)):
            lesson = next((lesson for lesson, wrong in CONTRAST_MISTAKES if near(wrong(*sides, temperature))), None)
            raise Wrong(f"For {name}: {lesson or f'the loss is {contrasted(*sides, temperature):.4f}; yours is {got:.4f}.'}")
    return "One question with B + M answers: a model that knows nothing pays log(B + M) for it, so larger batches ask more."


def _triplets(seed, B, M, C, dtype):
    """Sides of rows of any length; most positives are like their anchors, the last two have changed places."""
    draw = torch.Generator().manual_seed(1530 + seed)
    a, noise, n, lengths = (torch.randn(size, generator=draw, dtype=torch.float64) for size in ((B, C), (B, C), (M, C), (2 * B + M, 1)))
    p = normalize(a) + 0.3 * normalize(noise)
    p[-2:] = p[-2:].flip(0)
    rows = torch.cat([normalize(a), p, normalize(n)]) * lengths.exp()
    return [side.to(dtype) for side in rows.split([B, B, M])]


def _loss_of(answer, name, first, given, temperature):
    try:
        return one_number(asked(answer, name, first, *given, temperature), name)
    except Wrong as wrong:
        overflow = any(sign in str(wrong) for sign in ("finite", "OverflowError", "ZeroDivisionError", "math domain"))
        if temperature < SMALL and overflow:
            raise Wrong(f"For {name}: e^(1/τ) or a share leaves the range of floats, though the loss does not. F.cross_entropy, "
                        "log_softmax and logsumexp subtract the largest score first.") from None
        if given[2].shape[0] != given[0].shape[0] and "size" in str(wrong):
            raise Wrong(f"{wrong}. There may be more or fewer negatives than anchors: each is a candidate for every anchor.") from None
        raise


LINES = 20_000  # of Python: a loop over all pairs of pieces needs some thousand, one over all numbers up to 10^15 never ends
NUMBERED = "Numbers of addresses are names, which may be negative or huge: torch.unique(..., return_inverse=True) numbers them from 0."


@exercise("15.4")
def standard_error(answer):
    """A function (right (N,), address (N,)) -> the standard error that takes each address as one observation."""
    for name, *case in ADDRESSES:
        given = torch.tensor(case[0], dtype=torch.float32), torch.tensor(case[1])
        with ending(LINES, f"For {name} your answer does not come to an end. {NUMBERED}"):
            got = _error_of(answer, name, name == ADDRESSES[0][0], *given)
        _untouched(("right", "address"), (torch.tensor(case[0]).float(), torch.tensor(case[1])), given)
        if not _near(got, clustered(*case)):
            lesson = next((lesson for lesson, wrong in ERROR_MISTAKES if _near(got, wrong(*case))), None)
            raise Wrong(f"For {name}: {lesson or f'it should be {clustered(*case):.6g}; yours is {got:.6g}.'}")
    return "Pieces that go wrong together say little more than one of them: what counts is how many addresses there are."


def _error_of(answer, name, first, *given):
    try:
        return one_number(asked(answer, name, first, *given), name)
    except Wrong as wrong:
        named = name.endswith("numbers") and "your answer stopped" in str(wrong)
        raise Wrong(f"{wrong}. {NUMBERED}" if named else str(wrong)) from None
