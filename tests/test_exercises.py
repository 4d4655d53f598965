"""How exercises answer: neutral to a stub, kind to an error, right to every solution, and a lesson for each mutant."""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from ropebook import exercises
from ropebook.exercises import Wrong, call, check, judge, numbers, padded

ROOT = Path(__file__).parents[1]
SOLUTIONS = sorted((ROOT / "book" / "solutions").glob("*.ipynb"))
CHAPTERS = [path.name.split("_")[0].lstrip("0") for path in SOLUTIONS]


def mutants(chapter):
    """[(number, wrong answer, part of the lesson)] from tests/mutants_chNN.py."""
    return importlib.import_module(f"mutants_ch{padded(chapter)}").MUTANTS


def solve(path):
    """{number: answer} from running a solutions notebook's cells in one namespace, its own check cells included."""
    namespace, answers = {}, {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and "%pip" not in source:
            exec(compile(source, f"{path.name}, cell {cell['id']}", "exec"), namespace)
            if asked := re.fullmatch(r'check\("([\w.]+)", (\w+)\)', source.strip()):
                answers[asked[1]] = namespace[asked[2]]
    return answers


@pytest.mark.parametrize("chapter, path", list(zip(CHAPTERS, SOLUTIONS)), ids=CHAPTERS)
def test_every_exercise_has_a_solution_that_passes(chapter, path):
    answers = solve(path)
    assert list(answers) == numbers(chapter)
    for number, answer in answers.items():
        verdict = judge(number, answer)
        assert verdict.state == "right", f"{number}: {verdict}"
        assert verdict.message, f"{number}: praise says nothing"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_exercise_has_at_least_three_mutants(chapter):
    for number in numbers(chapter):
        assert sum(mutant[0] == number for mutant in mutants(chapter)) >= 3, f"too few mutants for {number}"


@pytest.mark.parametrize("number, answer, lesson", [
    pytest.param(*mutant, id=f"{mutant[0]} {mutant[2]}") for chapter in CHAPTERS for mutant in mutants(chapter)
])
def test_mutant_is_rejected_with_its_lesson(number, answer, lesson):
    verdict = judge(number, answer)
    assert verdict.state == "not yet", f"{number} takes {answer!r}: {verdict}"
    assert lesson in verdict.message


@pytest.mark.parametrize("number, answer", [
    pytest.param(number, answer, id=number)
    for chapter in CHAPTERS for number, answer in getattr(importlib.import_module(f"mutants_ch{padded(chapter)}"), "ALSO_RIGHT", [])
])
def test_other_spellings_pass(number, answer):
    assert judge(number, answer).state == "right", judge(number, answer)


@pytest.mark.parametrize("number", [n for chapter in CHAPTERS for n in numbers(chapter)])
def test_stub_is_neutral(number, capsys):
    def stub(*args):
        ...

    for nothing in (None, ...):
        check(number, nothing)
        assert capsys.readouterr().out == f"{number}: not answered yet.\n"
    verdict = judge(number, stub)
    assert verdict.state in ("not answered yet", "not yet")  # the latter where a value, not a function, is asked for


@pytest.mark.parametrize("number", [n for chapter in CHAPTERS for n in numbers(chapter)])
@pytest.mark.parametrize("answer", ["a string", 3.5, [], {}, object(), len, np.zeros((2, 2)), sp.Symbol("z"), lambda *a: 1 / 0, lambda *a: "text",
                                    lambda *a: np.nan])
def test_nonsense_never_raises_and_never_passes(number, answer):
    verdict = judge(number, answer)
    assert verdict.state == "not yet" and verdict.message


def test_readers_error_is_reported():
    def broken(x, m, theta):
        return x @ np.zeros(5)

    assert "Your answer stopped with ValueError" in judge("3.1", broken).message


def test_unknown_numbers_are_refused():
    for number, known in (("3.99", "3.1"), ("99.1", "3.1"), ("three", "3.1"), ("7b.9", "7b.1"), ("7c.1", "3.1"), ("03.1", "3.1"),
                          ("4_boxes.1", "3.1")):
        with pytest.raises(ValueError, match=f"there is no exercise {number}.*{known}"):
            check(number, 1)


def test_call_sees_the_stub_and_the_wrong_type():
    with pytest.raises(exercises.NotAnswered):
        call(lambda: None)
    with pytest.raises(Wrong, match="Expected a function, got int"):
        call(3)
