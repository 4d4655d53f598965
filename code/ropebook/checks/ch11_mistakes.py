"""Right and wrong outputs for the checkers of chapter 11: what each mistake gives, and what it teaches."""

import numpy as np

from ropebook.frequencies import frequencies
from ropebook.linear import feature_map, quadratic, sides
from ropebook.rotation import rotate, rotate_half_split

# ---- 11.1 -------------------------------------------------------------------


def mean(a, b, v, causal=False):
    return quadratic(a, b, a, b, v, causal)


def _softmax(scores):
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def _columns_divided(a, b, v):
    sums = a @ b.sum(axis=0)  # (T,)
    return a @ (b.T @ v) / sums if v.shape[0] == v.shape[1] else None


SUM_MISTAKES = (  # on features a of queries, b of keys, and values v
    ("the outputs are not divided. The denominators are a product, too: phi_q times the sum of the keys' features.",
     lambda a, b, v: a @ (b.T @ v)),
    ("those are the outputs of softmax attention. The weights here are the products themselves, without an exponential.",
     lambda a, b, v: _softmax(a @ b.T) @ v),
    ("those are the outputs of softmax attention. The weights here are the products themselves, without an exponential.",
     lambda a, b, v: _softmax(a @ b.T / np.sqrt(a.shape[1])) @ v),
    ("queries and keys have changed places: the outputs belong to the queries, and keys are summed up with their values.",
     lambda a, b, v: mean(b, a, v)),
    ("your denominators sum over the queries. Word m's weights are those of all keys n for its own query: sum the keys' features.",
     lambda a, b, v: a @ (b.T @ v) / (b @ a.sum(axis=0))[:, None]),
    ("you divide by one number, the sum of all weights. Every word has a denominator of its own.",
     lambda a, b, v: a @ (b.T @ v) / (a @ b.T).sum()),
    ("you divide by the number of words. The denominator is the sum of the word's weights.", lambda a, b, v: a @ (b.T @ v) / len(v)),
    ("you divide twice by the sum of the weights.", lambda a, b, v: mean(a, b, v) / (a @ b.sum(axis=0))[:, None]),
    ("you divide entry e by the denominator of word e. Give the denominators an axis of 1, (T, 1).", _columns_divided),
    ("each word sees itself and those before it. Here every word sees all words.", lambda a, b, v: mean(a, b, v, causal=True)),
    ("you make each feature of the keys add up to 1 before they meet the queries. Divide at the end, by the sum of the weights.",
     lambda a, b, v: a @ ((b / b.sum(axis=0)).T @ v)),
    ("you make the features of each query and those of all keys add up to 1. Divide at the end, by the sum of the weights.",
     lambda a, b, v: a / a.sum(axis=1, keepdims=True) @ ((b / b.sum(axis=0)).T @ v)),
    ("that is softmax over features and over words. phi_q and phi_k are features as they are: their products are the weights.",
     lambda a, b, v: _softmax(a) @ (_softmax(b.T) @ v)),
    ("phi_q and phi_k are features already; they need no map.", lambda a, b, v: mean(feature_map(a), feature_map(b), v)),
    ("every word gets the plain mean of the values. Are the weights used?", lambda a, b, v: np.broadcast_to(v.mean(axis=0), v.shape)),
    ("rows and columns have changed places: each word's output is a row.", lambda a, b, v: mean(a, b, v).T),
)

# ---- 11.2 -------------------------------------------------------------------


def rope(q, k, v, at, theta, form="equation 19"):
    return quadratic(*sides(q, k, at, theta, form), v)


def _turned_by(turn_q, turn_k, features=feature_map):
    """Equation 19 with other turns of the numerator's features, or with other features."""

    def wrong(q, k, v, at, theta):
        c, d = features(q), features(k)
        return quadratic(turn_q(c, at, theta), turn_k(d, at, theta), c, d, v)
    return wrong


def _back(x, at, theta):
    return rotate(x, -at, theta)


def _still(x, at, theta):
    return x


