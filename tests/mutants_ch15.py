"""Wrong answers to the exercises of chapter 15, each with part of the lesson that its checker must give."""

import math
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F

# ---- 15.1 ------------------------------------------------------------------


def counts(labels, guesses, classes):
    """R, P and G of each class, (K,) each."""
    return (torch.bincount(x, minlength=classes) for x in (labels[labels == guesses], labels, guesses))


def f1(labels, guesses, classes, score=lambda R, P, G: 2 * R / (P + G).clamp(min=1), mean=lambda scores, R, P, G: scores.mean()):
    """The right answer to exercise 15.1, with its mistakes as options."""
    parts = *counts(labels, guesses, classes),
    return mean(score(*parts), *parts)


def among(which):
    return partial(f1, mean=lambda scores, *parts: scores[which(*parts)].mean().nan_to_num())


def f1_by_a_loop(labels, guesses, classes):
    """The right answer to exercise 15.1 with Python's numbers."""
    labels, guesses, total = labels.tolist(), guesses.tolist(), Fraction()
    for k in range(classes):
        right = sum(a == b == k for a, b in zip(labels, guesses))
        total += Fraction(2 * right, max(1, labels.count(k) + guesses.count(k)))
    return total / classes


def f1_by_precision(labels, guesses, classes):
    """The right answer to exercise 15.1 with precision and recall, in float32."""
    scores = []
    for k in range(classes):
        right = ((labels == k) & (guesses == k)).sum().float()
        if right:
            precision, recall = right / (guesses == k).sum(), right / (labels == k).sum()
            scores.append(2 * precision * recall / (precision + recall))
        else:
            scores.append(torch.zeros(()))
    return torch.stack(scores).mean()[None]


def f1_by_a_table(labels, guesses, classes):
    table = np.zeros((classes, classes))
    np.add.at(table, (labels.numpy(), guesses.numpy()), 1)
    both = table.sum(0) + table.sum(1)
    return np.float32((2 * np.diag(table)[both > 0] / both[both > 0]).sum() / classes)


def f1_of_means(labels, guesses, classes):
    R, P, G = counts(labels, guesses, classes)
    precision, recall = (R / G.clamp(min=1)).mean(), (R / P.clamp(min=1)).mean()
    return 2 * precision * recall / (precision + recall).clamp(min=1e-9)


def no_care(labels, guesses, classes):
    return sum(2 * sum(a == b == k for a, b in zip(labels.tolist(), guesses.tolist()))
               / (labels.tolist().count(k) + guesses.tolist().count(k)) for k in range(classes)) / classes


def into_the_labels(labels, guesses, classes):
    result = f1(labels, guesses, classes)
    labels[labels != guesses] = -1
    return result


# ---- 15.2 ------------------------------------------------------------------


def ceiling(firsts, gaps, cut, order, first_seen=lambda m, gap, cut: m < cut, second_seen=lambda m, gap, cut: m + gap < cut,
            both=0.75, ordered=1.0, one=0.5, none=0.25, pairs=product):
    """The right answer to exercise 15.2, with its mistakes as options."""
    shares = []
    for m, gap in pairs(firsts, gaps):
        if second_seen(m, gap, cut):
            shares.append(ordered if order else both)
        else:
            shares.append((one(order) if callable(one) else one) if first_seen(m, gap, cut) else none)
    return sum(shares) / len(shares)


def by_fractions(firsts, gaps, cut, order):
    """The right answer to exercise 15.2: each mark that is seen doubles the chance, and a bag loses a quarter of what both give."""
    chance = sum(Fraction(1, 4) * 2 ** ((m < cut) + (m + g < cut)) for m in firsts for g in gaps) / (len(firsts) * len(gaps))
    return chance if order else chance - Fraction(1, 4) * sum(m + g < cut for m in firsts for g in gaps) / (len(firsts) * len(gaps))


