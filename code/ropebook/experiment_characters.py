"""Does a linear attention gain from RoPE when it reads characters? The right half of the paper's Figure 3 in miniature.

The paper has a Performer of 12 layers on Enwik8. Here a small causal model with elu + 1 in place of random features reads the
addresses, character by character; another corpus gives other bits, so only the differences mean something.
"""

import math
from functools import lru_cache

import numpy as np
import torch

from ropebook.causal import CausalTrainer, held_out_ends, loss_at_length
from ropebook.experiments import Experiment
from ropebook.roformer import RoFormer, RoFormerConfig
from ropebook.text import addresses
from ropebook.training import TrainingConfig

STEPS, LENGTH, WINDOWS, EVERY = 400, 128, 256, 100
SETTINGS = (
    {"attention": "equation 19", "encoding": "RoPE"},
    {"attention": "rotate first", "encoding": "RoPE"},
    {"attention": "plain", "encoding": "learned"},
    {"attention": "plain", "encoding": "NoPE"},
)


@lru_cache(maxsize=1)
def characters():
    """The training and the held-out addresses as numbers, one for each character, (N,) int64 each, and how many there are.

    0 stands for a character that is not in the training text; an address ends with a line break.
    """
    texts = ["\n".join([*(address.text for address in addresses(split)), ""]) for split in ("train", "validation")]
    points = [np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32) for text in texts]
    known = np.unique(points[0])
    ids = [np.where(np.isin(point, known), np.searchsorted(known, point) + 1, 0) for point in points]
    return *(torch.from_numpy(some.astype(np.int64)) for some in ids), len(known) + 1


def trained(setting, seed, stop=STEPS):
    """Train one model on the characters of the training addresses; what it needs for a held-out one, on the way.

    setting  {"attention": ..., "encoding": ...} of a `RoFormerConfig`
    stop     the last step: fewer than STEPS give the beginning of the same run
    returns  dict: "curve" [[step, bits per character]], and the last of them as "bits"
    """
    train, held_out, count = characters()
    torch.manual_seed(seed)
    model = RoFormer(RoFormerConfig(count, causal=True, longest=LENGTH, **setting))
    trainer = CausalTrainer(model, train, TrainingConfig(steps=STEPS, length=LENGTH, seed=seed))
    ends, curve = held_out_ends(held_out, LENGTH, WINDOWS), []
    for step in range(1, stop + 1):
        trainer.step()
        if step % EVERY == 0:
            curve.append([step, loss_at_length(model, held_out, ends, LENGTH, scored=LENGTH).mean().item() / math.log(2)])
    return {"curve": curve, "bits": curve[-1][1]}


CHARACTER_EXPERIMENT = Experiment("linear attention on characters, with and without RoPE", SETTINGS, (0, 1, 2, 3, 4), trained)
