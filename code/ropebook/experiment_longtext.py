"""What does fine-tuning on longer texts show, and what does it say of the encoding? The three experiments of chapter 15.

The centre is the paper's: the pre-trained model, RoPE, texts cut off at 512 tokens. From there one factor varies: the cut-off,
the start, the encoding. A bag of words stands beside. `marks` asks the same of a text that we made ourselves, where one knows
which words matter.

A run's seed is also its fold: it chooses the years that are held out, the order of the texts and the first weights that no pre-training gave.
"""

from dataclasses import replace
from functools import lru_cache

import torch

from ropebook import eras
from ropebook.experiments import Experiment
from ropebook.finetuning import (
    ClassifierTrainer, MatcherTrainer, classification_scores, classify, confusion, start_from, told_right,
)  # fmt: skip
from ropebook.passages import KINDS, triplets
from ropebook.roformer import Classifier, Matcher, RoFormerConfig
from ropebook.text import data_file, tokenizer
from ropebook.train import load_model
from ropebook.training import TrainingConfig

WHOLE, ERAS = 1024, 8  # tokens of an address's piece, of which a model reads the first 128, 512 or all; classes
ERA_TRAINING = TrainingConfig(steps=200, batch=8, rate=1e-3, warmup=20)  # two in three of about 2,500 pieces, each once
MATCH_TRAINING = TrainingConfig(steps=240, batch=8, rate=2e-3, warmup=20)
CUT_SHORT = 128  # passages have up to 435 tokens, about 200 as a rule: cut off at 512 all are whole, at 128 few are


@lru_cache(maxsize=1)
def pretrained():
    """The book's pre-trained model, of chapter 14."""
    return load_model(data_file("roformer"))


def begun(kind, setting, seed, *arguments):
    """A `Classifier` or a `Matcher` of the pre-trained model's sizes, with its weights if the setting's start is "pre-trained"."""
    config = replace(pretrained().config, encoding=setting["encoding"], longest=WHOLE)
    torch.manual_seed(seed)  # only now: the first time that the pre-trained model is read, random numbers are drawn
    model = kind(config, *arguments)
    if setting["start"] == "pre-trained":
        start_from(model, pretrained())
    return model


def era_run(setting, fold):
    """The trainer of one classifier at its first step, and the held-out texts and labels.

    setting  {"encoding": ..., "start": "pre-trained" or "scratch", "cut": tokens}
    """
    train, test = (map(torch.from_numpy, eras.documents(split, WHOLE, ERAS, fold)) for split in ("train", "test"))
    config = replace(ERA_TRAINING, length=setting["cut"], seed=fold)
    return ClassifierTrainer(begun(Classifier, setting, fold, ERAS), *train, config), *test


def era(setting, fold):
    """Fine-tune one classifier; how it sorts the held-out pieces: "accuracy", "macro_f1" and "confusion", a row for each true era."""
    if setting["encoding"] == "bag of words":
        return bag_of_words(setting["cut"], fold)
    run, texts, labels = era_run(setting, fold)
    for _ in range(run.config.steps):
        run.step()
    return sorted_as(labels, classify(run.model, texts[:, : setting["cut"]]))


def sorted_as(labels, guesses):
    """The results of a classifier that guesses so: labels and guesses (N,) int64."""
    table = confusion(labels, guesses, ERAS)
    return {**classification_scores(table), "confusion": table.tolist()}


def bag_of_words(cut, fold):
    """The same texts, cut off alike, for a classifier that knows which words stand in them, and how often: the results as of `era`."""
    (texts, labels), (asked, answers) = (eras.documents(split, WHOLE, ERAS, fold) for split in ("train", "test"))
    model = word_counts().fit(tokenizer().decode_batch(texts[:, :cut].tolist()), labels)
    guesses = model.predict(tokenizer().decode_batch(asked[:, :cut].tolist()))
    return sorted_as(torch.from_numpy(answers), torch.from_numpy(guesses))


