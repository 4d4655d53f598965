"""Right and wrong results for the checkers of exercises 15.1 to 15.3: what each mistake gives, and what it teaches."""

from itertools import product

import numpy as np
import torch
from torch.nn.functional import normalize

# ---- 15.1 -------------------------------------------------------------------


def macro(labels, guesses, classes, score=None, mean=None):
    """The right answer to 15.1, with its mistakes as options.

    score  (R, P, G), each (K,): right, present and guessed -> what stands for the classes' F1, (K,)
    mean   (scores, R, P, G) -> the number
    """
    R, P, G = (np.bincount(some, minlength=classes).astype(float) for some in (labels[labels == guesses], labels, guesses))
    return (mean or _mean)((score or _F1)(R, P, G), R, P, G)


def _F1(R, P, G):
    return _share(2 * R, P + G)


def _mean(scores, *_):
    return scores.mean()


def _share(part, whole):
    """part / whole, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)


def _of(**options):
    return lambda *case: macro(*case, **options)


def _classes(which):
    """The mean over some classes only: which, of (R, P, G), is true for them."""
    return _of(mean=lambda scores, *counts: scores[which(*counts)].mean() if which(*counts).any() else 0.0)


def _up_to_the_last(labels, guesses, classes, *, of):
    return _classes(lambda R, P, G: np.arange(classes) <= of(P, P + G).nonzero()[0].max())(labels, guesses, classes)


def _F1_of_means(scores, R, P, G):
    precision, recall = _share(R, G).mean(), _share(R, P).mean()
    return _share(2 * precision * recall, precision + recall)


_HARMONIC = "precision and recall are joined by the harmonic mean, 2 / (1 / precision + 1 / recall), which is 2 R / (P + G)."
_ALL_CLASSES = "`classes` says how many there are. You count them from what is there, and so miss the last."
F1_MISTAKES = (  # on labels, guesses, classes
    ("that is the share of right guesses (micro-F1 is the same), where a frequent class weighs more. Take F1 of each class, then the mean.",
     lambda labels, guesses, classes: (labels == guesses).mean()),
    ("a class that is guessed and never present has F1 = 0, and it counts: divide by all K.", _classes(lambda R, P, G: P > 0)),
    ("a class that is present and never guessed has F1 = 0, and it counts: divide by all K.", _classes(lambda R, P, G: G > 0)),
    ("a class that is neither present nor guessed counts as 0; you leave it out of the mean.", _classes(lambda R, P, G: P + G > 0)),
    ("a class of which nothing is right has F1 = 0, and it counts: divide by all K.", _classes(lambda R, P, G: R > 0)),
    ("a class that is neither present nor guessed counts as 0, not as 1.", _of(score=lambda R, P, G: np.where(P + G > 0, _F1(R, P, G), 1))),
    (_ALL_CLASSES, lambda *case: _up_to_the_last(*case, of=lambda P, both: P)),
    (_ALL_CLASSES, lambda *case: _up_to_the_last(*case, of=lambda P, both: both)),
    ("that is the mean of the precisions. F1 is the harmonic mean of precision and recall.", _of(score=lambda R, P, G: _share(R, G))),
    ("that is the mean of the recalls. F1 is the harmonic mean of precision and recall.", _of(score=lambda R, P, G: _share(R, P))),
    ("you weigh the classes by how often they are present. In (15a) each has the same weight, 1 / K.",
     _of(mean=lambda scores, R, P, G: (P * scores).sum() / P.sum())),
    ("you weigh the classes by how often they are guessed. In (15a) each has the same weight, 1 / K.",
     _of(mean=lambda scores, R, P, G: (G * scores).sum() / P.sum())),
    ("that is F1 of the mean precision and the mean recall. Take F1 of each class first, then the mean.",
     _of(mean=_F1_of_means)),
    (_HARMONIC, _of(score=lambda R, P, G: (_share(R, G) + _share(R, P)) / 2)),
    (_HARMONIC, _of(score=lambda R, P, G: np.sqrt(_share(R, G) * _share(R, P)))),
    (_HARMONIC, _of(score=lambda R, P, G: _share(R, G) * _share(R, P))),
    (_HARMONIC, _of(score=lambda R, P, G: np.minimum(_share(R, G), _share(R, P)))),
    ("that is half of it: the 2 of (15a) is missing.", lambda *case: macro(*case) / 2),
    ("P + G counts what is right twice, and so does 2 R. You divide by what is present or guessed, counted once.",
     _of(score=lambda R, P, G: _share(R, P + G - R))),
    ("that is the sum over the classes: divide by K.", _of(mean=lambda scores, *_: scores.sum())),
    ("you divide by the number of pieces, not by the number of classes K.", _of(mean=lambda scores, R, P, G: scores.sum() / P.sum())),
    ("// rounds each F1 down to a whole number. Divide with /.", _of(score=lambda R, P, G: np.floor(_F1(R, P, G)))),
    ("return a share, not per cent.", lambda *case: 100 * macro(*case)),
)

# ---- 15.2 -------------------------------------------------------------------


def best_share(firsts, gaps, cut, order, seen=None, worth=(1 / 4, 1 / 2, 1), bag=(1 / 4, 1 / 2, 3 / 4), places=None):
    """The right answer to 15.2, with its mistakes as options.

    seen        (first, gap, cut) -> how many marks are seen
    worth, bag  the chance of a right answer where none, one and both are seen, with order and without
    places      (firsts, gaps) -> the pairs that count
    """
    chances = worth if order else bag
    return np.mean([chances[int((seen or _seen)(*pair, cut))] for pair in (places or product)(firsts, gaps)])


def _seen(first, gap, cut):
    return (first < cut) + (first + gap < cut)


def _guess(**options):
    return lambda *case: best_share(*case, **options)


def _one_first(choose, **options):
    return _guess(places=lambda firsts, gaps: [(choose(firsts), gap) for gap in gaps], **options)


def _second_after_the_last(firsts, gaps, cut, order):
    """The second mark counted from the last of the first places, as in the chapter's own cell, where that makes no difference."""
    return best_share(firsts, gaps, cut, order, seen=lambda m, gap, cut: (m < cut) + (m < cut and max(firsts) + gap < cut))


