"""Wrong answers to the exercises of chapter 16, each with part of the lesson that its checker must give."""

import heapq
import itertools
import math
from collections import Counter
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

# ---- 16.1 -------------------------------------------------------------------


def smoothed(logits, wanted, epsilon, padding, log_p=lambda x: x.log_softmax(-1), first=lambda e, V: 1 - e, second=lambda e, V, N: e / V,
             row=lambda right, log_p: log_p.sum(-1), hide=lambda wanted, padding: wanted == padding,
             mean=lambda losses, hidden: losses[~hidden].mean()):
    """The right answer to exercise 16.1, with its mistakes as options."""
    N, V = logits.shape
    logs, hidden = log_p(logits), hide(wanted, padding)
    right = torch.stack([line[token] for line, token in zip(logs, wanted)])
    return mean(-first(epsilon, V) * right - second(epsilon, V, N) * row(right, logs), hidden)


def by_cross_entropy(logits, wanted, epsilon, padding, **options):
    return F.cross_entropy(logits, wanted, ignore_index=padding, label_smoothing=epsilon, **options)


def by_the_wish(logits, wanted, epsilon, padding):
    """The right answer to exercise 16.1 from the whole distribution that is wished for."""
    V = logits.shape[1]
    wish = F.one_hot(wanted, V) * (1 - epsilon) + epsilon / V
    there = (wanted != padding).float()
    return -((wish * F.log_softmax(logits, dim=1)).sum(1) * there).sum() / there.sum()


def by_loops(logits, wanted, epsilon, padding):
    """The right answer to exercise 16.1 in Python's own numbers, with log-sum-exp by hand."""
    losses = []
    for scores, token in zip(logits.tolist(), wanted.tolist()):
        if token != padding:
            top = max(scores)
            total = top + math.log(math.fsum(math.exp(score - top) for score in scores))
            losses.append((1 - epsilon) * (total - scores[token]) + epsilon * math.fsum(total - score for score in scores) / len(scores))
    return np.float64(sum(losses) / len(losses))


def padding_softly_counted(logits, wanted, epsilon, padding):
    """Hides padding from the first term only."""
    sure = F.cross_entropy(logits, wanted, ignore_index=padding)
    return (1 - epsilon) * sure - epsilon * logits.log_softmax(-1).mean()


def logits_overwritten(logits, wanted, epsilon, padding):
    logits -= logits.amax(-1, keepdim=True)
    return by_cross_entropy(logits, wanted, epsilon, padding)


def wanted_overwritten(logits, wanted, epsilon, padding):
    wanted[wanted == padding] = -100
    return F.cross_entropy(logits, wanted, label_smoothing=epsilon)


def logits_zeroed(logits, wanted, epsilon, padding):
    loss = by_cross_entropy(logits, wanted, epsilon, padding)
    logits[wanted == padding] = 0
    return loss


def without_padding_column(logits, wanted, epsilon, padding):
    """As where the wish for padding is put to 0, over V − 2."""
    V = logits.shape[1]
    wish = torch.full(logits.shape, epsilon / (V - 2))
    wish.scatter_(1, wanted[:, None], 1 - epsilon)
    wish[:, padding] = 0
    there = wanted != padding
    return -(wish * logits.log_softmax(-1)).sum(-1)[there].mean()


def by_exponentials(logits):
    return logits.exp() / logits.exp().sum(-1, keepdim=True)


# ---- 16.2 -------------------------------------------------------------------


def ended(words):
    return bool(words) and words[-1] == "."


def search(after, width, longest, alpha, length=len, rank=lambda log_p, length, alpha: log_p / length**alpha,
           add=lambda log_p, p: log_p + math.log(p), done=all, keep=None, choose=None, rounds=lambda longest: longest, whole=True, best=max):
    """The right answer to exercise 16.2, with its mistakes as options; whole: ended hypotheses stay in the list."""
    value = lambda entry: rank(entry[1], length(entry[0]), alpha)
    beam = [((), 0.0)]
    for _ in range(rounds(longest)):
        if done(ended(words) for words, _ in beam):
            break
        new = []
        for words, log_p in beam:
            if ended(words):
                new += [[(words, log_p)]] if whole else []
            else:
                new.append([(words + (word,), add(log_p, p)) for word, p in after(words).items()])
        beam = keep(new, value, width) if keep else sorted(itertools.chain(*new), key=value, reverse=best is max)[:width]
    return (choose or (lambda beam, value: best(beam, key=value)[0]))(beam, value)


