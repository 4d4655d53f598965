"""Does it take positions to evaluate nested lists? ListOps for small classifiers that differ in their encoding, chapter 15.

The lists are those of the Long Range Arena, a twentieth as long: 25 to 100 tokens.
"""

import random
from dataclasses import replace

import torch

from ropebook.experiments import Experiment
from ropebook.finetuning import ClassifierTrainer, classify
from ropebook.listops import CLASSES, OPERATORS, TOKENS, expression
from ropebook.roformer import Classifier, RoFormerConfig
from ropebook.training import TrainingConfig

SHORTEST, LONGEST = 25, 100  # tokens
TESTED = 2048
TRAINING = TrainingConfig(steps=1200, batch=32, length=LONGEST, rate=2e-3, warmup=100)
SETTINGS = tuple({"encoding": encoding} for encoding in ("RoPE", "learned", "ALiBi", "NoPE"))


def expressions(count, generator):
    """So many fresh lists as numbers.

    generator  a `random.Random`
    returns    texts (count, LONGEST) int64, 0 after a list's end; values (count,) int64, 0 to 9
    """
    texts, values = torch.zeros(count, LONGEST, dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
    for row in range(count):
        tokens, values[row] = expression(generator, SHORTEST, LONGEST)
        texts[row, : len(tokens)] = torch.tensor([TOKENS.index(token) for token in tokens])
    return texts, values


class ListOpsTrainer(ClassifierTrainer):
    """Fresh lists at every step: nothing can be learnt by heart."""

    def __init__(self, model, config):
        super().__init__(model, torch.zeros(0, LONGEST), torch.zeros(0), config)
        self.random = random.Random(config.seed)

    def batch(self):
        texts, values = expressions(self.config.batch, self.random)
        return (texts, values, texts > 0), len(values)


def listops_run(setting, seed):
    """The trainer of one small classifier at its first step. setting  {"encoding": ...}"""
    torch.manual_seed(seed)
    model = Classifier(RoFormerConfig(len(TOKENS), width=64, layers=2, longest=LONGEST, **setting), CLASSES)
    return ListOpsTrainer(model, replace(TRAINING, seed=seed))


def listops(setting, seed):
    """Train one; "accuracy" on 2,048 fresh lists, "by_operator" [[first operator, accuracy]], "curve" [[step, mean of 100 losses]]."""
    run, curve = listops_run(setting, seed), []
    for step in range(1, TRAINING.steps + 1):
        curve.append(run.step().item())
    texts, values = expressions(TESTED, random.Random(1000 + seed))
    right = (classify(run.model, texts, batch=128, present=texts > 0) == values).double()
    first = {operator: texts[:, 0] == TOKENS.index(operator) for operator in OPERATORS}
    return {
        "accuracy": right.mean().item(),
        "by_operator": [[operator, right[rows].mean().item()] for operator, rows in first.items()],
        "curve": [[step, sum(curve[step - 100 : step]) / 100] for step in range(100, TRAINING.steps + 1, 100)],
    }


LISTOPS_EXPERIMENT = Experiment("nested lists of digits: what an encoding gives", SETTINGS, (0, 1, 2, 3, 4), listops)
