"""Does a model with RoPE learn faster to fill blanks than its rivals? Six small encoders beside each other.

For a seed all six see the same batches and start from the same weights, but for those that only one of them has. The learning
rate of each encoding is the best of a grid, found with a seed that the comparison does not use.
"""

import torch

from ropebook.causal import texts
from ropebook.experiments import Experiment
from ropebook.roformer import ENCODINGS, RoFormer, RoFormerConfig
from ropebook.text import tokenizer
from ropebook.training import Trainer, TrainingConfig, evaluate, held_out_blanks

STEPS, LONG, LENGTH = 800, 4000, 64
RATES = (1e-3, 3e-3, 1e-2)
TUNING_SEED = 5
EVERY = 50  # steps between two looks at a quarter of the held-out windows
WINDOWS = 512


def new_run(encoding, rate, seed, steps=STEPS):
    """A model that has learned nothing, and what trains it: the weights that all encodings have start the same."""
    train, _, vocabulary = texts()
    torch.manual_seed(seed)
    shared = RoFormer(RoFormerConfig(vocabulary))
    model = RoFormer(RoFormerConfig(vocabulary, encoding=encoding, longest=LENGTH))
    model.load_state_dict(shared.state_dict(), strict=False)
    config = TrainingConfig(steps=steps, length=LENGTH, rate=rate, seed=seed)
    return Trainer(model, train, tokenizer().token_to_id("[MASK]"), config)


def trained(setting, seed, stop=None):
    """Train one model on the training addresses; its score on held-out blanks on the way and at the end.

    setting  {"encoding": ..., "rate": ...}, and "steps" if other than STEPS
    stop     the last step: fewer than all give the beginning of the same run
    returns  dict: "losses" [[step, nats per blank]] of a quarter of the windows; of all of them "loss" and "top1"
    """
    run = new_run(setting["encoding"], setting["rate"], seed, setting.get("steps", STEPS))
    questions = held_out_blanks(texts()[1], LENGTH, WINDOWS, run.mask_id)
    losses = []
    for step in range(1, (stop or run.config.steps) + 1):
        run.step()
        if step % EVERY == 0:
            losses.append([step, evaluate(run.model, *(part[::4] for part in questions))["loss"]])
    return {"losses": losses, **evaluate(run.model, *questions)}


RATE_EXPERIMENT = Experiment(
    "the learning rate of each encoding that fills blanks",
    tuple({"encoding": encoding, "rate": rate} for encoding in ENCODINGS for rate in RATES),
    (TUNING_SEED,),
    trained,
)
