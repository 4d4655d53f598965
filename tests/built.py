"""The built site, for the tests that read it."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
TOOLS = [f"code/authoring/{name}" for name in ("site.py", "notebooks.py", "equations.py", "equations.toml")]
SOURCES = ["_config.yml", "_toc.yml", *TOOLS, "book/**/*", "code/ropebook/figures/*"]


def pages():
    """The pages that a reader can open, from the table of contents, with the search page."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [toc["root"]] + [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [f"{file}.html" for file in files] + ["search.html"]


@pytest.fixture(scope="session")
def site():
    """The folder of the built site; a site that is missing or older than its sources is an error."""
    index = SITE / "index.html"
    if not index.exists():
        pytest.fail("the site is not built: run `make book`")
    files = [path for pattern in SOURCES for path in ROOT.glob(pattern)
             if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")]
    newer = [str(path.relative_to(ROOT)) for path in files if path.stat().st_mtime > index.stat().st_mtime]
    if newer:
        pytest.fail(f"the site is older than {', '.join(newer)}: run `make book`")
    return SITE
