"""Linear attention with RoPE in NumPy: weights that are products of features, so that keys and values can be summed up once.

Softmax attention compares every query with every key: T² scores. If the weight of word n for word m is a product a_m·b_n of
two rows of features, then Σ_n (a_m·b_n) v_n = a_m·(Σ_n b_n v_nᵀ), and the sum in brackets is the same for all queries.

Letters of shapes: T tokens, D head dimension (even), E width of a value, F features of a weight. Leading axes pass through.
"""

import numpy as np

from ropebook.rotation import rotate

FORMS = ("equation 19", "rotate first", "rotated denominator", "one plus cosine", "plain")


def feature_map(x):
    """elu(x) + 1: x + 1 above 0 and e^x below, so positive; below −745, or −104 in float32, e^x rounds to 0.

    x        (...)  floating
    returns  (...)  dtype of x
    source   Katharopoulos et al., 2020; RoFormer eq. 18
    """
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def sides(q, k, positions, theta, form="equation 19"):
    """The four rows of features of linear attention: its weights are a·b, and each sum is divided by the sum of c·d.

    q, k       (..., T, D)  queries and keys, floating
    positions  (T,)         tokens
    theta      (D/2,)       radians per token
    form       "equation 19"          a, b = R φ(q), R φ(k); c, d = φ(q), φ(k), not turned
               "rotate first"         a, b = φ(R q), φ(R k), and the same for c, d
               "rotated denominator"  a, b = R φ(q), R φ(k), and the same for c, d
               "one plus cosine"      weights 1 + cos of the angle between R q and R k, with no feature map
               "plain"                no rotation: a, b = φ(q), φ(k), and the same for c, d
    returns    a, b, c, d, each (..., T, F) with F = D, or D + 1 for "one plus cosine"
    raises     ValueError for another form, or as `rotate`
    source     RoFormer eq. 17 to 19; chapter 11
    """
    turn = lambda x: rotate(x, positions, theta)
    if form == "equation 19":
        c, d = feature_map(q), feature_map(k)
        return turn(c), turn(d), c, d
    if form == "rotate first":
        a, b = feature_map(turn(q)), feature_map(turn(k))
    elif form == "rotated denominator":
        a, b = turn(feature_map(q)), turn(feature_map(k))
    elif form == "one plus cosine":
        a, b = _with_one(turn(q)), _with_one(turn(k))
    elif form == "plain":
        a, b = feature_map(q), feature_map(k)
    else:
        raise ValueError(f"form must be one of {', '.join(FORMS)}; got {form!r}")
    return a, b, a, b


def _with_one(x):
    """Each row made one long, and a 1 put before it: (..., T, D + 1). A product of two such rows is 1 + their cosine."""
    unit = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return np.concatenate([np.ones_like(unit[..., :1]), unit], axis=-1)


def quadratic(a, b, c, d, v, causal=False):
    """Attention by the table of all T² weights: Σ_n (a_m·b_n) v_n / Σ_n c_m·d_n.

    a, b, c, d  (..., T, F)  from `sides`
    v           (..., T, E)  values
    causal      whether word m sees only the words n ≤ m
    returns     (..., T, E)
    source      RoFormer eq. 17 and 19
    """
    weights, parts = a @ b.swapaxes(-1, -2), c @ d.swapaxes(-1, -2)  # (..., T, T)
    if causal:
        seen = np.tri(v.shape[-2], dtype=bool)
        weights, parts = np.where(seen, weights, 0), np.where(seen, parts, 0)
    return weights @ v / parts.sum(axis=-1, keepdims=True)


def summed(a, b, c, d, v):
    """The same numbers as `quadratic`, with the keys and values summed up first: time and memory grow like T.

    a, b, c, d  (..., T, F)
    v           (..., T, E)
    returns     (..., T, E)
    source      Katharopoulos et al., 2020, section 3.2; chapter 11
    """
    state = b.swapaxes(-1, -2) @ v  # (..., F, E)
    total = d.sum(axis=-2, keepdims=True).swapaxes(-1, -2)  # (..., F, 1)
    return a @ state / (c @ total)


def prefix_summed(a, b, c, d, v, chunk=64):
    """The same numbers as causal `quadratic`: sums over all earlier chunks, and a small table of weights inside each chunk.

    a, b, c, d  (..., T, F)
    v           (..., T, E)
    chunk       words at a time; any number of at least 1 gives the same result, to rounding
    returns     (..., T, E)
    raises      ValueError if chunk is less than 1
    source      chapter 11
    """
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1 word, got {chunk}")
    out = np.empty(v.shape, np.result_type(a, v))
    state = np.zeros((*a.shape[:-2], a.shape[-1], v.shape[-1]), out.dtype)  # (..., F, E)
    total = np.zeros((*c.shape[:-2], c.shape[-1], 1), out.dtype)  # (..., F, 1)
    for start in range(0, v.shape[-2], chunk):
        A, B, C, D, V = (x[..., start : start + chunk, :] for x in (a, b, c, d, v))
        weights, parts = np.tril(A @ B.swapaxes(-1, -2)), np.tril(C @ D.swapaxes(-1, -2))
        sums = parts.sum(axis=-1, keepdims=True) + C @ total
        out[..., start : start + chunk, :] = (weights @ V + A @ state) / sums
        state += B.swapaxes(-1, -2) @ V
        total += D.sum(axis=-2, keepdims=True).swapaxes(-1, -2)
    return out