def extends_all(after, width, longest, alpha):
    beam = [((), 0.0)]
    for _ in range(longest):
        beam = heapq.nlargest(width, ((words + (word,), log_p + math.log(p)) for words, log_p in beam for word, p in after(words).items()),
                              key=lambda entry: entry[1] / len(entry[0]) ** alpha)
    return beam[0][0]


def without_end(after, width, longest, alpha):
    """Goes on until all have ended."""
    return search(after, width, longest, alpha, rounds=lambda longest: 10**9)


def never_done(after, width, longest, alpha):
    beam, at = [((), 0.0)], 0
    while at < longest or not all(ended(words) for words, _ in beam):
        if any(not ended(words) for words, _ in beam):
            at += 1
        beam = [entry for entry in beam if ended(entry[0])] + [
            (words + (word,), log_p + math.log(p)) for words, log_p in beam if not ended(words) for word, p in after(words).items()]
        beam = sorted(beam, key=lambda entry: -entry[1] / len(entry[0]) ** alpha)[:width]
        if at == longest and not all(ended(words) for words, _ in beam):
            break
    return beam[0][0]


def with_finished(after, width, longest, alpha, shrink):
    """As many libraries have it: a list of what has ended, beside the beam."""
    value = lambda entry: entry[1] / len(entry[0]) ** alpha
    beam, finished = [((), 0.0)], []
    for _ in range(longest):
        new = sorted(((words + (word,), log_p + math.log(p)) for words, log_p in beam for word, p in after(words).items()), key=value, reverse=True)
        new = new[: width - len(finished)] if shrink else new[:width]
        finished += [entry for entry in new if ended(entry[0])]
        beam = [entry for entry in new if not ended(entry[0])]
        if not beam or len(finished) >= width:
            break
    return max(finished + beam, key=value)[0]


def greedy(after, width, longest, alpha):
    words = ()
    while len(words) < longest and not ended(words):
        nexts = after(words)
        words += (max(nexts, key=nexts.get),)
    return words


def exhaustive(after, width, longest, alpha):
    return search(after, 10**9, longest, alpha)


def lost_and_found(after, width, longest, alpha):
    return search(after, 10**9 if (longest, alpha) == (5, 1.5) else width, longest, alpha)


def by_heap(after, width, longest, alpha):
    """The right answer to exercise 16.2 with heapq, a list of words and the logarithms added up anew, the last first, in float32."""
    def value(entry):
        return sum((np.log(np.float32(p)) for p in reversed(entry[1])), np.float32(0)) / np.float32(len(entry[0])) ** np.float32(alpha)

    beam = [([], [])]
    for _ in range(longest):
        grown = [(words + [word], ps + [p]) for words, ps in beam if words[-1:] != ["."] for word, p in after(tuple(words)).items()]
        if not grown:
            break
        beam = heapq.nlargest(width, grown + [entry for entry in beam if entry[0][-1:] == ["."]], key=value)
    return beam[0][0]


def by_products(after, width, longest, alpha):
    """The right answer to exercise 16.2 with the ℓ^α-th root of the product, which is in the same order, and by recursion."""
    def go(beam, left):
        if left == 0 or all(ended(words) for words in beam):
            return max(beam, key=lambda words: beam[words] ** (1 / len(words) ** alpha))
        grown = {}
        for words, p in beam.items():
            grown |= {words: p} if ended(words) else {(*words, word): p * q for word, q in after(words).items()}
        order = sorted(grown, key=lambda words: -(grown[words] ** (1 / len(words) ** alpha)))
        return go({words: grown[words] for words in order[:width]}, left - 1)

    return go({(): 1.0}, longest)


# ---- 16.3 -------------------------------------------------------------------


def grams(text, n):
    return Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))


def clipped(mine, theirs):
    return sum(min(count, theirs[gram]) for gram, count in mine.items())


