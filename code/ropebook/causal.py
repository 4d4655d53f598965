"""Training and testing a RoFormer that predicts the next token: the decoder's task, with the trainer of chapter 14.

Shapes: B sequences, T tokens, W windows of held-out text.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F

from ropebook.processes import ALONE
from ropebook.text import token_stream, tokenizer
from ropebook.training import Trainer, answering, precision


@lru_cache(maxsize=1)
def texts():
    """The training and the held-out stream of the book's text, (N,) int64 each, and the size V of its vocabulary; made once a process."""
    words = tokenizer()
    return *(torch.from_numpy(token_stream(split, words)) for split in ("train", "validation")), words.get_vocab_size()


class CausalTrainer(Trainer):
    """Predicts every token of a window from those before it. A batch has one token more than `length`: the last is only predicted."""

    def __init__(self, model, stream, config, precision="auto", team=ALONE):
        """model: a causal RoFormer; the rest as `Trainer`, but windows of streamed text have `length` + 1 tokens."""
        super().__init__(model, stream, None, config, precision, team)

    def batch(self):
        return (self.windows(self.config.length + 1),), self.config.batch * self.config.length  # (B, T + 1)

    def total_loss(self, tokens):
        tokens = tokens.to(self.device)
        with precision(self.device, self.precision):
            logits = self.model(tokens[:, :-1], self.positions)  # (B, T, V)
        return F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten(), reduction="sum")


def held_out_next(stream, length, count):
    """The fixed test in the form that `evaluate` takes: `count` windows spread evenly over held-out text, every token to be predicted.

    stream   (N,) int64
    returns  tokens (count, T), inputs (count, T): the tokens before them, and blanks (count, T) bool, all true
    raises   ValueError if the stream is too short, naming both numbers
    """
    windows = stream[held_out_ends(stream, length, count)[:, None] + torch.arange(-length, 1)]  # (count, T + 1)
    return windows[:, 1:], windows[:, :-1], torch.ones(count, length, dtype=torch.bool)


def held_out_ends(stream, longest, count):
    """Where the test windows end: `count` places spread evenly over held-out text, with `longest` tokens before each.

    stream   (N,) int64
    returns  (W,) int64: stream[end] is the last token predicted
    raises   ValueError if the stream is too short, naming both numbers
    """
    if len(stream) <= longest:
        raise ValueError(f"{longest} tokens and one more are needed, but the text has only {len(stream)}")
    return torch.linspace(longest, len(stream) - 1, count).long()


def loss_at_length(model, stream, ends, length, scored=64, start=0, tokens_at_once=8192):
    """The loss of the same tokens with more or less text before them: the last `scored` tokens up to each end.

    model          a causal RoFormer
    stream         (N,) int64
    ends           (W,) int64, from `held_out_ends`
    length         T, tokens that the model sees: the last of them predicts stream[end]
    start          position of the first of them
    tokens_at_once of a batch; changes nothing but memory
    returns        (W,) float64: nats per token, for each window
    raises         ValueError if fewer than `scored` tokens are seen, or a window has fewer than `length` tokens before its end
    """
    if not 1 <= scored <= length:
        raise ValueError(f"scored must be 1 to length = {length} tokens, got {scored}")
    if ends.min() < length:
        raise ValueError(f"a window needs {length} tokens before its end, but one ends at {ends.min()}")
    windows = stream[ends[:, None] + torch.arange(-length, 1)]  # (W, T + 1)
    positions, wanted = torch.arange(start, start + length), torch.zeros(length, dtype=torch.bool)
    wanted[-scored:] = True
    losses = []
    with answering(model):
        for batch in windows.split(max(1, tokens_at_once // length)):
            logits = model(batch[:, :-1], positions, wanted.expand(len(batch), -1))  # (B · scored, V)
            each = F.cross_entropy(logits.float(), batch[:, -scored:].flatten(), reduction="none")
            losses.append(each.double().view(len(batch), -1).mean(1))
    return torch.cat(losses)
