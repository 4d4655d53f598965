"""Text that is too large for memory: read piece by piece with Hugging Face `datasets`, cut into windows of tokens.

A source is a .txt file (one document, read line by line), a .jsonl file (each line an object whose field "text" is a document), a
folder of such files, or a data set on the Hugging Face Hub, "hub:NAME" or "hub:NAME:CONFIG" (its split "train", its column "text").
After a document comes a [SEP]. Documents are read in their order; windows pass through a buffer from which a batch draws at random.
When the source ends, it begins again.

What a run needs in order to go on is small: the place in the source that `datasets` keeps, the tokens that are not cut yet, and the
buffer. Continuing therefore reads nothing twice but the beginning of one file.

Shapes: B windows in a batch, T tokens in a window, V tokens in the vocabulary.
"""

import json
from itertools import islice
from pathlib import Path

import torch

BUFFER = 2048  # windows
AT_ONCE = 64  # documents that become tokens together
LONGEST = 1 << 16  # characters: a longer line of a .txt is read in parts


def documents(source):
    """The documents of a source, read when they are asked for: an `IterableDataset`.

    returns  of dicts {"text": str, and of local files "ends": whether the document ends here}
    raises   ValueError or OSError if there is no such source, or `datasets` is missing, saying so
    """
    try:
        import datasets
    except ModuleNotFoundError:
        raise ValueError("--text needs the package datasets, which is not installed: pip install 'ropebook[scale]'") from None
    if source.startswith("hub:"):
        name, _, config = source.removeprefix("hub:").partition(":")
        return datasets.load_dataset(name, config or None, split="train", streaming=True)
    return datasets.IterableDataset.from_generator(_pieces, gen_kwargs={"paths": _files(source)})


def _files(source):
    path = Path(source)
    if not path.exists():
        raise ValueError(f"there is no text at {source}; the source is a file, a folder or hub:NAME")
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in (".txt", ".jsonl"))
    if not found or any(file.suffix not in (".txt", ".jsonl") for file in found):
        raise ValueError(f"{source} must be a .txt or .jsonl file, or a folder that holds some")
    return list(map(str, found))


def _pieces(paths):
    """The pieces of some files, in order; the generator behind `datasets`, which hands it the list one file at a time."""
    for path in paths:
        with open(path, encoding="utf-8") as file:
            if path.endswith(".txt"):
                yield from ({"text": piece, "ends": False} for piece in iter(lambda: file.readline(LONGEST), ""))
                yield {"text": "", "ends": True}
            else:
                yield from ({"text": _text(line, path, n), "ends": True} for n, line in enumerate(file, 1) if line.strip())


def _text(line, path, number):
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        raise ValueError(f'{path}, line {number}: expected an object with a text "text", got {line.strip()[:60]}')
    return text


class StreamedText:
    """An endless row of windows of a source, in an order that a generator shuffles."""

    def __init__(self, source, words, length, buffer=BUFFER):
        """source: see above; words: a `tokenizers.Tokenizer`; length T of a window; buffer: windows to draw from.

        raises   ValueError or OSError if the source cannot be read or has no window
        """
        self.source, self.words, self.length = source, words, length
        self.separator = words.token_to_id("[SEP]")
        self.counts = torch.zeros(words.get_vocab_size(), dtype=torch.int64)  # (V,) how often each token was read
        self.pending = torch.empty(0, dtype=torch.int32)  # tokens that are not cut yet
        self._open()
        self.buffer = torch.empty(0, length, dtype=torch.int32)
        first = []
        while len(first) < buffer and (len(self.pending) >= length or self._read()):
            if len(self.pending) >= length:
                first.append(self._cut())
        if not first:
            raise ValueError(f"a window has {length} tokens, but the text of {source} has only {len(self.pending)}")
        self.buffer = torch.stack(first)

    def sample(self, batch, generator):
        """B windows drawn from the buffer, each replaced by the next of the text: (B, T) int64."""
        drawn = torch.empty(batch, self.length, dtype=torch.int64)
        for row, place in enumerate(torch.randint(len(self.buffer), (batch,), generator=generator).tolist()):
            drawn[row] = self.buffer[place]
            while len(self.pending) < self.length:
                if not self._read():
                    self._open()
            self.buffer[place] = self._cut()
        return drawn

    def state(self):
        """All that the next windows depend on, beside the source: plain values and tensors."""
        return {
            "source": self.dataset.state_dict(),
            "pending": self.pending.clone(),
            "buffer": self.buffer.clone(),
            "counts": self.counts.clone(),
        }

    def restore(self, state):
        """Continue where `state` was taken."""
        self.pending, self.buffer, self.counts = (state[name].clone() for name in ("pending", "buffer", "counts"))
        self._open(state["source"])

    def _open(self, place=None):
        self.dataset = documents(self.source)
        if place is not None:
            self.dataset.load_state_dict(place)
        self.reader = iter(self.dataset)

    def _read(self):
        """Make tokens of the next documents; False at the end of the source."""
        read = list(islice(self.reader, AT_ONCE))
        for document in read:
            if not isinstance(document.get("text"), str):
                raise ValueError(f"{self.source}: a document must have a column \"text\"; these have {', '.join(document)}")
        encoded = self.words.encode_batch_fast([document["text"] for document in read])
        rows = [item.ids + [self.separator] * document.get("ends", True) for item, document in zip(encoded, read)]
        fresh = torch.tensor([token for row in rows for token in row], dtype=torch.int32)
        self.counts += torch.bincount(fresh, minlength=len(self.counts))
        self.pending = torch.cat([self.pending, fresh])
        return bool(read)

    def _cut(self):
        window, self.pending = self.pending[: self.length].clone(), self.pending[self.length :]
        return window
