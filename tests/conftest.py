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
