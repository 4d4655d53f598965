"""Shared by all tests: the repository's root, the authoring tool as module `notebooks`, and small notebooks."""
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "code" / "authoring"))


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def authoring():
    """Call `python code/authoring/notebooks.py …`."""
    def call(*arguments):
        command = [sys.executable, ROOT / "code" / "authoring" / "notebooks.py", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return call


@pytest.fixture(scope="session")
def save_notebook():
    """Write a notebook of (id, source) pairs, or (id, source, metadata); an id that starts with "text" makes a text cell."""
    def save(path, *cells):
        nb = new_notebook()
        for name, source, *metadata in cells:
            new_cell = new_markdown_cell if name.startswith("text") else new_code_cell
            nb.cells.append(new_cell(source, id=name, metadata=metadata[0] if metadata else {}))
        nbformat.write(nb, path)
        return path
    return save


def pytest_terminal_summary(terminalreporter):
    """One line per test file and notebook: how many passed, failed and were skipped, and how long they took."""
    groups = {}
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if hasattr(report, "outcome"):  # of a test or of collecting one; there are warnings among the reports too
                counts = groups.setdefault(report.nodeid.split("::")[0], {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0})
                counts["seconds"] += getattr(report, "duration", 0.0)
                if outcome:  # setting up and tearing down have none
                    counts[outcome if outcome in counts else "failed"] += 1
    terminalreporter.section("summary")
    for name, counts in sorted(groups.items()):
        terminalreporter.write_line(
            f"{name:<44}{counts['passed']:5} passed {counts['failed']:4} failed {counts['skipped']:4} skipped {counts['seconds']:7.1f} s",
            red=counts["failed"] > 0)
