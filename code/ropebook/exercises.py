"""Exercises that check themselves: `check("3.1", answer)` prints what it thinks of an answer and never raises for one.

The checkers of chapter NN live in `ropebook.checks.chNN`. A checker takes the answer, returns one sentence of praise,
or raises `Wrong` with one sentence that teaches.
"""

import importlib.util
import re
from typing import NamedTuple

_CHECKERS = {}


class Wrong(Exception):
    """The answer is not right; the message says what to look at."""


class NotAnswered(Exception):
    """The answer is still the stub."""


class Verdict(NamedTuple):
    """What a checker thinks: state is "right", "not yet" or "not answered yet"."""

    state: str
    message: str


def exercise(number):
    """Register the decorated function as the checker of exercise `number`, such as "3.1"."""

    def register(checker):
        _CHECKERS[number] = checker
        return checker

    return register


def judge(number, answer):
    """Verdict on one answer. Whatever the answer does, only an unknown number raises.

    number   "chapter.exercise", such as "3.1" or "7b.1"
    answer   what the stub cell defines: a value or a function
    raises   ValueError if there is no such exercise
    """
    checker = _checker(number)
    try:
        if answer is None or answer is ...:
            raise NotAnswered
        return Verdict("right", checker(answer))
    except NotAnswered:
        return Verdict("not answered yet", "")
    except Wrong as wrong:
        return Verdict("not yet", str(wrong))
    except Exception as error:  # the reader's own code failed: say how, do not stop the notebook
        return Verdict("not yet", f"Your answer stopped with {type(error).__name__}: {error}")


def check(number, answer):
    """Print the verdict on one answer; see `judge`."""
    verdict = judge(number, answer)
    print(f"{number}: {verdict.state}. {verdict.message}".rstrip())


def padded(chapter):
    """A chapter as the names of files spell it: "7" -> "07", "7b" -> "07b", "14" -> "14"."""
    return chapter if chapter[1:2].isdigit() else f"0{chapter}"


def numbers(chapter):
    """The numbers of a chapter's exercises, in order: numbers("7b") -> ["7b.1", "7b.2", …]."""
    importlib.import_module(f"ropebook.checks.ch{padded(chapter)}")
    own = [n for n in _CHECKERS if n.split(".")[0] == chapter]
    return sorted(own, key=lambda n: int(n.split(".")[1]))


def call(function, *args):
    """Result of the reader's function; a function that returns nothing counts as not answered."""
    if not callable(function):
        raise Wrong(f"Expected a function, got {type(function).__name__}.")
    result = function(*args)
    if result is None or result is ...:
        raise NotAnswered
    return result


def _checker(number):
    chapter = number.split(".")[0]
    if re.fullmatch("[1-9][0-9]*[a-z]?", chapter) and importlib.util.find_spec(f"ropebook.checks.ch{padded(chapter)}"):
        if number in numbers(chapter):
            return _CHECKERS[number]
        raise ValueError(f"there is no exercise {number}: chapter {chapter} has {', '.join(numbers(chapter))}")
    raise ValueError(f"there is no exercise {number}: expected a number such as 3.1")
