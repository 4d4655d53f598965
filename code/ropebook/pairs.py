"""English sentences and their German translations, for chapter 16.

They are paragraphs of LibreOffice's help (data/translation/README.md says whose work it is and under which licence). Whole
pages are held out: a hash of the page's name decides, one page in 25 for validation and one for test.
"""

import hashlib
import lzma
import re
from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from ropebook.text import check_split, data_file


@dataclass(frozen=True)
class Pair:
    """One paragraph in both languages, and the page of the help on which it stands first."""

    page: str  # "swriter/guide/captions"
    english: str
    german: str


def split_of(page):
    """The split of a page of the help, by a hash of its name: 23 of 25 pages are for training."""
    number = int(hashlib.sha256(page.encode("utf-8")).hexdigest(), 16) % 25
    return {0: "validation", 1: "test"}.get(number, "train")


def plain(text):
    """A text's words in lower case, without punctuation: two texts that agree in this say the same."""
    return " ".join(re.findall(r"\w+", text.casefold()))


@lru_cache(maxsize=1)
def _all_pairs():
    lines = lzma.decompress(data_file("translation/pairs.tsv.xz").read_bytes()).decode("utf-8").splitlines()
    return tuple(Pair(*line.split("\t")) for line in lines)


def pairs(split):
    """The pairs of one split, page by page.

    split    "train", "validation" or "test"
    returns  list of Pair
    raises   ValueError for another split, naming it
    """
    check_split(split)
    return [pair for pair in _all_pairs() if split_of(pair.page) == split]


def translation_tokenizer():
    """The tokenizer of both languages: byte-level BPE with [PAD] = 0, [BOS] = 1, [EOS] = 2; text to ids and back, exactly."""
    return Tokenizer.from_str(data_file("translation/tokenizer.json").read_text(encoding="utf-8"))
