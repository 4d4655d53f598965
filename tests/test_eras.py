"""The pieces of addresses and their eras: what is masked, cut, labelled and held out."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mutation import failures, mutated
from ropebook import eras
from ropebook.text import SPLITS, addresses, tokenizer


def library(old=None, new=None):
    """ropebook.eras, or a mutant of it that shares the tokens already made."""
    if old is None:
        return vars(eras)
    names = mutated(Path(eras.__file__), old, new)
    if "masked" not in old:
        names["_all_tokens"] = eras._all_tokens
    return names


@pytest.fixture(scope="module")
def words():
    return tokenizer()


# ---- claims, to be held by the library and broken by its mutants ---------------------------------

def fold_0_is_the_books_own_split(lib):
    assert all(lib["split_of"](address.year) == address.split for address in addresses())


def no_year_is_held_out_twice_for_the_same_use(lib):
    for split in ("validation", "test"):
        held_out = Counter(year for fold in range(5) for year in range(10) if lib["split_of"](year, fold) == split)
        assert len(held_out) == 5 and set(held_out.values()) == {1}


def eras_are_runs_of_years_with_equally_many_words(lib):
    """A bound moves by whole years, so an era is off by at most the words of half a year at each end."""
    sizes = Counter()
    for address in addresses():
        sizes[address.year] += len(address.text.split())
    for bins in (2, 6, 8):
        bounds = lib["first_years"](bins)
        held = np.zeros(bins)
        for year, size in sizes.items():
            held[np.searchsorted(bounds, year, side="right") - 1] += size
        assert len(bounds) == bins and bounds[0] == 1790 and np.all(np.diff(bounds) > 0)
        assert np.abs(held - sum(sizes.values()) / bins).max() <= max(sizes.values())


def labels_are_the_eras_of_the_addresses(lib):
    bounds = list(lib["first_years"](8)) + [3000]
    labels = lib["documents"]("test", 512)[1]
    expected = []
    for address, ids in zip(addresses(), lib["_all_tokens"]()):
        if address.split == "test":
            era = next(era for era in range(8) if bounds[era] <= address.year < bounds[era + 1])
            expected += [era] * (len(ids) // 512)
    assert labels.tolist() == expected


def pieces_are_the_addresses_without_their_remainders(lib):
    ids, labels = lib["documents"]("test", 512)
    assert ids.dtype == labels.dtype == np.int64 and ids.shape == (len(labels), 512)
    held_out = [tokens for address, tokens in zip(addresses(), lib["_all_tokens"]()) if address.split == "test"]
    assert np.array_equal(ids.reshape(-1), np.concatenate([tokens[: len(tokens) - len(tokens) % 512] for tokens in held_out]))


def no_digit_but_0_is_left(lib):
    assert lib["masked"]("In 1863, 12½ % of $4,507 ٣") == "In 0000, 00½ % of $0,000 0"


CLAIMS = [fold_0_is_the_books_own_split, no_year_is_held_out_twice_for_the_same_use, eras_are_runs_of_years_with_equally_many_words,
          labels_are_the_eras_of_the_addresses, pieces_are_the_addresses_without_their_remainders, no_digit_but_0_is_left]
MUTANTS = [
    ("(9 + fold) % 10", "(9 - fold) % 10 if fold < 3 else 0", no_year_is_held_out_twice_for_the_same_use),
    ("(4 + fold) % 10", "(3 + fold) % 10", fold_0_is_the_books_own_split),
    ("np.cumsum(sizes) - sizes / 2", "(np.arange(len(sizes)) + 0.5) * sizes.mean()",
     eras_are_runs_of_years_with_equally_many_words),
    ('side="right") - 1', 'side="left") - 1', labels_are_the_eras_of_the_addresses),
    ("ids[: len(ids) // tokens * tokens]", "ids[len(ids) % tokens :]", pieces_are_the_addresses_without_their_remainders),
    ('re.sub(r"\\d", "0", text)', 're.sub(r"\\d+", "0", text)', no_digit_but_0_is_left),
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_claim(claim):
    claim(library())


@pytest.mark.parametrize("old, new, claim", MUTANTS, ids=[claim.__name__ for *_, claim in MUTANTS])
def test_mutant_is_caught(old, new, claim):
    assert claim.__name__ in failures(library(old, new), CLAIMS)


# ---- tests of the data ---------------------------------------------------------------------------

@pytest.mark.parametrize("fold", range(eras.FOLDS))
def test_pieces_of_one_address_are_on_one_side(fold):
    """The splits' pieces add up to those of all addresses, and each address is in one split."""
    counts = {split: len(eras.documents(split, 1024, fold=fold)[1]) for split in SPLITS}
    assert sum(counts.values()) == sum(len(ids) // 1024 for ids in eras._all_tokens())
    years = {split: {a.year for a in addresses() if eras.split_of(a.year, fold) == split} for split in SPLITS}
    assert all(years[a].isdisjoint(years[b]) for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")))


@pytest.mark.parametrize("tokens", [128, 512, 1024])
def test_no_era_has_much_more_than_its_share_of_the_training_pieces(tokens):
    """Eras hold equally many words; a word is 1.6 tokens or so in each, and a fifth of the years is missing: within a fifth of 1/8."""
    shares = np.bincount(eras.documents("train", tokens)[1]) / len(eras.documents("train", tokens)[1])
    assert len(shares) == 8 and np.abs(shares * 8 - 1).max() < 0.2


def test_no_piece_gives_a_date_away(words):
    ids, _ = eras.documents("validation", 512)
    assert {c for text in words.decode_batch(ids.tolist()) for c in text if c.isdigit() and c not in "½¼¾²³"} == {"0"}


def test_twice_the_same():
    first, second = eras.documents("validation", 256, fold=2), eras.documents("validation", 256, fold=2)
    assert all(np.array_equal(a, b) for a, b in zip(first, second))


def test_changing_a_piece_changes_no_later_answer():
    ids, _ = eras.documents("validation", 256)
    kept = ids.copy()
    ids[:] = 0
    assert np.array_equal(eras.documents("validation", 256)[0], kept)


@pytest.mark.parametrize("arguments, message", [
    (("dev", 128), "train, validation, test; got 'dev'"), (("test", 0), "at least one token; got 0"),
    (("test", 128, 1), "at least 2.*got 1"), (("test", 128, 500), "each holds a year; got 500"), (("test", 128, 8, 5), "0 to 4; got 5")])
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        eras.documents(*arguments)


def test_a_bag_of_words_beats_the_majority_and_stays_well_below_one():
    """At 1,024 tokens, with 299 test pieces: a share near one half, the widest, has a standard error of 0.03; three are 0.09."""
    pytest.importorskip("sklearn")
    from ropebook.experiment_longtext import bag_of_words

    found = bag_of_words(1024, fold=0)
    accuracy, f1, sizes = found["accuracy"], found["macro_f1"], np.sum(found["confusion"], axis=1)
    majority = sizes.max() / sizes.sum()
    assert majority + 0.09 < f1 <= accuracy + 0.09 < 1
