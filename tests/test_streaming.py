"""The claims about text read piece by piece: it is the text, in bounded memory, and it goes on where it stopped."""

import io
import json
import sys
from pathlib import Path

import datasets
import pytest
import torch
from mutation import mutated
from test_train_command import SHORT, broken_off, entries, little_text, refused, run, weights_file  # little_text works by itself

import ropebook.streaming
from ropebook.processes import Team
from ropebook.streaming import AT_ONCE, StreamedText
from ropebook.tasks import TASKS
from ropebook.text import addresses, tokenizer
from ropebook.training import TrainingConfig

SOURCE = Path(ropebook.streaming.__file__)
WORDS = tokenizer()
SEPARATOR = WORDS.token_to_id("[SEP]")


@pytest.fixture(scope="module")
def texts():
    """Twelve documents of about 400 tokens each."""
    return [paragraphs[:1500] for address in addresses("train")[:12] if (paragraphs := address.text)]


@pytest.fixture(scope="module")
def corpus(texts, tmp_path_factory):
    """A folder with two .txt and two .jsonl files, the twelve documents in order."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "a.txt").write_text(texts[0], encoding="utf-8")
    (folder / "b.jsonl").write_text("".join(json.dumps({"text": text, "year": 1}) + "\n" for text in texts[1:6]))
    (folder / "more").mkdir()
    (folder / "more" / "c.txt").write_text(texts[6], encoding="utf-8")
    (folder / "more" / "d.jsonl").write_text("".join(json.dumps({"text": text}) + "\n\n" for text in texts[7:]))
    (folder / "README.md").write_text("not part of the text")
    return folder


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def in_order(text, windows):
    """The next windows without shuffling: a buffer of one."""
    return text.sample(windows, generator()).flatten().tolist()


def drawn(text, draws, seed=0):
    source = generator(seed)
    return torch.stack([text.sample(4, source) for _ in range(draws)])


# ---- the text ------------------------------------------------------------------------------------

def test_windows_are_the_documents_with_a_separator_after_each(corpus, texts):
    tokens = in_order(StreamedText(str(corpus), WORDS, 10, buffer=1), 400)
    documents = "".join(WORDS.decode(tokens, skip_special_tokens=False)).split("[SEP]")
    assert documents[:9] == texts[:9]
    expected = [token for text in texts[1:6] for token in [*WORDS.encode(text).ids, SEPARATOR]]
    assert in_order(StreamedText(str(corpus / "b.jsonl"), WORDS, 10, buffer=1), len(expected) // 10) == expected[: len(expected) // 10 * 10]


def test_after_its_end_a_text_begins_again(corpus):
    once = [*WORDS.encode((corpus / "a.txt").read_text(encoding="utf-8")).ids]
    tokens = in_order(StreamedText(str(corpus / "a.txt"), WORDS, 10, buffer=1), 3 * len(once) // 10)
    period = tokens.index(SEPARATOR) + 1
    assert tokens[:-period] == tokens[period:] and len(tokens) > 2 * period


def test_a_long_line_of_a_txt_is_read_in_parts(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one two three four " * 100)
    monkeypatch.setattr(ropebook.streaming, "LONGEST", 50)
    tokens = in_order(StreamedText(str(tmp_path / "a.txt"), WORDS, 5, buffer=1), 40)
    assert "one two three four " * 10 in WORDS.decode(tokens)


def test_the_buffer_shuffles_and_loses_nothing(corpus):
    plain = in_order(StreamedText(str(corpus), WORDS, 10, buffer=1), 450)
    windows = {tuple(plain[i : i + 10]) for i in range(0, 4500, 10)}
    shuffled = drawn(StreamedText(str(corpus), WORDS, 10, buffer=60), 60).view(-1, 10).tolist()
    assert {tuple(window) for window in shuffled} <= windows
    assert [token for window in shuffled for token in window] != plain[:2400]
    assert len({tuple(window) for window in shuffled}) > 230, "hardly a window comes twice in one pass"


# ---- memory --------------------------------------------------------------------------------------

class Endless:
    """A data set without an end that counts what is read of it."""

    def __init__(self):
        self.read = 0

    def __iter__(self):
        while True:
            self.read += 1
            yield {"text": "one two three four five six seven"}


def test_what_is_kept_stays_bounded(monkeypatch):
    """No more is read than the buffer, one window in the making, and the documents that become tokens together."""
    endless = Endless()
    monkeypatch.setattr(ropebook.streaming, "documents", lambda source: endless)
    text, each = StreamedText("endless", WORDS, 16, buffer=30), len(WORDS.encode("one two three four five six seven").ids) + 1
    for draws in range(1, 200):
        text.sample(4, generator(draws))
        assert endless.read * each <= (30 + 4 * draws + 1) * 16 + AT_ONCE * each
        assert text.buffer.shape == (30, 16) and len(text.pending) <= 16 + AT_ONCE * each
    assert text.counts.sum() == endless.read * each


# ---- going on ------------------------------------------------------------------------------------

def difference(library, corpus, before):
    """How many of the next windows differ between a text that goes on and one that was restored from a file."""
    whole = library["StreamedText"](str(corpus), WORDS, 10, buffer=40)
    source = generator()
    for _ in range(before):
        whole.sample(4, source)
    torch.save({"text": whole.state(), "generator": source.get_state()}, saved := io.BytesIO())
    expected = [whole.sample(4, source) for _ in range(250)]
    saved.seek(0)
    state = torch.load(saved, weights_only=True)
    other = library["StreamedText"](str(corpus), WORDS, 10, buffer=40)
    other.restore(state["text"])
    source.set_state(state["generator"])
    return sum(not torch.equal(window, other.sample(4, source)) for window in expected)


@pytest.mark.parametrize("before", [0, 7, 60, 115, 130, 300])  # a pass has about 120 draws, so some end in the next, and 250 more pass its end
def test_a_restored_text_goes_on_with_the_same_windows(corpus, before, monkeypatch):
    monkeypatch.setattr(ropebook.streaming, "AT_ONCE", 3)
    assert difference(vars(ropebook.streaming), corpus, before) == 0


@pytest.mark.parametrize("old, new", [
    ("            self.dataset.load_state_dict(place)\n", "            pass\n"),
    ('"pending": self.pending.clone()', '"pending": self.pending[:0]'),
    ('"buffer": self.buffer.clone()', '"buffer": self.buffer.flip(0)'),
])
def test_a_text_that_forgets_does_not_go_on(corpus, old, new):
    library = mutated(SOURCE, old, new)
    library["AT_ONCE"] = 3
    assert difference(library, corpus, 60) > 0


# ---- what is refused -----------------------------------------------------------------------------

@pytest.mark.parametrize("name, content, says", [
    ("a.txt", "short", "a window has 50 tokens, but the text of .*a.txt has only 4"),
    ("a.jsonl", '{"text": "fine"}\n{"text": 3}\n', "a.jsonl, line 2: expected an object with a text"),
    ("a.jsonl", '{"words": "fine"}\n', "a.jsonl, line 1: expected .*words"),
    ("a.jsonl", "{broken\n", "a.jsonl, line 1: expected .*{broken"),
    ("a.csv", "a,b", "must be a .txt or .jsonl file"),
])
def test_text_that_cannot_be_read_is_refused(name, content, says, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=says):
        StreamedText(str(tmp_path / name), WORDS, 50)


def test_no_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no text at .*nowhere"):
        StreamedText(str(tmp_path / "nowhere"), WORDS, 50)
    with pytest.raises(ValueError, match="folder that holds some"):
        StreamedText(str(tmp_path), WORDS, 50)


def test_without_the_package_one_line_says_what_is_missing(tmp_path, monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "datasets", None)
    line = refused("--out", tmp_path / "new", "--text", "hub:anything", *SHORT)
    assert "package datasets" in line and "pip install 'ropebook[scale]'" in line
    assert not (tmp_path / "new").exists()


def test_a_name_on_the_hub_is_streamed(monkeypatch):
    asked = []
    rows = datasets.Dataset.from_dict({"text": ["one two three"] * 30, "id": list(range(30))}).to_iterable_dataset()
    monkeypatch.setattr(datasets, "load_dataset", lambda *names, **options: asked.append((names, options)) or rows)
    tokens = in_order(StreamedText("hub:someone/texts:english", WORDS, 6, buffer=1), 9)
    assert asked[0] == (("someone/texts", "english"), {"split": "train", "streaming": True})
    assert WORDS.decode(tokens, skip_special_tokens=False).startswith("one two three[SEP]one two three[SEP]")
    StreamedText("hub:someone/texts", WORDS, 6, buffer=1)
    assert asked[-1][0] == ("someone/texts", None)
    rows = datasets.Dataset.from_dict({"content": ["one"]}).to_iterable_dataset()
    with pytest.raises(ValueError, match='column "text"; these have content'):
        StreamedText("hub:someone/texts", WORDS, 6)


# ---- the command ---------------------------------------------------------------------------------

@pytest.mark.parametrize("task", ["masked", "causal"])
def test_the_command_trains_on_a_folder_and_resumes_in_the_middle(task, corpus, tmp_path, monkeypatch, capsys):
    arguments = [*SHORT, "--task", task, "--text", corpus]
    whole = run(tmp_path / "whole", *arguments)
    said = capsys.readouterr()
    assert said.err == "" and len(said.out.splitlines()) == 3
    broken_off(tmp_path / "broken", 23, monkeypatch, *arguments)
    run(tmp_path / "broken", "--resume", "--device", "cpu")
    assert entries(tmp_path / "broken") == entries(whole) and weights_file(tmp_path / "broken") == weights_file(whole)
    assert json.loads((whole / "record.json").read_text())["text"] == str(corpus)


@pytest.mark.parametrize("task", ["masked", "causal"])  # those that other text will do for
def test_every_process_draws_the_same_batch_and_none_draws_from_the_books_text(task, corpus):
    training = TrainingConfig(steps=2, batch=4, length=16)
    made = [TASKS[task](training, str(corpus)) for _ in range(2)]
    models = [kind.build(kind.config({"width": 16, "heads": 2, "layers": 1})) for kind in made]
    (a, n), (b, m) = (kind.trainer(model, "float32", Team(rank, 2)).batch() for rank, (kind, model) in enumerate(zip(made, models)))
    assert n == m and all(torch.equal(x, y) for x, y in zip(a, b))
    assert set(a[0].flatten().tolist()) <= set(made[0].text.counts.nonzero().flatten().tolist())
