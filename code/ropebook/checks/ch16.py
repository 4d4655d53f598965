"""Checkers of chapter 16, translation."""

import math
from random import Random

import numpy as np
import torch

from ropebook.checks.asking import asked, ending, lesson_of, one_number
from ropebook.checks.ch16_mistakes import LOSS_MISTAKES, SEARCH_MISTAKES, beam, ended, mean_loss, rank_of
from ropebook.checks.ch16_scores import BLEU_MISTAKES, SHARE_MISTAKES, score, share
from ropebook.exercises import Wrong, exercise

CLOSE = 1e-4  # relative and absolute: float32 is off by some 1e-6 of these numbers


def _near(got, other):
    return other is not None and math.isclose(got, other, rel_tol=CLOSE, abs_tol=CLOSE)


def _judge(cases, ask, right, mistakes, otherwise, same=_near):
    """Asks about all cases, and teaches about the first that is wrong: by the mistake that explains all results, if there is one.

    ask        (name, whether it is the first, *case) -> what the answer returns
    otherwise  (name, got, *case) -> the lesson where no mistake explains the results
    """
    results, wrong = [], None
    for index, (name, *case) in enumerate(cases):
        try:
            got = ask(name, index == 0, *case)
        except Wrong:
            if wrong is None:
                raise
            break
        results.append((case, got))
        if wrong is None and not same(got, right(*case)):
            wrong = name, got, *case
    if wrong:
        with np.errstate(all="ignore"):
            lesson = lesson_of(mistakes, *zip(*results), same)
        raise Wrong(f"For {wrong[0]}: {lesson or otherwise(*wrong)}")


def _untouched(names, before, after, same):
    for name, one, other in zip(names, before, after):
        if not same(one, other):
            raise Wrong(f"Your function writes into `{name}`, which others may still need: make a new one.")


# ---- 16.1 -------------------------------------------------------------------

def _places(seed, N, V, epsilon, padding, empty, size=1.0):
    """name, logits (N, V), wanted (N,), epsilon, padding; token 0 is wanted somewhere, unless it is the padding."""
    words = torch.tensor([token for token in range(V) if token != padding])
    wanted = words[torch.arange(N) * 2 % len(words)].roll(1)
    wanted[list(empty)] = padding
    logits = size * torch.randn(N, V, generator=torch.Generator().manual_seed(seed))
    name = f"N = {N}, V = {V}, epsilon = {epsilon}, padding = {padding}" + (" and logits of about 1,000" if size > 100 else "")
    return name, logits, wanted, epsilon, padding


PLACES = (
    _places(160, 5, 7, 0.1, 0, empty=(3, 4)),
    _places(161, 6, 9, 0.25, 4, empty=(0, 3), size=2.0),
    _places(162, 4, 5, 0.0, 2, empty=(1,)),
    _places(163, 3, 12, 0.5, 11, empty=()),
    _places(164, 8, 6, 0.1, 5, empty=(1, 2, 4, 6, 7), size=3.0),
    _places(165, 1, 10, 0.3, 3, empty=()),
    _places(166, 5, 8, 0.1, 7, empty=(2,), size=1000.0),
)
OVERFLOW = ("with small logits all is well, with logits of 1,000 it is not: e^1000 leaves float32, and a probability that rounds to 0 has the "
            "logarithm −∞, or whatever you put in its place. log_softmax never leaves the logarithms.")


@exercise("16.1")
def smoothed(answer):
    """A function (logits, wanted, epsilon, padding) -> the mean smoothed loss of the places where something is wanted."""
    def ask(name, first, logits, wanted, *rest):
        given = logits.clone(), wanted.clone()
        result = asked(answer, name, first, *given, *rest)
        _untouched(("logits", "wanted"), (logits, wanted), given, torch.equal)
        return _loss(result, name, huge=logits.abs().max() > 100)

    def otherwise(name, got, logits, *rest):
        return OVERFLOW if logits.abs().max() > 100 else f"the loss should be {mean_loss(logits, *rest):.5f}; yours is {got:.5f}."

    _judge(PLACES, ask, mean_loss, LOSS_MISTAKES, otherwise)
    return "A model that is sure and right no longer has the least loss: the wish itself is unsure, by ε."


