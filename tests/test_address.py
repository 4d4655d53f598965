"""The public address has one home, _config.yml; everything else that holds it is generated."""
import address
import notebooks
import pytest

URL, BRANCH = "https://github.com/someone/some-book", "v2"


def chapter(save_notebook, tmp_path, *cells):
    return save_notebook(tmp_path / "03_x.ipynb", ("text-title", "# A title\n\nAnd a paragraph."), *cells).read_text()


def written(text, url=URL, branch=BRANCH):
    return address.address_notebook("book/03_x.ipynb", text, url, branch)


def test_every_file_agrees_with_the_config():
    wrong = [path.relative_to(address.ROOT).as_posix() for path, old, new in address.addressed() if old != new]
    assert wrong == [], "`make address` mends it"


def test_title_link_and_install_cell(save_notebook, tmp_path):
    nb = notebooks.load(written(chapter(save_notebook, tmp_path, ("work", "import numpy"))))
    assert nb.cells[0].source.split("\n") == [
        "# A title", "",
        '<a href="https://colab.research.google.com/github/someone/some-book/blob/v2/book/03_x.ipynb">Open in Colab</a>',
        "", "And a paragraph."]
    assert nb.cells[1].id == "install" and nb.cells[1].metadata.tags == ["hide-input"]
    assert f'"{URL}/archive/{BRANCH}.zip"' in nb.cells[1].source
    assert [cell.id for cell in nb.cells] == ["text-title", "install", "work"]


def test_writing_twice_changes_nothing_and_a_new_address_only_the_address(save_notebook, tmp_path):
    once = written(chapter(save_notebook, tmp_path, ("work", "1 + 1")))
    assert written(once) == once
    assert written(written(once, "https://github.com/a/b", "main")) == once


def test_a_picture_badge_becomes_the_link(save_notebook, tmp_path):
    badge = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/a/b/blob/main/book/03_x.ipynb)"
    text = save_notebook(tmp_path / "03_x.ipynb", ("text-title", f"# A title\n\n{badge}\n\nAnd a paragraph.")).read_text()
    assert notebooks.load(written(text)).cells[0] == notebooks.load(written(chapter(save_notebook, tmp_path))).cells[0]


@pytest.mark.parametrize("source, extras", [
    ("import ropebook, numpy as np", set()),
    ("from ropebook.figures import Hero", set()),
    ("%matplotlib inline\nfrom ropebook.exercises import check", set()),
    ("import torch", {"torch"}),
    ("import numpy, torch.nn", {"torch"}),
    ("from torch import nn", {"torch"}),
    ("from ropebook.rotation_torch import rotate", {"torch"}),
    ("from ropebook import rotation_torch", {"torch"}),
    ("from sacrebleu.metrics import BLEU", {"sacrebleu"}),
    ("import torch\nimport sacrebleu", {"torch", "sacrebleu"}),
    ("# import torch", set()),
    ("%pip install torch", set()),
])
def test_the_extras_are_those_whose_packages_are_imported(source, extras):
    assert address.needed_extras(source) == extras


def test_the_extra_is_found_through_another_module(tmp_path, monkeypatch):
    package = tmp_path / "code" / "ropebook"
    package.mkdir(parents=True)
    (package / "above.py").write_text("from ropebook import below")
    (package / "below.py").write_text("from ropebook import above\nimport tokenizers")
    monkeypatch.setattr(address, "ROOT", tmp_path)
    assert address.needed_extras("from ropebook.above import thing") == {"torch"}


@pytest.mark.parametrize("source, modules, package", [
    ("import numpy", "ropebook", "ropebook"),
    ("import torch", "ropebook, torch", "ropebook[torch]"),
    ("import sacrebleu, torch", "ropebook, torch, sacrebleu", "ropebook[torch,sacrebleu]"),
])
def test_chapters_ask_for_the_extras_that_they_need(save_notebook, tmp_path, source, modules, package):
    cell = notebooks.load(written(chapter(save_notebook, tmp_path, ("work", source)))).cells[1].source
    assert f"import {modules}\n" in cell and f'"{package} @ {{SOURCE}}"' in cell


@pytest.mark.parametrize("was_fresh", [True, False])
def test_a_new_address_needs_no_new_run(save_notebook, tmp_path, was_fresh):
    nb = notebooks.load(written(chapter(save_notebook, tmp_path, ("work", "1 + 1")), "https://github.com/a/b"))
    hash_then = notebooks.digest(nb.cells[1].source if was_fresh else "something else")
    nb.metadata["ropebook"] = {"executed": {"install": hash_then}}
    after = notebooks.load(written(notebooks.dump(nb)))
    assert (after.metadata.ropebook.executed["install"] == notebooks.digest(after.cells[1].source)) is was_fresh


def test_a_notebook_without_a_title_is_refused(save_notebook, tmp_path):
    text = save_notebook(tmp_path / "03_x.ipynb", ("text-a", "No title")).read_text()
    with pytest.raises(ValueError, match="'No title'"):
        written(text)


def test_a_page_gets_the_address_and_other_links_stay():
    page = ("git clone https://github.com/a/b\nrepository-code: https://github.com/a/b\nhttps://github.com/huggingface/transformers\n"
            "[Colab](https://colab.research.google.com/github/a/b/blob/main/book/05_numpy.ipynb)")
    assert address.address_page(page, URL, BRANCH) == (
        f"git clone {URL}\nrepository-code: {URL}\nhttps://github.com/huggingface/transformers\n"
        "[Colab](https://colab.research.google.com/github/someone/some-book/blob/v2/book/05_numpy.ipynb)")


def test_check_names_the_file(monkeypatch, capsys, tmp_path):
    page = address.ROOT / "README.md"
    monkeypatch.setattr(address, "addressed", lambda: [(page, "old", "new")])
    assert address.main(["--check"]) == 1
    assert capsys.readouterr().out == "README.md: disagrees with the address in _config.yml; `make address` mends it\n"
