"""Right and wrong results for the checkers of exercises 16.3 and 16.4: what each mistake gives, and what it teaches."""

import math
from collections import Counter

import numpy as np

# ---- 16.3 -------------------------------------------------------------------

LENGTHS = (1, 2, 3, 4)


def counts(text, n):
    return Counter(zip(*(text[i:] for i in range(n))))


def matched(translations, references, n, common=lambda mine, theirs: (mine & theirs).total(), among=lambda mine, theirs: mine.total()):
    """Matches and n-grams of all texts."""
    pairs = [(counts(t, n), counts(r, n)) for t, r in zip(translations, references)]
    return sum(common(*pair) for pair in pairs), sum(among(*pair) for pair in pairs)


def score(translations, references, lengths=LENGTHS, mean=None, penalty=None, matches=matched, zero=True):
    """The right answer to 16.3, with its mistakes as options.

    mean     precisions -> what they come to
    penalty  (h, r) -> the factor
    matches  (translations, references, n) -> (matches, n-grams) of all texts
    zero     whether an n without a match makes 0
    """
    parts = [matches(translations, references, n) for n in lengths]
    precisions = np.array([own / of if of else 0.0 for own, of in parts])
    if zero and 0 in precisions:
        return 0.0
    h, r = (sum(map(len, texts)) for texts in (translations, references))
    return 100 * (penalty or brevity)(h, r) * (mean or _geometric)(precisions)


def brevity(h, r):
    return min(1.0, math.exp(1 - r / h)) if h else 0.0


def _geometric(precisions):
    return precisions.prod() ** (1 / len(precisions))


def _scored(**options):
    return lambda *case: score(*case, **options)


def _by_sentence(translations, references, of=score):
    return [of([t], [r]) for t, r in zip(translations, references)]


def _penalty_by_sentence(translations, references):
    mean = np.mean([brevity(len(t), len(r)) for t, r in zip(translations, references)])
    return score(translations, references, penalty=lambda *_: mean)


def _short_ones_punished(translations, references):
    """r is no sum: of each reference only what is longer than its translation counts."""
    longer = sum(max(len(t), len(r)) for t, r in zip(translations, references))
    return score(translations, references, penalty=lambda h, r: brevity(h, longer))


def _mean_precisions(translations, references):
    """p_n as the mean of the sentences' shares."""
    def share(t, r, n):
        own, of = matched([t], [r], n)
        return own / of if of else 0.0
    return score(translations, references, matches=lambda T, R, n: (sum(share(t, r, n) for t, r in zip(T, R)), len(T)))


def _joined(translations, references):
    return score(*([sum(map(list, texts), [])] for texts in (translations, references)))


def _pooled(translations, references, n):
    mine, theirs = (sum((counts(text, n) for text in texts), Counter()) for texts in (translations, references))
    return (mine & theirs).total(), mine.total()


def _added(from_n):
    """One match and one n-gram more for each n from that on."""
    return lambda T, R, n: tuple(x + (n >= from_n) for x in matched(T, R, n))


def _matches(**options):
    return _scored(matches=lambda *case: matched(*case, **options))


