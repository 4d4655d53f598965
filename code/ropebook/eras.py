"""Pieces of addresses and the era that they are from: the long-text classification of chapter 15.

The label is a fact, the year, put into bins that hold equally many words. Pieces of one address never stand on two sides of a
split. Digits are masked, or a date would give the answer away.
"""

import re
from collections import Counter
from functools import lru_cache

import numpy as np

from ropebook.text import addresses, check_split, tokenizer

FOLDS = 5


def masked(text):
    """The text with every digit replaced by 0: numbers stay numbers of the same length, but no date says when."""
    return re.sub(r"\d", "0", text)


@lru_cache(maxsize=1)
def _words_by_year():
    """The years with an address, ascending, and how many words each has."""
    words = Counter()
    for address in addresses():
        words[address.year] += len(address.text.split())
    years = sorted(words)
    return np.array(years), np.array([words[year] for year in years])


def first_years(bins=8):
    """The first year of each era, such that each era holds equally many words, as far as whole years allow.

    All addresses count, whatever their split: the bounds look at years and lengths only, and so an era means the same in every fold.

    bins     number of eras
    returns  (bins,) int64, ascending
    raises   ValueError for fewer than two bins, or for so many that an era would hold no year
    """
    years, sizes = _words_by_year()
    eras = (bins * (np.cumsum(sizes) - sizes / 2) / sizes.sum()).astype(np.int64)  # the era in which a year's middle word falls
    if bins < 2 or len(set(eras)) < bins:
        raise ValueError(f"bins must be at least 2, and few enough that each holds a year; got {bins}")
    return years[np.searchsorted(eras, np.arange(bins))]


def split_of(year, fold=0):
    """The split of an address in one of five folds: fold 0 is the book's own, and no year is held out for the same use twice."""
    return {(4 + fold) % 10: "validation", (9 + fold) % 10: "test"}.get(year % 10, "train")


@lru_cache(maxsize=1)
def _all_tokens():
    encoded = tokenizer().encode_batch([masked(address.text) for address in addresses()])
    return [np.array(item.ids, dtype=np.int64) for item in encoded]


def documents(split, tokens, bins=8, fold=0):
    """The pieces of a split's addresses, each of exactly so many tokens, and their eras.

    An address is cut from its beginning on; what is left at its end, too short for a piece, is not used.

    split    "train", "validation" or "test"
    tokens   T, tokens in a piece
    bins     number of eras
    fold     0 ... 4; another fold holds out other years
    returns  ids (N, T) int64, of the book's tokenizer; labels (N,) int64, 0 for the oldest era
    raises   ValueError for another split or fold, or for a length below 1
    """
    check_split(split)
    if fold not in range(FOLDS):
        raise ValueError(f"fold must be 0 to {FOLDS - 1}; got {fold}")
    if tokens < 1:
        raise ValueError(f"a piece needs at least one token; got {tokens}")
    bounds = first_years(bins)
    pieces, labels = [], []
    for address, ids in zip(addresses(), _all_tokens()):
        if split_of(address.year, fold) == split:
            pieces.append(ids[: len(ids) // tokens * tokens].reshape(-1, tokens))
            labels.append(np.full(len(pieces[-1]), np.searchsorted(bounds, address.year, side="right") - 1))
    return np.concatenate(pieces), np.concatenate(labels)