_ANY_FIRST = "a mean over the gaps alone is not enough: what is seen depends on the first place, too. Go through all combinations."
_BEFORE = "places count from 0, and the tokens before `cut` are 0 to cut − 1: a mark at place `cut` is not seen. Use <, not <=."
_ONE = "one mark seen is the first, for the other comes later: its kind is known, with order or without, and the second is guessed, 1/2."
_BOTH_BAG = ("without order and with both marks seen: half of the pairs are alike, and these are always right; "
             "of the others half are. Together 3/4.")  # fmt: skip
CEILING_MISTAKES = (  # on firsts, gaps, cut, order
    ("the second mark stands at first + gap, not at gap. Is that before the cut?",
     _guess(seen=lambda m, gap, cut: (m < cut) + (m < cut and gap < cut))),
    ("the second mark stands at first + gap, not at gap, and the first may be cut off, too.",
     _guess(seen=lambda m, gap, cut: 1 + (gap < cut))),
    ("the first mark may be cut off, too: then none is seen, and a guess among four answers is right in 1/4.",
     _guess(seen=lambda m, gap, cut: 1 + (m + gap < cut))),
    ("both marks or nothing, you say. If only the first is seen, its kind is known.", _guess(seen=lambda m, gap, cut: 2 * (m + gap < cut))),
    *((_BEFORE, _guess(seen=wrong)) for wrong in (
        lambda m, gap, cut: (m <= cut) + (m + gap <= cut),
        lambda m, gap, cut: (m < cut) + (m + gap <= cut),
        lambda m, gap, cut: (m <= cut) + (m + gap < cut))),
    ("`cut` tokens are 0 to cut − 1, and a mark at cut − 1 is seen.", _guess(seen=lambda m, gap, cut: (m < cut - 1) + (m + gap < cut - 1))),
    ("a gap of 1 leads to the next place: the second mark stands at first + gap.",
     _guess(seen=lambda m, gap, cut: (m < cut) + (m + gap + 1 < cut))),
    ("`order` is not used: both readers get the share of the one who sees it.", _guess(bag=(1 / 4, 1 / 2, 1))),
    ("`order` is not used: both readers get the share of the one who does not see it.", _guess(worth=(1 / 4, 1 / 2, 3 / 4))),
    ("the two readers have changed places: who sees the order does better.",
     lambda firsts, gaps, cut, order: best_share(firsts, gaps, cut, not order)),
    *((_BOTH_BAG, _guess(bag=(1 / 4, 1 / 2, both))) for both in (1 / 4, 1 / 3, 1 / 2, 2 / 3, 5 / 6)),
    *((_ONE, _guess(bag=(1 / 4, one, 3 / 4))) for one in (1 / 4, 3 / 8, 3 / 4)),
    *((_ONE, _guess(worth=(1 / 4, one, 1), bag=(1 / 4, one, 3 / 4))) for one in (0, 3 / 4)),
    *(("who sees no mark guesses among four answers: 1/4.",
       _guess(worth=(none, 1 / 2, 1), bag=(none, 1 / 2, 3 / 4))) for none in (0, 1 / 3)),
    *(("who sees no mark guesses among four answers: 1/4, with order or without.",
       _guess(bag=(none, 1 / 2, 3 / 4))) for none in (0, 1 / 2, 1 / 3, 3 / 8)),
    (_ANY_FIRST, _second_after_the_last),
    *((_ANY_FIRST, _one_first(choose, seen=lambda m, gap, cut: 1 + (m + gap < cut))) for choose in (max, min)),
    *((_ANY_FIRST, _one_first(choose)) for choose in (max, min, np.mean, np.median, lambda firsts: firsts[0], lambda firsts: 0)),
    ("each first place goes with each gap: zip makes pairs, product all combinations.", _guess(places=zip)),
    ("that is the sum over all combinations. Take the mean.",
     lambda firsts, gaps, *rest: best_share(firsts, gaps, *rest) * len(firsts) * len(gaps)),
    ("the share of texts in which both marks are seen is not yet the share of right answers: one who does not see guesses.",
     _guess(worth=(0, 0, 1), bag=(0, 0, 3 / 4))),
)