def _loss(result, name, huge):
    try:
        return one_number(result, name)
    except Wrong as wrong:
        if huge and "finite" in str(wrong):
            raise Wrong(f"For {name}: {OVERFLOW}") from None
        raise


# ---- 16.2 -------------------------------------------------------------------

TOY = {(): {"the": 0.6, "a": 0.4}, ("the",): {"dog": 0.35, "cat": 0.34, "hen": 0.31}, ("a",): {"dog": 0.9, "cat": 0.1}}


def toy(beginning):
    """The chapter's little language, in which every sentence has two words, without its ties."""
    return dict(TOY.get(beginning, {".": 1.0}))


def language(seed, words, sure, stop, early=False):
    """A language with probabilities drawn at random, the same each time.

    words   how many there are; sure: how far their probabilities lie apart; stop: how likely the full stop is, 0 never
    early   whether it may come first
    """
    def after(beginning):
        draw = Random(f"{seed} {' '.join(beginning)}")
        weights = {word: math.exp(sure * draw.gauss(0, 1)) for word in "uvwxyz"[:words]}
        if stop and (beginning or early):
            weights["."] = stop * math.exp(sure * draw.gauss(0, 1))
        return {word: weight / sum(weights.values()) for word, weight in weights.items()}
    return after


LANGUAGES = (  # name, after, width, longest, alpha; ranks in the beam lie apart by 2e-3, relative, at least
    ("the chapter's dogs and cats", toy, 2, 5, 0.6),
    ("a language of two words", language(306, 2, 0.4, 1.0), 3, 5, 1.5),
    ("two words that are likelier to end", language(243, 2, 0.8, 1.5), 3, 4, 1.0),
    ("a language of four words", language(254, 4, 0.8, 0.6, early=True), 4, 3, 0.8),
    ("two words that go on and on", language(452, 2, 0.4, 0.6), 4, 6, 0.6),
    ("two words that hardly ever end", language(552, 2, 0.8, 0.3), 4, 5, 0.3),
    ("four words of near-equal probability", language(45, 4, 0.4, 1.5, early=True), 4, 3, 0.6),
    ("a language where only the probability counts", language(81, 2, 0.4, 0.6, early=True), 3, 3, 0.0),
    ("a language without a full stop", language(7, 3, 0.8, 0.0), 2, 4, 0.6),
    ("a beam of one", language(11, 3, 0.8, 0.5), 1, 6, 0.6),
    ("a beam that is wider than the language", language(23, 2, 1.2, 0.6), 50, 3, 0.6),
    ("a single round", language(8, 4, 0.8, 0.0), 2, 1, 0.6),
)
LINES = 100_000  # of Python; the answers that we know need less than a tenth of it


@exercise("16.2")
def beam_search(answer):
    """A function (after, width, longest, alpha) -> the best of the hypotheses that a beam keeps, a tuple of words."""
    def ask(name, first, after, width, longest, alpha):
        endless = f"For {name} your search does not come to an end: stop when all that are kept have ended, or after `longest` rounds."
        with ending(LINES, endless):
            result = asked(answer, name, first, _guarded(after, longest, name), width, longest, alpha)
        return _sentence(result, name)

    cases = [(f"{name}, width = {width}, longest = {longest}, alpha = {alpha:g}", after, width, longest, alpha)
             for name, after, width, longest, alpha in LANGUAGES]
    _judge(cases, ask, beam, SEARCH_MISTAKES, _why_not_found, same=lambda one, other: one == other)
    return "What falls out of the beam never comes back. A wider one mostly finds better sentences, and nothing promises it."


