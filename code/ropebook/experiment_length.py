"""What happens to a model on texts longer than those it was trained on, and which repairs help? Small causal models, 64 tokens.

Every length is tested on the same tokens, the last 32 before each of 128 places of held-out text; what changes is how much
text stands before them. So a model that uses its context can only gain from more of it, and a loss that rises is a failure
to read far positions.
"""

import torch

from ropebook.causal import CausalTrainer, held_out_ends, loss_at_length, texts
from ropebook.experiments import Experiment
from ropebook.extension import by_parts, interpolated, llama3, ntk_aware, proportional, rebased, unchanged, yarn_code, yarn_paper
from ropebook.roformer import RoFormer, RoFormerConfig
from ropebook.training import TrainingConfig

STEPS, LENGTH, FACTORS = 600, 64, (1, 2, 4, 8)
WINDOWS, SCORED = 128, 32
EARLY = 200  # steps after which the chapter's live replica stops
SHIFTS = (0, 1, 10, 100, 1000, 100_000)
TUNED_FACTOR = 4
TUNING = TrainingConfig(steps=50, batch=4, length=TUNED_FACTOR * LENGTH, rate=1e-3, warmup=5)
SHARE = 0.75  # of the pairs that turn in p-RoPE

# The models turn at most 64/2π = 10.2 times in a training text, so no pair reaches the 32 turns that YaRN's paper keeps: the
# ramp "1 to 32" slows every pair down; "1/4 to 4" spares the two fastest.
METHODS = {
    "none": lambda d, base, s: unchanged(d, base),
    "PI": interpolated,
    "NTK-aware": ntk_aware,
    "by parts, 1/4 to 4": lambda d, base, s: by_parts(d, base, s, LENGTH, 0.25, 4),
    "YaRN, 1 to 32": lambda d, base, s: yarn_paper(d, base, s, LENGTH),
    "YaRN, 1/4 to 4": lambda d, base, s: yarn_paper(d, base, s, LENGTH, 0.25, 4),
    "YaRN's code, 1/4 to 4": lambda d, base, s: yarn_code(d, base, s, LENGTH, 0.25, 4),
    "Llama 3": lambda d, base, s: llama3(d, base, s, LENGTH),
    "base 500,000": lambda d, base, s: rebased(d, 500_000.0),
}
SETTINGS = tuple({"model": name} for name in ("RoPE", "ALiBi", "sinusoidal", "NoPE", "p-RoPE"))  # a learned table ends with the training texts


def new_run(setting, seed):
    """A model that has learned nothing, and what trains it."""
    train, _, vocabulary = texts()
    torch.manual_seed(seed)
    name = "RoPE" if setting["model"] == "p-RoPE" else setting["model"]
    model = RoFormer(RoFormerConfig(vocabulary, encoding=name, causal=True))
    if setting["model"] == "p-RoPE":
        model.theta = proportional(model.config.head_dim, model.config.base, SHARE).theta
    return CausalTrainer(model, train, TrainingConfig(steps=STEPS, length=LENGTH, seed=seed))


def loss(model, length, start=0):
    """Nats per token of the test tokens, with so many tokens of text in sight."""
    _, held_out, _ = texts()
    ends = held_out_ends(held_out, FACTORS[-1] * LENGTH, WINDOWS)
    return loss_at_length(model, held_out, ends, length, SCORED, start).mean().item()


def set_method(model, method, factor):
    """Give the model the frequencies of a method for a text `factor` times as long."""
    model.theta, model.scale = METHODS[method](model.config.head_dim, model.config.base, factor)


def by_length(model, method="none", factors=FACTORS):
    """The loss at each length, the method's factor following the length: [[tokens, nats per token]]."""
    found = []
    for factor in factors:
        if method != "none":
            set_method(model, method, factor)
        found.append([factor * LENGTH, loss(model, factor * LENGTH)])
    return found


def tuned(weights, seed, method):
    """Continue the training on longer texts, with the method's frequencies for them; the loss at each length."""
    trainer = new_run({"model": "RoPE"}, seed)
    trainer.model.load_state_dict(weights)
    set_method(trainer.model, method, TUNED_FACTOR)
    tuner = CausalTrainer(trainer.model, trainer.stream, TUNING)
    while tuner.done < TUNING.steps:
        tuner.step()
    return [[factor * LENGTH, loss(tuner.model, factor * LENGTH)] for factor in FACTORS]


def trained(setting, seed):
    """Train one model and test it; a RoPE model with every method, as it is and after a short fine-tuning.

    setting  {"model": ...}
    returns  dict: "early" and "by length" [[tokens, loss]], "shifted" [[start, loss]], and for RoPE "early PI",
             "zero-shot" and "fine-tuned" {method: [[tokens, loss]]}
    """
    trainer, found = new_run(setting, seed), {}
    model, kind = trainer.model, setting["model"]
    while trainer.done < STEPS:
        trainer.step()
        if trainer.done == EARLY:
            found["early"] = by_length(model)
            if kind == "RoPE":
                found["early PI"] = by_length(model, "PI")
                set_method(model, "none", 1)
    found["by length"] = by_length(model)
    found["shifted"] = [[start, loss(model, LENGTH, start)] for start in SHIFTS]
    if kind == "RoPE":
        found["zero-shot"] = {method: by_length(model, method, FACTORS[1:]) for method in METHODS}
        found["fine-tuned"] = {method: tuned(model.state_dict(), seed, method) for method in METHODS}
    return found


LENGTH_EXPERIMENT = Experiment("texts longer than those of the training, and the repairs", SETTINGS, (0, 1, 2, 3, 4), trained)