BLEU_MISTAKES = (  # on translations, references
    ("an n-gram matches at most as often as the reference has it: take the smaller of the two counts.",
     _matches(common=lambda mine, theirs: sum(count for gram, count in mine.items() if gram in theirs))),
    ("you count each kind of n-gram once. One that both texts have twice makes two matches.",
     _matches(common=lambda mine, theirs: len(mine.keys() & theirs.keys()), among=lambda mine, theirs: len(mine))),
    ("you count each kind of n-gram once. One that both texts have twice makes two matches.",
     _matches(common=lambda mine, theirs: len(mine.keys() & theirs.keys()))),
    ("you divide by the number of the references' n-grams. p_n is a share of the translations' n-grams.",
     _matches(among=lambda mine, theirs: theirs.total())),
    ("translations and references have changed places.", lambda translations, references: score(references, translations)),
    ("that is the mean of the sentences' scores. Sum matches, n-grams and lengths over all texts, then make one score of the sums.",
     lambda *case: np.mean(_by_sentence(*case))),
    ("p_n is the mean of the sentences' shares. Sum matches and n-grams over all texts first, then divide.", _mean_precisions),
    ("the penalty comes from the sums of all lengths. You make one for each sentence.", _penalty_by_sentence),
    ("the penalty comes from the sums of all lengths. You make one for each sentence.", _short_ones_punished),
    ("the penalty is missing: e^{1 − r/h} if the translations have fewer words than the references.", _scored(penalty=lambda h, r: 1.0)),
    ("the factor is 1 at most. Translations that are longer than the references get no reward: min(1, …).",
     _scored(penalty=lambda h, r: math.exp(1 - r / h))),
    ("h and r have changed places in the penalty: short translations are to lose, and h counts the translations' words.",
     _scored(penalty=lambda h, r: brevity(r, h))),
    ("h and r have changed places in the penalty, and the factor is 1 at most.", _scored(penalty=lambda h, r: math.exp(1 - h / r))),
    ("the factor is e^{1 − r/h}, not h / r.", _scored(penalty=lambda h, r: min(1.0, h / r))),
    ("the penalty stands before the root, not under it.", _scored(penalty=lambda h, r: brevity(h, r) ** 0.25)),
    *(("that is the arithmetic mean of the p_n. BLEU has the geometric one, the fourth root of their product.", _scored(mean=np.mean, zero=zero))
      for zero in (True, False)),
    ("the fourth root is missing.", _scored(mean=np.prod)),
    ("that is the square root of the product. With four factors it is the fourth root.", _scored(mean=lambda p: p.prod() ** 0.5)),
    ("that stops at n = 3, as range(1, 4) does. n goes from 1 to 4.", _scored(lengths=(1, 2, 3))),
    ("that goes from n = 1 to n = 5. It is n from 1 to 4.", _scored(lengths=(1, 2, 3, 4, 5))),
    ("that leaves out n = 1. n goes from 1 to 4.", _scored(lengths=(2, 3, 4))),
    ("that is p_4 alone. All four p_n count.", _scored(lengths=(4,))),
    ("that is p_1 alone. All four p_n count.", _scored(lengths=(1,))),
    ("the score goes from 0 to 100: multiply by 100.", lambda *case: score(*case) / 100),
    ("that is the logarithm of the score.", lambda *case: math.log(score(*case) or 1)),
    ("your n-grams run on from one sentence into the next. Count in each text for itself, then sum.", _joined),
    ("an n-gram matches if it stands in its own reference. You look for it in all of them.", _scored(matches=_pooled)),
    *(("you add 1 to matches and n-grams. That is a smoothing; (16d) has none.", _scored(matches=_added(n))) for n in (1, 2)),
    ("if for some n nothing matches, the score is 0. You leave that n out of the mean.",
     _scored(zero=False, mean=lambda p: math.exp(np.log(p[p > 0]).mean()) if p.any() else 0.0)),
    ("if for some n nothing matches, the score is 0. You leave that n out of the product.",
     _scored(zero=False, mean=lambda p: p[p > 0].prod() ** 0.25)),
)

# ---- 16.4 -------------------------------------------------------------------


def share(a, b, draws, of, total=None, point=None, other=None):
    """The right answer to 16.4, with its mistakes as options.

    total  (statistics (N, F), rows) -> the score of one resampling, by `of`
    point  (score of a, score of b) -> what the resampling counts
    other  draws -> the rows of b, where they are not those of a
    """
    total = total or (lambda rows_of, rows: of(rows_of[rows].sum(0)))
    pairs = [(total(a, rows), total(b, rows_b)) for rows, rows_b in zip(draws, other(draws) if other else draws)]
    return np.mean([(point or half)(*pair) for pair in pairs])


def half(one, two):
    return 0.5 if one == two else float(one > two)


def _shared(**options):
    return lambda *case: share(*case, **options)


def _through(total):
    """Another way from rows to a score: total(rows of the statistics, score)."""
    return lambda a, b, draws, of: share(a, b, draws, of, total=lambda x, rows: total(x, rows, of))


