"""The authoring tool: running twice changes no byte, every defect is named, and being killed breaks nothing."""
import base64
import copy
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import matplotlib.image
import notebooks
import numpy as np
import pytest
from matplotlib.figure import Figure

# One cell of each kind that the tool looks at; the last two would differ from run to run if nothing were removed.
GOOD = (
    ("text-a", 'See <a href="#eq-1">(1)</a>, `$$`, and\n\n```python\nprint("$$")\n```\n\n<a id="eq-1"></a>\n\n$$ a = b + \\frac{1}{2}. \\tag{1} $$\n\nEnd.'),
    ("hello", 'import sys\nprint("10 %\\rone")\nsys.stdout.flush()\nprint("two")'),
    ("equation", 'record = {"tag": "1", "kind": "identity", "latex": r"a = b+\\frac{1}{2}", "mutants": ["sign"]}\n'
                 'display({"application/vnd.ropebook.equation+json": record, "text/plain": "(1) holds"}, raw=True)'),
    ("count", "len({}) + 3"),
    ("quiet-1", "x = 1"), ("quiet-2", "y = 2"), ("quiet-3", "z = 3"),
    ("picture", "from matplotlib import pyplot as plt\nplt.plot([1, 2])\nplt.show()", {"mystnb": {"image": {"alt": "a line that rises"}}}),
    ("widget", "import ipywidgets\nipywidgets.IntSlider(value=3)"),
    ("order", "sorted({'a', 'b', 'c'}, key=hash)", {"tags": ["nbval-ignore-output"], "reason": "hashes differ"}),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("authoring")


@pytest.fixture(scope="module")
def good(folder, authoring, save_notebook):
    """Path of a notebook that has been run and has no defect."""
    path = save_notebook(folder / "good.ipynb", *GOOD)
    done = authoring("run", path)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


def test_running_twice_changes_no_byte(good, authoring):
    before, written = good.read_bytes(), good.stat().st_mtime_ns
    done = authoring("run", good)
    assert "unchanged" in done.stdout and done.returncode == 0
    assert good.read_bytes() == before and good.stat().st_mtime_ns == written


def test_the_normal_form_keeps_what_matters(good):
    nb = json.loads(good.read_text())
    assert [cell["execution_count"] for cell in nb["cells"][1:]] == list(range(1, len(GOOD)))
    assert [cell["id"] for cell in nb["cells"]] == [cell[0] for cell in GOOD]
    assert cell_of(nb, "hello")["outputs"] == [{"name": "stdout", "output_type": "stream", "text": ["one\n", "two\n"]}]
    assert cell_of(nb, "widget")["outputs"][0]["data"] == {"text/plain": ["IntSlider(value=3)"]}
    assert nb["metadata"]["language_info"] == {"name": "python", "pygments_lexer": "ipython3"}
    assert good.read_text().endswith("\n")


# ---- every defect is named -----------------------------------------------------------------------

def cell_of(nb, name):
    return next(cell for cell in nb["cells"] if cell.get("id") == name)


def source(name, text):
    return lambda nb: cell_of(nb, name).update(source=text)


def output(cell, **out):
    return lambda nb: cell_of(nb, cell).update(outputs=[out])


def metadata(name, key, value):
    return lambda nb: cell_of(nb, name)["metadata"].update({key: value})


def without_count(nb):
    cell_of(nb, "hello").update(execution_count=None, outputs=[])


def moved(nb):
    nb["cells"][1], nb["cells"][3] = nb["cells"][3], nb["cells"][1]


def printed(**data):
    return dict(output_type="display_data", metadata={}, data=data)


def stream(name, text):
    return dict(output_type="stream", name=name, text=text)


def exempted(nb):
    for name in ("quiet-1", "quiet-2"):
        cell_of(nb, name)["metadata"] = {"tags": ["nbval-skip"], "reason": "none"}


DISPLAY = "$$ a = b + \\frac{1}{2}. \\tag{1} $$"
DEFECTS = {
    "stale": (source("hello", "print('three')"), r", cell 2 \(id hello\): stale"),
    "not executed": (without_count, r", cell 2 \(id hello\): not executed"),
    "moved": (moved, r", cell 2 \(id count\): execution count 3, expected 1"),
    "removed": (lambda nb: nb["cells"].pop(7), r": the cell with id picture was removed"),
    "empty": (source("hello", " "), r", cell 2 \(id hello\): empty"),
    "error": (output("hello", output_type="error", ename="NameError", evalue="no x", traceback=[]), r", cell 2 .*error output: NameError: no x"),
    "stderr": (output("hello", **stream("stderr", "Warning: careful\n")), r", cell 2 .*stderr: Warning: careful"),
    "time in output": (output("hello", **stream("stdout", "at 2026-01-02 03:04:05")), r", cell 2 .*timestamp in an output: 2026-01-02 03:04"),
    "time in metadata": (metadata("hello", "execution", {"iopub.status.busy": "now"}), r", cell 2 .*timestamp in the cell's metadata"),
    "widget state": (lambda nb: nb["metadata"].update(widgets={"state": {}}), r": widget state in the notebook's metadata"),
    "widget view": (output("hello", **printed(**{"text/plain": "w", notebooks.WIDGET: {"model_id": "1"}})), r", cell 2 .*widget state in an output"),
    "no id": (lambda nb: nb["cells"][1].pop("id"), r", cell 2 \(id None\): no id"),
    "same id": (lambda nb: nb["cells"][2].update(id="hello"), r", cell 3 \(id hello\): same id as cell 2"),
    "no alt text": (metadata("picture", "mystnb", {"image": {"alt": " "}}), r", cell 8 \(id picture\): an image without alt text"),
    "display of three lines": (source("text-a", "$$\na = b \\tag{1}\n$$"), r", cell 1 .*must be one line"),
    "display inside a sentence": (source("text-a", f"Here {DISPLAY}"), r", cell 1 .*must be one line"),
    "bare environment": (source("text-a", "\\begin{align}\na\n\\end{align}"), r", cell 1 .*must be one line"),
    "no tag": (source("text-a", "$$ a = b $$"), r", cell 1 .*needs one \\tag"),
    "two tags": (source("text-a", "$$ a = b \\tag{1} \\tag{2} $$"), r", cell 1 .*needs one \\tag"),
    "tag inside": (source("text-a", "$$ a \\tag{1} = b $$"), r", cell 1 .*needs one \\tag"),
    "line break": (source("text-a", "$$ a \\\\ b \\tag{1} $$"), r", cell 1 .*contains \\\\"),
    "no empty line": (source("text-a", f"We find\n{DISPLAY}"), r", cell 1 .*needs an empty line"),
    "directive": (source("text-a", "```{note}\nx\n```"), r", cell 1 .*MyST"),
    "colon fence": (source("text-a", ":::{note}\nx\n:::"), r", cell 1 .*MyST"),
    "role": (source("text-a", "see {ref}`there`"), r", cell 1 .*MyST"),
    "target": (source("text-a", "(there)=\n# Title"), r", cell 1 .*MyST"),
    "too large": (output("hello", **stream("stdout", "x" * 1_000_000)), r": 1,\d\d\d,\d\d\d bytes"),
    "kernel of this machine": (lambda nb: nb["metadata"]["language_info"].update(version="3.11.2"), r": not in normal form"),
    "no reason": (metadata("hello", "tags", ["nbval-ignore-output"]), r", cell 2 .*tagged nbval-ignore-output without a \"reason\""),
    "comment exempts": (source("hello", "# NBVAL_SKIP\nprint(1)"), r", cell 2 .*NBVAL_SKIP in a comment"),
    "final semicolon": (source("hello", "print(1);\n"), r", cell 2 .*a final semicolon"),
    "many exempt": (exempted, r": 3 of 9 code cells are exempt .*cell 5 \(id quiet-1\); .*at most 15%"),
    "no anchor": (source("text-a", f'<a href="#eq-1">(1)</a>\n\n{DISPLAY}'), r', cell 1 .*link to "#eq-1": expected one'),
}
MENDED_BY_NORMALISING = ("time in metadata", "widget state", "widget view", "kernel of this machine")


def broken(good, folder, name):
    nb = json.loads(good.read_text())
    DEFECTS[name][0](nb)
    path = folder / "broken.ipynb"
    path.write_text(json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return path


def test_a_good_notebook_has_no_defect(good, authoring):
    done = authoring("check", good)
    assert done.returncode == 0
    assert f"{good}, cell 10 (id order): output not compared: hashes differ\n1 notebooks, 0 problems" in done.stdout


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_named(good, folder, name):
    found = notebooks.check(broken(good, folder, name))
    assert any(re.match(re.escape(str(folder / "broken.ipynb")) + DEFECTS[name][1], line) for line in found), found


@pytest.mark.parametrize("name", MENDED_BY_NORMALISING)
def test_normalising_mends_what_needs_no_run(good, folder, name):
    path = broken(good, folder, name)
    notebooks.store_normal_form(path)
    assert notebooks.check(path) == []


def test_a_file_that_is_no_notebook_is_named(folder, authoring):
    path = folder / "conflict.ipynb"
    path.write_text("<<<<<<< HEAD\n{}")
    done = authoring("check", path)
    assert done.returncode == 1 and f"{path}: not a notebook: Expecting value: line 1" in done.stdout


def test_missing_ids_become_the_same_ids_everywhere(good):
    nb = json.loads(good.read_text())
    for cell in nb["cells"]:
        cell.update(id=None, source=["same"])
    first, second = (notebooks.load(json.dumps(copy.deepcopy(nb))) for _ in range(2))
    names = [cell.id for cell in first.cells]
    assert names == [cell.id for cell in second.cells] and len(set(names)) == len(names)


def test_a_picture_loses_its_comments_and_no_pixel():
    file = io.BytesIO()
    Figure(figsize=(1, 1)).savefig(file, metadata={"Creation Time": "today"})
    plain = base64.b64decode(notebooks.without_png_comments(base64.b64encode(file.getvalue()).decode()))
    assert b"Software" in file.getvalue() and b"Software" not in plain and b"today" not in plain
    file.seek(0)
    assert np.array_equal(matplotlib.image.imread(file), matplotlib.image.imread(io.BytesIO(plain)))


def test_the_check_needs_nbformat_alone():
    code = "import sys, notebooks; print({'nbclient', 'numpy', 'ropebook', 'yaml', 'torch'} & sys.modules.keys())"
    folder = os.path.dirname(notebooks.__file__)
    assert subprocess.check_output([sys.executable, "-c", code], cwd=folder, text=True) == "set()\n"


# ---- failures and kills --------------------------------------------------------------------------

def test_a_failing_cell_writes_nothing_and_is_named(tmp_path, authoring, save_notebook, monkeypatch):
    failing = save_notebook(tmp_path / "failing.ipynb", ("text-a", "# A"), ("fine", "x = 1"), ("boom", "y = x + missing"), ("later", "print(1)"))
    edited = save_notebook(tmp_path / "edited.ipynb", ("edit", f"open({str(tmp_path / 'edited.ipynb')!r}, 'a').write(' ')"))
    fine = save_notebook(tmp_path / "fine.ipynb", ("where", "import os\n[os.listdir(), 'mine' in globals()]"))
    before = failing.read_bytes()
    personal = tmp_path / "ipython" / "profile_default" / "startup"
    personal.mkdir(parents=True)
    (personal / "mine.py").write_text("mine = 1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    done = authoring("run", failing, edited, fine)
    assert done.returncode == 1
    assert f"{failing}, cell 3 (id boom): failed" in done.stdout
    assert "y = x + missing" in done.stdout and "NameError: name 'missing' is not defined" in done.stdout
    assert failing.read_bytes() == before
    assert "edited while it ran" in done.stdout and edited.read_text().endswith(" ")
    assert json.loads(fine.read_text())["cells"][0]["outputs"][0]["data"] == {"text/plain": ["[[], False]"]}
    assert sorted(os.listdir(tmp_path)) == ["edited.ipynb", "failing.ipynb", "fine.ipynb", "ipython"]


def test_a_cell_that_is_skipped_keeps_no_old_output(good, folder, authoring):
    nb = json.loads(good.read_text())
    nb["cells"] = nb["cells"][:2]
    cell_of(nb, "hello")["metadata"]["tags"] = ["skip-execution"]
    path = folder / "skipped.ipynb"
    path.write_text(json.dumps(nb))
    assert f"{path}, cell 2 (id hello): not executed" in authoring("run", path).stdout
    assert cell_of(json.loads(path.read_text()), "hello")["outputs"] == []


def test_killed_while_running_the_notebook_is_as_before(tmp_path, save_notebook):
    started = tmp_path / "started"
    path = save_notebook(tmp_path / "long.ipynb", ("sleep", f"import os, time\nopen({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"))
    before = path.read_bytes()
    tool = subprocess.Popen([sys.executable, notebooks.__file__, "run", path])
    wait_until(lambda: started.exists() and started.read_text())
    tool.send_signal(signal.SIGKILL)
    tool.wait()
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["long.ipynb", "started"]
    wait_until(lambda: not is_alive(int(started.read_text())))  # the kernel goes with the tool


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_killed_while_writing_the_notebook_is_whole_and_git_sees_no_litter(tmp_path, root, moment):
    path = tmp_path / "a.ipynb"
    path.write_text("old")
    path.chmod(0o640)
    code = f"import os, pathlib, notebooks; os.{moment} = lambda *_: os.kill(os.getpid(), 9); notebooks.write(pathlib.Path({str(path)!r}), 'new')"
    killed = subprocess.run([sys.executable, "-c", code], cwd=os.path.dirname(notebooks.__file__))
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    litter = [name for name in os.listdir(tmp_path) if name != "a.ipynb"]
    ignored = subprocess.run(["git", "check-ignore", "-q", "--no-index", *(f"book/{name}" for name in litter)], cwd=root)
    assert len(litter) == 1 and ignored.returncode == 0, f"git does not ignore {litter}"
    notebooks.write(path, "new")
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.ipynb"] and path.stat().st_mode & 0o777 == 0o640


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---- solutions -----------------------------------------------------------------------------------

def test_a_stripped_solution_is_the_stub():
    solved = "def f(x):\n    ### BEGIN SOLUTION\n    y = 2 * x\n    return y\n    ### END SOLUTION\n\n### BEGIN SOLUTION\nz = 1\n### END SOLUTION"
    assert notebooks.strip_solution(solved) == "def f(x):\n    ...  # your answer\n\n# your answer"


@pytest.mark.parametrize("source", ["### BEGIN SOLUTION\nx", "x\n### END SOLUTION",
                                    "### END SOLUTION\nx\n### BEGIN SOLUTION"])
def test_solution_markers_must_pair_up(source):
    with pytest.raises(ValueError, match="SOLUTION"):
        notebooks.strip_solution(source)
