"""Does RoPE translate better than sinusoidal waves, and should cross-attention be rotated? The paper's Table 1 in miniature.

For a seed all models see the same batches and start from the same weights. The learning rate is the best of a grid, found with
short runs of a seed that the comparison does not use.
"""

from functools import lru_cache

import torch

from ropebook.experiments import Experiment
from ropebook.pairs import pairs, translation_tokenizer
from ropebook.roformer import CrossAttention, RoFormerConfig, Translator
from ropebook.rotation_torch import rotate
from ropebook.training import TrainingConfig
from ropebook.translation import TranslationTrainer, bleu, encoded, translate, translation_scores

STEPS, SHORT, LONG = 800, 300, 2000
RATES = (1e-3, 3e-3, 1e-2)
TUNING_SEED = 5
EVERY = 100  # steps between two looks at the validation pairs
SIZES = {"layers": 2}  # of the encoder, and as many of the decoder
LENGTH = 100  # tokens of a text that are read in training; no held-out text has more


class RotatedCross(CrossAttention):
    """Cross-attention that turns its queries and keys, as if the two texts shared one line of positions."""

    theta = None  # (D/2,) of the decoder that it stands in

    def mix(self, q, k, v, mask):
        turn = lambda x: rotate(x, torch.arange(x.shape[-2]), self.theta)
        return super().mix(turn(q), turn(k), v, mask)


def rotate_cross(model):
    """Let the cross-attention of a `Translator` turn its queries and keys, with the weights that it has."""
    for block in model.decoder.blocks:
        block.cross.__class__, block.cross.theta = RotatedCross, model.decoder.theta


@lru_cache(maxsize=3)
def texts(split):
    """The pairs of a split as token ids, made once a process."""
    return encoded(pairs(split), translation_tokenizer())


def new_run(setting, seed):
    """A model that has learned nothing, and what trains it.

    setting  {"encoding": ..., "rate": ...}, and "cross": "rotated" for a model that rotates its cross-attention, "steps" if not STEPS
    """
    torch.manual_seed(seed)
    words = translation_tokenizer()
    model = Translator(RoFormerConfig(words.get_vocab_size(), encoding=setting["encoding"], **SIZES))
    if setting.get("cross") == "rotated":
        rotate_cross(model)
    config = TrainingConfig(steps=setting.get("steps", STEPS), batch=64, length=LENGTH, rate=setting["rate"], warmup=100, seed=seed)
    return TranslationTrainer(model, *texts("train"), config)


def trained(setting, seed, stop=None):
    """Train one model; how well it guesses the next token of validation pairs on the way.

    returns  the trainer; "losses" [[step, nats per token]]
    """
    run, losses = new_run(setting, seed), []
    for step in range(1, (stop or run.config.steps) + 1):
        run.step()
        if step % EVERY == 0:
            losses.append([step, translation_scores(run.model, *texts("validation"))["loss"]])
    return run, losses


def tuned(setting, seed):
    """A short run, for the choice of a rate."""
    return {"losses": trained(setting, seed)[1]}


def compared(setting, seed):
    """A full run, and its translations of the test pairs, which the first seed keeps.

    returns  dict: "losses", "loss" and "top1" on the test pairs, "bleu" and "greedy" (the BLEU of width 1) with its "signature"
    """
    run, losses = trained(setting, seed)
    asked, words = pairs("test"), translation_tokenizer()
    english, german = [pair.english for pair in asked], [pair.german for pair in asked]
    found = translate(run.model, english, words)
    score, signature = bleu(found, german)
    greedy, _ = bleu(translate(run.model, english, words, width=1), german)
    kept = {"translations": found} if seed == 0 else {}
    return {"losses": losses, **translation_scores(run.model, *texts("test")), "bleu": score, "greedy": greedy, "signature": signature, **kept}


BEST = {"RoPE": 3e-3, "sinusoidal": 3e-3}  # as tuned
TRANSLATION_RATES = Experiment(
    "the learning rate of each encoding that translates",
    tuple({"encoding": encoding, "rate": rate, "steps": SHORT} for encoding in BEST for rate in RATES),
    (TUNING_SEED,),
    tuned,
)
RACERS = (
    *({"encoding": encoding, "rate": rate, "cross": "plain"} for encoding, rate in BEST.items()),
    {"encoding": "RoPE", "rate": BEST["RoPE"], "cross": "rotated"},
)
TRANSLATION_EXPERIMENT = Experiment(
    "translating with RoPE, with sinusoidal waves, and with rotated cross-attention", RACERS, (0, 1, 2, 3, 4), compared
)
TRANSLATION_LONG = Experiment(
    "whether what the translators differ in lasts when they train longer", tuple({**setting, "steps": LONG} for setting in RACERS), (0,), compared
)