# ---- 15.3 -------------------------------------------------------------------


def contrasted(anchors, positives, negatives, temperature, norm=lambda a, p, n: map(_unit, (a, p, n)), scale=None, loss=None):
    """The right answer to 15.3, with its mistakes as options.

    norm   (a, p, n) -> the same, normed
    scale  (likenesses, temperature) -> scores
    loss   (scores with positives (B, B), with negatives (B, M)) -> the number
    """
    a, p, n = norm(*(x.double() for x in (anchors, positives, negatives)))
    own, other = ((scale or torch.div)(a @ x.mT, temperature) for x in (p, n))
    return (loss or _mean_loss)(own, other).item()


def _unit(x):
    return normalize(x, dim=-1)


def _losses(own, other):
    """(B,)"""
    return torch.cat([own, other], 1).logsumexp(1) - own.diagonal()


def _mean_loss(own, other):
    return _losses(own, other).mean()


def _among(own, *candidates):
    """The loss with other candidates than all of them."""
    return (torch.cat(candidates, 1).logsumexp(1) - own.diagonal()).mean()


def _column(scores):
    return scores.diagonal()[:, None]


def _loss(wrong):
    return lambda *case: contrasted(*case, loss=wrong)


def _normed(wrong):
    return lambda *case: contrasted(*case, norm=wrong)


def _paired(wrong):
    """A loss that takes negative i for anchor i; None where there are not as many."""
    return lambda a, p, n, t: contrasted(a, p, n, t, loss=wrong) if len(n) == len(a) else None


def _without_own(own, other):
    return _among(own, own.masked_fill(torch.eye(len(own), dtype=bool), -torch.inf), other)


