"""The table of equations: it has no defect, its names lead somewhere, each kind of defect is named, and the page shows it all."""
import copy
import importlib
import json
import re
import subprocess
import sys

import address
import equations
import notebooks
import pytest
from built import ROOT, site  # noqa: F401
from bs4 import BeautifulSoup

ROWS, TABLE = equations.all_rows(), equations.read_table()
ENTRIES = TABLE["equations"]


def test_the_table_has_no_defect():
    there = {path.stem for path in equations.chapters()}
    assert list(equations.problems(ROWS, TABLE, there)) == []


@pytest.mark.parametrize("key", ["numpy", "torch"])
def test_every_named_function_can_be_called(key):
    """By its own module's name; those called NumPy need no torch, the others do."""
    for name in sorted({entry[key] for entry in ENTRIES.values() if key in entry}):
        module, _, function = name.rpartition(".")
        found = getattr(importlib.import_module(module), function)
        assert callable(found) and found.__module__ == module, name
        assert ("torch" in address.needed_extras(f"import {module}")) == (key == "torch"), name


def test_the_check_needs_no_torch():
    code = "import sys, equations; equations.main(); print({'numpy', 'ropebook', 'torch', 'yaml'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "code" / "authoring", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


# ---- every defect is named -----------------------------------------------------------------------

SOURCES = {"code/ropebook/turn.py": "def turn(x):\n    return x\n\n\nclass Turn:\n    def inner(self):\n        pass\n",
           "tests/test_turn.py": "def test_turn():\n    assert turn(1) == 1\n\n\ndef helper():\n    pass\n"}
GOOD = {"equations": {"16": {"numpy": "ropebook.turn.turn", "torch": "ropebook.turn.Turn", "test": "tests/test_turn.py::test_turn"},
                      "26a": {"why": "a step", "test": "tests/test_turn.py::test_turn"},
                      "3a": {"why": "a step", "test": "tests/test_turn.py::test_turn"}},
        "paper": {str(number): {"what": "it"} | ({} if number in (16, 26) else {"chapter": "11_linear"}) for number in equations.PAPER}}


def small(folder, tags=("16", "26a", "3a"), latex="a = b"):
    """A chapter 3 that displays the tags."""
    cells = []
    for tag in tags:
        record = dict(tag=tag, kind="identity", latex=latex, mutants=["sign"], code="")
        data = {"text/plain": f"({tag})", notebooks.EQUATION: record}
        cells += [dict(cell_type="markdown", id=f"text-{tag}", metadata={}, source=f'<a id="eq-{tag}"></a>\n\n$$ {latex} \\tag{{{tag}}} $$'),
                  dict(cell_type="code", id=f"twin-{tag}", metadata={}, source="prove()", execution_count=1,
                       outputs=[dict(output_type="display_data", metadata={}, data=data)])]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "03_small.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def defects(folder, table=GOOD, there=("03_small",), **changed):
    """The problems of a small book with one chapter, one library module and one test file."""
    for name, source in SOURCES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    rows = equations.displayed(small(folder, **changed))
    return list(equations.problems(rows, table, there, folder))


def test_a_good_table_has_no_defect(tmp_path):
    assert defects(tmp_path) == []


def edited(part, name, **changes):
    """GOOD with keys of one entry changed; None removes one."""
    table = copy.deepcopy(GOOD)
    entry = table[part].setdefault(name, {})
    entry.update(changes)
    table[part][name] = {key: value for key, value in entry.items() if value is not None}
    return table


def without(part, name):
    table = copy.deepcopy(GOOD)
    del table[part][name]
    return table


