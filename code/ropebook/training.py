"""Masked-language-model training of the RoFormer, one step at a time, so that a run can be stopped and continued.

Shapes: B sequences in a batch, T tokens in a sequence, M blanks (masked tokens) in the batch, V tokens in the vocabulary.

Which windows of text and which blanks a batch has comes from one generator on the CPU. Its state is part of a checkpoint, so a
continued run sees the batches that an unbroken run would have seen. What dropout drops follows from the seed and the step alone.
"""

import io
import json
import math
import os
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from ropebook.processes import ALONE

PRECISIONS = ("auto", "float32", "bfloat16")
MASK_SHARE = 0.15  # of the tokens become blanks, as in BERT
EVALUATION_SEED = 0  # the held-out blanks are the same for every run


@dataclass(frozen=True)
class TrainingConfig:
    """How to train: numbers only, so that a run can be written down and repeated."""

    steps: int = 800
    batch: int = 16  # B, sequences
    length: int = 128  # T, tokens
    rate: float = 3e-3  # the highest learning rate
    warmup: int = 50  # steps in which the rate climbs from 0
    weight_decay: float = 0.01
    seed: int = 0

    def __post_init__(self):
        for name in ("steps", "batch", "length"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        if self.warmup < 0:
            raise ValueError(f"warmup must be zero or more steps, got {self.warmup}")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate must be a positive number, got {self.rate}")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"weight_decay must be zero or more, got {self.weight_decay}")


def learning_rate(step, config):
    """The rate of step 0, 1, ...: a straight climb over `warmup` steps, then half a cosine down to a tenth."""
    if step < config.warmup:
        return config.rate * (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.rate * (0.55 + 0.45 * math.cos(math.pi * done))


def sample_windows(stream, batch, length, generator):
    """B windows of T neighbouring tokens, each starting anywhere in the stream.

    stream   (N,) int64
    returns  (B, T) int64
    raises   ValueError if the stream is shorter than one window, naming both
    """
    if len(stream) < length:
        raise ValueError(f"a window has {length} tokens, but the text has only {len(stream)}")
    starts = torch.randint(len(stream) - length + 1, (batch, 1), generator=generator)
    return stream[starts + torch.arange(length)]  # (B, T)


def mask_tokens(tokens, mask_id, vocabulary, generator):
    """Choose the blanks and hide them as BERT does: 80 % [MASK], 10 % a random token, 10 % left as they are.

    tokens   (B, T) int64
    returns  inputs (B, T) int64, blanks (B, T) bool
    """
    blanks = torch.rand(tokens.shape, generator=generator) < MASK_SHARE
    fate = torch.rand(tokens.shape, generator=generator)
    random = torch.randint(vocabulary, tokens.shape, generator=generator)
    inputs = torch.where(blanks & (fate < 0.8), mask_id, tokens)
    return torch.where(blanks & (fate >= 0.9), random, inputs), blanks


def held_out_blanks(stream, length, count, mask_id):
    """The fixed test: `count` windows spread evenly over held-out text, 15 % of their tokens hidden behind [MASK].

    stream   (N,) int64
    returns  tokens (count, T), inputs (count, T), blanks (count, T) bool
    """
    if len(stream) < length:
        raise ValueError(f"a window has {length} tokens, but the text has only {len(stream)}")
    starts = torch.linspace(0, len(stream) - length, count).long().unsqueeze(1)
    tokens = stream[starts + torch.arange(length)]
    generator = torch.Generator().manual_seed(EVALUATION_SEED)
    blanks = torch.rand(tokens.shape, generator=generator) < MASK_SHARE
    return tokens, torch.where(blanks, mask_id, tokens), blanks


@contextmanager
def answering(model):
    """The model without gradients and without dropout, for a while."""
    was = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was)


def evaluate(model, tokens, inputs, blanks, batch=32):
    """Fill the blanks and score the answers.

    returns  {"loss": nats per blank, "top1": share of blanks whose first choice is right}
    """
    device = model.bias.device
    positions = torch.arange(tokens.shape[1])
    loss, right = 0.0, 0
    with answering(model):
        for t, i, b in zip(tokens.split(batch), inputs.split(batch), blanks.split(batch)):
            logits = model(i.to(device), positions, b.to(device)).float()  # (M, V)
            wanted = t[b].to(device)  # (M,)
            loss += F.cross_entropy(logits, wanted, reduction="sum").item()
            right += (logits.argmax(-1) == wanted).sum().item()
    return {"loss": loss / blanks.sum().item(), "top1": right / blanks.sum().item()}


def unigram_guess(stream, wanted, vocabulary):
    """The score of a guesser who knows only how often each token occurs in the training stream.

    returns  {"loss": nats per blank, "top1": share of the wanted tokens that are the commonest token}
    """
    return guess_by_counts(torch.bincount(stream, minlength=vocabulary), wanted)


def guess_by_counts(counts, wanted):
    """`unigram_guess` of one who knows how often each token occurs: counts (V,)."""
    counts = counts + 1.0  # no token is impossible
    loss = -torch.log(counts / counts.sum())[wanted].mean().item()
    return {"loss": loss, "top1": (wanted == counts.argmax()).double().mean().item()}


def pick_device(name="auto"):
    """The device called `name`; "auto" takes the GPU when there is one.

    raises   ValueError if there is no such device here, naming it
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used here: {error}") from None
    return device


def pick_precision(name, device):
    """"float32" or "bfloat16"; "auto" takes bfloat16 where a GPU has units for it.

    raises   ValueError for another name
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}; got {name!r}")
    if name != "auto":
        return name
    return "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False) else "float32"


