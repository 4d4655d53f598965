"""The repository keeps its own rules: layout, sizes, pins, one direction of imports, and what the wheel must carry."""
import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import address
import colab
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import ropebook

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MB = 1_000_000
REGISTRIES = re.compile(r"pypi\.(org|python\.org)|pythonhosted|npmjs|deb\.debian|crates\.io|anaconda\.org", re.IGNORECASE)
TEXT = {".py", ".md", ".txt", ".toml", ".yml", ".cff", ".ipynb", ".js", ".css", ".html", ".cfg", ".json", ""}


def tracked():
    """The files that git tracks or would track."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def pins(name, here=False):
    """{package: version} of a list of pins, or of those that are installed here; a line that is no pin is an error."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    requirements = [Requirement(line) for line in lines if line]
    assert all(re.fullmatch(r"==[^*,]+", str(r.specifier)) for r in requirements), f"{name} holds a line that is no pin"
    wanted = [r for r in requirements if not here or r.marker is None or r.marker.evaluate()]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in wanted}


# ---- layout --------------------------------------------------------------------------------------

def test_code_is_no_package():
    assert not (ROOT / "code" / "__init__.py").exists(), "a package named `code` breaks pdb and pytest"


@pytest.mark.parametrize("pattern, limit", [
    ("book/**/*.ipynb", 1 * MB), ("code/ropebook/data/**/*.safetensors", 5 * MB), ("code/ropebook/data/**/*", 10 * MB)])
def test_no_file_is_larger_than_agreed(pattern, limit):
    files = [path for path in ROOT.glob(pattern) if path.is_file()]
    assert files
    assert {path.name: size for path in files if (size := path.stat().st_size) >= limit} == {}


def test_all_data_and_all_weights_stay_small():
    """Two limits of 10 MB: one for texts and records, one for weights of models."""
    sizes = {path: path.stat().st_size for path in (ROOT / "code/ropebook/data").rglob("*") if path.is_file()}
    weights = sum(size for path, size in sizes.items() if path.suffix == ".safetensors")
    assert weights < 10 * MB and sum(sizes.values()) - weights < 10 * MB


def test_every_data_file_is_in_a_notice():
    """Data by others keep their own terms: a page beside them names each file."""
    data = ROOT / "code" / "ropebook" / "data"
    notices = "".join(path.read_text(encoding="utf-8") for path in data.glob("*.md"))
    assert [path.name for path in data.iterdir() if path.is_file() and path.suffix != ".md" and path.name not in notices] == []


def test_no_file_names_a_registry():
    own = Path(__file__).resolve()
    found = [path.relative_to(ROOT).as_posix() for path in tracked()
             if path.suffix in TEXT and path != own and REGISTRIES.search(path.read_text(encoding="utf-8"))]
    assert found == []


# ---- imports -------------------------------------------------------------------------------------

def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def test_imports_point_one_way():
    tools = {path.stem for path in (ROOT / "code" / "authoring").glob("*.py")} - set(sys.stdlib_module_names)
    upward = {(path.name, name) for path in (ROOT / "code" / "ropebook").rglob("*.py") for name in imported(path)
              if name in tools | {"authoring", "tests"}}
    assert upward == set()


def test_importing_the_library_is_quick_and_takes_no_torch():
    """NumPy's own import is the floor; ropebook's part on top of it stays under half a second on any machine."""
    code = ("import sys, time, numpy; start = time.perf_counter(); import ropebook;"
            "print(time.perf_counter() - start); print(sorted({'torch', 'matplotlib', 'sympy', 'anywidget'} & set(sys.modules)))")
    seconds, heavy = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.splitlines()
    assert heavy == "[]"
    assert float(seconds) < 0.5


# ---- versions and pins ---------------------------------------------------------------------------

def test_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == ropebook.__version__
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "ropebook.__version__"}


def test_one_holder_and_two_licences():
    licence = (ROOT / "LICENSE").read_text()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    holder = citation["authors"][0]["name"]
    assert f"Copyright (c) 2026 {holder}" in licence
    assert PYPROJECT["project"]["authors"] == [{"name": holder}]
    assert "1. Code is under the MIT License" in licence and "2. Text and figures are under Creative Commons Attribution 4.0" in licence


def test_the_book_subset_has_the_same_pins():
    full = pins("requirements.txt")
    assert {name: version for name, version in pins("requirements-book.txt").items() if full.get(name) != version} == {}
    assert "torch" not in pins("requirements-book.txt")


def test_every_dependency_is_a_lower_bound_that_pin_and_colab_satisfy():
    full, in_colab = pins("requirements.txt"), pins("code/authoring/colab-constraints.txt")
    in_colab["torch"] = "2.11.0"  # Colab's own; the simulation takes the pinned one
    project = PYPROJECT["project"]
    for line in project["dependencies"] + project["optional-dependencies"]["torch"]:
        requirement = Requirement(line)
        assert [specifier.operator for specifier in requirement.specifier] == [">="], line
        assert full[requirement.name] in requirement.specifier, line
        assert in_colab[requirement.name] in requirement.specifier, line


HERE = pins("requirements.txt", here=True)


def test_the_install_cells_know_the_extras():
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert {name: {Requirement(line).name for line in extras[name]} for name in address.EXTRAS} == address.EXTRAS


def test_the_installed_packages_are_the_pinned_ones():
    assert {name: metadata.version(name) for name, pin in HERE.items() if metadata.version(name).split("+")[0] != pin} == {}


@pytest.mark.parametrize("python", ["3.11.2", "3.12.0", "3.13.0"])  # 3.11.2 is Debian 12's
def test_every_pin_installs_on_the_promised_pythons(python):
    wanted = {name: metadata.metadata(name)["Requires-Python"] or "" for name in HERE}
    assert {name: wants for name, wants in wanted.items() if python not in SpecifierSet(wants)} == {}


# ---- the wheel -----------------------------------------------------------------------------------

def test_the_wheel_carries_all_that_a_chapter_reads(tmp_path):
    with zipfile.ZipFile(colab.build_wheel(tmp_path)) as wheel:
        carried = {name for name in wheel.namelist() if name.startswith("ropebook/")}
        licence = [name for name in wheel.namelist() if name.endswith("LICENSE")]
    package = ROOT / "code"
    wanted = {path.relative_to(package).as_posix() for path in tracked() if (package / "ropebook") in path.parents}
    assert wanted <= carried, f"missing: {sorted(wanted - carried)}"
    assert carried <= wanted, f"too much: {sorted(carried - wanted)}"
    assert licence


# ---- diffs ---------------------------------------------------------------------------------------

def test_a_notebook_diff_shows_cells(tmp_path):
    nb = {"cells": [{"cell_type": "code", "id": "a", "metadata": {"tags": ["hide-input"]}, "source": ["1 +\n", "1"], "outputs": [
        {"output_type": "execute_result", "data": {"text/plain": ["2"], "image/png": "iVBO"}, "metadata": {}}]}]}
    (tmp_path / "a.ipynb").write_text(json.dumps(nb))
    tool = ROOT / "code" / "authoring" / "textview.py"
    shown = subprocess.run([sys.executable, tool, tmp_path / "a.ipynb"], check=True, capture_output=True, text=True).stdout
    assert "---- code a hide-input\n1 +\n1\n---- output\n[text/plain]\n2" in shown
    assert "iVBO" not in shown and "[image/png]" in shown
    attributes = subprocess.run(["git", "check-attr", "diff", "book/03_rotation.ipynb"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert attributes.stdout.split()[-1] == "notebook"