def by_counting(firsts, gaps, cut, order):
    """The right answer to exercise 15.2 without thought: all texts, each with the best answer to what is seen of it."""
    seen, texts = {}, 0
    for m, gap, kinds in product(firsts, gaps, product("ab", repeat=2)):
        places = [place for place in (m, m + gap) if place < cut]
        sight = tuple(kinds[: len(places)])
        key = (tuple(places), sight) if order else tuple(sorted(sight))
        answers = seen.setdefault(key, {})
        answers[kinds] = answers.get(kinds, 0) + 1
        texts += 1
    return np.float64(sum(max(answers.values()) for answers in seen.values()) / texts)


def ceiling_in_arrays(firsts, gaps, cut, order):
    m, g = torch.tensor(firsts)[:, None], torch.tensor(gaps)
    return torch.where(m + g < cut, 1.0 if order else 0.75, torch.where(m < cut, 0.5, 0.25)).mean()


def as_in_the_chapter(firsts, gaps, cut, order):
    """The chapter's own cell, where the first mark is always seen and each gap is seen after all first places or after none."""
    seen = Fraction(sum(max(firsts) + gap < cut for gap in gaps), len(gaps))
    return seen * (1 if order else Fraction(3, 4)) + (1 - seen) * Fraction(1, 2)


def sorts_in_place(firsts, gaps, cut, order):
    firsts.sort()
    return ceiling(firsts, gaps, cut, order)


# ---- 15.3 ------------------------------------------------------------------


def unit(x):
    return F.normalize(x, dim=-1)


def contrast(a, p, n, temperature, norm=lambda a, p, n: (unit(a), unit(p), unit(n)), candidates=lambda p, n: torch.cat([p, n]),
             own=lambda a, n: torch.arange(len(a)), reduction="mean", scale=torch.div):
    """The right answer to exercise 15.3, with its mistakes as options."""
    a, p, n = norm(a, p, n)
    return F.cross_entropy(scale(a @ candidates(p, n).T, temperature), own(a, n), reduction=reduction)


def scores_of(a, p, n, temperature):
    a, p, n = unit(a), unit(p), unit(n)
    return a @ p.T / temperature, a @ n.T / temperature


def lost(loss):
    """An answer that makes the loss of the scores with positives (B, B) and with negatives (B, M)."""
    return lambda *case: loss(*scores_of(*case))


def naive(own, other):
    both = torch.cat([own, other], 1).exp()
    return -(both.diagonal() / both.sum(1)).log().mean()


def careful(own, other):
    """As `naive`, and no logarithm of 0."""
    both = torch.cat([own.double(), other.double()], 1)
    shares = both.softmax(1).diagonal()
    return -(shares + 1e-8).log().mean()


def paired(own, other):
    return F.cross_entropy(torch.cat([own, (own.diagonal() * 0 + other.diagonal())[:, None]], 1), torch.arange(len(own)))


def only_own_positive(own, other):
    return F.cross_entropy(torch.cat([own.diagonal()[:, None], other], 1), torch.zeros(len(own), dtype=int))


def own_left_out(own, other):
    others = torch.cat([own.masked_fill(torch.eye(len(own), dtype=bool), -torch.inf), other], 1)
    return (others.logsumexp(1) - own.diagonal()).mean()


def both_ways(own, other):
    target = torch.arange(len(own))
    return (F.cross_entropy(torch.cat([own, other], 1), target) + F.cross_entropy(own.T, target)) / 2


def by_plain_loops(anchors, positives, negatives, temperature):
    """The right answer to exercise 15.3 with Python's numbers, the largest score taken off first."""
    long = lambda x: [[e / math.sqrt(sum(f * f for f in row)) for e in row] for row in x.tolist()]
    a, p, n = long(anchors), long(positives), long(negatives)
    total = 0.0
    for i, row in enumerate(a):
        scores = [sum(x * y for x, y in zip(row, other)) / temperature for other in p + n]
        top = max(scores)
        total += top + math.log(sum(math.exp(score - top) for score in scores)) - scores[i]
    return total / len(a)


