"""The book's text, and how it becomes numbers.

The text is the State of the Union addresses of 1790 to 2026 (data/SOTU.md says whose work it is). Whole addresses are held
out: the year's last digit decides, 4 for validation and 9 for test, so that no sentence of a held-out address, and no
written twin of a spoken one, is ever trained on. The unit is a piece of a word from a byte-level BPE vocabulary; chapter 14
says why.
"""

import json
import lzma
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from tokenizers import Tokenizer

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Address:
    """One address: who said or wrote it, when, in which form, and the text itself."""

    name: str  # "1863-Lincoln-1"
    year: int
    date: str  # "1863-12-08"
    president: str
    party: str
    form: str  # "spoken" or "written"
    split: str  # "train", "validation" or "test"
    text: str


def check_split(split):
    """Refuse what is not the name of a split: ValueError, naming it and those there are."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")


def data_file(name):
    """The path of a file that ships with the package."""
    return resources.files("ropebook") / "data" / name


@lru_cache(maxsize=1)
def _all_addresses():
    lines = lzma.decompress(data_file("sotu.jsonl.xz").read_bytes()).decode("utf-8").splitlines()
    return tuple(Address(**json.loads(line)) for line in lines)


def addresses(split=None):
    """The 237 addresses, oldest first, or those of one split.

    split    None, "train", "validation" or "test"
    returns  list of Address
    raises   ValueError for another split, naming it
    """
    if split is None:
        return list(_all_addresses())
    check_split(split)
    return [address for address in _all_addresses() if address.split == split]


def tokenizer():
    """The book's tokenizer: text to token ids and back, exactly, for any text."""
    return Tokenizer.from_str(data_file("tokenizer.json").read_text(encoding="utf-8"))


def token_stream(split, tokenizer):
    """The addresses of a split as one row of tokens, a [SEP] after each.

    split      "train", "validation" or "test"
    tokenizer  a `tokenizers.Tokenizer` with a token [SEP]
    returns    (N,) int64
    """
    separator = tokenizer.token_to_id("[SEP]")
    encoded = tokenizer.encode_batch([address.text for address in addresses(split)])
    return np.concatenate([np.append(item.ids, separator) for item in encoded]).astype(np.int64)