def _guarded(after, longest, name):
    """after, for beginnings that may be asked about."""
    def asked_about(beginning):
        if not isinstance(beginning, tuple) or not all(isinstance(word, str) for word in beginning):
            raise Wrong(f"`after` takes a beginning, a tuple of words, at first (); for {name} you gave it {beginning!r}.")
        if ended(beginning):
            raise Wrong(f"For {name} you ask what comes after {' '.join(beginning)!r}. A full stop ends a sentence: those that have ended stay as "
                        "they are, and `after` is asked about the others only.")
        if len(beginning) >= longest:
            raise Wrong(f"For {name} you ask what comes after {len(beginning)} words. Stop after `longest` rounds, ended or not.")
        return after(beginning)
    return asked_about


def _sentence(result, name):
    """What the answer returned as a tuple of words."""
    if isinstance(result, str) or not hasattr(result, "__iter__"):
        raise Wrong(f"Return a tuple of words; for {name} yours is {result!r}.")
    parts = tuple(result)
    if len(parts) == 2 and isinstance(parts[0], (tuple, list)) and not isinstance(parts[1], (str, tuple, list)):
        raise Wrong("Return the words alone, without their log-probability.")
    if not all(isinstance(part, str) for part in parts):
        raise Wrong(f"Return one sentence, a tuple of words, the best of those kept; for {name} yours is {parts!r}.")
    return parts


def _why_not_found(name, got, after, width, longest, alpha):
    right = beam(after, width, longest, alpha)
    quoted = lambda words: f"“{' '.join(words)}”"
    log_p = {words: _log_p(words, after) for words in (got, right)}
    if log_p[got] is None:
        return f"the search finds {quoted(right)}; yours is {quoted(got)}, and `after` does not lead there."
    rank = {words: rank_of(words, log_p[words], alpha) for words in (got, right)}
    found = f"the search finds {quoted(right)}, which (16c) gives {rank[right]:.4f}; yours is {quoted(got)} with {rank[got]:.4f}"
    return found + (", and a beam of this width has lost it by then." if rank[got] > rank[right] else ".")


def _log_p(words, after):
    """The log-probability of a sentence; None if it cannot come about."""
    total = 0.0
    for at, word in enumerate(words):
        if ended(words[:at]) or word not in after(words[:at]):
            return None
        total += math.log(after(words[:at])[word])
    return total if words else None


# ---- 16.3 -------------------------------------------------------------------


def _split(*texts):
    return [text.split() for text in texts]


def _changed(seed, count, longer=0.0, shorter=0.0, other=0.15, words=12, length=(5, 14)):
    """Translations and references: the latter of few words, so that n-grams recur; the former with words put in, left out, exchanged."""
    draw = Random(seed)
    one = lambda: draw.choice("abcdefghijklmnop"[:words]) * 2
    references = [[one() for _ in range(draw.randint(*length))] for _ in range(count)]

    def changed(word):
        chance = draw.random()
        return [] if chance < shorter else [word, word] if chance > 1 - longer else [one()] if draw.random() < other else [word]
    return [sum(map(changed, text), []) for text in references], references


TEXTS = (  # name, translations, references
    ("two sentences of a dog",
     _split("the dog bites the old man again", "the man runs"), _split("the old dog bites the old man again today", "the man runs home")),
    ("eight texts, most of them too short", *_changed(1, 8, shorter=0.15)),
    ("eight texts, most of them too long", *_changed(2, 8, longer=0.2)),
    ("twelve texts, some too long and some too short", *_changed(3, 12, longer=0.1, shorter=0.12)),
    ("texts of three different words, many times over", *_changed(4, 6, words=3, other=0.3, length=(6, 12))),
    ("a translation that repeats itself", _split("so it is so it is so it is so it is", "so it was"),
     _split("so it is so it is and was", "so it was")),
    ("texts one of which is empty", [*_changed(5, 4)[0], []], [*_changed(5, 4)[1], ["aa", "bb"]]),
    ("perfect translations", *2 * [_split("we all go home now", "not yet")]),
    ("texts without a match of four words, where 0 is right",
     _split("one two three five four six", "a b"), _split("one two three four five six", "a b")),
    ("texts without a single match, where 0 is right", _split("one two three four five"), _split("six seven eight nine ten")),
    ("texts of fewer than four words, where 0 is right", _split("one two three", "yes"), _split("one two three", "yes")),
    ("nothing but empty translations, where 0 is right", [[], []], _split("one two", "three four five six")),
)


