"""Right and wrong results for the checkers of exercises 16.1 and 16.2: what each mistake gives, and what it teaches."""

import math

import torch

# ---- 16.1 -------------------------------------------------------------------


def mean_loss(logits, wanted, epsilon, padding, at=None, reduce=None, logs=None):
    """The right answer to 16.1, with its mistakes as options.

    at      (log p of the right token (N,), log p (N, V), epsilon) -> losses (N,)
    reduce  (losses (N,), which places want something (N,)) -> the result
    logs    logits (N, V) -> what is taken for log p
    """
    log_p = (logs or (lambda x: x.log_softmax(-1)))(logits.double())
    losses = (at or _smoothed_at)(log_p[torch.arange(len(wanted)), wanted], log_p, epsilon)
    return (reduce or _mean_where)(losses, wanted != padding).item()


def _smoothed_at(right, log_p, epsilon):
    return -(1 - epsilon) * right - epsilon * log_p.mean(-1)


def _mean_where(losses, there):
    return losses[there].mean()


def _loss(**options):
    return lambda *case: mean_loss(*case, **options)


def _at(formula):
    return _loss(at=formula)


def _half_hidden(over):
    """Padding is left out of the first term only; the second is a sum over all places, divided by all or by those wanted."""
    def wrong(logits, wanted, epsilon, padding):
        log_p, there = logits.double().log_softmax(-1), wanted != padding
        first, second = -log_p[torch.arange(len(wanted)), wanted][there], -log_p.mean(-1)
        return ((1 - epsilon) * first.mean() + epsilon * second.sum() / (there.sum() if over == "wanted" else len(there))).item()
    return wrong


def _without_column(count):
    """Padding's own column is left out of the second sum, which is divided by V − count."""
    def wrong(logits, wanted, epsilon, padding):
        spread = lambda log_p: (log_p.sum(-1) - log_p[:, padding]) / (log_p.shape[-1] - count)
        return mean_loss(logits, wanted, epsilon, padding, at=lambda right, log_p, e: -(1 - e) * right - e * spread(log_p))
    return wrong


def _no_wish_for_padding(logits, wanted, epsilon, padding):
    """ε is shared by the V − 2 tokens that are neither the right one nor padding."""
    spread = lambda right, log_p: (log_p.sum(-1) - log_p[:, padding] - right) / (log_p.shape[-1] - 2)
    return mean_loss(logits, wanted, epsilon, padding, at=lambda right, log_p, e: -(1 - e) * right - e * spread(right, log_p))


LOSS_MISTAKES = (  # on logits, wanted, epsilon, padding
    ("that spreads ε over the V − 1 other tokens. In (16b) each of all V gets ε / V, the right one, too.",
     _at(lambda right, log_p, e: -(1 - e) * right - e * (log_p.sum(-1) - right) / (log_p.shape[-1] - 1))),
    ("the right token is left out of the second sum. It runs over all V tokens.",
     _at(lambda right, log_p, e: -(1 - e) * right - e * (log_p.sum(-1) - right) / log_p.shape[-1])),
    ("the second sum has the right token's ε / V in it already; the first term is (1 − ε) times −log p of it, no more.",
     _at(lambda right, log_p, e: -(1 - e + e / log_p.shape[-1]) * right - e * log_p.mean(-1))),
    ("the first term has the factor 1 − ε: what is given to all tokens is taken from the right one.",
     _at(lambda right, log_p, e: -right - e * log_p.mean(-1))),
    ("ε and 1 − ε have changed places: the right token gets 1 − ε.", _at(lambda right, log_p, e: -e * right - (1 - e) * log_p.mean(-1))),
    ("the second sum is divided by V: each token gets ε / V, not ε.", _at(lambda right, log_p, e: -(1 - e) * right - e * log_p.sum(-1))),
    ("the second sum is divided by N, the number of places. V is the number of tokens, logits.shape[1].",
     _at(lambda right, log_p, e: -(1 - e) * right - e * log_p.sum(-1) / len(log_p))),
    ("the second sum is missing: that is the loss without smoothing.", _at(lambda right, *_: -right)),
    ("the second sum is missing: of the wish only 1 − ε is given away.", _at(lambda right, log_p, e: -(1 - e) * right)),
    ("the first term is missing: that wishes for nothing but evenness.", _at(lambda right, log_p, e: -e * log_p.mean(-1))),
    ("that is right for ε = 0.1. Is `epsilon` used?", _at(lambda right, log_p, e: _smoothed_at(right, log_p, 0.1))),
    ("the second term is the mean of the logarithms. You take the logarithm of the mean, and that is −log V whatever the model says.",
     _at(lambda right, log_p, e: -(1 - e) * right + e * math.log(log_p.shape[-1]))),
    ("the sign: log p is negative, and a loss is not. Put a minus before both terms.", _at(lambda *case: -_smoothed_at(*case))),
    ("those are probabilities. (16b) has their logarithms: log_softmax.", _at(lambda right, log_p, e: _smoothed_at(right.exp(), log_p.exp(), e))),
    ("logits are not logarithms of probabilities yet: log_softmax makes them so.", _loss(logs=lambda x: x)),
    ("the softmax runs over the places. A place has probabilities for all tokens: take it over the last axis.",
     _loss(logs=lambda x: x.log_softmax(0))),
    ("that is a logarithm to base 2. (16b) has the natural one.", lambda *case: mean_loss(*case) / math.log(2)),
    ("that is a logarithm to base 10. (16b) has the natural one.", lambda *case: mean_loss(*case) / math.log(10)),
    ("that is the sum over the places. The mean is asked for.", _loss(reduce=lambda losses, there: losses[there].sum())),
    ("padding adds no loss, and yet you divide by all N places: divide by the number of those where something is wanted.",
     _loss(reduce=lambda losses, there: losses[there].sum() / len(losses))),
    ("the loss of padding is in it. Leave out the places where `wanted` is `padding`.", _loss(reduce=lambda losses, there: losses.mean())),
    ("the loss of padding is in it, and it is a sum: take the mean over the places where something is wanted.",
     _loss(reduce=lambda losses, there: losses.sum())),
    ("that takes the places of padding and leaves out the others.", _loss(reduce=lambda losses, there: losses[~there].mean())),
    ("you divide by the number of places of padding, or by one too many or too few.",
     _loss(reduce=lambda losses, there: losses[there].sum() / (~there).sum())),
    *(("padding is left out of the first term and not of the second: nothing is wanted there, not even evenness.", _half_hidden(over))
      for over in ("wanted", "all")),
    *(("the padding token is one of the V tokens that share ε: only places are left out, not a column.", _without_column(count))
      for count in (0, 1)),
    ("ε goes to all V tokens: also to the right one, and to padding, which is a token like others there.", _no_wish_for_padding),
    ("that leaves out the places where token 0 is wanted. Is `padding` used?",
     lambda logits, wanted, epsilon, _: mean_loss(logits, wanted, epsilon, 0)),
)

