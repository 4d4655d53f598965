"""nbval compares every output of the book: it collects every cell, and it fails where it must."""
import re
import subprocess
import sys
from collections import Counter

import notebooks
import pytest

COMMITTED = notebooks.book_notebooks()


def nbval(root, *arguments):
    """Run nbval as `make test` does; its output."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-sanitize-with", root / "tests" / "nbval.cfg",
               "-p", "no:cacheprovider", "-q", "--color=no", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def code_cells(path):
    return [cell for cell in notebooks.load(path.read_text(encoding="utf-8")).cells if cell.cell_type == "code"]


def test_every_cell_of_every_notebook_is_collected(root):
    done = nbval(root, "--collect-only", "book")
    collected = Counter(re.findall(r"^(book/.+\.ipynb)::", done.stdout, flags=re.MULTILINE))
    assert collected == {notebooks.shown(path): len(code_cells(path)) for path in COMMITTED}


@pytest.mark.parametrize("path", COMMITTED, ids=notebooks.shown)
def test_few_cells_are_exempt_and_each_has_a_reason(path):
    exempt = notebooks.exempt_cells(notebooks.load(path.read_text(encoding="utf-8")))
    for cell, reason in exempt:
        print(f"{notebooks.shown(path)}, {cell}: {reason}")
        assert reason, f"{notebooks.shown(path)}, {cell} is exempt without a reason"
    assert len(exempt) <= notebooks.MAX_EXEMPT * len(code_cells(path))


@pytest.mark.parametrize("path", COMMITTED, ids=notebooks.shown)
def test_the_notebook_has_no_defect(path):
    assert notebooks.check(path) == []


RECORD = '{"tag": "16", "kind": "identity", "latex": "a = b", "mutants": ["sign"]}'
CELLS = (("print", "print('abc', 0.25)"), ("value", "1 / 3"),
         ("equation", f"display({{'application/vnd.ropebook.equation+json': {RECORD}, 'text/plain': '(16)'}}, raw=True)"),
         ("random", "import os\nos.urandom(4).hex()", {"tags": ["nbval-ignore-output"], "reason": "random"}))


@pytest.fixture(scope="module")
def nbval_report(root, tmp_path_factory, save_notebook, authoring):
    """nbval on a notebook as it was run, and on a copy with two changed outputs and a failing cell."""
    folder = tmp_path_factory.mktemp("nbval")
    good = save_notebook(folder / "good.ipynb", *CELLS)
    authoring("run", good)
    text = good.read_text()
    for old, new in (("abc 0.25", "abc 0.26"), ('"latex": "a = b"', '"latex": "a = c"'), ('"1 / 3"', '"1 / 0"')):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "broken.ipynb").write_text(text)
    return nbval(root, "-rfp", "-n", "2", "--dist", "loadscope", f"--rootdir={folder}", folder).stdout


@pytest.mark.parametrize("name, failed", [("good", ()), ("broken", (0, 1, 2))])
def test_nbval_fails_the_cells_that_differ_and_no_other(nbval_report, name, failed):
    states = re.findall(rf"^(PASSED|FAILED) \S*{name}\.ipynb::Cell (\d)", nbval_report, flags=re.MULTILINE)
    assert sorted((int(cell), state) for state, cell in states) == [
        (cell, "FAILED" if cell in failed else "PASSED") for cell in range(len(CELLS))], nbval_report


def test_nbval_shows_what_it_expected_and_what_it_found(nbval_report):
    assert "abc 0.26" in nbval_report and "abc 0.25" in nbval_report and "'a = c'" in nbval_report
    assert "ZeroDivisionError" in nbval_report
