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
BEST = {"RoPE": 3e-3, "ALiBi": 3e-3, "T5": 3e-3, "sinusoidal": 1e-3, "learned": 1e-3, "NoPE": 1e-3}  # as tuned
NORM_SETTINGS = (("pre-LN", 3e-3, 50), ("post-LN", 3e-3, 50), ("post-LN", 1e-3, 0), ("post-LN", 1e-3, 300))  # rate and steps of warm-up


def new_run(setting, seed):
    """A model that has learned nothing, and what trains it: the weights that all encodings have start the same.

    setting  {"encoding": ..., "rate": ...} and, where they are others than usual, "norm", "warmup" and "steps"
    """
    train, _, vocabulary = texts()
    torch.manual_seed(seed)
    shared = RoFormer(RoFormerConfig(vocabulary))
    model = RoFormer(RoFormerConfig(vocabulary, encoding=setting["encoding"], longest=LENGTH, norm=setting.get("norm", "pre-LN")))
    model.load_state_dict({name: shared.state_dict().get(name, weight) for name, weight in model.state_dict().items()})
    asked = {name: setting[name] for name in ("rate", "warmup", "steps") if name in setting}
    config = TrainingConfig(**{"steps": STEPS, "length": LENGTH, "seed": seed, **asked})
    return Trainer(model, train, tokenizer().token_to_id("[MASK]"), config)


def trained(setting, seed, stop=None):
    """Train one model on the training addresses; its score on held-out blanks on the way and at the end.

    setting  as for `new_run`
    stop     the last step: fewer than all give the beginning of the same run
    returns  dict: "losses" [[step, nats per blank]] of a quarter of the windows; of all of them "loss" and "top1"
    """
    run = new_run(setting, seed)
    questions = held_out_blanks(texts()[1], LENGTH, WINDOWS, run.mask_id)
    losses = []
    for step in range(1, (stop or run.config.steps) + 1):
        run.step()
        if step % EVERY == 0:
            losses.append([step, evaluate(run.model, *(part[::4] for part in questions))["loss"]])
    return {"losses": losses, **evaluate(run.model, *questions)}


SEEDS = (0, 1, 2, 3, 4)
RATE_EXPERIMENT = Experiment(
    "the learning rate of each encoding that fills blanks",
    tuple({"encoding": encoding, "rate": rate} for encoding in ENCODINGS for rate in RATES),
    (TUNING_SEED,),
    trained,
)
PRETRAINING_EXPERIMENT = Experiment(
    "filling blanks with RoPE and with its rivals, each with its best learning rate",
    tuple({"encoding": encoding, "rate": rate} for encoding, rate in BEST.items()),
    SEEDS,
    trained,
)
PLATEAU_EXPERIMENT = Experiment(
    "how long an encoding that adds a vector stays on the plateau, beside RoPE",
    tuple({"encoding": encoding, "rate": BEST[encoding], "steps": LONG} for encoding in ("RoPE", "sinusoidal")),
    (0,),
    trained,
)
NORM_EXPERIMENT = Experiment(
    "the normalisation before or after the sum, with and without a warm-up",
    tuple({"norm": norm, "rate": rate, "warmup": warmup, "encoding": "RoPE", "steps": 600} for norm, rate, warmup in NORM_SETTINGS),
    SEEDS,
    trained,
)
