"""The project brief: its script runs as printed, its records can be read as printed, and what it sends students to is there."""

import importlib.util
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from ropebook.experiments import experiments

BOOK = Path(__file__).parents[1] / "book"
BRIEF = (BOOK / "capstone.md").read_text(encoding="utf-8")
SCRIPT, READING = re.findall(r"^```python\n(.*?)^```$", BRIEF, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """A folder in which the script has run, two steps long, for two seeds."""
    folder = tmp_path_factory.mktemp("capstone")
    shorter = SCRIPT.replace("STEPS, LENGTH = 400, 64\n", "STEPS, LENGTH = 2, 64\n")
    assert shorter != SCRIPT
    (folder / "base.py").write_text(shorter, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "base", "records", "0", "1"], cwd=folder, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder


def test_script_records_every_run_once(handed_in):
    records = [json.loads(path.read_text(encoding="utf-8")) for path in (handed_in / "records").glob("*.json")]
    found = sorted((record["setting"]["base"], record["seeds"]) for record in records)
    assert found == [(100.0, [0]), (100.0, [1]), (10_000.0, [0]), (10_000.0, [1])]
    for record in records:
        assert record["command"] and record["commit"] and record["machine"] and record["versions"]
        (run,) = record["runs"]
        assert len(run["first"]) == 2 and 6 < run["loss"] < 9.5, "two steps from ln(vocabulary)"
    assert len({record["runs"][0]["first"][0] for record in records}) == 4, "the base and the seed both count"


def test_script_skips_finished_runs_and_makes_the_missing_one(handed_in, monkeypatch):
    monkeypatch.chdir(handed_in)
    monkeypatch.setattr(sys, "argv", ["base.py", "records", "0", "1"])
    paths = sorted(Path("records").glob("*.json"))
    lost, kept = paths[0].read_text(encoding="utf-8"), [path.stat().st_mtime_ns for path in paths[1:]]
    paths[0].unlink()
    runpy.run_path("base.py", run_name="__main__")
    assert [path.stat().st_mtime_ns for path in paths[1:]] == kept
    assert json.loads(paths[0].read_text(encoding="utf-8"))["runs"] == json.loads(lost)["runs"]


def test_records_are_read_as_printed(handed_in, monkeypatch, capsys):
    monkeypatch.chdir(handed_in)
    exec(READING, {})
    assert re.fullmatch(r"[+-]\d\.\d{3} \([+-]\d\.\d{3} to [+-]\d\.\d{3}\)\n", capsys.readouterr().out)


def test_sections_that_questions_come_from_are_in_their_chapters():
    named = re.findall(r"\]\((\w+)\.ipynb\), \*([^*]+)\*", BRIEF)
    assert len(named) == 2
    for chapter, section in named:
        cells = json.loads((BOOK / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
        assert any(f"# {section}\n" in "".join(cell["source"]) + "\n" for cell in cells), (chapter, section)


def test_names_in_the_brief_exist():
    named = re.search(r"experiments (\w+) --out DIR` \(or ([^)]+)\)", BRIEF)
    for name in [named[1], *re.findall(r"`(\w+)`", named[2])]:
        assert name in experiments()
    for module, name in re.findall(r"`(\w+)\([^`]*` of `ropebook\.(\w+)`", BRIEF):
        assert importlib.util.find_spec(f"ropebook.{name}") and hasattr(importlib.import_module(f"ropebook.{name}"), module)


def test_rubric_adds_up():
    rows = re.findall(r"^\| \*\*[^|]+\*\* \((\d+)\) \|(.*)\|$", BRIEF, flags=re.MULTILINE)
    levels = [[int(points) for points in re.findall(r"(?:^|\|) (\d+): ", cells)] for _, cells in rows]
    total, passing = map(int, re.search(r"^(\d+) points, and (\d+) to pass", BRIEF, flags=re.MULTILINE).groups())
    assert [level[0] for level in levels] == [int(most) for most, _ in rows]
    assert all(len(level) == 4 and level == sorted(level, reverse=True) and level[-1] == 0 for level in levels)
    assert sum(level[0] for level in levels) == total == 100
    assert passing <= sum(level[2] for level in levels) < sum(level[1] for level in levels)