IN_TABLE = "code/authoring/equations.toml"
DEFECTS = {
    "no entry": (without("equations", "16"), r".*03_small.ipynb, cell 1 \(id text-16\): equation \(16\): expected an entry \[equations\.16\]"),
    "stale entry": (edited("equations", "17", why="a step", test="tests/test_turn.py::test_turn"),
                    rf"{IN_TABLE}, equations\.17: expected a chapter that displays \(17\), found none"),
    "both numpy and why": (edited("equations", "16", why="a step"), r".*equations\.16: expected one of numpy and why, found both"),
    "neither numpy nor why": (edited("equations", "26a", why=None), r".*equations\.26a: expected one of numpy and why, found neither"),
    "no such function": (edited("equations", "16", numpy="ropebook.turn.trun"),
                         r".*numpy = 'ropebook.turn.trun': expected a function or class trun at the top level of code/ropebook/turn.py"),
    "a method": (edited("equations", "16", torch="ropebook.turn.inner"), r".*equations\.16: torch = .*expected a function or class inner"),
    "no such module": (edited("equations", "16", numpy="ropebook.turn"), r".*expected the file code/ropebook.py, found none"),
    "no such test": (edited("equations", "16", test="tests/test_turn.py::test_turns"), r".*expected a function or class test_turns at .*test_turn.py"),
    "no such test file": (edited("equations", "16", test="tests/test_trun.py::test_turn"), r".*expected the file tests/test_trun.py, found none"),
    "a helper as test": (edited("equations", "16", test="tests/test_turn.py::helper"), r".*expected tests/test_FILE.py::test_NAME"),
    "no test": (edited("equations", "16", test=None), r".*equations\.16: expected the key test, found none"),
    "unknown key": (edited("equations", "16", numpi="ropebook.turn.turn"), r".*expected keys among numpy, torch, why, test; found 'numpi'"),
    "unknown key of the paper": (edited("paper", "16", slips="one"), r".*paper\.16: expected keys among what, chapter, slip; found 'slips'"),
    "empty text": (edited("equations", "26a", why=" "), r".*equations\.26a: expected a text as why, found ' '"),
    "unknown part": (GOOD | {"papers": {}}, r".*expected the parts equations and paper, found 'papers'"),
    "paper's equation missing": (without("paper", "9"), r".*expected an entry paper\.9, found none"),
    "no equation of the paper": (edited("paper", "38", what="it", chapter="11_linear"), r".*paper\.38: expected a number of the paper, 1 to 37"),
    "not said what it is": (edited("paper", "16", what=None), r".*paper\.16: expected the key what, found none"),
    "neither shown nor promised": (edited("paper", "9", chapter=None), r".*paper\.9: expected a chapter that displays \(9\), or the key chapter"),
    "promised but shown": (edited("paper", "16", chapter="11_linear"), r".*paper\.16: chapter = '11_linear' promises it, but \(16\) is in .*cell 1 .*remove"),
    "promised but shown in parts": (edited("paper", "26", chapter="11_linear"), r".*paper\.26: chapter = .* but \(26a\) is in .*cell 3"),
    "promised by a chapter that is there": (edited("paper", "9", chapter="03_small"), r".*paper\.9: expected 03_small, which is there, to display \(9\)"),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_named(tmp_path, name):
    table, problem = DEFECTS[name]
    found = defects(tmp_path, table)
    assert len(found) == 1 and re.match(problem, found[0]), found


def test_a_number_of_nobody_is_named(tmp_path):
    table = edited("equations", "38", why="a step", test="tests/test_turn.py::test_turn")
    (found,) = defects(tmp_path, table, tags=("16", "26a", "3a", "38"))
    assert re.match(r".*cell 7 \(id text-38\): equation \(38\): expected a number of the paper, 1 to 37, or one of the chapter's own, such as \(3a\)", found)


def test_one_number_with_two_meanings_is_named(tmp_path):
    """A letter behind chapter 3's number belongs to chapter 3; elsewhere it may only be quoted."""
    here = equations.displayed(small(tmp_path / "here"))
    elsewhere = [equations.Row("04_other", "cell 1", dict(row.record, latex="a = c")) for row in here if row.tag == "3a"]
    assert list(equations.row_problems(here + elsewhere, GOOD["equations"])) == [
        f"cell 1: equation (3a) is another one in {here[2].place}: expected 'a = b', found 'a = c'"]


def test_a_defect_stops_the_build(tmp_path, monkeypatch, capsys):
    """main, which the Makefile calls before it builds, prints it and returns 1."""
    monkeypatch.setattr(equations, "read_table", lambda: {**TABLE, "paper": {}})
    assert equations.main() == 1
    assert "expected an entry paper.37, found none" in capsys.readouterr().out
    recipe = (ROOT / "Makefile").read_text().split("$(SITE): ")[1]
    assert recipe.index("equations.py") < recipe.index("jupyter-book build")


# ---- the page ------------------------------------------------------------------------------------

def page(site, name):
    return BeautifulSoup((site / "book" / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def test_every_equation_has_its_row_and_the_two_lead_to_each_other(site):
    table, pages = page(site, "equations"), {path.stem: page(site, path.stem) for path in equations.chapters()}
    assert len(table.select("tr.formula")) == len(ROWS) == sum(len(soup.select("a.to-table")) for soup in pages.values())
    for row in ROWS:
        (mark,) = pages[row.chapter].select(f'a.to-table[href="equations.html#{row.anchor}"]')
        assert mark["aria-label"] == f"equation {row.tag} in the table of equations"
        assert f"\\tag{{{row.tag}}}" in mark.parent.select_one("div.math").text
        line = table.find(id=row.anchor)
        assert line.select_one("td a")["href"] == f"{row.chapter}.html#eq-{row.tag}"
        assert notebooks.tokens(row.record["latex"]) == notebooks.tokens(line.select_one("div.math").text.strip()[2:-2])


def test_a_row_says_what_checks_computes_and_tests(site):
    table = page(site, "equations")
    for row in ROWS:
        below, entry = table.find(id=row.anchor).find_next_sibling("tr"), ENTRIES[row.tag]
        text = " ".join(below.text.replace("\u00a0", " ").split())
        for said in [row.record["kind"], *row.record["mutants"], row.record["code"], entry["test"], entry.get("numpy", ""), entry.get("torch", "")]:
            assert said in text, f"{row.anchor}: {said!r} is not in {text!r}"
        others = [f"{other.chapter}.html#eq-{row.tag}" for other in ROWS if other.tag == row.tag and other.chapter != row.chapter]
        assert [link["href"] for link in below.select("td:first-child a")] == others


def test_every_equation_of_the_paper_is_listed(site):
    lines = page(site, "equations").select("#the-paper-s-equations tbody tr")
    assert [line.td.text.strip() for line in lines] == [f"({number})" for number in equations.PAPER]
    for number, line in zip(equations.PAPER, lines):
        assert ("to come" in line.text) == ("chapter" in TABLE["paper"][str(number)]) == (line.a is None)