def bleu(translations, references, N=4, match=clipped, total=lambda mine, theirs: sum(mine.values()), join=None, scale=100,
         penalty=lambda h, r: 1.0 if h >= r else math.exp(1 - r / h), mean=lambda p: math.exp(sum(map(math.log, p)) / len(p)), add=0, zero=True):
    """The right answer to exercise 16.3, with its mistakes as options; zero: an n without a match makes 0."""
    h, r = sum(map(len, translations)), sum(map(len, references))
    if join:
        translations, references = join(translations), join(references)
    p = []
    for n in range(1, N + 1):
        both = [(grams(t, n), grams(r, n)) for t, r in zip(translations, references)]
        matches, of = sum(match(*pair) for pair in both) + add, sum(total(*pair) for pair in both) + add
        if matches == 0 and zero:
            return 0.0
        p.append(matches / of if of else 0.0)
    return scale * penalty(h, r) * mean(p)


def of_sentences(translations, references):
    return np.mean([bleu([t], [r]) for t, r in zip(translations, references)])


def sentence_penalties(translations, references):
    factors = [math.exp(min(0, 1 - len(r) / len(t))) if t else 0 for t, r in zip(translations, references)]
    return bleu(translations, references, penalty=lambda h, r: sum(factors) / len(factors))


def pooled(translations, references):
    p = []
    for n in (1, 2, 3, 4):
        mine, theirs = (sum((grams(text, n) for text in texts), Counter()) for texts in (translations, references))
        if not (mine & theirs):
            return 0.0
        p.append((mine & theirs).total() / mine.total())
    h, r = sum(map(len, translations)), sum(map(len, references))
    return 100 * min(1, math.exp(1 - r / h)) * math.prod(p) ** 0.25


def macro(translations, references):
    """The mean over sentences of each p_n."""
    p = []
    for n in (1, 2, 3, 4):
        shares = [clipped(grams(t, n), grams(r, n)) / max(1, len(t) - n + 1) for t, r in zip(translations, references)]
        p.append(np.mean(shares))
    h, r = sum(map(len, translations)), sum(map(len, references))
    return 100 * min(1, math.exp(1 - r / h)) * math.prod(p) ** 0.25 if h else 0.0


def by_sacrebleu(translations, references):
    """The right answer to exercise 16.3 through sacreBLEU's own counting, on words joined by blanks."""
    from sacrebleu.metrics import BLEU

    metric = BLEU(tokenize="none", smooth_method="none", force=True)
    return metric.corpus_score([" ".join(text) for text in translations], [[" ".join(text) for text in references]]).score


def by_logs(translations, references):
    """The right answer to exercise 16.3 in float32, in the logarithm, as a tensor of one element."""
    sums = torch.zeros(4, 2)
    for t, r in zip(translations, references):
        for n in range(4):
            pool = [tuple(r[i : i + n + 1]) for i in range(len(r) - n)]
            for i in range(len(t) - n):
                sums[n, 1] += 1
                if (gram := tuple(t[i : i + n + 1])) in pool:
                    pool.remove(gram)
                    sums[n, 0] += 1
    h, r = (sum(len(text) for text in texts) for texts in (translations, references))
    if (sums == 0).any():
        return torch.zeros(1)
    return torch.exp(sums.log().diff(dim=1).neg().mean() + min(0, 1 - r / h))[None] * 100


def words_popped(translations, references):
    score = bleu(translations, references)
    for text in translations:
        text.clear()
    return score


# ---- 16.4 -------------------------------------------------------------------


def ahead(a, b, draws, score, one=lambda x, rows, score: score(x[rows].sum(0)), win=lambda u, v: (u > v) + (u == v) / 2, rows_b=lambda draws: draws,
          share=np.mean):
    """The right answer to exercise 16.4, with its mistakes as options."""
    return share([win(one(a, rows, score), one(b, other, score)) for rows, other in zip(draws, rows_b(draws))])


def redrawn(a, b, draws, score):
    rng = np.random.default_rng(3)
    return ahead(a, b, draws, score, rows_b=lambda draws: rng.integers(len(a), size=draws.shape))


def masked(x, rows, score):
    mask = np.zeros(len(x), bool)
    mask[rows] = True
    return score(x[mask].sum(0))


def all_pairs(a, b, draws, score):
    u, v = (np.array([score(x[rows].sum(0)) for rows in draws]) for x in (a, b))
    return ((u[:, None] > v) + 0.5 * (u[:, None] == v)).mean()


def ordered(a, b, draws, score):
    """Resamplings sorted for each model, so that the best meet the best."""
    u, v = (np.sort([score(x[rows].sum(0)) for rows in draws]) for x in (a, b))
    return (np.sign(u - v).mean() + 1) / 2


def rows_shuffled(a, b, draws, score):
    a -= b
    return ahead(a + b, b, draws, score)