# ---- 16.2 -------------------------------------------------------------------


def ended(words):
    return words[-1:] == (".",)


def rank_of(words, log_p, alpha):
    """(16c)."""
    return log_p / max(1, len(words)) ** alpha


def _pieces(after, kept, grow=None):
    """Those that have ended, and what all others grow into, as lists of (words, log p)."""
    grow = grow or (lambda log_p, p: log_p + math.log(p))
    done = [entry for entry in kept if ended(entry[0])]
    grown = [[(words + (word,), grow(log_p, p)) for word, p in after(words).items()] for words, log_p in kept if not ended(words)]
    return done, grown


def _best(entries, key, width=None):
    return sorted(entries, key=key, reverse=True)[:width]


def _one_list(done, grown, key, width):
    return _best([*done, *(entry for family in grown for entry in family)], key, width)


def beam(after, width, longest, alpha, rank=rank_of, last=None, keep=_one_list, stop=None, grow=None, finish=None, rounds=0):
    """The right answer to 16.2, with its mistakes as options; a mistake that does not apply makes None.

    rank    (words, log p, alpha) -> what hypotheses are ranked by in each round; last: and at the end
    keep    (ended, families of grown ones, key, width) -> those kept
    stop    (kept, best first) -> whether to stop
    grow    (what a beginning has, probability of the next word) -> what the longer one has
    finish  (kept, best first) -> the answer
    rounds  more rounds than `longest`
    """
    key = lambda entry: rank(*entry, alpha)
    kept = [((), 0.0)]
    for _ in range(longest + rounds):
        if (stop or (lambda kept: all(ended(words) for words, _ in kept)))(kept):
            break
        kept = keep(*_pieces(after, kept, grow), key, width)
        if not kept:
            return None
    if last:
        kept = _best(kept, lambda entry: last(*entry, alpha))
    return (finish or (lambda kept: kept[0][0]))(kept)


def put_aside(after, width, longest, alpha, shrinks):
    """What has ended takes part in no later round; a place in the beam stays its own (shrinks) or is given to others."""
    key = lambda entry: rank_of(*entry, alpha)
    kept, done = [((), 0.0)], []
    for _ in range(longest):
        families = _pieces(after, kept)[1]
        best = _one_list([], families, key, width - len(done) if shrinks else width)
        done += [entry for entry in best if ended(entry[0])]
        kept = [entry for entry in best if not ended(entry[0])]
        if not kept or len(done) >= width:
            break
    return _best(done + kept, key)[0][0]


def _width(change):
    return lambda after, width, *rest: beam(after, change(width), *rest)


def _searched(**options):
    return lambda *case: beam(*case, **options)


def _ranked(formula):
    return _searched(rank=formula)


def _stopped(words):
    return sum(word != "." for word in words) or 1


def _only_ended(kept):
    return next((words for words, _ in kept if ended(words)), kept[0][0])