def _changed(places=lambda at: at, speeds=lambda theta: theta):
    """Equation 19 at other positions or with other speeds."""
    return lambda q, k, v, at, theta: rope(q, k, v, places(at), speeds(theta))


def _divided_by(denominators):
    """The right numerators over denominators(a, b, c, d), (T,)."""

    def wrong(q, k, v, at, theta):
        a, b, c, d = sides(q, k, at, theta)
        return a @ (b.T @ v) / denominators(a, b, c, d)[:, None]
    return wrong


def _values_turned(q, k, v, at, theta):
    return rope(q, k, rotate(v, at, theta), at, theta) if v.shape == q.shape else None


TURNED_FIRST = ("you turn first and take features then, so that the weights depend on where the text stands. Features first: the rotation "
                "turns φ(q) and φ(k).")
TURNED_BELOW = "your denominators are turned as well, so that they can come near 0. In (19) the sum below has bare features."
NOT_TURNED = "nothing is turned. The numerator has R_m φ(q_m) and R_n φ(k_n)."
ONE_TURNED = "only the {} are turned, so the weights follow one position and not the offset. Turn both."
OTHER_WAY = "you turn the other way, by −mθ: the offsets have the other sign."
OPPOSED = "queries and keys are turned in opposite ways, so that positions add up. Turn both by +mθ, each by its own position."
HALVES = "your pairs are (i, i + D/2). Neighbours pair up here: use rotate, not rotate_half_split."
NO_PLUS_ONE = "your features are elu(x), which can be negative. The paper's are elu(x) + 1; feature_map has the 1."
NO_FEATURES = "queries and keys are their own features, which can be negative. φ is elu + 1: use feature_map."
NOT_DIVIDED = "the outputs are not divided. Below stands the sum of φ(q_m)ᵀφ(k_n) over n."
OLD_SPEEDS = "you turn at the speeds of base 10000. Use theta."


def _elu(x):
    return feature_map(x) - 1


ROPE_MISTAKES = (
    (TURNED_FIRST, lambda *case: rope(*case, "rotate first")),
    (TURNED_BELOW, lambda *case: rope(*case, "rotated denominator")),
    (TURNED_BELOW, _divided_by(lambda a, b, c, d: a @ d.sum(axis=0))),
    (TURNED_BELOW, _divided_by(lambda a, b, c, d: c @ b.sum(axis=0))),
    (NOT_TURNED, lambda *case: rope(*case, "plain")),
    ("that is 1 + cos, the other way out. Equation (19) has the features elu + 1.", lambda *case: rope(*case, "one plus cosine")),
    (ONE_TURNED.format("queries"), _turned_by(rotate, _still)),
    (ONE_TURNED.format("keys"), _turned_by(_still, rotate)),
    (OTHER_WAY, _changed(lambda at: -at)),
    (OPPOSED, _turned_by(rotate, _back)),
    (OPPOSED, _turned_by(_back, rotate)),
    (HALVES, _turned_by(rotate_half_split, rotate_half_split)),
    ("you number the words 0, 1, 2, … The caller says where each stands: use positions.", _changed(lambda at: np.arange(len(at)))),
    ("you round the positions. They need not be whole.", _changed(np.trunc)),
    ("you round the positions. They need not be whole.", _changed(np.round)),
    (OLD_SPEEDS, _changed(speeds=lambda theta: frequencies(2 * len(theta)))),
    ("every pair turns by 1 radian a token. Is `theta` used?", _changed(speeds=np.ones_like)),
    (NO_PLUS_ONE, _turned_by(rotate, rotate, _elu)),
    (NO_FEATURES, _turned_by(rotate, rotate, lambda x: x)),
    ("your features are e^x. φ is elu + 1, which is x + 1 above 0: use feature_map.", _turned_by(rotate, rotate, np.exp)),
    ("your features are elu + 2. feature_map has the 1 already, and is wanted once.",
     _turned_by(rotate, rotate, lambda x: feature_map(feature_map(x)))),
    (NOT_DIVIDED, _divided_by(lambda a, b, c, d: np.ones(len(a)))),
    ("you divide twice. The sum of the bare weights stands below once.", _divided_by(lambda a, b, c, d: (c @ d.sum(axis=0)) ** 2)),
    ("you divide by the number of words. Below stands the sum of φ(q_m)ᵀφ(k_n) over n.",
     _divided_by(lambda a, b, c, d: np.full(len(a), float(len(a))))),
    ("your denominators sum over the queries. Word m's is the sum over the keys n.", _divided_by(lambda a, b, c, d: d @ c.sum(axis=0))),
    ("you divide by one number. Every word has a denominator of its own.", _divided_by(lambda a, b, c, d: np.full(len(a), (c @ d.T).sum()))),
    ("above and below have changed places: the turned features belong to the numerator, the bare ones to the denominator.",
     lambda q, k, v, at, theta: quadratic(*(sides(q, k, at, theta)[i] for i in (2, 3, 0, 1)), v)),
    ("the values are turned. (19) leaves them as they are.", _values_turned),
    ("queries and keys have changed places.", lambda q, k, v, at, theta: rope(k, q, v, at, theta)),
    ("each word sees itself and those before it. Here every word sees all words.",
     lambda q, k, v, at, theta: quadratic(*sides(q, k, at, theta), v, causal=True)),
)

