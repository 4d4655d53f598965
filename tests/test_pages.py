"""The README, the notation page and the landing page say only what is so."""

import doctest
import json
import re
from pathlib import Path

import pytest
import readme_picture

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.ipynb"))


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def markdown(path):
    return "\n".join("".join(c["source"]) for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "markdown")


@pytest.mark.parametrize("name, examples", [("README.md", 8), ("book/notation.md", 8)])
def test_examples_run(name, examples):
    result = doctest.testfile(str(ROOT / name), module_relative=False, encoding="utf-8")
    assert result.failed == 0
    assert result.attempted >= examples


@pytest.mark.parametrize("name", ["README.md", "book/intro.md"])
def test_table_of_chapters_is_complete_and_named_as_the_chapters(name):
    listed = re.findall(r"^\| \[(\d\d[a-z]?) ([^]]+)\]\((?:book/)?(\w+)\.ipynb\)", text(name), flags=re.MULTILINE)
    titles = [(path.stem.split("_")[0], markdown(path).split("\n")[0].removeprefix("# "), path.stem) for path in CHAPTERS]
    assert listed == titles


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_minutes_on_the_landing_page_are_the_chapters(path):
    row = next(line for line in text("book/intro.md").split("\n") if line.startswith(f"| [{path.stem.split('_')[0]} "))
    reading, exercises = map(int, re.findall(r"\| (\d+) min", row))
    words = markdown(path)
    assert exercises == sum(map(int, re.findall(r"^\*(\d+) minutes, [●○]{3}\*$", words, flags=re.MULTILINE)))
    assert re.search(rf"\*\*What you need\.\*\*.*\b{reading} minutes to read[^.]*; the exercises take another {exercises}\b", words)


def test_readme_is_short_and_its_paths_exist():
    readme = text("README.md")
    assert readme.count("\n") <= 100
    for target in re.findall(r"\]\(([^)#:]+)\)|src=\"([^\":]+)\"", readme):
        assert (ROOT / (target[0] or target[1])).exists(), f"README.md links to {target[0] or target[1]}, which is not there"
    for command in re.findall(r"(?:^|`)make (\w+)", readme, flags=re.MULTILINE) + re.findall(r"`(serve|notebooks|colab|address|clean)`", readme):
        assert re.search(rf"^{command}:", text("Makefile"), flags=re.MULTILINE), f"README.md names make {command}, which the Makefile has not"


def test_readme_picture_is_drawn_from_the_figure():
    assert text("book/_static/hero.svg") == readme_picture.picture()