def precision(device, name="auto"):
    """A context in which matrix products are computed in the precision of that name; weights stay float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if pick_precision(name, device) == "bfloat16" else nullcontext()


class Trainer:
    """A model, its optimiser and the generator of its batches, after so many steps.

    Another task is a subclass with another `batch` and `total_loss`; see causal.py.
    """

    def __init__(self, model, stream, mask_id, config, precision="auto", team=ALONE):
        """The model is trained where it is.

        stream     (N,) int64 on the CPU, or a `ropebook.streaming.StreamedText`; None for a trainer whose `batch` draws no windows
        precision  "auto", "float32" or "bfloat16", see `pick_precision`
        team       the processes that share the work; all must have the same arguments
        """
        self.model, self.stream, self.mask_id, self.config, self.precision, self.team = model, stream, mask_id, config, precision, team
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=config.rate, weight_decay=config.weight_decay, fused=True)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.positions = torch.arange(config.length)
        self.drops = any(isinstance(part, nn.Dropout) and part.p > 0 for part in model.modules())
        self.done = 0  # steps

    @property
    def device(self):
        return next(self.model.parameters()).device

    @property
    def streamed(self):
        """Whether the text remembers how far it was read."""
        return self.stream is not None and not isinstance(self.stream, torch.Tensor)

    def windows(self, length):
        """Fresh windows of the text, (B, length) int64."""
        if self.streamed:
            return self.stream.sample(self.config.batch, self.generator)
        return sample_windows(self.stream, self.config.batch, length, self.generator)

    def batch(self):
        """One fresh batch of all processes: tensors of B rows on the CPU, and the number of answers that its loss is the mean of."""
        tokens = self.windows(self.config.length)  # (B, T)
        inputs, blanks = mask_tokens(tokens, self.mask_id, self.model.config.vocabulary, self.generator)
        return (tokens, inputs, blanks), blanks.sum().item()

    def total_loss(self, tokens, inputs, blanks):
        """The sum of the losses of some rows of a batch, nats."""
        with precision(self.device, self.precision):
            logits = self.model(inputs.to(self.device), self.positions, blanks.to(self.device))  # (M, V)
        return F.cross_entropy(logits.float(), tokens[blanks].to(self.device), reduction="sum")

    def loss(self):
        """The mean loss of one fresh batch, nats per answer; of several processes each has its part, and the parts add up to it."""
        batch, answers = self.batch()
        return self.total_loss(*map(self.team.share, batch)) / max(1, answers)

    def step(self):
        """One batch, one update. Returns the batch's loss, a tensor without gradient."""
        if self.drops:
            torch.manual_seed(dropout_seed(self.config.seed, self.done, self.team.rank))
        loss = self.loss()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.done, self.config)
        self.optimiser.zero_grad()
        loss.backward()
        loss = loss.detach()
        self.team.add_up([loss, *(weight.grad for weight in self.model.parameters() if weight.grad is not None)])
        self.optimiser.step()
        self.done += 1
        return loss

    def state(self):
        """All that the next steps depend on, beside the text and the config."""
        state = {
            "done": self.done,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
        }
        return {**state, "text": self.stream.state()} if self.streamed else state

    def restore(self, state):
        """Continue where `state` was taken."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        if self.streamed:
            self.stream.restore(state["text"])
        self.done = state["done"]


def dropout_seed(seed, step, rank):
    """A seed for what a process drops in a step: another for each step, process and run."""
    return mixed_seed(seed, rank, step)


def mixed_seed(*numbers):
    """One seed below 2^32 for several whole numbers; others give another, up to a chance of 1 in 2^32.

    Numbers side by side in the bits of a seed would not do: torch's generator on the CPU looks at the last 32 of them only.
    """
    return int(np.random.SeedSequence([number % 2**64 for number in numbers]).generate_state(1)[0])


@contextmanager
def progress_bar(steps, done=0, disable=False):
    """A bar on standard output; its last state shows no times, so that a notebook's output is the same each run.

    steps    of the whole run
    done     of them already made
    disable  True shows nothing; None shows nothing unless standard output is a terminal
    returns  a context manager: `with progress_bar(800) as bar: ...; bar.update()` after each step
    """
    counts = "{percentage:3.0f}% |{bar:30}| {n_fmt}/{total_fmt} steps"
    with tqdm(total=steps, initial=done, file=sys.stdout, bar_format=counts + ", {remaining} left", mininterval=1, disable=disable) as bar:
        yield bar
        bar.bar_format = counts


def write_atomically(path, data):
    """Write bytes so that whoever looks, even after a power cut, finds the old file or the new one, never half of one."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def to_json(value):
    """Plain values as the bytes of a JSON file."""
    return (json.dumps(value, indent=1) + "\n").encode()


def save_checkpoint(path, state):
    """Save a state of plain values and tensors atomically."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path):
    """Load what `save_checkpoint` saved: tensors and plain values only, on the CPU, no code.

    raises   ValueError if the file is something else, naming it
    """
    if not is_zipfile(path):
        raise ValueError(f"{path} is not a checkpoint: PyTorch writes a zip file, this is something else or half of one")
    return torch.load(path, map_location="cpu", weights_only=True)
