"""What a model can be trained for: one class a task, and the table that `python -m ropebook.train --task` chooses from.

A task is made from a `TrainingConfig` and the source of another text, or None for the book's own; making it reads the text. It has

    build(config)                        the model of a `RoFormerConfig` (static)
    config(settings)                     the `RoFormerConfig` of the settings in a run's table [model] (class method)
    trainer(model, precision, team)      a `ropebook.training.Trainer`, or a subclass with another `batch` and `total_loss`
    score(model)                         plain values: how the model does on held-out examples, for the log
    results(trainer)                     {split: plain values} for the record, at the end
    line(result)                         one of those in words

The first line of a class's docstring is its help.
"""

import torch

from ropebook.causal import CausalTrainer, held_out_next
from ropebook.roformer import RoFormer, RoFormerConfig
from ropebook.streaming import StreamedText
from ropebook.text import token_stream, tokenizer
from ropebook.training import Trainer, evaluate, guess_by_counts, held_out_blanks

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


TASKS = {"masked": Masked, "causal": Causal}
