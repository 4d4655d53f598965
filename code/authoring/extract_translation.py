"""Make code/ropebook/data/translation/pairs.tsv.xz from Debian's packages of LibreOffice's help, English and German.

    python code/authoring/extract_translation.py [--packages FOLDER]

Without --packages, apt-get downloads the two packages (nothing installed). Their SHA-256 are checked; dpkg-deb unpacks them.
The result has one line per pair: page, English, German. A paragraph has the same id on the English and on the German page.
"""

import argparse
import re
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

from extraction import known_bytes, pack
from ropebook.pairs import plain, split_of
from ropebook.text import data_file

PACKAGE_SHA256 = {  # of version 4:7.4.7-1+deb12u14
    "en-us": "8faa840285734d6cfe1ed25537b48f07e74bd6412e3917bf8e5f8a653f7b3712",
    "de": "00490b63c509ac96f7f212d6a6e40452d3e0d1f97ccf4b824dd5ec4c01e8277f",
}
FOLDERS = {"en-us": "en-US", "de": "de"}  # of the pages below usr/share/libreoffice/help
BLOCKS = ("p", "h1", "h2", "h3", "h4", "h5", "h6")
CODE = re.compile(r"[][{}<>=_|\\/#$@*^~%+&]|\w\((?!s\))|\.\w+\.|\b(?!LibreOffice|Auto)\w*[a-z][A-Z]")  # formulas, paths, identifiers


def download(folder):
    """Download the two packages into `folder`."""
    subprocess.run(["apt-get", "download", "--quiet", *(f"libreoffice-help-{name}" for name in PACKAGE_SHA256)], cwd=folder, check=True)


def unpacked(package, name, folder):
    """Unpack one package below `folder` and return the folder of its pages.

    raises  ValueError if the package is not the one we know, naming both SHA-256
    """
    known_bytes(package, PACKAGE_SHA256[name])
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    return Path(folder) / "usr/share/libreoffice/help" / FOLDERS[name] / "text"


class Paragraphs(HTMLParser):
    """`texts`: the visible text of each paragraph or heading of a page that has an id, by that id; no listings."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.texts, self.id, self.hidden = {}, None, 0
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in BLOCKS:
            new = attributes.get("id", "")
            listing = "code" in attributes.get("class", "")
            self.id = new if re.match("(par|hd)_id", new) and new not in self.texts and not listing else None
            self.texts.update({self.id: ""} if self.id else {})
        elif tag == "br":
            self.handle_data(" ")
        elif tag == "span" and (self.hidden or "hidden" in attributes):  # what other systems or programs would show
            self.hidden += 1

    def handle_endtag(self, tag):
        if tag in BLOCKS:
            self.id = None
        elif tag == "span" and self.hidden:
            self.hidden -= 1

    def handle_data(self, data):
        if self.id and not self.hidden:
            self.texts[self.id] += data


def cleaned(text):
    """One kind of space, none before a full stop or comma, and no soft hyphens."""
    text = " ".join(re.sub("[\u00ad\u200b\u200c\u200d\ufeff]", "", text).split())
    return re.sub(r" (?=[,.;:!?](\s|$))", "", text)


def wanted(english, german):
    """Whether a pair is prose: 3 to 40 words a side, no code, translated, and not twice as long on one side."""
    lengths = [len(text.split()) for text in (english, german)]
    alike = len(set(plain(english).split()) & set(plain(german).split())) / len(set(plain(german).split()) or {""})
    if not all(3 <= n <= 40 for n in lengths) or CODE.search(english) or CODE.search(german):
        return False
    return alike <= 0.6 and 0.5 <= len(english) / len(german) <= 2


def page_pairs(english_page, german_page):
    """The pairs of one page, in the order of the English paragraphs."""
    english, german = (Paragraphs(page.read_text(encoding="utf-8")).texts for page in (english_page, german_page))
    for name in (name for name in english if name in german):
        pair = cleaned(english[name]), cleaned(german[name])
        if wanted(*pair):
            yield pair


def extract(english, german):
    """The pairs of all pages as tab-separated lines (UTF-8 bytes): each once, on the first page that has it."""
    pages = {}
    for path in sorted(english.rglob("*.html")):
        page = path.relative_to(english).with_suffix("").as_posix()
        for pair in page_pairs(path, german / path.relative_to(english)):
            pages.setdefault(pair, page)
    kept = without_leaks(pages)
    return "".join(f"{page}\t{source}\t{target}\n" for (source, target), page in kept.items()).encode("utf-8")


def without_leaks(pages):
    """The pairs without those held-out ones of which either side is also a side of a pair in a split before theirs."""
    kept, seen = {}, set()
    for split in ("train", "validation", "test"):
        own = {pair: page for pair, page in pages.items() if split_of(page) == split}
        kept |= {pair: page for pair, page in own.items() if split == "train" or not seen & set(map(plain, pair))}
        seen |= {plain(text) for pair in own for text in pair}
    return {pair: page for pair, page in pages.items() if pair in kept}


def extract_from(packages, scratch):
    """`extract` for a folder with the two packages; they are unpacked into the folder `scratch`."""
    found = ((name, next(Path(packages).glob(f"libreoffice-help-{name}_*.deb"))) for name in PACKAGE_SHA256)
    return extract(*(unpacked(package, name, Path(scratch) / name) for name, package in found))


def main():
    parser = argparse.ArgumentParser(description="Extract English-German pairs from Debian's packages of LibreOffice's help.")
    parser.add_argument("--packages", type=Path, help="a folder with both packages, if you have them; otherwise apt-get downloads them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.packages:
            download(folder)
        lines = extract_from(arguments.packages or folder, folder)
    pack(lines, data_file("translation/pairs.tsv.xz"), "pairs")


if __name__ == "__main__":
    main()
