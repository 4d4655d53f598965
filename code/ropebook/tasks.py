"""What a model can be trained for: one class a task, and the table that `python -m ropebook.train --task` chooses from.

A task is made from a `TrainingConfig` and the source of another text, or None for the book's own; making it reads the text. Tasks
that need labels or translations know only the book's own. A task has

    build(config)                        the model of a `RoFormerConfig` (static)
    config(settings)                     the `RoFormerConfig` of the settings in a run's table [model] (class method)
    trainer(model, precision, team)      a `ropebook.training.Trainer`, or a subclass with another `batch` and `total_loss`
    score(model)                         plain values: how the model does on held-out examples, for the log
    results(trainer)                     {split: plain values} for the record, at the end
    line(result)                         one of those in words

The first line of a class's docstring is its help.
"""

from importlib.util import find_spec

import torch

from ropebook import eras
from ropebook.causal import CausalTrainer, held_out_next
from ropebook.finetuning import ClassifierTrainer, MatcherTrainer, classification_scores, classify, confusion, told_right
from ropebook.pairs import pairs, translation_tokenizer
from ropebook.passages import KINDS, triplets
from ropebook.roformer import Classifier, Matcher, RoFormer, RoFormerConfig, Translator
from ropebook.streaming import StreamedText
from ropebook.text import token_stream, tokenizer
from ropebook.training import Trainer, evaluate, guess_by_counts, held_out_blanks
from ropebook.translation import TranslationTrainer, bleu, encoded, translate, translation_scores

EVALUATION_WINDOWS = 512


class Masked:
    """fill hidden tokens from both sides"""

    causal, beyond, unit = False, 0, "blank"  # `beyond`: tokens of a window that are not read

    build = staticmethod(RoFormer)

    @classmethod
    def config(cls, settings):
        return RoFormerConfig(vocabulary=tokenizer().get_vocab_size(), causal=cls.causal, **settings)

    def __init__(self, training, source):
        self.training, self.words = training, tokenizer()
        self.text = StreamedText(source, self.words, training.length + self.beyond) if source else self.stream("train")
        self.held_out = {split: self.questions(self.stream(split)) for split in ("validation", "test")}

    def stream(self, split):
        return torch.from_numpy(token_stream(split, self.words))

    def questions(self, stream):
        """What `evaluate` asks of a held-out stream (N,)."""
        return held_out_blanks(stream, self.training.length, EVALUATION_WINDOWS, self.words.token_to_id("[MASK]"))

    def trainer(self, model, precision, team):
        return Trainer(model, self.text, self.words.token_to_id("[MASK]"), self.training, precision, team)

    def score(self, model, split="validation"):
        return evaluate(model, *self.held_out[split])

    def results(self, trainer):
        """The scores on held-out questions, beside those of who knows only how often each token occurs in the training text."""
        vocabulary = self.words.get_vocab_size()
        counts = torch.bincount(self.text, minlength=vocabulary) if isinstance(self.text, torch.Tensor) else self.text.counts
        scores = {}
        for split, (tokens, _, asked) in self.held_out.items():
            guess = guess_by_counts(counts, tokens[asked])
            scores[split] = {"model": self.score(trainer.model, split), "unigram": guess, f"{self.unit}s": asked.sum().item()}
        return scores

    def line(self, result):
        model, unigram = result["model"], result["unigram"]
        return (f"loss {model['loss']:.3f} nats per {self.unit}, first choice right on {model['top1']:.1%} of {result[f'{self.unit}s']} {self.unit}s "
                f"(unigram guess {unigram['loss']:.3f}, {unigram['top1']:.1%})")


class Causal(Masked):
    """predict each token from those before it"""

    causal, beyond, unit = True, 1, "token"

    def questions(self, stream):
        return held_out_next(stream, self.training.length, EVALUATION_WINDOWS)

    def trainer(self, model, precision, team):
        return CausalTrainer(model, self.text, self.training, precision, team)


class Labelled:
    """What tasks on the book's own labelled texts have in common."""

    tokenizer = staticmethod(tokenizer)

    def __init__(self, training, source):
        if source:
            raise ValueError(f"the task needs labels or translations, which other text has not; got --text {source}")
        self.training, self.words = training, self.tokenizer()
        self.held_out = {split: self.read(split) for split in ("validation", "test")}

    @classmethod
    def config(cls, settings):
        return RoFormerConfig(vocabulary=cls.tokenizer().get_vocab_size(), **settings)

    def results(self, trainer):
        return {split: self.score(trainer.model, split) for split in self.held_out}


class Era(Labelled):
    """sort pieces of addresses, of --length tokens, into eight eras"""

    BINS = 8

    @classmethod
    def build(cls, config):
        return Classifier(config, cls.BINS)

    def read(self, split):
        texts, labels = map(torch.from_numpy, eras.documents(split, self.training.length, self.BINS))
        if not len(labels):
            raise ValueError(f"no address of the split {split} has a piece of {self.training.length} tokens")
        return texts, labels

    def trainer(self, model, precision, team):
        return ClassifierTrainer(model, *self.read("train"), self.training, precision, team)

    def score(self, model, split="validation"):
        texts, labels = self.held_out[split]
        return {**classification_scores(confusion(labels, classify(model, texts), self.BINS)), "pieces": len(labels)}

    def line(self, result):
        return f"right on {result['accuracy']:.1%} of {result['pieces']} pieces, macro-F1 {result['macro_f1']:.3f}"


class Matching(Labelled):
    """tell which of two literal passages a modern one belongs to, up to --length tokens of each: 512 is more than any has"""

    build = staticmethod(Matcher)

    def read(self, split):
        return {kind: triplets(split, kind, self.training.seed) for kind in KINDS}

    def trainer(self, model, precision, team):
        return MatcherTrainer(model, triplets("train", "order", self.training.seed), self.words, self.training, precision, team)

    def score(self, model, split="validation"):
        read = lambda texts: told_right(model, texts, self.words, self.training.length).mean().item()
        return {**{kind: read(texts) for kind, texts in self.held_out[split].items()}, "triplets": len(self.held_out[split]["order"])}

    def line(self, result):
        return f"of {result['triplets']} triplets each, right on {result['order']:.1%} with another order, {result['lexical']:.1%} with another passage"


class Translation(Labelled):
    """translate help pages from English to German, up to --length tokens of each text"""

    build = staticmethod(Translator)
    tokenizer = staticmethod(translation_tokenizer)

    def __init__(self, training, source):
        if find_spec("sacrebleu") is None:  # better now than when hours of training are over
            raise ValueError("the task translation scores its translations with sacreBLEU: install ropebook[sacrebleu]")
        super().__init__(training, source)

    def read(self, split):
        return pairs(split)

    def trainer(self, model, precision, team):
        return TranslationTrainer(model, *encoded(self.read("train"), self.words), self.training, precision, team)

    def score(self, model, split="validation"):
        return translation_scores(model, *encoded(self.held_out[split], self.words))

    def results(self, trainer):
        """The scores, and the BLEU of a beam of four."""
        found = {}
        for split, asked in self.held_out.items():
            english, german = [pair.english for pair in asked], [pair.german for pair in asked]
            score, signature = bleu(translate(trainer.model, english, self.words), german)
            found[split] = {**self.score(trainer.model, split), "bleu": score, "signature": signature, "pairs": len(asked)}
        return found

    def line(self, result):
        return f"BLEU {result['bleu']:.1f} on {result['pairs']} pairs ({result['signature']}), loss {result['loss']:.3f} nats per token"


TASKS = {"masked": Masked, "causal": Causal, "era": Era, "matching": Matching, "translation": Translation}
