"""Checkers of chapter 17, the scoreboard."""

import re
from contextlib import nullcontext
from itertools import combinations_with_replacement, product
from math import sqrt

from ropebook.checks.asking import asked, compare, ending, one_number
from ropebook.checks.ch17_mistakes import ITEM_MISTAKES, LEAD_MISTAKES, VERDICT_MISTAKES, VERDICTS, items, needed, says, two_sided
from ropebook.exercises import Wrong, exercise


def _same(got, other):
    return got is other if got is None or other is None else got == other


ACCURACIES = (  # a, b, z; rounding moves no n: z² spread / (a − b)² is off a whole number by 0.01 or more, or exact in every form
    (0.9, 0.6, 2.0),  # a small n first: a loop that ends too early and returns nothing would be no answer at all
    (0.6979, 0.6810, 1.96),
    (0.75, 0.5, 2.5),
    (0.6, 0.55, 1.5),
    (0.6810, 0.6979, 1.96),
    (0.2, 0.22, 2.576),
    (1.0, 0.5, 2.0),
    (0.0, 0.5, 4.0),
    (1.0, 0.5, 1.0),
    (0.95, 0.05, 0.5),
    (0.3, 0.9, 3.0),
    (1.0, 0.0, 1.96),
    (0.0, 1.0, 3.0),
)
LINES = 300_000  # of Python: a loop over n needs some ten thousand, as the largest n is below 6,000
NO_END = "your answer does not come to an end. Compare the size of the difference, abs(a − b), with the standard errors."


@exercise("17.1")
def items_needed(answer):
    """A function (a, b, z) -> the smallest n at which |a − b| is at least z standard errors; a float with a whole value will do."""
    results = []
    for case in ACCURACIES:
        name = _accuracies(*case)
        with ending(LINES, f"For {name} {NO_END}"):
            results.append(_items_of(answer, name, not results, *case))
    compare(ACCURACIES, results, items, ITEM_MISTAKES, _accuracies, _why_not_items, _same)
    return "To see half the difference takes about four times the items."


def _accuracies(a, b, z):
    return f"a = {a:g}, b = {b:g} and z = {z:g}"


def _items_of(answer, name, first, a, b, z):
    try:
        return one_number(asked(answer, name, first, a, b, z), name)
    except Wrong as wrong:
        by_zero = "ZeroDivisionError" in str(wrong)
        if {a, b} == {0.0, 1.0} and (by_zero or "finite" in str(wrong)):
            raise Wrong(f"For {name} the standard error is 0, and you divide by it. Compare |a − b| with z times it instead.") from None
        if by_zero:
            raise Wrong(f"{wrong}. n begins at 1, and a and b differ, so nothing that you have to divide by is 0.") from None
        if a < b and "math domain" in str(wrong):
            raise Wrong(f"{wrong}. The difference may have either sign: take its size.") from None
        raise


def _why_not_items(got, a, b, z):
    if got != int(got):
        return f"return a whole number; yours is {got:.6g}. A part of an item cannot be asked: round up."
    if got < 1:
        return f"n is at least 1; yours is {got:g}."
    right, error = items(a, b, z), sqrt((a * (1 - a) + b * (1 - b)) / got)
    if got > right:
        return f"{got:.0f} are more than needed: {right} will do."
    return f"{got:.0f} are too few: with them the difference is {abs(a - b) / error:.4g} standard errors, and {z:g} are asked for."


SPLITS = (  # total, level; where p can equal the level, it does in every form: two powers of 1/2, and the cap
    (40, 0.05),
    (0, 0.05),
    (0, 1.1),
    (1, 0.05),
    (5, 0.05),
    (6, 0.05),
    (6, 2 / 2**6),
    (7, 0.05),
    (8, 0.01),
    (9, 0.1),
    (10, 1.0),
    (10, 1.1),
    (11, 0.5),
    (12, 0.3),
    (15, 0.05),
    (20, 1.2),
    (25, 0.2),
    (60, 0.001),
    (100, 0.05),
    (233, 0.05),
    (301, 1e-6),
    (500, 0.05),
    (500, 1e-9),
)
SMALL = 62  # whose numbers fit NumPy's; larger ones are not traced, as right answers may need millions of lines for them
NO_LAST_LEAD = "your answer does not come to an end. Each turn needs a p of its own, that of its lead, and no lead is above the total."
TOO_LARGE = ("2^total and the binomial coefficients outgrow NumPy's whole numbers and, as products of factorials, floats. Python's own "
             "whole numbers have no end: math.comb(total, i), and one / at last.")  # fmt: skip


@exercise("17.2")
def smallest_lead(answer):
    """A function (total, level) -> the smallest lead with the exact two-sided p below the level, or None."""
    results = []
    for case in SPLITS:
        with ending(LINES, f"For {_split(*case)} {NO_LAST_LEAD}") if case[0] <= SMALL else nullcontext():
            results.append(_lead_of(answer, _split(*case), not results, *case))
    compare(SPLITS, results, needed, LEAD_MISTAKES, _split, lambda got, *case: _why_not_lead(got, results, *case), _same)
    return "A lead that settles a few items is nothing among many: what is needed grows with the root of the total."


def _split(total, level):
    return f"total = {total} and level = {level:g}"