def _shares(change):
    """The loss of shares that something was done to before the logarithm."""
    return _loss(lambda own, other: -change(_losses(own, other).neg().exp()).log().mean())


_NORM = "the rows have any length, and (15b) is about vectors of length 1: norm anchors, positives and negatives."
_AXIS = "norm each row: the length is over the features, dim=1 or −1."
_PAIRED = "every negative is a candidate for every anchor, not negative i for anchor i alone."
CONTRAST_MISTAKES = (  # on anchors, positives, negatives, temperature
    (_NORM, _normed(lambda a, p, n: (a, p, n))),
    (_NORM, _normed(lambda a, p, n: (_unit(a), p, n))),
    (_NORM, _normed(lambda a, p, n: (a, _unit(p), _unit(n)))),
    (_NORM, _normed(lambda a, p, n: (_unit(a), _unit(p), n))),
    (_AXIS, _normed(lambda a, p, n: (normalize(x, dim=0) for x in (a, p, n)))),
    (_AXIS, _normed(lambda a, p, n: (x / x.norm() if x.numel() else x for x in (a, p, n)))),
    ("divide by the length, the root of the sum of squares. You divide by the sum of squares.",
     _normed(lambda a, p, n: (x / x.square().sum(1, keepdim=True) for x in (a, p, n)))),
    ("the negatives are missing. The sum in (15b) has B positives and all negatives.",
     _loss(lambda own, other: _mean_loss(own, other[:, :0]))),
    ("the positives of the other anchors are missing. They are candidates, too.",
     _loss(lambda own, other: _among(own, _column(own), other))),
    (_PAIRED, _paired(lambda own, other: _among(own, own, _column(other)))),
    (_PAIRED, _paired(lambda own, other: _among(own, _column(own), _column(other)))),
    ("the own positive is one of the candidates: it stands in the sum below as well.", _loss(_without_own)),
    ("you take positive 0 for everybody's own. Anchor i belongs to positive i: torch.arange(B).",
     _loss(lambda own, other: (_losses(own, other) + own.diagonal() - own[:, 0]).mean())),
    ("the own candidate is in another place: with the negatives first, anchor i belongs to candidate M + i.",
     _loss(lambda own, other: (both := torch.cat([other, own], 1)).logsumexp(1).sub(both.diagonal()).mean())),
    ("that is the sum over the anchors: take the mean.", _loss(lambda own, other: _losses(own, other).sum())),
    ("the mean is over the B anchors, not over the candidates.",
     _loss(lambda own, other: _losses(own, other).sum() / (own.shape[1] + other.shape[1]))),
    ("likenesses are divided by the temperature; you multiply.", lambda *case: contrasted(*case, scale=torch.mul)),
    ("the temperature is not used: divide the likenesses by it.", lambda *case: contrasted(*case, scale=lambda x, t: x)),
    ("the sign: a loss is −log of a share, never below 0.", lambda *case: -contrasted(*case)),
    ("the softmax runs over the anchors. Each anchor chooses among the candidates: rows are anchors, and the softmax is over dim=1.",
     _loss(lambda own, other: own.logsumexp(0).sub(own.diagonal()).mean())),
    *(("(15b) asks which positive belongs to an anchor, and not also which anchor to a positive.",
       _loss(lambda own, other, half=half: half * (_mean_loss(own, other) + _among(own.T, own.T)))) for half in (0.5, 1)),
    ("that is the mean share of the own positive. Take −log of each share.",
     _loss(lambda own, other: _losses(own, other).neg().exp().mean())),
    ("the mean is taken before the logarithm. Take −log of each anchor's share, then the mean.",
     _loss(lambda own, other: -_losses(own, other).neg().exp().mean().log())),
    *(("add nothing inside the logarithm, and clamp nothing: a small share has a large loss. log_softmax needs no such care.",
       wrong)
      for e in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
      for wrong in (_shares(lambda share, e=e: share + e), _shares(lambda share, e=e: share.clamp(min=e)))),
    ("(15b) has the natural logarithm, not that to base 2.", lambda *case: contrasted(*case) / np.log(2)),
)