def by_cosines(a, p, n, temperature):
    """The right answer to exercise 15.3 with PyTorch's own likeness and a logarithm of the softmax."""
    likeness = F.cosine_similarity(a[:, None], torch.cat([n, p])[None], dim=-1)
    shares = (likeness / temperature).log_softmax(1)
    return -shares[torch.arange(len(a)), len(n) + torch.arange(len(a))].mean()[None]


def by_numpy(*case):
    *sides, temperature = case
    a, p, n = (side.numpy() / np.linalg.norm(side.numpy(), axis=1, keepdims=True) for side in sides)
    scores = a @ np.concatenate([p, n]).T / temperature
    return np.mean(np.logaddexp.reduce(scores, axis=1) - np.diag(scores))


def norms_in_place(a, p, n, temperature):
    for x in (a, p, n):
        x /= x.norm(dim=1, keepdim=True)
    return contrast(a, p, n, temperature)


# ---- 15.4 ------------------------------------------------------------------


def numbered(address):
    return address.unique(return_inverse=True)[1]


def error(right, address, at=numbered, over=lambda N, G: N, p=lambda right, at: right.mean(), power=2, mean=False):
    """The right answer to exercise 15.4, with its mistakes as options."""
    at = at(address)
    s = torch.zeros(at.max() + 1).index_add(0, at, right - p(right, at))
    if mean:
        s = s / at.bincount()
    return (s.abs() ** power).sum().sqrt() / over(len(right), len(s))


def mean_of(right, at):
    """Of each address the mean."""
    return torch.zeros(at.max() + 1).index_add(0, at, right) / at.bincount()


def put_once(right, address):
    at, s = numbered(address), torch.zeros(len(address))
    for i, a in enumerate(at):
        s[a] = right[i] - right.mean()
    return s.square().sum().sqrt() / len(right)


def at_places(right, address):
    """Addresses taken for places in a list, from the least to the largest."""
    s = [0.0] * int(address.max() + 1)
    for a, r in zip(address.tolist(), right - right.mean()):
        s[a] += r.item()
    return sum(x * x for x in s) ** 0.5 / len(right)


def through(numbers):
    """The addresses whose numbers are in a range."""

    def answer(right, address):
        total = torch.zeros(())
        for a in numbers(address):
            total += (right - right.mean())[address == a].sum() ** 2
        return total**0.5 / len(right)
    return answer


def error_by_a_dictionary(right, address):
    """The right answer to exercise 15.4 with Python's numbers."""
    p, sums = sum(right.tolist()) / len(right), {}
    for r, a in zip(right.tolist(), address.tolist()):
        sums[a] = sums.get(a, 0.0) + r - p
    return math.sqrt(sum(s**2 for s in sums.values())) / len(right)


def error_by_pairs(right, address):
    """The right answer to exercise 15.4: the sum over all pairs of pieces of one address."""
    off = (right - right.mean()).double()
    return ((address[:, None] == address) * off[:, None] * off).sum().clamp(min=0).sqrt() / len(right)


def error_by_two_loops(right, address):
    off, total = (right - right.mean()).tolist(), 0.0
    for i, a in enumerate(address.tolist()):
        for j, b in enumerate(address.tolist()):
            if a == b:
                total += off[i] * off[j]
    return max(total, 0.0) ** 0.5 / len(off)


def error_in_numpy(right, address):
    _, at = np.unique(address.numpy(), return_inverse=True)
    return np.linalg.norm(np.bincount(at, weights=right.numpy() - right.numpy().mean())) / len(right)


def centred_in_place(right, address):
    right -= right.mean()
    return error(right, address, p=lambda right, at: 0)


