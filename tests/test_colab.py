"""The simulated Colab, in its parts, and what a chapter must not do if it is to run there. `make colab` runs the chapters."""
import json
import os
import re
import subprocess
import sys

import colab
import notebooks
import pytest

STARTUP = colab.ROOT / "code" / "authoring" / "colab_startup.py"
CHAPTERS = [path for path in notebooks.book_notebooks() if path.parent.name != "solutions"]
FAULTS = {
    "a name that only ipywidgets 8 has": r"\b(TagsInput|ColorsInput|FloatsInput|IntsInput|Stack|TimePicker|(Naive)?DatetimePicker)\(",
    "an argument that only ipywidgets 8 has": r"\bwidgets\.\w+\([^)]*\b(titles|tooltip|behavior|description_allow_html)=",
    "a path of this repository": r"""["'](\.{1,2}/|(book|code|tests|data)/)|\bsys\.path\b""",
    "a shell command": r"^\s*(!|%(pip|conda|cd|run|sx|system)\b|%%(bash|sh|script)\b)",
    "Colab's own module": r"\bgoogle\.colab\b",
}


def faults(source):
    """What in a cell's source fails in Colab, or outside it."""
    return [f"{what}: {found[0].strip()}" for what, pattern in FAULTS.items() if (found := re.search(pattern, source, re.MULTILINE))]


def test_the_book_has_chapters():
    assert CHAPTERS


@pytest.mark.parametrize("path", CHAPTERS, ids=notebooks.shown)
def test_a_chapter_relies_on_nothing_that_a_reader_lacks(path):
    cells = notebooks.load(path.read_text(encoding="utf-8")).cells
    assert cells[1].id == "install"
    assert {cell.id: faults(cell.source) for cell in cells if cell.cell_type == "code" and cell.id != "install" and faults(cell.source)} == {}


@pytest.mark.parametrize("source", [
    "import ipywidgets as widgets\nwidgets.TagsInput()", "widgets.Tab(children=[a], titles=['a'])", "open('../data/text.txt')",
    "np.load('data/weights.npz')", "sys.path.insert(0, '..')", "!pip install x", "%pip install x", "    !ls", "%%bash\nls", "from google.colab import output"])
def test_a_fault_is_seen(source):
    assert len(faults(source)) == 1


@pytest.mark.parametrize("source", ["x != y", "a / b", "'and/or'", "%matplotlib inline", "widgets.FloatSlider(min=0, max=1)", "ax.set(titles=3)"])
def test_what_is_fine_is_left_alone(source):
    assert faults(source) == []


# ---- the parts of the simulation -----------------------------------------------------------------

def python(source):
    return subprocess.run([sys.executable, "-c", f"exec(open({str(STARTUP)!r}).read())\n{source}"], capture_output=True, text=True)


def test_anywidget_takes_the_kernel_for_colab():
    done = python("import anywidget._util as util; print(util.in_colab(), util.get_repr_metadata())")
    assert done.stdout.startswith("True {'application/vnd.jupyter.widget-view+json': {'colab': {'custom_widget_manager'"), done.stderr


def test_the_network_is_out_of_reach_and_this_machine_is_not():
    done = python("import socket\ns = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(s.getsockname())\nprint('near')\n"
                  "socket.create_connection(('192.0.2.1', 80))")
    assert done.stdout == "near\n" and "a chapter tried to reach 192.0.2.1" in done.stderr


def test_the_kernel_sees_our_wheel_and_no_index(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "/somewhere")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    env = colab.environment(tmp_path / "ropebook.whl", tmp_path / "ipython")
    assert env["ROPEBOOK_WHEEL"] == f"file://{tmp_path}/ropebook.whl"
    assert env["PIP_NO_INDEX"] == "1" and env["PIP_FIND_LINKS"] == str(colab.WHEELS) and "PYTHONPATH" not in env
    assert (tmp_path / "ipython/profile_default/startup/00-colab.py").read_text() == STARTUP.read_text()
    assert env["PATH"].split(os.pathsep)[0] == str(colab.PYTHON.parent)


def test_the_install_cell_runs_once_more_at_the_end(tmp_path, save_notebook):
    text = save_notebook(tmp_path / "a.ipynb", ("text-title", "# A"), ("install", "1"), ("work", "2")).read_text()
    nb = notebooks.load(colab.with_install_twice(text))
    assert [(cell.id, cell.source) for cell in nb.cells] == [("text-title", "# A"), ("install", "1"), ("work", "2"), ("install-again", "1")]


def test_a_chapter_without_an_install_cell_is_refused(tmp_path, save_notebook):
    with pytest.raises(ValueError, match="no install cell"):
        colab.with_install_twice(save_notebook(tmp_path / "a.ipynb", ("text-title", "# A")).read_text())


def cell(name, *outputs):
    return {"id": name, "cell_type": "code", "outputs": list(outputs)}


STDOUT = {"output_type": "stream", "name": "stdout", "text": ["Note: restart the kernel"]}
STDERR = {"output_type": "stream", "name": "stderr", "text": ["UserWarning: x"]}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "3 and 4", "traceback": []}


@pytest.mark.parametrize("cells, amiss", [
    ([cell("install", STDOUT), cell("a", STDOUT), cell("install-again")], []),
    ([cell("a", STDERR)], ["cell 1 (a) wrote to stderr: UserWarning: x"]),
    ([cell("a", ERROR), cell("b", ERROR)], ["cell 1 (a) failed: ValueError: 3 and 4"]),
    ([cell("install-again", STDOUT)], [f"the install cell, run again, showed {STDOUT}"]),
])
def test_what_a_reader_should_not_see_is_named(cells, amiss):
    assert list(colab.outputs_amiss({"cells": json.loads(json.dumps(cells))})) == amiss


# ---- a chapter's verdict, with pip and Jupyter replaced ------------------------------------------

@pytest.fixture
def verdict(tmp_path, monkeypatch, save_notebook):
    """run_chapter's problems, given what is installed after the chapter and how the run ended."""
    def run(after, returncode=0):
        states = iter([{"numpy==2.1.3"}, after])
        monkeypatch.setattr(colab, "installed", lambda: next(states))
        monkeypatch.setattr(colab.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, returncode, "", "Kernel died"))
        path = save_notebook(tmp_path / "a.ipynb", ("text-title", "# A"), ("install", "1"))
        return colab.run_chapter(path, {})
    return run


def test_ropebook_is_all_that_a_chapter_may_install(verdict):
    assert verdict({"numpy==2.1.3", "ropebook @ file:///x.whl"}) == []
    assert verdict({"numpy==2.4.6", "ropebook @ file:///x.whl"}) == [
        "the install cell changed numpy==2.1.3", "the install cell changed numpy==2.4.6"]


def test_what_colab_lacks_may_come_along(verdict, tmp_path, monkeypatch):
    (tmp_path / "sacrebleu-2.6.0-py3-none-any.whl").touch()
    monkeypatch.setattr(colab, "WHEELS", tmp_path)
    assert verdict({"numpy==2.1.3", "ropebook @ file:///x.whl", "sacrebleu==2.6.0"}) == []
    assert verdict({"numpy==2.1.3", "lxml==6.1.3"}) == ["the install cell changed lxml==6.1.3"]


def test_a_dead_kernel_is_a_failure(verdict):
    assert verdict({"numpy==2.1.3"}, returncode=1) == ["Kernel died"]