def _without_ties(a, b, draws, of):
    points = [point for rows in draws if (point := half(of(a[rows].sum(0)), of(b[rows].sum(0)))) != 0.5]
    return np.mean(points) if points else 0.5


def _all_pairs(a, b, draws, of):
    ones, twos = ([of(x[rows].sum(0)) for rows in draws] for x in (a, b))
    return np.mean([half(one, two) for one in ones for two in twos])


def _sorted(a, b, draws, of):
    return np.mean([half(*pair) for pair in zip(*(sorted(of(x[rows].sum(0)) for rows in draws) for x in (a, b)))])


def _whole(x, of):
    return of(x.sum(0))


ALL_PAIRS = "you compare every resampling of a with every one of b. The i-th of a belongs with the i-th of b: the same sentences."
OTHER_ROWS = "the two models are scored on different sentences. Take the same rows of a and b, or luck with sentences decides."
SHARE_MISTAKES = (  # on a, b, draws, score
    ("a tie counts one half; you count it as 0. Take care of == before you take >.", _shared(point=lambda one, two: one > two)),
    ("a tie counts one half; you count it as 1. Take care of == before you take >=.", _shared(point=lambda one, two: one >= two)),
    ("a tie counts one half; you leave ties out.", _without_ties),
    ("that is the share of b. Count the resamplings in which a is ahead.", lambda a, b, *rest: share(b, a, *rest)),
    ("that is the share of b, with ties counted as 0. Count the resamplings in which a is ahead, and a tie one half.",
     _shared(point=lambda one, two: one < two)),
    ("that is the mean lead of a. Count the resamplings in which it is ahead.", _shared(point=lambda one, two: one - two)),
    ("that is the number of resamplings. Divide by their number R.", lambda a, b, draws, of: share(a, b, draws, of) * len(draws)),
    ("that is in percent. A share goes from 0 to 1.", lambda *case: 100 * share(*case)),
    ("you divide by N, the number of sentences. The share is that of the R resamplings.",
     lambda a, b, draws, of: share(a, b, draws, of) * len(draws) / len(a)),
    *((OTHER_ROWS, _shared(other=lambda draws, change=change: change(draws))) for change in (
        lambda draws: draws[::-1], lambda draws: np.roll(draws, 1, axis=0), lambda draws: np.roll(draws, -1, axis=0))),
    (ALL_PAIRS, _all_pairs),
    ("you sort the scores, so that the best of a meets the best of b. The i-th of a belongs with the i-th of b: the same sentences.", _sorted),
    ("b is scored on all its sentences, a on those drawn. Take the same rows of both.",
     lambda a, b, draws, of: np.mean([half(of(a[rows].sum(0)), _whole(b, of)) for rows in draws])),
    *(("you take the mean of the sentences' own scores. Sum the rows first: `score` is for the sum.", _through(mean)) for mean in (
        lambda x, rows, of: np.mean([of(row) for row in x[rows]]), lambda x, rows, of: sum(of(row) for row in x[rows]))),
    ("`score` is for a sum of rows. You give it their mean.", _through(lambda x, rows, of: of(x[rows].mean(0)))),
    ("a row that is drawn twice counts twice. You take each once.", _through(lambda x, rows, of: of(x[np.unique(rows)].sum(0)))),
    ("that is the share of sentences. A resampling sums all the sentences that it has drawn, and then it has one score.",
     lambda a, b, draws, of: np.mean([half(of(a[row]), of(b[row])) for rows in draws for row in rows])),
    ("that is the share of sentences. A resampling sums all the sentences that it has drawn, and then it has one score.",
     lambda a, b, draws, of: np.mean([half(of(one), of(two)) for one, two in zip(a, b)])),
    ("that compares all sentences once. The resamplings are in `draws`.", lambda a, b, draws, of: half(_whole(a, of), _whole(b, of))),
    ("a resampling is a row of `draws`. You take its columns.", lambda a, b, draws, of: share(a, b, draws.T, of)),
)
