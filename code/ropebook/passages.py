"""Passages in two translations, and triplets to learn matching from, for chapter 15.

A passage is a few consecutive verses, once in a modern and once in a literal translation (data/PASSAGES.md says whose work they
are). Whole books are held out. Books that tell the same things in the same words stay together in the training split
(`PARALLEL`); of the others every fifth is for testing and every fifth for validation.
"""

import lzma
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ropebook.text import check_split, data_file

BOOKS = (
    "Genesis, Exodus, Leviticus, Numbers, Deuteronomy, Joshua, Judges, Ruth, 1 Samuel, 2 Samuel, 1 Kings, 2 Kings, 1 Chronicles, "
    "2 Chronicles, Ezra, Nehemiah, Esther, Job, Psalms, Proverbs, Ecclesiastes, Song of Songs, Isaiah, Jeremiah, Lamentations, Ezekiel, "
    "Daniel, Hosea, Joel, Amos, Obadiah, Jonah, Micah, Nahum, Habakkuk, Zephaniah, Haggai, Zechariah, Malachi, Matthew, Mark, Luke, John, "
    "Acts, Romans, 1 Corinthians, 2 Corinthians, Galatians, Ephesians, Philippians, Colossians, 1 Thessalonians, 2 Thessalonians, "
    "1 Timothy, 2 Timothy, Titus, Philemon, Hebrews, James, 1 Peter, 2 Peter, 1 John, 2 John, 3 John, Jude, Revelation"
).split(", ")
PARALLEL = (  # law and history, with the Psalms and the prophets that they share chapters with; Gospels; letters; Hebrews quotes at length
    "Genesis, Exodus, Leviticus, Numbers, Deuteronomy, Joshua, Judges, 1 Samuel, 2 Samuel, 1 Kings, 2 Kings, 1 Chronicles, 2 Chronicles, "
    "Ezra, Nehemiah, Psalms, Isaiah, Jeremiah, Obadiah, Micah, Matthew, Mark, Luke, John, Ephesians, Colossians, 1 Thessalonians, "
    "2 Thessalonians, 2 Peter, Jude, 1 John, 2 John, 3 John, Hebrews"
).split(", ")
SINGLE = [book for book in BOOKS if book not in PARALLEL]
HELD_OUT = {"test": SINGLE[2::5], "validation": SINGLE[4::5]}
KINDS = ("order", "lexical")


@dataclass(frozen=True)
class Passage:
    """Consecutive verses of one book in both translations."""

    book: str  # "Ezekiel"
    first: str  # chapter and number of the first verse, "37:5"
    modern: tuple  # of str, one per verse
    literal: tuple  # of str, one per verse


def split_of(book):
    """The split of a book."""
    return next((split for split, books in HELD_OUT.items() if book in books), "train")


def joined(verses):
    """Verses as one text, a line each: so that their order changes neither the words nor the tokens in it, only their order."""
    return "\n".join(verses)


@lru_cache(maxsize=1)
def _all_verses():
    """Per book, its verses as (number, modern, literal)."""
    books = {book: [] for book in BOOKS}
    for line in lzma.decompress(data_file("passages.tsv.xz").read_bytes()).decode("utf-8").splitlines():
        number, modern, literal = line.split("\t")
        books[BOOKS[int(number) // 1_000_000 - 1]].append((int(number), modern, literal))
    return books


@lru_cache(maxsize=8)
def _passages(split, verses):
    found = []
    for book, lines in _all_verses().items():
        for start in range(0, len(lines) - verses + 1, verses) if split_of(book) == split else ():
            numbers, modern, literal = zip(*lines[start : start + verses])
            found.append(Passage(book, f"{numbers[0] // 1000 % 1000}:{numbers[0] % 1000}", modern, literal))
    return tuple(found)


def passages(split, verses=4):
    """The passages of one split, in the order of the books; none overlaps another, and a book's last verses may be left over.

    split    "train", "validation" or "test"
    verses   in a passage; chapters are no boundaries
    returns  list of Passage
    raises   ValueError for another split, or for fewer than one verse
    """
    check_split(split)
    if verses < 1:
        raise ValueError(f"a passage needs at least one verse; got {verses}")
    return list(_passages(split, verses))


def triplets(split, kind, seed, verses=4):
    """One triplet per passage: which of two texts is the literal translation of the modern one?

    split    "train", "validation" or "test"
    kind     "order": the negative is the positive with its verses in another order; "lexical": it is the literal text of the
             other passage of the split that shares most with the anchor, by TF-IDF
    seed     of the order, any seed of `numpy.random.default_rng`; the lexical negatives need none
    returns  list of (anchor, positive, negative), texts
    raises   ValueError for another split or kind, or for an order of fewer than two verses
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    if kind == "order" and verses < 2:
        raise ValueError(f"an order needs at least two verses; got {verses}")
    found = passages(split, verses)
    if kind == "order":
        random = np.random.default_rng(seed)
        negatives = [another_order(passage.literal, random) for passage in found]
    else:
        negatives = [found[index].literal for index in _nearest_others(split, verses)]
    return [(joined(passage.modern), joined(passage.literal), joined(negative)) for passage, negative in zip(found, negatives)]


def another_order(verses, random):
    """The verses in an order that reads differently; as they are if all are alike."""
    shuffled = verses
    while shuffled == verses and len(set(verses)) > 1:
        shuffled = tuple(verses[index] for index in random.permutation(len(verses)))
    return shuffled


@lru_cache(maxsize=8)
def _nearest_others(split, verses):
    found = _passages(split, verses)
    return nearest_others([joined(passage.modern) for passage in found], [joined(passage.literal) for passage in found])


def nearest_others(queries, documents):
    """For each query the most similar document that is not its own, by the cosine of TF-IDF vectors.

    queries    N texts
    documents  N texts; the own document of query i is document i
    returns    (N,) int64; of equally similar documents the first
    """
    postings = _postings([_words(document) for document in documents])
    nearest = np.empty(len(queries), dtype=np.int64)
    for own, query in enumerate(queries):
        scores = np.zeros(len(documents))
        for word, count in _words(query).items():
            if word in postings:
                rarity, where, weights = postings[word]
                scores[where] += count * rarity * weights
        scores[own] = -1.0
        nearest[own] = scores.argmax()
    return nearest


def _words(text):
    """The text's words, in lower case, with how often they occur."""
    return Counter(re.findall(r"[a-z]+", text.lower()))


def _postings(counts):
    """Per word its rarity log(N / documents with it), these documents, and the word's weight in each one's unit vector."""
    having = Counter(word for count in counts for word in count)
    rarity = {word: np.log(len(counts) / n) for word, n in having.items()}
    lists = {word: ([], []) for word in rarity}
    for index, count in enumerate(counts):
        length = np.sqrt(sum((n * rarity[word]) ** 2 for word, n in count.items())) or 1.0
        for word, n in count.items():
            lists[word][0].append(index)
            lists[word][1].append(n * rarity[word] / length)
    return {word: (rarity[word], np.array(where), np.array(weights)) for word, (where, weights) in lists.items()}
