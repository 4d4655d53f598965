"""Write the book's public address wherever it is needed.

    python code/authoring/address.py            write the Colab links and install cells
    python code/authoring/address.py --check    name the files that disagree with _config.yml; exit code 1 if any

The address has one home, `repository` in _config.yml: `url`, and `branch`, which may also be a tag. From it come, in
every notebook, the Colab link under the title and the install cell (cell 2), and the addresses in the pages named below.
A notebook need not be run again for that: where ropebook is installed, no line of the install cell runs but its import.
"""
import ast
import re
import sys
from pathlib import Path

import nbformat
import notebooks
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "CITATION.cff", "book/*.md")
EXTRAS = {  # of ropebook, with their packages as pyproject.toml has them; a chapter's install cell tries to import the one of the same name
    "torch": {"huggingface-hub", "safetensors", "scikit-learn", "tokenizers", "torch", "tqdm"},
    "sacrebleu": {"sacrebleu"},
}
COLAB = re.compile(r"https://colab\.research\.google\.com/github/[^\s\"')>]+?/(book/[\w/]+\.ipynb)")
REPOSITORY = re.compile(r"(?<=git clone )https://\S+|(?<=repository-code: )https://\S+")

INSTALL = """\
try:
    import {modules}
except ModuleNotFoundError:  # Colab, Kaggle, or any kernel that has not met the book
    import os
    SOURCE = os.environ.get("ROPEBOOK_WHEEL", "{source}")
    %pip install -q "{package} @ {{SOURCE}}"
"""


def repository():
    """(url, branch) of the public repository, from _config.yml."""
    entry = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return entry["url"].rstrip("/"), entry["branch"]


def colab_link(path, url, branch):
    return f"https://colab.research.google.com/github/{url.removeprefix('https://github.com/')}/blob/{branch}/{path}"


def install_source(extras, url, branch):
    """The install cell. A zip needs no git where it is installed, and serves a branch as well as a tag."""
    names = [name for name in EXTRAS if name in extras]
    package = f"ropebook[{','.join(names)}]" if names else "ropebook"
    return INSTALL.format(modules=", ".join(["ropebook", *names]), package=package, source=f"{url}/archive/{branch}.zip").rstrip("\n")


def imports(source):
    """The modules that Python source imports at top level; a notebook's magic lines are left out."""
    tree = ast.parse(re.sub(r"^[ \t]*[%!].*$", "", source, flags=re.MULTILINE))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and node.col_offset == 0:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.col_offset == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def needed_extras(source):
    """The extras whose packages the source imports, itself or through modules of ropebook: a set of names."""
    extras, waiting, seen = set(), [source], set()
    while waiting:
        for name in imports(waiting.pop()):
            extras |= {extra for extra, packages in EXTRAS.items() if name.split(".")[0].replace("_", "-") in packages}
            module = ROOT / "code" / Path(*name.split(".")[:2]).with_suffix(".py")
            if name.startswith("ropebook.") and module.exists() and module not in seen:
                seen.add(module)
                waiting.append(module.read_text(encoding="utf-8"))
    return extras


def address_notebook(path, text, url, branch):
    """The notebook's text with the Colab link under its title and the install cell in the second place."""
    nb = notebooks.load(text)
    title = nb.cells[0]
    if title.cell_type != "markdown" or not title.source.startswith("# "):
        raise ValueError(f"{path}: the first cell must be the title, `# …`; it begins with {title.source[:30]!r}")
    link = f'<a href="{colab_link(path, url, branch)}">Open in Colab</a>'
    heading, *rest = [line for line in title.source.split("\n") if not (COLAB.search(line) and "Open in Colab" in line)]
    title.source = "\n".join([heading, "", link, "", *rest]).strip()
    title.source = re.sub(r"\n{3,}", "\n\n", title.source)

    chapter = [cell for cell in nb.cells if cell.get("id") != "install"]
    code = "\n".join(cell.source for cell in chapter if cell.cell_type == "code")
    install = next((cell for cell in nb.cells if cell.get("id") == "install"), nbformat.v4.new_code_cell(id="install"))
    executed = nb.metadata.get("ropebook", {}).get("executed", {})
    fresh = executed.get("install") == notebooks.digest(install.source)
    install.source = install_source(needed_extras(code), url, branch)
    install.metadata["tags"] = ["hide-input"]
    if fresh:
        executed["install"] = notebooks.digest(install.source)
    nb.cells = [chapter[0], install, *chapter[1:]]
    return notebooks.dump(nb)


def address_page(text, url, branch):
    """A page's text with the repository's address and the Colab links renewed."""
    text = COLAB.sub(lambda link: colab_link(link[1], url, branch), text)
    return REPOSITORY.sub(url, text)


def addressed():
    """(path, text as it is, text as it should be) of every file that holds the address."""
    url, branch = repository()
    for path in notebooks.book_notebooks():
        text = path.read_text(encoding="utf-8")
        yield path, text, address_notebook(path.relative_to(ROOT).as_posix(), text, url, branch)
    for path in sorted(found for page in PAGES for found in ROOT.glob(page)):
        text = path.read_text(encoding="utf-8")
        yield path, text, address_page(text, url, branch)


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    wrong = [(path, new) for path, old, new in addressed() if new != old]
    for path, new in wrong:
        if arguments:
            print(f"{path.relative_to(ROOT)}: disagrees with the address in _config.yml; `make address` mends it")
        else:
            notebooks.write(path, new)
            print(f"{path.relative_to(ROOT)}: address written")
    return 1 if arguments and wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
