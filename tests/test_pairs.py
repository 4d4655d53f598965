"""The translation pairs: their licence, that they are what the packages hold, and that held-out text is held out."""

import hashlib
import lzma
import re
import shutil
import subprocess
import unicodedata

import numpy as np
import pytest

from mutation import mutated
from ropebook.pairs import pairs, plain, split_of, translation_tokenizer
from ropebook.text import SPLITS, data_file


@pytest.fixture(scope="module")
def everything():
    return [pair for split in SPLITS for pair in pairs(split)]


@pytest.fixture(scope="module")
def subwords():
    return translation_tokenizer()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_the_files_are_those_that_the_note_describes():
    note = data_file("translation/README.md").read_text(encoding="utf-8")
    packed = data_file("translation/pairs.tsv.xz").read_bytes()
    learnt = data_file("translation/tokenizer.json").read_bytes()
    for what, data in (("packed", packed), ("unpacked", lzma.decompress(packed)), ("tokenizer", learnt)):
        assert sha256(data) in note, f"data/translation/README.md does not give the SHA-256 of the {what} file, {sha256(data)}"
    assert len(packed) + len(learnt) < 1_000_000


def test_the_licence_lies_beside_the_files_in_full():
    licence = data_file("translation/LICENSE").read_text(encoding="utf-8")
    assert licence.startswith("Mozilla Public License Version 2.0") and "Exhibit B - " in licence
    note = data_file("translation/README.md").read_text(encoding="utf-8")
    assert "Mozilla Public License, v. 2.0" in note and "LibreOffice contributors" in note and "4:7.4.7-1+deb12u14" in note


def test_extraction_script_reproduces_the_file(tmp_path):
    import extract_translation

    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("no apt-get here: the packages of LibreOffice's help cannot be downloaded")
    try:
        extract_translation.download(tmp_path)
        lines = extract_translation.extract_from(tmp_path, tmp_path)
    except subprocess.CalledProcessError:
        pytest.skip("no package archive within reach: LibreOffice's help cannot be downloaded")
    except ValueError as refusal:
        pytest.skip(f"the archive has another version by now: {refusal}")
    assert lines == lzma.decompress(data_file("translation/pairs.tsv.xz").read_bytes())


def test_extraction_refuses_another_package(tmp_path):
    import extract_translation

    (tmp_path / "other.deb").write_bytes(b"not the package")
    with pytest.raises(ValueError, match=f"{sha256(b'not the package')}, expected {extract_translation.PACKAGE_SHA256['de']}"):
        extract_translation.unpacked(tmp_path / "other.deb", "de", tmp_path / "pages")
    assert not (tmp_path / "pages").exists()


PAGE = """<h1 id="hd_id1">One <a href="x">two</a>&nbsp;&amp; <br>three</h1><p id="par_id2" class="code">x = 1</p><p>no id</p>
<p id="par_id3">Press <span class="switch"><span hidden="true"><span>Command</span></span><span>Ctrl</span></span> , now</p>"""


def test_only_visible_prose_with_an_id_is_read():
    from extract_translation import Paragraphs, cleaned

    texts = Paragraphs(PAGE).texts
    assert {name: cleaned(text) for name, text in texts.items()} == {"hd_id1": "One two & three", "par_id3": "Press Ctrl, now"}


def test_leaks_would_be_kept_without_the_rule(root):
    """On one training page and one test page that share an English sentence; and the rule's mutant lets it pass."""
    names = [f"page {n}" for n in range(200)]
    train, test = (next(name for name in names if split_of(name) == split) for split in ("train", "test"))
    pages = {("Choose a file.", "Wähle."): train, ("choose a FILE", "Andere."): test, ("Another one.", "Noch etwas."): test}
    script = root / "code" / "authoring" / "extract_translation.py"
    mutant = mutated(script, 'if split == "train" or not seen & set(map(plain, pair))', "if True")
    from extract_translation import without_leaks

    assert list(without_leaks(pages)) == [("Choose a file.", "Wähle."), ("Another one.", "Noch etwas.")]
    assert mutant["without_leaks"](pages) == pages


def test_every_page_is_in_one_split_by_its_name(everything):
    assert {split: len(pairs(split)) for split in SPLITS} == {"train": 19_029, "validation": 489, "test": 825}
    assert all(split_of(pair.page) == split for split in SPLITS for pair in pairs(split))
    assert len(everything) == len({(pair.english, pair.german) for pair in everything}) == 20_343


def test_no_held_out_sentence_occurs_in_a_split_before():
    sides = {split: {plain(text) for pair in pairs(split) for text in (pair.english, pair.german)} for split in SPLITS}
    assert all(sides[a].isdisjoint(sides[b]) for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")))


def test_texts_are_clean(everything):
    for text in (text for pair in everything for text in (pair.english, pair.german)):
        assert text == " ".join(text.split()) and 3 <= len(text.split()) <= 40
        assert not re.search(r"[][{}<>=_|\\/]|&\w+;|&#", text)
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn")]


def test_sides_say_the_same_at_about_the_same_length(everything):
    """Single pairs differ by up to a factor of two; within a split German is longer by a sixth or so, never shorter."""
    ratios = {split: np.array([len(pair.english) / len(pair.german) for pair in pairs(split)]) for split in SPLITS}
    assert all(0.5 <= r.min() and r.max() <= 2 and 0.75 < np.median(r) < 1 for r in ratios.values())
    assert all(plain(pair.english) != plain(pair.german) for pair in everything)


def test_numbers_agree_on_both_sides(everything):
    """A misaligned file would share a number by chance only: shifting one side by a pair is the comparison."""
    numbers = [(set(re.findall(r"\d+", p.english)), set(re.findall(r"\d+", p.german))) for p in everything]
    english, german = zip(*numbers)
    same = np.mean([a == b for a, b in zip(english, german) if a])
    shifted = np.mean([a == b for a, b in zip(english, german[1:]) if a])
    assert same > 0.8 and shifted < 0.3


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="train, validation, test; got 'dev'"):
        pairs("dev")


def test_twice_the_same_and_the_list_is_the_callers_own():
    first = pairs("test")
    first.clear()
    assert len(pairs("test")) == 825 and pairs("test") == pairs("test")


def test_tokens_give_back_the_text_exactly(subwords, everything):
    for text in [text for pair in everything[::50] for text in (pair.english, pair.german)] + ["naïve “quotes”, 12 ½ £ and 語"]:
        assert subwords.decode(subwords.encode(text).ids) == text


def test_special_tokens_come_first_and_never_out_of_a_text(subwords, everything):
    assert [subwords.token_to_id(token) for token in ("[PAD]", "[BOS]", "[EOS]")] == [0, 1, 2] and subwords.get_vocab_size() == 4000
    assert min(min(item.ids) for item in subwords.encode_batch([pair.german for pair in everything[::10]])) > 2


def test_training_pairs_were_the_tokenizers_only_teacher(subwords):
    import train_tokenizer

    assert train_tokenizer.translation_tokenizer().get_vocab() == subwords.get_vocab()