def _lead_of(answer, name, first, total, level):
    """The result, as a number where one is right; from the second case on None is an answer like others."""
    try:
        result = asked(answer, name, True, total, level) if first else asked(lambda *given: [answer(*given)], name, False, total, level)[0]
    except Wrong as wrong:
        if "OverflowError" in str(wrong):
            raise Wrong(f"{wrong}. {TOO_LARGE}") from None
        if "'float' object cannot be interpreted as an integer" in str(wrong):
            raise Wrong(f"{wrong}. / makes floats; the loser has (total − lead) // 2.") from None
        raise
    if needed(total, level) is None and hasattr(result, "__len__") and not isinstance(result, str):
        raise Wrong(f"For {name}: even if one model wins all, p is not below the level: return None; yours is {result!r}.")
    return result if result is None or needed(total, level) is None else one_number(result, name)


def _why_not_lead(got, results, total, level):
    right = needed(total, level)
    if total > SMALL and all(_same(result, needed(*case)) for case, result in zip(SPLITS, results) if case[0] <= SMALL):
        return (f"it should be {right}; yours is {got}. Smaller totals are right, so look at large numbers, where the exact p is asked "
                f"for, too. {TOO_LARGE}")  # fmt: skip
    p = lambda lead: f"a lead of {lead:.0f} has p = {two_sided(total, int(lead)):.4g}"
    if right is None:
        return f"even {p(total)}. So return None; yours is {got}."
    if got is None:
        return f"{p(right)}, which is below the level. Return {right}, not None."
    if got < 0 or got > total or got % 2 != total % 2:
        return f"a lead is a whole number from 0 to {total} that is even or odd as {total} is; yours is {got:g}."
    return f"{p(got)}, which is {'below the level, but a smaller lead is enough.' if got > right else 'not below the level.'}"


INTERVALS = sorted(combinations_with_replacement((-2, -0.5, 0, 0.5, 2, 3), 2), key=lambda ends: ends[0] == ends[1])  # points come last
CLAIMS = tuple((*ends, claimed) for ends, claimed in product(INTERVALS, (None, 0.5, 1.0, 2.0, 4)))
REFUSED = ((2.5, -1.5, None), (0.5, -0.5, 2.0), (3, 1.5, 2), (-1.5, -4, 2), (-0.5, -2.5, None), (1.5, 0, 0.5))
NUMBER = re.compile(r"(?:(?<!\d)[-−])?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@exercise("17.3")
def verdict_of(answer):
    """A function (low, high, claimed) -> one of five strings; ValueError, naming both, where low > high."""
    if not callable(answer):
        raise Wrong(f"Expected a function, got {type(answer).__name__}.")
    results = []
    for case in CLAIMS:
        results.append(_string_of(_outcome(answer, not results, *case), *case))
    compare(CLAIMS, results, says, VERDICT_MISTAKES, _claim, _why_not_that, _same)
    for case in REFUSED:
        _refuses(answer, *case)
    return "A run can fail to find a gain because there is none or because it is too small to tell; the rule keeps the two apart."


def _claim(low, high, claimed):
    return f"low = {low:g}, high = {high:g} and claimed = {claimed}"


def _outcome(answer, first, *case):
    """What the answer returns, or ValueError if it raises one."""

    def caught(*given):
        try:
            return answer(*given)
        except ValueError:
            return ValueError

    try:
        return asked(caught, _claim(*case), first, *case)
    except Wrong as wrong:
        if case[2] is None and "'NoneType'" in str(wrong):
            raise Wrong(f"{wrong}. `claimed` may be None: ask for that before you compare.") from None
        raise


def _string_of(result, *case):
    if result is ValueError or isinstance(result, str) and result in VERDICTS:
        return result
    five = ", ".join(f'"{name}"' for name in VERDICTS)
    if not isinstance(result, str):
        raise Wrong(f"For {_claim(*case)}: return one of five strings, {five}; yours is of type {type(result).__name__}.")
    if result.startswith("reproduced ") or result in ("not reproducible here", "comparison invalid"):
        raise Wrong(f"For {_claim(*case)}: {result!r} is one of the chapter's six verdicts. Here there are five strings: {five}.")
    raise Wrong(f"For {_claim(*case)}: {result!r} is none of the five strings, letter by letter: {five}.")


def _why_not_that(got, low, high, claimed):
    side = "is below 0" if high < 0 else "is above 0" if low > 0 else "holds 0"
    holds = claimed is None or low <= claimed <= high
    gain = "nothing was stated but the direction" if claimed is None else f"it {'holds' if holds else 'excludes'} {claimed:g}"
    yours = "you raise a ValueError" if got is ValueError else f'yours is "{got}"'
    return f'the interval {side}, and {gain}, so "{says(low, high, claimed)}"; {yours}.'


def _refuses(answer, low, high, claimed):
    name = _claim(low, high, claimed)
    try:
        result = answer(low, high, claimed)
    except ValueError as error:
        text = str(error)
    except Exception as error:
        raise Wrong(f"For {name}: a ValueError is asked for; yours is of type {type(error).__name__}.") from None
    else:
        if isinstance(result, ValueError):
            raise Wrong(f"For {name} you return a ValueError. Raise it.")
        raise Wrong(f"For {name}: low is larger than high. Raise a ValueError before the first rule; yours returns {result!r}.")
    named = {float(number.replace("−", "-")) for number in NUMBER.findall(text)}
    if not {low, high} <= named:
        raise Wrong(f"For {name}: the ValueError should name both numbers, so that one can see what went wrong; yours says {text!r}.")
