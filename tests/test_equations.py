"""Every displayed equation has its twin: an output of `prove` or `state` with the same number and the same LaTeX."""
import json

import notebooks
import pytest

BODY = "R_{m}^{\\top} R_{n} = R_{n - m}."
DISPLAY = f"$$ {BODY} \\tag{{16}} $$"
LATEX = "R_{m}^{\\top}R_{n} = R_{n - m}"
FLIPPED = {"R": "S", "m": "n", "n": "m", "-": "+", "=": "<", "\\": "/", "{": "(", "}": ")", "_": "^", "^": "_", "1": "7", "6": "8", "$": "S"}


def tiny(path, display=DISPLAY, before='<a href="#eq-16">(16)</a>\n\n<a id="eq-16"></a>', records=None):
    """A notebook as `run` leaves it, with one displayed equation and its records."""
    records = [dict(tag="16", kind="identity", latex=LATEX, mutants=["sign"])] if records is None else records
    out = [dict(output_type="display_data", metadata={}, data={"text/plain": "(16)", notebooks.EQUATION: record}) for record in records]
    cells = [dict(cell_type="markdown", id="text", metadata={}, source=f"# A\n\n{before}\n\n{display}\n\nIt follows."),
             dict(cell_type="code", id="twin", metadata={}, source="prove()", execution_count=1, outputs=out)]
    metadata = {"ropebook": {"executed": {"twin": notebooks.digest("prove()")}}}
    text = json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
    path.write_text(notebooks.dump(notebooks.normalise(notebooks.load(text))))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tiny.ipynb"


def record(**changed):
    return dict(tag="16", kind="identity", latex=LATEX, mutants=["sign"]) | changed


@pytest.mark.parametrize("chapter", notebooks.book_notebooks(), ids=notebooks.shown)
def test_the_displays_and_their_twins_agree(chapter):
    nb = notebooks.load(chapter.read_text(encoding="utf-8"))
    assert [f"{notebooks.shown(chapter)}, cell {number}: {problem}" for number, problem in notebooks.equation_problems(nb)] == []


def test_blanks_and_the_final_stop_mean_nothing(path):
    assert notebooks.check(tiny(path)) == []
    assert notebooks.check(tiny(path, display=DISPLAY.replace(".", ","))) == []
    assert notebooks.check(tiny(path, records=[record(kind="definition", mutants=[])])) == []


@pytest.mark.parametrize("at", [at for at, letter in enumerate(DISPLAY) if letter in FLIPPED])
def test_one_changed_character_of_the_display_is_named(path, at):
    flipped = DISPLAY[:at] + FLIPPED[DISPLAY[at]] + DISPLAY[at + 1:]
    found = notebooks.check(tiny(path, display=flipped))
    assert any(line.startswith(f"{path}, cell 1 (id text): ") for line in found), found


@pytest.mark.parametrize("at", [at for at, letter in enumerate(LATEX) if letter in FLIPPED])
def test_one_changed_character_of_the_twin_is_named(path, at):
    flipped = LATEX[:at] + FLIPPED[LATEX[at]] + LATEX[at + 1:]
    assert notebooks.check(tiny(path, records=[record(latex=flipped)])) == [
        f"{path}, cell 1 (id text): equation (16) differs from its twin in cell 2: "
        f"expected {flipped!r}, found {BODY!r}"]


@pytest.mark.parametrize("changes, cell, problem", [
    (dict(records=[]), 1, "equation (16): expected one output of prove(\"16\", …) or state(\"16\", …), found 0"),
    (dict(records=[record(), record()]), 1, "found 2"),
    (dict(records=[record(), record(tag="17")]), 2, "equation (17) is checked here; expected a display with \\tag{17}, found none"),
    (dict(records=[record(mutants=[])]), 2, "identity (16): expected at least one mutated form that its check rejects, found none"),
    (dict(records=[record(kind="theorem")]), 2, "found 'theorem'"),
    (dict(display=f"{DISPLAY}\n\n{DISPLAY}"), 1, "equation (16): expected one display, found 2"),
    (dict(before='<a href="#eq-16">(16)</a>'), 1, 'link to "#eq-16": expected one <a id="eq-16">, found 0'),
    (dict(before="No anchor."), 1, 'equation (16): expected one <a id="eq-16">, found 0'),
    (dict(before="[(17)](#eq-17)"), 1, 'link to "#eq-17": expected one <a id="eq-17">, found 0'),
    (dict(before='<a href="#eq-16">(16)</a> <a id="eq-16"></a> <a id="eq-16"></a>'), 1, "found 2"),
])
def test_a_display_without_its_twin_is_named(path, changes, cell, problem):
    found = notebooks.check(tiny(path, **changes))
    assert any(line.startswith(f"{path}, cell {cell} (id ") and problem in line for line in found), found
