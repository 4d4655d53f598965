"""Exercises: what the student opens and what the solutions notebook holds are the same cells, apart from the answer."""
import copy
import re

import notebooks
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ropebook import exercises

CHAPTERS = [path for path in notebooks.book_notebooks() if path.parent.name == "book"]


def exercise_numbers(nb):
    """["7b.1", "7b.2", …] of the cells with ids ex-7b-1-…, in order."""
    found = [re.fullmatch(r"ex-(\d+[a-z]?)-([1-9]\d*)(-.*)?", cell.id) for cell in nb.cells]
    return list(dict.fromkeys(f"{match[1]}.{match[2]}" for match in found if match))


def twin_problems(chapter, solutions):
    """What is wrong between a chapter and its solutions notebook, one line each."""
    numbers, solved = exercise_numbers(chapter), exercise_numbers(solutions)
    if numbers != solved:
        yield f"the chapter has exercises {numbers}, its solutions {solved}"
    student, solver = ({cell.id: cell for cell in nb.cells} for nb in (chapter, solutions))
    for number in numbers:
        name = f"ex-{number.replace('.', '-')}"
        missing = [f"{of} cell {cell}" for of, cells, kinds in (("chapter's", student, ("", "-stub", "-check")), ("solutions'", solver, ("-stub", "-check")))
                   for cell in (name + kind for kind in kinds) if cell not in cells]
        if missing:
            yield f"{number}: no {', no '.join(missing)}"
            continue
        statement = student[name].source
        if not statement.startswith(f"### Exercise {number} "):
            yield f"{number}: the statement does not start with '### Exercise {number} '"
        if not re.search(r"^\*\d+ minutes, (●○○|●●○|●●●)\*$", statement, flags=re.MULTILINE):
            yield f"{number}: the statement has no line such as '*10 minutes, ●●○*'"
        if not re.search(r"<details><summary>.+</summary>\n\n.+\n\n</details>", statement, flags=re.DOTALL):
            yield f"{number}: the statement has no hint in <details>"
        stub, solution = student[name + "-stub"].source, solver[name + "-stub"].source
        if "### BEGIN SOLUTION" not in solution:
            yield f"{number}: the solution has no ### BEGIN SOLUTION"
        elif notebooks.strip_solution(solution) != stub:
            yield f"{number}: the stub is {stub!r}, the stripped solution {notebooks.strip_solution(solution)!r}"
        if student[name + "-check"].source != solver[name + "-check"].source:
            yield f"{number}: the check cells differ"
        if f'check("{number}", ' not in student[name + "-check"].source:
            yield f"{number}: the check cell does not call check(\"{number}\", …)"
        for whose, cells, pattern in (("chapter", student, r"{}: not answered yet\.\n"), ("solution", solver, r"{}: right\. .+\n")):
            said = "".join(out.get("text", "") for out in cells[name + "-check"].outputs)
            if not re.fullmatch(pattern.format(re.escape(number)), said):
                yield f"{number}: in the {whose} the check says {said!r}"


def load(path):
    return notebooks.load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=notebooks.shown)
def test_the_exercises_of_a_chapter_have_solutions(chapter):
    solutions = chapter.parent / "solutions" / chapter.name
    numbers = exercise_numbers(load(chapter))
    assert numbers == exercises.numbers(chapter.name.split("_")[0].lstrip("0")), "the chapter's exercises are not those that have checkers"
    assert list(twin_problems(load(chapter), load(solutions))) == []


def test_every_solutions_notebook_belongs_to_a_chapter(root):
    names = {path.name for path in CHAPTERS}
    assert {path.name for path in (root / "book" / "solutions").glob("*.ipynb")} <= names


# ---- the comparison itself, on a pair that is right and on pairs with one thing wrong -------------

STATEMENT = "### Exercise 3.1 · Double\n\n*5 minutes, ●○○*\n\nDouble x.\n\n<details><summary>Hint</summary>\n\nAdd it to itself.\n\n</details>"
STUB = 'def double(x):\n    """Twice x."""\n    ...  # your answer'
SOLUTION = 'def double(x):\n    """Twice x."""\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION'


def pair():
    def cells(stub, said):
        return [new_code_cell(stub, id="ex-3-1-stub"),
                new_code_cell('check("3.1", double)', id="ex-3-1-check", outputs=[new_output("stream", text=said)])]
    chapter = new_notebook(cells=[new_markdown_cell(STATEMENT, id="ex-3-1"), *cells(STUB, "3.1: not answered yet.\n")])
    solutions = new_notebook(cells=[new_markdown_cell("### Exercise 3.1", id="ex-3-1"), *cells(SOLUTION, "3.1: right. Well done.\n")])
    return chapter, solutions


def test_a_right_pair_has_no_problem():
    assert list(twin_problems(*pair())) == []


@pytest.mark.parametrize("notebook, cell, old, new, problem", [
    (0, 0, "Exercise 3.1 ", "Exercise 3.2 ", "does not start"),
    (0, 0, "*5 minutes", "*some minutes", "no line such as"),
    (0, 0, "●○○", "●", "no line such as"),
    (0, 0, "details", "div", "no hint"),
    (0, 1, "Twice x", "Two x", "the stub is"),
    (1, 1, "SOLUTION", "ANSWER", "no ### BEGIN SOLUTION"),
    (1, 1, "    ### BEGIN", "### BEGIN", "the stub is"),
    (1, 2, "double)", "double )", "the check cells differ"),
])
def test_one_changed_source_is_named(notebook, cell, old, new, problem):
    two = pair()
    changed = two[notebook].cells[cell]
    assert old in changed.source
    changed.source = changed.source.replace(old, new)
    assert any(line.startswith("3.1: ") and problem in line for line in twin_problems(*two))


@pytest.mark.parametrize("notebook, said", [(0, "3.1: not yet. Look again.\n"), (0, ""), (1, "3.1: not answered yet.\n"), (1, "3.1: right.")])
def test_an_unexpected_verdict_is_named(notebook, said):
    two = pair()
    two[notebook].cells[2].outputs[0].text = said
    assert any("the check says" in line for line in twin_problems(*two))


def test_a_missing_or_additional_exercise_is_named():
    chapter, solutions = pair()
    more = copy.deepcopy(chapter)
    more.cells.append(new_code_cell("...", id="ex-3-2-stub"))
    assert list(twin_problems(more, solutions)) == ["the chapter has exercises ['3.1', '3.2'], its solutions ['3.1']",
                                                     "3.2: no chapter's cell ex-3-2, no chapter's cell ex-3-2-check, "
                                                     "no solutions' cell ex-3-2-stub, no solutions' cell ex-3-2-check"]