# ---- 11.3 -------------------------------------------------------------------


def causal(q, k, v, at, theta, form="equation 19"):
    return quadratic(*sides(q, k, at, theta, form), v, causal=True)


def _stepped(turn_q=rotate, turn_k=rotate, features=feature_map, lacks=(0, 0), divided=True):
    """Causal equation 19 with its mistakes as options; lacks: how many of the newest words each sum lacks, above and below."""

    def wrong(q, k, v, at, theta, _):
        c, d = features(q), features(k)
        above, below = (np.tril(x, -lag) for x, lag in zip((turn_q(c, at, theta) @ turn_k(d, at, theta).T, c @ d.T), lacks))
        with np.errstate(all="ignore"):
            return above @ v / (below.sum(axis=1, keepdims=True) if divided else 1)
    return wrong


def _form(form):
    return lambda q, k, v, at, theta, _: causal(q, k, v, at, theta, form)


def _place(change):
    """The rotation at other positions."""
    return lambda x, at, theta: rotate(x, change(at), theta)


def _after_the_first(q, k, v, at, theta, first):
    """One memory for all texts: the words of the first one, q, k, v, at and theta of its own, are still in it."""
    if (first[0].shape[1], first[2].shape[1]) != (q.shape[1], v.shape[1]):
        return np.full_like(v, np.nan)
    both = (np.concatenate(pair) for pair in zip(first[:4], (q, k, v, at)))
    return causal(*both, theta)[len(first[0]) :]


def _kept_divided(q, k, v, at, theta, _):
    a, b, c, d = sides(q, k, at, theta)
    S, out = np.zeros((a.shape[1], v.shape[1])), []
    for t in range(len(v)):
        S = (S + np.outer(b[t], v[t])) / (c[t] @ d[: t + 1].sum(axis=0))
        out.append(a[t] @ S)
    return np.array(out)


