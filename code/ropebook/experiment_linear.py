"""Does equation 19 give linear attention an order that it can use? Six small causal models beside each other."""

import torch

from ropebook.causal import CausalTrainer, held_out_ends, loss_at_length, texts
from ropebook.experiments import Experiment
from ropebook.roformer import RoFormer, RoFormerConfig
from ropebook.training import TrainingConfig

STEPS, LENGTH, WINDOWS = 400, 64, 256
REPORTS = (50, 100, 200, 300, 400)  # steps after which the held-out loss is measured

SETTINGS = (
    {"attention": "equation 19", "encoding": "RoPE"},
    {"attention": "rotate first", "encoding": "RoPE"},
    {"attention": "rotated denominator", "encoding": "RoPE"},
    {"attention": "one plus cosine", "encoding": "RoPE"},
    {"attention": "plain", "encoding": "learned"},
    {"attention": "plain", "encoding": "NoPE"},
    {"attention": "softmax", "encoding": "RoPE"},
)


def trained(setting, seed, stop=STEPS):
    """Train one model on the training addresses; its held-out loss on the way.

    setting  {"attention": ..., "encoding": ...} of a `RoFormerConfig`
    stop     the last step: fewer than STEPS give the beginning of the same run
    returns  dict: "losses" [[step, nats per token]], "largest training loss" of any batch; None where it was not a number
    """
    train, held_out, vocabulary = texts()
    torch.manual_seed(seed)
    model = RoFormer(RoFormerConfig(vocabulary, causal=True, longest=LENGTH, **setting))
    trainer = CausalTrainer(model, train, TrainingConfig(steps=STEPS, length=LENGTH, seed=seed))
    ends, losses, batches = held_out_ends(held_out, LENGTH, WINDOWS), [], []
    for step in range(1, stop + 1):
        batches.append(trainer.step().item())
        if step in REPORTS:
            losses.append([step, number(loss_at_length(model, held_out, ends, LENGTH, scored=LENGTH).mean().item())])
    return {"losses": losses, "largest training loss": number(max(batches, key=lambda loss: (loss != loss, loss)))}


def number(value):
    """The value, or None if it is infinite or not a number: JSON has no word for those."""
    return value if abs(value) < float("inf") else None


LINEAR_EXPERIMENT = Experiment("linear attention with and without RoPE", SETTINGS, (0, 1, 2, 3, 4), trained)