def word_counts():
    """TF-IDF and logistic regression, untrained: needs scikit-learn."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=2), LogisticRegression(C=10, max_iter=200))


def matching_run(setting, seed):
    """The trainer of one matcher at its first step. setting  {"encoding": ..., "start": ..., "cut": tokens}"""
    config = replace(MATCH_TRAINING, length=setting["cut"], seed=seed)
    return MatcherTrainer(begun(Matcher, setting, seed), triplets("train", "order", seed), tokenizer(), config)


def matching(setting, seed):
    """Train one matcher on triplets with negatives of another order; the share of held-out triplets of both kinds that it tells right."""
    run = matching_run(setting, seed)
    for _ in range(run.config.steps):
        run.step()
    asked = {kind: triplets("test", kind, seed) for kind in KINDS}
    return {kind: told_right(run.model, texts, tokenizer(), setting["cut"]).mean().item() for kind, texts in asked.items()}


# a text of our own: two marks among noise
GAPS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # tokens from the first mark to the second
MARKS, NOISE = (2, 3), range(4, 36)  # ids; 0 and 1 are not used
FIRST = 16  # the first mark stands at one of so many places at the beginning
LONGEST = FIRST + max(GAPS)  # tokens of a text: the second mark is always in it


def marked_texts(count, generator):
    """Texts of noise with two marks, each of one of two kinds; the label says the kind of the first and that of the second.

    count    N
    returns  texts (N, LONGEST) int64, labels (N,) int64: 2 · kind of the first + kind of the second, gaps (N,) int64
    """
    draw = lambda high, size: torch.randint(high, size, generator=generator)
    texts = draw(len(NOISE), (count, LONGEST)) + NOISE[0]
    first, gaps, kinds = draw(FIRST, (count,)), torch.tensor(GAPS)[draw(len(GAPS), (count,))], draw(2, (count, 2))
    texts.scatter_(1, torch.stack([first, first + gaps], 1), kinds + MARKS[0])
    return texts, 2 * kinds[:, 0] + kinds[:, 1], gaps


MARK_TRAINING = TrainingConfig(steps=600, batch=16, rate=3e-3, warmup=20)


class MarksTrainer(ClassifierTrainer):
    """Fresh texts at every step: nothing can be learnt by heart."""

    def __init__(self, model, config):
        super().__init__(model, torch.zeros(0, LONGEST), torch.zeros(0), config)

    def batch(self):
        texts, labels, _ = marked_texts(self.config.batch, self.generator)
        return (texts[:, : self.config.length], labels), len(labels)


def marks(setting, seed):
    """Train one small classifier on texts cut off at setting["cut"]; "accuracy" on 2,048 fresh ones, and "by_gap" [[gap, accuracy]]."""
    torch.manual_seed(seed)
    model = Classifier(RoFormerConfig(NOISE[-1] + 1, width=64, layers=2, encoding=setting["encoding"], longest=LONGEST), 4)
    run = MarksTrainer(model, replace(MARK_TRAINING, length=setting["cut"], seed=seed))
    for _ in range(run.config.steps):
        run.step()
    texts, labels, gaps = marked_texts(2048, torch.Generator().manual_seed(1000 + seed))
    right = (classify(model, texts[:, : setting["cut"]], batch=64) == labels).double()
    return {"accuracy": right.mean().item(), "by_gap": [[gap, right[gaps == gap].mean().item()] for gap in GAPS]}


SEEDS = (0, 1, 2, 3, 4)
CENTRE = {"encoding": "RoPE", "start": "pre-trained", "cut": 512}
ERA_EXPERIMENT = Experiment(
    "the era of a piece of an address: more of it read, another start, another encoding",
    (
        *({**CENTRE, "cut": cut, **other} for cut in (128, 512, 1024) for other in ({"encoding": "bag of words", "start": "none"}, {})),
        *({**CENTRE, "start": "scratch", "encoding": encoding} for encoding in ("RoPE", "NoPE", "learned")),
    ),
    SEEDS,
    era,
)
MATCHING_EXPERIMENT = Experiment(
    "which passage belongs to which: another start, another encoding, less of it read",
    (
        CENTRE,
        *({**CENTRE, "start": "scratch", "encoding": encoding} for encoding in ("RoPE", "NoPE")),
        {**CENTRE, "start": "scratch", "encoding": "NoPE", "cut": CUT_SHORT},
    ),
    SEEDS,
    matching,
)
MARKS_EXPERIMENT = Experiment(
    "two marks among noise: what a longer cut-off gives, and what an encoding",
    tuple({"encoding": encoding, "cut": cut} for cut in (64, LONGEST) for encoding in ("RoPE", "learned", "NoPE")),
    SEEDS,
    marks,
)