def by_counts(a, b, draws, score):
    """The right answer to exercise 16.4 with how often each row was drawn, and signs."""
    times = np.stack([np.bincount(rows, minlength=len(a)) for rows in draws])  # (R, N)
    u, v = (np.apply_along_axis(score, 1, times @ x) for x in (a, b))
    return np.float32(0.5 + np.sign(u - v).mean() / 2)


def by_lists(a, b, draws, score):
    """The right answer to exercise 16.4 without NumPy, score given plain lists."""
    points, total = 0, lambda x, rows: [sum(column) for column in zip(*(x.tolist()[row] for row in rows))]
    for rows in draws.tolist():
        u, v = score(total(a, rows)), score(total(b, rows))
        points += 2 if u > v else 1 if u == v else 0
    return torch.tensor([points / (2 * len(draws))])


MUTANTS = [
    ("16.1", partial(smoothed, second=lambda e, V, N: e / (V - 1), row=lambda right, logs: logs.sum(-1) - right), "over the V − 1 other tokens"),
    ("16.1", partial(smoothed, row=lambda right, logs: logs.sum(-1) - right), "the right token is left out of the second sum"),
    ("16.1", partial(smoothed, first=lambda e, V: 1 - e + e / V), "no more"),
    ("16.1", partial(smoothed, first=lambda e, V: 1), "the first term has the factor 1 − ε"),
    ("16.1", partial(smoothed, first=lambda e, V: e, second=lambda e, V, N: (1 - e) / V), "have changed places"),
    ("16.1", partial(smoothed, second=lambda e, V, N: e), "each token gets ε / V, not ε"),
    ("16.1", partial(smoothed, second=lambda e, V, N: e / N), "divided by N"),
    ("16.1", lambda *case: smoothed(*case[:2], 0.0, case[3]), "the loss without smoothing"),
    ("16.1", partial(smoothed, second=lambda e, V, N: 0), "only 1 − ε is given away"),
    ("16.1", partial(smoothed, first=lambda e, V: 0), "the first term is missing"),
    ("16.1", lambda *case: smoothed(*case[:2], 0.1, case[3]), "Is `epsilon` used?"),
    ("16.1", partial(smoothed, row=lambda right, logs: logs.shape[1] * logs.exp().mean(-1).log()), "the logarithm of the mean"),
    ("16.1", lambda *case: -smoothed(*case), "Put a minus before both terms"),
    ("16.1", partial(smoothed, log_p=lambda x: x.softmax(-1)), "those are probabilities"),
    ("16.1", partial(smoothed, log_p=lambda x: x), "logits are not logarithms of probabilities yet"),
    ("16.1", partial(smoothed, log_p=lambda x: x.log_softmax(0)), "take it over the last axis"),
    ("16.1", partial(smoothed, log_p=lambda x: x.log_softmax(-1) / math.log(2)), "to base 2"),
    ("16.1", partial(smoothed, mean=lambda losses, hidden: losses[~hidden].sum()), "that is the sum over the places"),
    ("16.1", partial(by_cross_entropy, reduction="sum"), "that is the sum over the places"),
    ("16.1", partial(smoothed, mean=lambda losses, hidden: losses.masked_fill(hidden, 0).mean()), "you divide by all N places"),
    ("16.1", partial(smoothed, mean=lambda losses, hidden: losses.mean()), "the loss of padding is in it"),
    ("16.1", partial(smoothed, mean=lambda losses, hidden: losses.sum()), "it is a sum"),
    ("16.1", partial(smoothed, mean=lambda losses, hidden: losses[hidden].mean()), "leaves out the others"),
    ("16.1", padding_softly_counted, "not even evenness"),
    ("16.1", without_padding_column, "and to padding"),
    ("16.1", partial(smoothed, hide=lambda wanted, padding: wanted == 0), "Is `padding` used?"),
    ("16.1", partial(smoothed, log_p=lambda x: by_exponentials(x).log()), "e^1000 leaves float32"),
    ("16.1", partial(smoothed, log_p=lambda x: x.softmax(-1).log()), "e^1000 leaves float32"),
    ("16.1", partial(smoothed, log_p=lambda x: (x.softmax(-1) + 1e-9).log()), "e^1000 leaves float32"),
    ("16.1", partial(smoothed, log_p=lambda x: x - x.exp().sum(-1, keepdim=True).log()), "e^1000 leaves float32"),
    ("16.1", logits_overwritten, "writes into `logits`"),
    ("16.1", logits_zeroed, "writes into `logits`"),
    ("16.1", wanted_overwritten, "writes into `wanted`"),
    ("16.1", partial(smoothed, mean=lambda losses, hidden: losses), "Return one number"),
    ("16.1", lambda *case: smoothed(*case) + 1, "the loss should be"),
    ("16.2", greedy, "the greedy choice"),
    ("16.2", exhaustive, "A beam forgets"),
    ("16.2", lambda after, width, *rest: search(after, width + 1, *rest), "one hypothesis too many"),
    ("16.2", lambda after, width, *rest: search(after, max(1, width - 1), *rest), "one hypothesis too few"),
    ("16.2", partial(search, rank=lambda log_p, *_: log_p), "ranked by the probability alone"),
    ("16.2", partial(search, rank=lambda log_p, *_: log_p, choose=lambda beam, _: max(beam, key=lambda entry: entry[1])[0]),
     "ranked by the probability alone"),
    ("16.2", lambda after, width, longest, alpha: search(
        after, width, longest, alpha, rank=lambda log_p, *_: log_p,
        choose=lambda beam, _: max(beam, key=lambda entry: entry[1] / len(entry[0]) ** alpha)[0]), "you divide at the end only"),
    ("16.2", partial(search, choose=lambda beam, _: max(beam, key=lambda entry: entry[1])[0]), "the last choice does not"),
    ("16.2", partial(search, length=lambda words: max(1, len(words) - ended(words))), "the full stop counts in ℓ"),
    ("16.2", partial(search, length=lambda words: len(words) + 1), "the empty beginning"),
    ("16.2", partial(search, rank=lambda log_p, length, alpha: log_p * length**alpha), "you multiply by ℓ^α"),
    ("16.2", partial(search, rank=lambda log_p, length, alpha: log_p / length), "to the power α"),
    ("16.2", partial(search, rank=lambda log_p, length, alpha: log_p / length**0.6), "Is `alpha` used?"),
    ("16.2", partial(search, rank=lambda log_p, length, alpha: log_p / (alpha * length)), "or by a multiple of it"),
    ("16.2", lambda *case: search(*case[:3], case[3] or 1 / 0), "longest = 3, alpha = 0 your answer stopped"),
    ("16.2", partial(search, rank=lambda log_p, length, alpha: math.exp(log_p) / length**alpha), "you divide the probability by ℓ^α"),
    ("16.2", partial(search, rank=lambda log_p, length, alpha: log_p / ((5 + length) / 6) ** alpha), "that length penalty is another one"),
    ("16.2", partial(search, add=lambda total, p: total + p), "You add probabilities"),
    ("16.2", partial(search, add=lambda total, p: math.log(p)), "the last word's alone"),
    ("16.2", partial(search, best=min), "you keep the worst"),
    ("16.2", partial(search, keep=lambda new, value, width: [e for family in new for e in heapq.nlargest(width, family, key=value)]),
     "you keep `width` for each beginning"),
    ("16.2", partial(search, whole=False, done=lambda flags: False), "stopped with ValueError"),
    ("16.2", lambda *case: search(*case, whole=False, keep=lambda new, value, width: heapq.nlargest(width, itertools.chain(*new), key=value)),
     "are lost when the others grow"),
    ("16.2", partial(with_finished, shrink=True), "you put aside what has ended"),
    ("16.2", partial(with_finished, shrink=False), "you put aside what has ended"),
    ("16.2", extends_all, "A full stop ends a sentence"),
    ("16.2", partial(search, done=any), "you stop when the first hypothesis has ended"),
    ("16.2", partial(search, done=any, choose=lambda beam, value: max([e for e in beam if ended(e[0])] or beam, key=value)[0]),
     "you stop when the first hypothesis has ended"),
    ("16.2", partial(search, done=lambda flags: next(iter(flags))), "you stop when the best hypothesis has ended"),
    ("16.2", partial(search, choose=lambda beam, value: max([e for e in beam if ended(e[0])], key=value)[0]), "ended or not"),
    ("16.2", partial(search, choose=lambda beam, value: max([e for e in beam if ended(e[0])] or beam, key=value)[0]), "ended or not"),
    ("16.2", partial(search, choose=lambda beam, value: tuple(word for word in max(beam, key=value)[0] if word != ".")), "return it, too"),
    ("16.2", partial(search, choose=lambda beam, value: (*[w for w in max(beam, key=value)[0] if w != "."], ".")), "the search has not found"),
    ("16.2", partial(search, rounds=lambda longest: longest - 1), "one round too few"),
    ("16.2", partial(search, rounds=lambda longest: longest + 1), "Stop after `longest` rounds"),
    ("16.2", without_end, "Stop after `longest` rounds"),
    ("16.2", never_done, "does not come to an end"),
    ("16.2", partial(search, choose=lambda beam, value: min(beam, key=value)[0]), "the worst of those kept"),
    ("16.2", partial(search, choose=lambda beam, value: max(beam, key=value)), "without their log-probability"),
    ("16.2", partial(search, choose=lambda beam, value: " ".join(max(beam, key=value)[0])), "Return a tuple of words"),
    ("16.2", partial(search, choose=lambda beam, value: [words for words, _ in beam]), "Return one sentence"),
    ("16.2", lambda after, *rest: search(lambda words: after(list(words)), *rest), "a tuple of words, at first ()"),
    ("16.2", lambda after, *rest: search(lambda words: after(" ".join(words)), *rest), "a tuple of words, at first ()"),
    ("16.2", lost_and_found, "a beam of this width has lost it"),
    ("16.2", lambda *case: ("the", "cat", "."), "which (16c) gives -0.5285; yours is “the cat .” with -0.8223."),
    ("16.2", lambda *case: ("dog", "the"), "`after` does not lead there"),
    ("16.3", partial(bleu, match=lambda mine, theirs: sum(count for gram, count in mine.items() if gram in theirs)), "the smaller of the two counts"),
    ("16.3", partial(bleu, match=lambda mine, theirs: len(set(mine) & set(theirs)), total=lambda mine, theirs: len(mine)),
     "each kind of n-gram once"),
    ("16.3", partial(bleu, match=lambda mine, theirs: len(set(mine) & set(theirs))), "each kind of n-gram once"),
    ("16.3", partial(bleu, total=lambda mine, theirs: theirs.total()), "a share of the translations' n-grams"),
    ("16.3", lambda translations, references: bleu(references, translations), "translations and references have changed places"),
    ("16.3", of_sentences, "the mean of the sentences' scores"),
    ("16.3", macro, "the mean of the sentences' shares"),
    ("16.3", sentence_penalties, "You make one for each sentence"),
    ("16.3", partial(bleu, penalty=lambda h, r: 1), "the penalty is missing"),
    ("16.3", partial(bleu, penalty=lambda h, r: math.exp(1 - r / h)), "get no reward"),
    ("16.3", partial(bleu, penalty=lambda h, r: min(1, math.exp(1 - h / r))), "h and r have changed places"),
    ("16.3", partial(bleu, penalty=lambda h, r: math.exp(1 - h / r)), "h and r have changed places in the penalty, and"),
    ("16.3", partial(bleu, penalty=lambda h, r: min(1, h / r)), "not h / r"),
    ("16.3", partial(bleu, penalty=lambda h, r: min(1, math.exp(1 - r / h)) ** 0.25), "not under it"),
    ("16.3", partial(bleu, mean=np.mean), "the arithmetic mean of the p_n"),
    ("16.3", partial(bleu, mean=np.mean, zero=False, penalty=lambda h, r: min(1, math.exp(1 - r / max(h, 1)))), "the arithmetic mean of the p_n"),
    ("16.3", partial(bleu, mean=math.prod), "the fourth root is missing"),
    ("16.3", partial(bleu, mean=lambda p: math.prod(p) ** 0.5), "the square root"),
    ("16.3", partial(bleu, N=3), "stops at n = 3"),
    ("16.3", partial(bleu, N=5), "from n = 1 to n = 5"),
    ("16.3", partial(bleu, mean=lambda p: p[-1]), "that is p_4 alone"),
    ("16.3", partial(bleu, N=1), "that is p_1 alone"),
    ("16.3", partial(bleu, zero=False), "where 0 is right your answer stopped with ValueError"),
    ("16.3", partial(bleu, zero=False, mean=lambda p: math.prod(filter(None, p)) ** 0.25), "leave that n out of the product"),
    ("16.3", partial(bleu, zero=False, mean=lambda p: any(p) and math.exp(np.mean(np.log([x for x in p if x])))), "leave that n out of the mean"),
    ("16.3", partial(bleu, scale=1), "multiply by 100"),
    ("16.3", partial(bleu, join=lambda texts: [sum(texts, [])]), "run on from one sentence into the next"),
    ("16.3", pooled, "You look for it in all of them"),
    ("16.3", partial(bleu, add=1), "That is a smoothing"),
    ("16.3", lambda *texts: math.log(max(bleu(*texts), 1)), "the logarithm of the score"),
    ("16.3", words_popped, "writes into `translations`"),
    ("16.3", lambda *texts: bleu(*texts) + 1, "BLEU should be"),
    ("16.4", partial(ahead, win=lambda u, v: u > v), "you count it as 0"),
    ("16.4", partial(ahead, win=lambda u, v: u >= v), "you count it as 1"),
    ("16.4", partial(ahead, share=lambda points: np.mean([p for p in points if p != 0.5] or 0.5)), "you leave ties out"),
    ("16.4", lambda a, b, *rest: ahead(b, a, *rest), "that is the share of b"),
    ("16.4", partial(ahead, win=lambda u, v: u < v), "with ties counted as 0"),
    ("16.4", partial(ahead, win=lambda u, v: u - v), "the mean lead of a"),
    ("16.4", partial(ahead, share=sum), "Divide by their number R"),
    ("16.4", lambda *case: 100 * ahead(*case), "in percent"),
    ("16.4", lambda a, *rest: ahead(a, *rest, share=sum) / len(a), "that of the R resamplings"),
    ("16.4", redrawn, "sums that are of no resampling"),
    ("16.4", partial(ahead, rows_b=lambda draws: draws[::-1]), "on different sentences"),
    ("16.4", partial(ahead, rows_b=lambda draws: np.roll(draws, 1, axis=0)), "on different sentences"),
    ("16.4", ordered, "the best of a meets the best of b"),
    ("16.4", all_pairs, "The i-th of a belongs with the i-th of b"),
    ("16.4", partial(ahead, one=lambda x, rows, score: np.mean([score(x[row]) for row in rows])), "the mean of the sentences' own scores"),
    ("16.4", partial(ahead, one=lambda x, rows, score: score(x[rows].mean(0))), "You give it their mean"),
    ("16.4", partial(ahead, one=lambda x, rows, score: score(x[np.unique(rows)].sum(0))), "You take each once"),
    ("16.4", partial(ahead, one=masked), "You take each once"),
    ("16.4", lambda a, b, draws, score: ahead(a, b, draws.reshape(-1, 1), score), "that is the share of sentences"),
    ("16.4", lambda a, b, draws, score: ahead(a, b, np.arange(len(a))[:, None], score), "that is the share of sentences"),
    ("16.4", lambda a, b, draws, score: ahead(a, b, np.arange(len(a))[None], score), "that compares all sentences once"),
    ("16.4", lambda a, b, draws, score: ahead(a, b, draws.T, score), "You take its columns"),
    ("16.4", partial(ahead, one=lambda x, rows, score: score(x[rows])), "you gave it something of shape (6, 3)"),
    ("16.4", partial(ahead, one=lambda x, rows, score: score(x[rows].sum(1))), "`score` takes a sum of rows"),
    ("16.4", rows_shuffled, "writes into `a`"),
    ("16.4", partial(ahead, share=list), "Return one number"),
    ("16.4", lambda *case: ahead(*case) + 0.01, "the share should be"),
]

ALSO_RIGHT = [
    ("16.1", smoothed),
    ("16.1", by_cross_entropy),
    ("16.1", by_the_wish),
    ("16.1", by_loops),
    ("16.1", lambda logits, *rest: smoothed(logits.double().requires_grad_(), *rest)[None]),
    ("16.2", search),
    ("16.2", by_heap),
    ("16.2", by_products),
    ("16.2", lambda *case: np.array(search(*case))),
    ("16.3", bleu),
    ("16.3", by_sacrebleu),
    ("16.3", by_logs),
    ("16.3", lambda *texts: np.float32(bleu(*texts))),
    ("16.4", ahead),
    ("16.4", by_counts),
    ("16.4", by_lists),
    ("16.4", lambda a, b, draws, score: ahead(torch.tensor(a), torch.tensor(b), torch.tensor(draws), score, share=lambda p: sum(p) / len(p))),
]