@exercise("16.3")
def bleu_score(answer):
    """A function (translations, references), lists of lists of words -> BLEU from 0 to 100."""
    def ask(name, first, *case):
        given = [[list(text) for text in texts] for texts in case]
        result = asked(answer, name, first, *given)
        _untouched(("translations", "references"), case, given, lambda one, other: list(one) == other)
        return one_number(result, name)

    _judge(TEXTS, ask, score, BLEU_MISTAKES, lambda name, got, *case: f"BLEU should be {score(*case):.4f}; yours is {got:.4f}.")
    return "Four sums of matches, four of n-grams and two lengths: all that a test set leaves of itself in its BLEU."


# ---- 16.4 -------------------------------------------------------------------

def _drawn(name, seed, N, F, R, of):
    """name, a and b (N, F), whole numbers, alike in some rows, draws (R, N), and the score."""
    rng = np.random.default_rng([16, seed])
    a = rng.integers(1, 30, (N, F))
    b = np.maximum(1, a + rng.integers(-4, 5, (N, F)) * (rng.random((N, 1)) < 0.7))
    return f"{name}, N = {N}, F = {F}, R = {R}", a, b, rng.integers(N, size=(R, N)), of


DRAWN = (
    _drawn("a score that is a ratio", 10, 6, 3, 8, lambda total: 100 * total[0] / total[1] - total[2]),
    _drawn("a score in whole numbers, with ties", 102, 5, 3, 16, lambda total: (3 * total[0] - total[1]) // 30),
    _drawn("a score below 0", 203, 9, 2, 10, lambda total: -total[1] / (5 + total[0] * total[1])),
    _drawn("sentences that both translate alike", 305, 4, 4, 25, lambda total: total[0] * total[2] / (total[1] * total[3])),
    _drawn("one resampling that ends in a tie", 400, 3, 2, 1, lambda total: total[1] // 1000),
    _drawn("a model that is always ahead", 504, 7, 2, 9, lambda total: total[0]),
)


@exercise("16.4")
def share_ahead(answer):
    """A function (a, b, draws, score) -> the share of the resamplings in which a is ahead, a tie one half."""
    sums = {}  # that `score` was asked about, by the name of the case

    def ask(name, first, *arrays, of):
        given, sums[name] = [x.copy() for x in arrays], []
        result = asked(answer, name, first, *given, _for_sums(of, arrays[0].shape[1], sums[name]))
        _untouched(("a", "b", "draws"), arrays, given, np.array_equal)
        return one_number(result, name)

    def otherwise(name, got, a, b, draws, of):
        return _other_sums(sums[name], a, b, draws) or f"the share should be {share(a, b, draws, of):.4f}; yours is {got:.4f}."

    _judge(DRAWN, lambda name, first, *case: ask(name, first, *case[:3], of=case[3]), share, SHARE_MISTAKES, otherwise)
    return "What a hard sentence does to both models is gone from the comparison. What another seed would do is not in it at all."


def _for_sums(of, F, sums):
    """The score, for sums only, which it notes down."""
    def score(total):
        if np.shape(total) != (F,):
            raise Wrong(f"`score` takes a sum of rows, of shape {(F,)}; you gave it something of shape {np.shape(total)}.")
        sums.append(tuple(np.asarray(total).tolist()))
        return of(np.asarray(total))
    return score


def _other_sums(sums, a, b, draws):
    """A lesson if the score was asked about something else than the resamplings."""
    right = {tuple(x[rows].sum(0).tolist()) for x in (a, b) for rows in draws}
    if not right.issuperset(sums):
        return ("`score` was asked about sums that are of no resampling. Add up the rows that a row of `draws` names, as often as it names "
                "them, and the same rows of a and b.")
    return None