STEP_MISTAKES = (  # on a text q, k, v, at, theta and the first text that was told
    ("your output is the new word's value: the words before it are forgotten. Is `state` read, and returned with the new word in it?",
     lambda q, k, v, at, theta, _: v),
    ("the new word is not in the sums when the query reads them. A word sees itself: add first, then read.", _stepped(lacks=(1, 1))),
    ("the new word is in the denominator and not in the matrix that is read. A word sees itself: add first, then read.", _stepped(lacks=(1, 0))),
    ("the new word is in the matrix and not in the denominator. Add to both first, then read.", _stepped(lacks=(0, 1))),
    (TURNED_BELOW, _form("rotated denominator")),
    (TURNED_FIRST, _form("rotate first")),
    (NOT_TURNED, _form("plain")),
    (ONE_TURNED.format("queries"), _stepped(turn_k=_still)),
    (ONE_TURNED.format("keys"), _stepped(turn_q=_still)),
    (OTHER_WAY, _stepped(_back, _back)),
    (OPPOSED, _stepped(rotate, _back)),
    (OPPOSED, _stepped(_back, rotate)),
    (HALVES, _stepped(rotate_half_split, rotate_half_split)),
    ("you number the words 0, 1, 2, … The caller says where each stands: use at.",
     _stepped(*[_place(lambda at: np.arange(len(at)))] * 2)),
    ("you round the position. It need not be whole.", _stepped(*[_place(np.trunc)] * 2)),
    ("the key is turned by the position before its own. It stands where the query stands: at.", _stepped(turn_k=_place(lambda at: at - 1))),
    ("the key is turned by the position after its own. It stands where the query stands: at.", _stepped(turn_k=_place(lambda at: at + 1))),
    (OLD_SPEEDS, lambda q, k, v, at, theta, _: causal(q, k, v, at, frequencies(q.shape[1]))),
    (NO_PLUS_ONE, _stepped(features=_elu)),
    (NO_FEATURES, _stepped(features=lambda x: x)),
    (NOT_DIVIDED, _stepped(divided=False)),
    ("the words of the text before this one are still in your sums. Begin anew where the state is None, and keep nothing outside of it.",
     _after_the_first),
    ("every step divides what it keeps. Keep the sums, and divide the output only.", _kept_divided),
)

# ---- 11.4 -------------------------------------------------------------------


def _lengths(x):
    return np.hypot(x[0::2], x[1::2])


def share(a, b):
    return -(_lengths(a) * _lengths(b)).sum() / (a @ b)


def _halved(x):
    return np.hypot(*np.split(x, 2))


def _over_offsets(a, b, base=10000.0, offsets=1000):
    """The lowest share that one rotation has at whole offsets below that number."""
    waves = (a[0::2] + 1j * a[1::2]) * (b[0::2] - 1j * b[1::2])
    return (np.exp(1j * np.outer(np.arange(float(offsets)), frequencies(len(a), base))) @ waves).real.min() / (a @ b)


SHARE_MISTAKES = (
    ("that is the highest share. The lowest has a minus: each pair points against the other.", lambda a, b: -share(a, b)),
    ("that is the bare weight turned round, which a half turn of every pair gives. A pair's vectors need not be parallel, and then another "
     "angle goes lower: minus the product of their lengths.", lambda a, b: -1.0),
    ("that is the lowest weight; divide it by the bare one.", lambda a, b: share(a, b) * (a @ b)),
    ("you turn all D features freely. A rotation turns pairs, each in its own plane: take lengths of pairs.",
     lambda a, b: -np.linalg.norm(a) * np.linalg.norm(b) / (a @ b)),
    ("you divide by the lengths of the whole rows. The bare weight is phi_q @ phi_k.",
     lambda a, b: share(a, b) * (a @ b) / np.linalg.norm(a) / np.linalg.norm(b)),
    ("you divide by the product of the sums. The bare weight is phi_q @ phi_k.", lambda a, b: share(a, b) * (a @ b) / a.sum() / b.sum()),
    ("you add the lengths of a pair. The least dot product of two vectors is minus the product of their lengths.",
     lambda a, b: -(_lengths(a) + _lengths(b)).sum() / (a @ b)),
    ("you multiply sums of lengths. Multiply pair by pair, then add.", lambda a, b: -_lengths(a).sum() * _lengths(b).sum() / (a @ b)),
    ("your pairs are (i, i + D/2). Neighbours pair up here: (0, 1), (2, 3), …", lambda a, b: -(_halved(a) * _halved(b)).sum() / (a @ b)),
    ("those are squares of lengths: the roots are missing.", lambda a, b: -(_lengths(a) ** 2 * _lengths(b) ** 2).sum() / (a @ b)),
    ("that is the mean over the pairs. The weight is their sum.", lambda a, b: share(a, b) / len(_lengths(a))),
    ("that is the lowest pair alone. The weight is the sum of all pairs.", lambda a, b: -(_lengths(a) * _lengths(b)).max() / (a @ b)),
    ("that is the lowest over the first offsets of one rotation. If the angles are chosen freely each pair reaches its own lowest.", _over_offsets),
)