SEARCH_MISTAKES = (  # on after, width, longest, alpha
    ("that is the greedy choice, the likeliest word each time. Keep `width` hypotheses.", _width(lambda width: 1)),
    ("that looks at everything. A beam forgets: of each round's hypotheses only the `width` best go on.", _width(lambda width: 10**6)),
    ("you keep one hypothesis too many in each round.", _width(lambda width: width + 1)),
    ("you keep one hypothesis too few in each round.", _width(lambda width: max(1, width - 1))),
    ("that is ranked by the probability alone, and short ones win. Divide log p by ℓ^α, ℓ the hypothesis' own length, not the round's number.",
     _ranked(lambda words, log_p, alpha: log_p)),
    ("you divide at the end only. (16c) ranks in every round: what is cut off by the bare probability never comes back.",
     _searched(rank=lambda words, log_p, alpha: log_p, last=rank_of)),
    ("the rounds go by (16c), the last choice does not. Rank by (16c) there, too.", _searched(last=lambda words, log_p, alpha: log_p)),
    ("the full stop counts in ℓ: a hypothesis of two words and a full stop has ℓ = 3.",
     _ranked(lambda words, log_p, alpha: log_p / _stopped(words) ** alpha)),
    ("you count the empty beginning in ℓ. One word has ℓ = 1.", _ranked(lambda words, log_p, alpha: log_p / (len(words) + 1) ** alpha)),
    ("you multiply by ℓ^α. log p is negative, so that makes long ones worse still: divide.",
     _ranked(lambda words, log_p, alpha: log_p * len(words) ** alpha)),
    ("you divide by ℓ, or by a multiple of it. (16c) divides by ℓ to the power α.", _ranked(lambda words, log_p, alpha: log_p / len(words))),
    ("that is right for α = 0.6. Is `alpha` used?", _ranked(lambda words, log_p, alpha: log_p / len(words) ** 0.6)),
    ("you divide the probability by ℓ^α. (16c) divides its logarithm.",
     _ranked(lambda words, log_p, alpha: math.exp(log_p) / len(words) ** alpha)),
    ("that length penalty is another one, ((5 + ℓ) / 6)^α. (16c) has ℓ^α.",
     _ranked(lambda words, log_p, alpha: log_p / ((5 + len(words)) / 6) ** alpha)),
    ("probabilities of words that follow each other are multiplied, their logarithms added. You add probabilities.",
     _searched(grow=lambda total, p: total + p)),
    ("a hypothesis has the probability of all its words. You rank by the last word's alone.", _searched(grow=lambda total, p: math.log(p))),
    ("you keep the worst. A log-probability is negative: the best is the largest, the one nearest to 0.",
     _ranked(lambda *entry: -rank_of(*entry))),
    ("you keep `width` for each beginning. Keep `width` of all hypotheses together.",
     _searched(keep=lambda done, grown, key, width: _best(done + [e for family in grown for e in _best(family, key, width)], key))),
    ("hypotheses that have ended are lost when the others grow. They stay in the list and compete.",
     _searched(keep=lambda done, grown, key, width: _one_list([], grown, key, width) or _best(done, key))),
    *(("you put aside what has ended. It stays in the one list: it takes a place while it is among the `width` best, and is gone when it is not.",
       lambda *case, shrinks=shrinks: put_aside(*case, shrinks)) for shrinks in (True, False)),
    ("you put aside what has ended. It stays in the one list: it takes a place while it is among the `width` best, and is gone when it is not.",
     _searched(keep=lambda done, grown, key, width: _best(done + _one_list([], grown, key, width), key))),
    *(("you stop when the first hypothesis has ended. The others may still become better: go on until all that are kept have ended.",
       _searched(stop=lambda kept: any(ended(words) for words, _ in kept), finish=finish)) for finish in (None, _only_ended)),
    ("you stop when the best hypothesis has ended. Another may overtake it: go on until all that are kept have ended.",
     _searched(stop=lambda kept: ended(kept[0][0]))),
    ("you choose among those that have ended only. After `longest` rounds the best of those kept is asked for, ended or not.",
     _searched(finish=_only_ended)),
    ("you choose among those that have not ended.",
     _searched(finish=lambda kept: next((words for words, _ in kept if not ended(words)), kept[0][0]))),
    ("the full stop is a word of the sentence: return it, too.",
     _searched(finish=lambda kept: kept[0][0][:-1] if ended(kept[0][0]) else kept[0][0])),
    ("a full stop stands there that the search has not found: the best hypothesis has not ended. Return it as it is.",
     _searched(finish=lambda kept: kept[0][0] if ended(kept[0][0]) else kept[0][0] + (".",))),
    ("there is one round too few: `longest` rounds, the first of which starts from the empty beginning.", _searched(rounds=-1)),
    ("that is the worst of those kept. The best is asked for.", _searched(finish=lambda kept: kept[-1][0])),
)
