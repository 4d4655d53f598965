"""The built site as files: no dead link or anchor, nothing from another host, alt text everywhere, nothing unused."""

import hashlib
import json
import re
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from built import ROOT, pages, site  # noqa: F401

PAGES = pages()
RESOURCES = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


def read(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def anchors(path, cache={}):
    """Every id and name in a page, each once."""
    if path not in cache:
        cache[path] = [tag.get("id") or tag.get("name") for tag in read(path).select("[id], a[name]")]
    return cache[path]


def targets(soup):
    """(what is written, whether the browser loads it by itself) for each link and resource of a page."""
    for tag in soup.find_all("a", href=True):
        yield tag["href"], False
    for name, attribute in RESOURCES.items():
        for tag in soup.find_all(name, attrs={attribute: True}):
            yield tag[attribute], True


def dead_links(root, page):
    """What is wrong with the links of one page below root, a line for each."""
    path, faults = root / page, []
    for written, loaded in targets(read(path)):
        parts = urlsplit(written)
        if parts.scheme in ("http", "https", "mailto") or parts.netloc:
            if loaded:
                faults.append(f"{page} loads {written} from another host")
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if parts.scheme == "data":
            continue
        if not target.is_file():
            faults.append(f"{page} links to {written}, which is no file of the site")
        elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in anchors(target):
            faults.append(f"{page} links to {written}, and {target.name} has no such anchor")
    return faults


def nameless_pictures(soup):
    """The pictures that tell a listener nothing, as they are written."""
    images = [tag for tag in soup.find_all("img") if not tag.get("alt", "").strip() or re.search(r"\.(png|svg|jpe?g)$", tag["alt"])]
    drawings = [tag for tag in soup.find_all("svg") if not tag.find_parent("svg") and tag.get("aria-hidden") != "true"
                and not (tag.find("title") or tag.get("aria-label") or tag.get("aria-labelledby"))]
    return [str(tag)[:120] for tag in images + drawings]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(site, page):
    faults = dead_links(site, page)
    assert not faults, "\n".join(faults)


def test_a_changed_letter_in_a_link_is_found(site, tmp_path):
    """The checker itself: a wrong file, a wrong anchor and a foreign script are each named."""
    (tmp_path / "a.html").write_text('<h2 id="eq-11">x</h2><a href="b.html#eq-12">here</a> <a href="#eq-11">there</a>')
    (tmp_path / "b.html").write_text('<p id="eq-12">y</p>')
    assert dead_links(tmp_path, "a.html") == []
    for good, bad, fault in [("b.html#", "c.html#", "no file"), ("#eq-12", "#eq-13", "no such anchor"), ('"#eq-11"', '"#eq-1l"', "no such anchor")]:
        mutant = tmp_path / "mutant.html"
        mutant.write_text((tmp_path / "a.html").read_text().replace(good, bad))
        (found,) = dead_links(tmp_path, "mutant.html")
        assert fault in found and found.startswith("mutant.html")
    (tmp_path / "c.html").write_text('<script src="https://example.org/x.js"></script><a href="https://example.org">fine</a>')
    assert dead_links(tmp_path, "c.html") == ["c.html loads https://example.org/x.js from another host"]


@pytest.mark.parametrize("page", PAGES)
def test_anchors_are_unique(site, page):
    ids = anchors(site / page)
    twice = sorted({name for name in ids if ids.count(name) > 1})
    assert not twice, f"{page} has these ids twice: {', '.join(twice)}"


@pytest.mark.parametrize("page", PAGES)
def test_pictures_say_what_they_show(site, page):
    nameless = nameless_pictures(read(site / page))
    assert not nameless, f"{page} has pictures without a description:\n" + "\n".join(nameless)


def test_a_picture_without_words_is_found():
    assert len(nameless_pictures(BeautifulSoup('<img src="a.png"><img src="a.png" alt="../_images/a.png"><svg><path/></svg>', "html.parser"))) == 3
    assert nameless_pictures(BeautifulSoup('<img src="a.png" alt="Two arrows"><svg><title>Two</title></svg>', "html.parser")) == []


@pytest.mark.parametrize("page", PAGES)
def test_stylesheets_stay_at_home(site, page):
    """What CSS loads is in the site too."""
    for link in read(site / page).select("link[rel=stylesheet]"):
        sheet = (site / page).parent / link["href"].split("?")[0]
        for url in re.findall(r"url\(\s*[\"']?([^\"')]+)", sheet.read_text(encoding="utf-8")):
            assert url.startswith(("data:", "#", "%23")) or (sheet.parent / url.split("?")[0]).is_file(), f"{sheet.name} loads {url}"


def test_front_door_leads_to_the_book(site):
    front = read(site / "index.html")
    assert front.title.text and front.select_one("meta[http-equiv=refresh]")["content"].endswith("url=book/intro.html")


def test_every_chapter_says_its_number(site):
    for path in sorted((site / "book").glob("[0-9]*.html")):
        assert read(path).select_one("article h1").text.startswith(f"{path.stem.split('_')[0].lstrip('0')}. "), path.name


def test_site_is_small(site):
    """Everything of a folder or an offline archive, and the parts that would be waste in it."""
    files = [path for path in site.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12_000_000
    waste = [path.name for path in files if re.search(r"fontawesome|fa-(solid|brands|regular)|thebe|embed-amd|\.map$", path.name)]
    assert waste == []


def test_every_icon_is_drawn(site):
    """The theme names its icons by class, and book.css draws each, in place of a font."""
    used = {name for page in PAGES for tag in read(site / page).select("[class*='fa-']") for name in tag["class"] if name.startswith("fa-")}
    drawn = set(re.findall(r"^\.(fa-[a-z-]+) \{ --icon", (site / "_static/book.css").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert used - {"fa-solid", "fa-brands", "fa-lg"} <= drawn


def luminance(colour):
    red, green, blue = (int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5))
    return sum(weight * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4) for weight, c in ((0.2126, red), (0.7152, green), (0.0722, blue)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_can_be_read_as_text(scheme):
    """Contrast of at least 4.5 : 1 with the paper, since labels are written in the colours of what they name."""
    palette = json.loads((ROOT / "code/ropebook/figures/palette.json").read_text(encoding="utf-8"))[scheme]
    paper = luminance(palette["paper"])
    for name, colour in palette.items():
        if name not in ("paper", "grid"):
            low, high = sorted([paper, luminance(colour)])
            assert (high + 0.05) / (low + 0.05) >= 4.5, f"{name} {colour} on {palette['paper']}"


def test_vendored_files_are_what_their_list_says():
    folder = ROOT / "book/_static/vendor"
    listed = dict(reversed(line.split()) for line in (folder / "SOURCES.txt").read_text().splitlines() if re.match(r"[0-9a-f]{64} ", line))
    present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != "SOURCES.txt"}
    assert present == listed
