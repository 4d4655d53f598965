"""Fine-tuning on whole texts: those that have a label, and triplets of which two belong together. Chapter 15.

Shapes: N texts, B of them in a batch, T tokens of each, K classes, C features of a text's vector.
"""

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

from ropebook.processes import ALONE
from ropebook.training import Trainer, answering, mixed_seed, precision

TEMPERATURE = 0.05  # of the likenesses that a matcher is trained on: cosines differ by less than scores do
TIE = 1e-5  # likenesses that differ by less are equal: float32 sums of the same numbers in another order differ by about 1e-6


def start_from(model, other):
    """Copy into a model the weights of another that have a place in it; the rest keeps the values that it has.

    returns  the names of the weights that were copied, in the model's order
    raises   ValueError if there is none, or if one has another shape, naming it and both shapes
    """
    given, own = other.state_dict(), model.state_dict()
    names = [name for name in own if name in given]
    if not names:
        raise ValueError(f"no weight of a {type(other).__name__} has a place in a {type(model).__name__}")
    for name in names:
        if own[name].shape != given[name].shape:
            raise ValueError(f"{name} has shape {tuple(own[name].shape)} here and {tuple(given[name].shape)} in the model to start from")
    model.load_state_dict({name: given[name] for name in names}, strict=False)
    return names


def epoch_rows(count, batch, step, seed):
    """Which of `count` examples a step is trained on: an epoch goes through them in an order of its own, so that none comes twice in it.

    What is left at the end of an epoch, too little for a batch, is not used in it; another epoch's order leaves out others.

    count    examples, at least 1
    batch    B, of them in a step
    step     0, 1, ... of the run
    returns  (B,) int64, or (count,) if there are fewer than B
    """
    batch = min(batch, count)
    epoch, place = divmod(step, count // batch)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(mixed_seed(seed, epoch)))
    return order[place * batch : (place + 1) * batch]


class ClassifierTrainer(Trainer):
    """Trains a `Classifier` on texts of the same length, of which it reads the first `config.length` tokens."""

    def __init__(self, model, texts, labels, config, precision="auto", team=ALONE):
        """texts (N, at least T) int64, labels (N,) int64, both on the CPU; the rest as `Trainer`.

        raises   ValueError if a text has fewer tokens than are to be read
        """
        super().__init__(model, None, None, config, precision, team)
        self.texts, self.labels = cut(texts, config.length), labels

    def batch(self):
        rows = epoch_rows(len(self.labels), self.config.batch, self.done, self.config.seed)
        return (self.texts[rows], self.labels[rows]), len(rows)

    def total_loss(self, tokens, labels, present=None):
        """present: (B, T) bool where texts are padded."""
        present = None if present is None else present.to(self.device)
        with precision(self.device, self.precision):
            logits = self.model(tokens.to(self.device), self.positions, present)  # (B, K)
        return F.cross_entropy(logits.float(), labels.to(self.device), reduction="sum")


def cut(texts, length):
    """The first T tokens of each text: texts (N, at least T), returns (N, T). ValueError if they are shorter, naming both."""
    if texts.shape[1] < length:
        raise ValueError(f"texts of {texts.shape[1]} tokens cannot be read up to token {length}")
    return texts[:, :length]


def classify(model, texts, batch=16, present=None):
    """The class that a `Classifier` finds most likely for each text.

    texts    (N, T) int64
    present  (N, T) bool where texts are padded
    returns  (N,) int64 on the CPU
    """
    positions, device = torch.arange(texts.shape[1]), model.output.weight.device
    given = [texts] if present is None else [texts, present]
    parts = zip(*(some.to(device).split(batch) for some in given))
    with answering(model):
        return torch.cat([model(tokens, positions, *mask).argmax(-1).cpu() for tokens, *mask in parts])


def confusion(labels, guesses, classes):
    """How often each class was taken for each: (K, K) int64, a row for each true class."""
    return torch.bincount(labels * classes + guesses, minlength=classes**2).view(classes, classes)


def classification_scores(table):
    """Accuracy and macro-F1: the mean over the classes of 2 · right / (times present + times guessed).

    table    (K, K)  from `confusion`; a class that is neither present nor guessed counts as 0
    returns  {"accuracy": share, "macro_f1": share}
    """
    right, sizes = table.diagonal().double(), table.sum(0) + table.sum(1)
    return {"accuracy": (right.sum() / table.sum()).item(), "macro_f1": (2 * right / sizes.clamp(min=1)).mean().item()}


class MatcherTrainer(Trainer):
    """Trains a `Matcher` on triplets: of all positives and negatives in the batch, an anchor should be most like its own positive."""

    def __init__(self, model, triplets, words, config, precision="auto", team=ALONE):
        """triplets: list of (anchor, positive, negative), texts; words: their tokenizer; the rest as `Trainer`.

        raises   ValueError for several processes: each would compare its texts with those of its own share only
        """
        if team.size > 1:
            raise ValueError(f"a matcher compares all texts of a batch with each other, so it trains in one process, not in {team.size}")
        super().__init__(model, None, None, config, precision, team)
        self.sides = [tokenized(side, words, config.length) for side in zip(*triplets)]

    def batch(self):
        rows = epoch_rows(len(self.sides[0]), self.config.batch, self.done, self.config.seed)
        return [part for side in self.sides for part in padded([side[row] for row in rows])], len(rows)

    def total_loss(self, *parts):
        pairs = [part.to(self.device) for part in parts]
        with precision(self.device, self.precision):
            anchors, positives, negatives = (vectors_of(self.model, *pairs[i : i + 2]) for i in (0, 2, 4))  # (B, C) each
        likeness = anchors.float() @ torch.cat([positives, negatives]).float().T  # (B, 2 B)
        return F.cross_entropy(likeness / TEMPERATURE, torch.arange(len(anchors), device=self.device), reduction="sum")


def tokenized(texts, words, length=None):
    """The first T tokens of each text, or all, a list of (at most T,) int64; an empty text has none."""
    return [torch.tensor(item.ids[:length], dtype=torch.int64) for item in words.encode_batch(list(texts))]


def padded(texts):
    """Texts of any length as one batch: tokens (B, T) int64, 0 at padding, and present (B, T) bool."""
    tokens = pad_sequence(texts, batch_first=True)
    lengths = torch.tensor([len(text) for text in texts])
    return tokens, torch.arange(tokens.shape[1]) < lengths[:, None]


def vectors_of(model, tokens, present):
    """The vectors of a `Matcher` for a batch from `padded`: (B, C). Without padding the model is told of none: attention is faster so."""
    return model(tokens, torch.arange(tokens.shape[1]), None if present.all() else present)


def told_right(model, triplets, words, length, batch=32):
    """For each triplet whether the anchor is more like its positive; a tie, up to rounding, is half right.

    A text in another order is a tie for a model without positions only if all of it is read: what is cut off differs, too.

    triplets  list of (anchor, positive, negative), texts
    length    T, tokens of each that are read
    returns   (N,) float64 of 0, 0.5 and 1
    """
    sides = [tokenized(side, words, length) for side in zip(*triplets)]
    device, scores = model.embedding.weight.device, []
    with answering(model):
        for first in range(0, len(triplets), batch):
            anchor, positive, negative = (vectors_of(model, *(part.to(device) for part in padded(side[first : first + batch]))) for side in sides)
            scores.append(((positive - negative) * anchor).sum(-1).double().cpu())
    lead = torch.cat(scores)
    return (lead.sign() * (lead.abs() > TIE) + 1) / 2