MUTANTS = [
    ("15.1", lambda labels, guesses, K: (labels == guesses).double().mean(), "the share of right guesses (micro-F1 is the same)"),
    ("15.1", among(lambda R, P, G: P > 0), "a class that is guessed and never present has F1 = 0"),
    ("15.1", among(lambda R, P, G: G > 0), "a class that is present and never guessed has F1 = 0"),
    ("15.1", among(lambda R, P, G: P + G > 0), "you leave it out of the mean"),
    ("15.1", among(lambda R, P, G: R > 0), "a class of which nothing is right has F1 = 0"),
    ("15.1", partial(f1, score=lambda R, P, G: 2 * R / (P + G)), "where P + G is 0, the class counts as 0"),
    ("15.1", no_care, "where P + G is 0, the class counts as 0"),
    ("15.1", partial(f1, score=lambda R, P, G: 2 / (G / R + P / R)), "divides by P + G and by nothing else"),
    ("15.1", partial(f1, score=lambda R, P, G: R / G.clamp(min=1)), "the mean of the precisions"),
    ("15.1", partial(f1, score=lambda R, P, G: R / P.clamp(min=1)), "the mean of the recalls"),
    ("15.1", partial(f1, mean=lambda scores, R, P, G: (scores * P).sum() / P.sum()), "by how often they are present"),
    ("15.1", partial(f1, mean=lambda scores, R, P, G: (scores * G).sum() / G.sum()), "by how often they are guessed"),
    ("15.1", f1_of_means, "F1 of the mean precision and the mean recall"),
    ("15.1", lambda labels, guesses, K: f1(labels, guesses, K, mean=lambda scores, *_: scores[: labels.max() + 1].mean()),
     "`classes` says how many there are"),
    ("15.1", lambda labels, guesses, K: f1(labels, guesses, max(labels.max(), guesses.max()) + 1), "`classes` says how many there are"),
    ("15.1", partial(f1, score=lambda R, P, G: 2 * R // (P + G).clamp(min=1), mean=lambda scores, *_: scores.double().mean()),
     "Divide with /"),
    ("15.1", partial(f1, score=lambda R, P, G: (R / P.clamp(min=1) + R / G.clamp(min=1)) / 2), "by the harmonic mean"),
    ("15.1", partial(f1, score=lambda R, P, G: R / (P + G).clamp(min=1)), "the 2 of (15a) is missing"),
    ("15.1", partial(f1, score=lambda R, P, G: R / (P + G - R).clamp(min=1)), "counted once"),
    ("15.1", partial(f1, mean=lambda scores, *_: scores.sum()), "divide by K"),
    ("15.1", lambda *case: f1(*case) + 0.01, "it should be"),
    ("15.1", partial(f1, mean=lambda scores, *_: scores), "Return one number"),
    ("15.1", into_the_labels, "changes the labels"),
    ("15.2", partial(ceiling, second_seen=lambda m, gap, cut: m < cut and gap < cut), "the second mark stands at first + gap"),
    ("15.2", partial(ceiling, first_seen=lambda *_: True, second_seen=lambda m, gap, cut: gap < cut), "and the first may be cut off, too"),
    ("15.2", partial(ceiling, first_seen=lambda *_: True), "the first mark may be cut off, too"),
    ("15.2", partial(ceiling, first_seen=lambda *_: False), "If only the first is seen, its kind is known"),
    ("15.2", partial(ceiling, first_seen=lambda m, gap, cut: m <= cut, second_seen=lambda m, gap, cut: m + gap <= cut), "Use <, not <="),
    ("15.2", partial(ceiling, second_seen=lambda m, gap, cut: m + gap <= cut), "Use <, not <="),
    ("15.2", partial(ceiling, first_seen=lambda m, gap, cut: m <= cut), "Use <, not <="),
    ("15.2", partial(ceiling, first_seen=lambda m, gap, cut: m + 1 < cut, second_seen=lambda m, gap, cut: m + gap + 1 < cut),
     "a mark at cut − 1 is seen"),
    ("15.2", partial(ceiling, second_seen=lambda m, gap, cut: m + gap + 1 < cut), "a gap of 1 leads to the next place"),
    ("15.2", partial(ceiling, second_seen=lambda m, gap, cut: m < cut <= m + gap), "it should be"),
    ("15.2", partial(ceiling, both=1.0), "`order` is not used"),
    ("15.2", partial(ceiling, ordered=0.75), "`order` is not used"),
    ("15.2", lambda firsts, gaps, cut, order: ceiling(firsts, gaps, cut, not order), "have changed places"),
    ("15.2", partial(ceiling, both=0.5), "Together 3/4"),
    ("15.2", partial(ceiling, both=5 / 6), "Together 3/4"),
    ("15.2", partial(ceiling, one=lambda order: 0.5 if order else 0.25), "one mark seen is the first"),
    ("15.2", partial(ceiling, one=0.75), "one mark seen is the first"),
    ("15.2", partial(ceiling, none=0.0), "guesses among four answers: 1/4"),
    ("15.2", partial(ceiling, none=0.5), "a guess among four answers"),
    ("15.2", lambda firsts, *rest: ceiling([max(firsts)], *rest), "a mean over the gaps alone"),
    ("15.2", lambda firsts, *rest: ceiling(firsts[:1], *rest), "a mean over the gaps alone"),
    ("15.2", as_in_the_chapter, "a mean over the gaps alone"),
    ("15.2", lambda firsts, *rest: ceiling(firsts, *rest, second_seen=lambda m, gap, cut: max(firsts) + gap < cut),
     "a mean over the gaps alone"),
    ("15.2", partial(ceiling, pairs=zip), "zip makes pairs"),
    ("15.2", lambda *case: ceiling(*case) * len(case[0]) * len(case[1]), "Take the mean"),
    ("15.2", partial(ceiling, one=0, none=0, both=0.75), "one who does not see guesses"),
    ("15.2", lambda firsts, gaps, cut, order: 1.0 if max(firsts) + max(gaps) < cut else 0.5, "it should be"),
    ("15.2", sorts_in_place, "changes the lists"),
    ("15.3", partial(contrast, norm=lambda a, p, n: (a, p, n)), "about vectors of length 1"),
    ("15.3", partial(contrast, norm=lambda a, p, n: (unit(a), p, n)), "about vectors of length 1"),
    ("15.3", partial(contrast, norm=lambda a, p, n: (unit(a), unit(p), n)), "about vectors of length 1"),
    ("15.3", partial(contrast, norm=lambda a, p, n: (F.normalize(x, dim=0) for x in (a, p, n))), "norm each row"),
    ("15.3", partial(contrast, norm=lambda a, p, n: (x / x.square().sum(1, keepdim=True) for x in (a, p, n))),
     "the root of the sum of squares"),
    ("15.3", partial(contrast, candidates=lambda p, n: p), "the negatives are missing"),
    ("15.3", lost(only_own_positive), "the positives of the other anchors are missing"),
    ("15.3", lost(paired), "not negative i for anchor i alone"),
    ("15.3", lost(lambda own, other: F.softplus(other.diagonal() - own.diagonal()).mean()), "not negative i for anchor i alone"),
    ("15.3", lambda a, p, n, t: contrast(a, p, n, t) + 0 * (a[:, :1] * n[:, :1]).sum(), "more or fewer negatives than anchors"),
    ("15.3", lost(own_left_out), "stands in the sum below as well"),
    ("15.3", partial(contrast, own=lambda a, n: torch.zeros(len(a), dtype=int)), "you take positive 0"),
    ("15.3", partial(contrast, candidates=lambda p, n: torch.cat([n, p])), "with the negatives first"),
    ("15.3", partial(contrast, reduction="sum"), "take the mean"),
    ("15.3", partial(contrast, reduction="none"), "Return one number"),
    ("15.3", partial(contrast, scale=torch.mul), "you multiply"),
    ("15.3", partial(contrast, scale=lambda x, t: x), "the temperature is not used"),
    ("15.3", lambda *case: -contrast(*case), "the sign"),
    ("15.3", lost(lambda own, other: -torch.cat([own, other], 1).log_softmax(0).diagonal().mean()), "the softmax runs over the anchors"),
    ("15.3", lost(both_ways), "not also which anchor to a positive"),
    ("15.3", lost(naive), "subtract the largest score first"),
    ("15.3", lambda *case: naive(*(x.double() for x in scores_of(*case))), "subtract the largest score first"),
    ("15.3", lost(careful), "add nothing inside the logarithm"),
    ("15.3", lost(lambda own, other: -torch.cat([own, other], 1).softmax(1).diagonal().clamp(min=1e-6).log().mean()), "clamp nothing"),
    ("15.3", lambda *case: contrast(*case).exp().log(), "subtract the largest score first"),
    ("15.3", norms_in_place, "changes the anchors"),
    ("15.4", lambda right, address: (right.mean() * (1 - right.mean()) / len(right)).sqrt(), "as if all pieces were independent"),
    ("15.4", partial(error, over=lambda N, G: N**0.5), "1/N stands outside the root"),
    ("15.4", partial(error, over=lambda N, G: 1), "1/N is missing"),
    ("15.4", partial(error, over=lambda N, G: G), "not by that of addresses"),
    ("15.4", lambda *case: error(*case) ** 2, "the variance"),
    ("15.4", partial(error, mean=True), "s_a is the sum over the pieces"),
    ("15.4", partial(error, mean=True, over=lambda N, G: G), "s_a is the sum over the pieces"),
    ("15.4", lambda right, address: mean_of(right, numbered(address)).std() / numbered(address).max().add(1).sqrt(),
     "s_a is the sum over the pieces"),
    ("15.4", partial(error, at=lambda address: address.unique_consecutive(return_inverse=True)[1]),
     "an address is not always in one piece"),
    ("15.4", partial(error, at=lambda address: address), "which may be negative or huge"),
    ("15.4", at_places, "which may be negative or huge"),
    ("15.4", lambda right, address: error_in_numpy(right, address) + 0 * address.bincount().sum(), "which may be negative or huge"),
    ("15.4", lambda right, address: torch.zeros(int(address.abs().max()) + 1).sum() + error(right, address),
     "which may be negative or huge"),
    ("15.4", through(lambda address: range(address.min(), address.max() + 1)), "does not come to an end"),
    ("15.4", through(lambda address: range(address.max() + 1)), "so you leave some out"),
    ("15.4", through(lambda address: range(len(address.unique()))), "so you leave some out"),
    ("15.4", put_once, "`s[number] += x` adds once"),
    ("15.4", partial(error, over=lambda N, G: N - 1), "the formula has no −1"),
    ("15.4", partial(error, over=lambda N, G: (N * (N - 1)) ** 0.5), "the formula has no −1"),
    ("15.4", partial(error, over=lambda N, G: N * ((G - 1) / G) ** 0.5), "the formula has no −1"),
    ("15.4", partial(error, p=lambda right, at: 0), "without it, s_a counts right answers"),
    ("15.4", partial(error, p=lambda right, at: mean_of(right, at).mean()), "not the mean of the addresses' accuracies"),
    ("15.4", partial(error, p=lambda right, at: mean_of(right, at)[at]), "each address adds up to 0"),
    ("15.4", lambda right, address: error(right, address, power=1) ** 2 * len(right), "square each s_a"),
    ("15.4", lambda right, address: error(right, address) + 0.01, "it should be"),
    ("15.4", centred_in_place, "changes the right"),
]

ALSO_RIGHT = [
    ("15.1", f1),
    ("15.1", f1_by_a_loop),
    ("15.1", f1_by_precision),
    ("15.1", f1_by_a_table),
    ("15.2", ceiling),
    ("15.2", by_fractions),
    ("15.2", by_counting),
    ("15.2", ceiling_in_arrays),
    ("15.3", contrast),
    ("15.3", by_plain_loops),
    ("15.3", by_cosines),
    ("15.3", by_numpy),
    ("15.4", error),
    ("15.4", error_by_a_dictionary),
    ("15.4", error_by_pairs),
    ("15.4", error_by_two_loops),
    ("15.4", error_in_numpy),
]
