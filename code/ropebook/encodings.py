"""Ten ways to tell attention about order: the paper's section 2, and NoPE, ALiBi and RoPE beside it.

Every encoding is one function of the same five arguments, `encoding(x, y, m, n, w)`:

    x        (M, C)  the words that ask; floating
    y        (N, C)  the words that are asked
    m        (M,)    positions of x, tokens
    n        (N,)    positions of y, tokens
    w                `Weights`: what a model would have learned; each function takes what it needs
    returns  (M, N)  scores q·k, before the division by √D and the softmax
    raises   ValueError if shapes do not fit, or if a table has no row for a position, naming both numbers

Letters of shapes: M queries, N keys, C width of the model, D head dimension (one head), L rows of a table of positions,
r the largest offset with a parameter of its own.
"""

from dataclasses import dataclass

import numpy as np

from ropebook.frequencies import frequencies
from ropebook.rotation import angles, rotate


@dataclass(frozen=True)
class Weights:
    """One head's parameters, shared by all encodings so that they are compared on the same queries and keys."""

    w_q: np.ndarray  # (D, C) makes queries
    w_k: np.ndarray  # (D, C) makes keys
    table: np.ndarray  # (L, C) p_m, a learned vector for each position: learned, TUPE
    relative: np.ndarray  # (2r + 1, C) p̃, a learned vector for each offset from −r to r: Shaw, DeBERTa
    bias: np.ndarray  # (B,) b, a learned number for each bucket of offsets: T5, TUPE
    w_r: np.ndarray  # (D, C) W̃_k, makes keys of offsets: Transformer-XL
    u: np.ndarray  # (C,) what every query asks of words: Transformer-XL
    v: np.ndarray  # (C,) what every query asks of offsets: Transformer-XL
    u_q: np.ndarray  # (D, C) makes queries of positions: TUPE
    u_k: np.ndarray  # (D, C) makes keys of positions: TUPE
    slope: float = 0.25  # ALiBi's loss of score per token


def random_weights(rng, width, head_dim, longest, reach, buckets=32):
    """Weights as a model has them before training: independent normal entries that keep the size of what they are given.

    rng        numpy.random.Generator
    width      C
    head_dim   D, even
    longest    L, how many positions the learned tables have
    reach      r, the largest offset with a vector of its own
    buckets    how many numbers T5's bias has; a multiple of 4
    returns    Weights
    """
    project = lambda: rng.standard_normal((head_dim, width)) / np.sqrt(width)
    vectors = lambda *shape: rng.standard_normal((*shape, width))
    return Weights(
        w_q=project(), w_k=project(), table=vectors(longest), relative=vectors(2 * reach + 1), bias=rng.standard_normal(buckets),
        w_r=project(), u=vectors(), v=vectors(), u_q=project(), u_k=project(),
    )  # fmt: skip


# ---- no position, and positions added to the words ----------------------------------------------


def nope(x, y, m, n, w):
    """No position: W_q x · W_k y. Equation 2's score."""
    _check(x, y, m, n, w)
    return (x @ w.w_q.T) @ (y @ w.w_k.T).T  # (M, N)


def sinusoidal(x, y, m, n, w):
    """Add fixed waves to the words, then project. Equations 3 and 4 (Vaswani et al., 2017)."""
    _check(x, y, m, n, w)
    width = w.w_q.shape[1]
    return nope(x + sinusoid(m, width), y + sinusoid(n, width), m, n, w)


def learned(x, y, m, n, w):
    """Add a learned vector for each position, then project. Equation 3 (BERT)."""
    _check(x, y, m, n, w)
    return nope(x + _rows(w.table, m), y + _rows(w.table, n), m, n, w)


# ---- positions in the scores ---------------------------------------------------------------------


def shaw(x, y, m, n, w):
    """Add to each key a vector for its offset, clipped at ±r. Equation 5, the scores (Shaw et al., 2018)."""
    _check(x, y, m, n, w)
    keys = (y + clipped(w.relative, _offsets(m, n))) @ w.w_k.T  # (M, N, D)
    return np.einsum("md,mnd->mn", x @ w.w_q.T, keys)


def shaw_values(y, m, n, w_v, relative):
    """The values that each query sees: each word's, with a vector for its offset. Equation 5, the values.

    y         (N, C)        the words that are asked
    m, n      (M,), (N,)    positions of queries and of y, whole tokens
    w_v       (D, C)        makes values
    relative  (2r + 1, C)   p̃ᵛ, a learned vector for each offset from −r to r
    returns   (M, N, D)
    """
    return (y + clipped(relative, _offsets(m, n))) @ w_v.T


def transformer_xl(x, y, m, n, w):
    """Waves of the offset with a projection of their own, and two questions that all queries ask. Equation 7 (Dai et al., 2019)."""
    _check(x, y, m, n, w)
    q, u, v = x @ w.w_q.T, w.w_q @ w.u, w.w_q @ w.v  # (M, D), (D,), (D,)
    waves = sinusoid(_offsets(m, n), w.w_q.shape[1]) @ w.w_r.T  # (M, N, D)
    return (q + u) @ (y @ w.w_k.T).T + np.einsum("md,mnd->mn", q + v, waves)


def t5(x, y, m, n, w):
    """A learned number for each bucket of offsets, and nothing else. Equation 8 (Raffel et al., 2020)."""
    return nope(x, y, m, n, w) + w.bias[bucket(_offsets(m, n), len(w.bias))]


def tupe(x, y, m, n, w):
    """Words ask words, positions ask positions, never crosswise; T5's number on top. Equation 9 (Ke et al., 2021)."""
    _check(x, y, m, n, w)
    positions = (_rows(w.table, m) @ w.u_q.T) @ (_rows(w.table, n) @ w.u_k.T).T  # (M, N)
    return t5(x, y, m, n, w) + positions


def deberta(x, y, m, n, w):
    """Words ask words, words ask offsets, offsets ask words. Equation 10 (He et al., 2021)."""
    _check(x, y, m, n, w)
    q, k = x @ w.w_q.T, y @ w.w_k.T  # (M, D), (N, D)
    vectors = clipped(w.relative, _offsets(m, n))  # (M, N, C)
    asked = np.einsum("md,mnd->mn", q, vectors @ w.w_k.T)
    asking = np.einsum("mnd,nd->mn", vectors @ w.w_q.T, k)
    return nope(x, y, m, n, w) + asked + asking


def alibi(x, y, m, n, w):
    """Subtract a slope times the distance. Press et al., 2022; after the division by √D, hence the factor."""
    return nope(x, y, m, n, w) - w.slope * np.sqrt(len(w.w_q)) * np.abs(_offsets(m, n))


def rope(x, y, m, n, w):
    """Project, then turn each pair of features by its position. Equation 16."""
    _check(x, y, m, n, w)
    theta = frequencies(len(w.w_q))
    return rotate(x @ w.w_q.T, m, theta) @ rotate(y @ w.w_k.T, n, theta).T


ENCODINGS = {
    "NoPE": nope, "sinusoidal": sinusoidal, "learned": learned, "Shaw": shaw, "Transformer-XL": transformer_xl,
    "T5": t5, "TUPE": tupe, "DeBERTa": deberta, "ALiBi": alibi, "RoPE": rope,
}  # fmt: skip


# ---- what several of them use --------------------------------------------------------------------


def sinusoid(positions, width, base=10000.0):
    """The fixed waves: entry 2t is sin(position · base^(−2t/width)), entry 2t + 1 the cosine of the same angle.

    positions  (...)         tokens, or offsets; finite real numbers
    width      C, even
    returns    (..., C)      float64
    raises     ValueError as `frequencies` and `angles`
    source     RoFormer eq. 4, with i where it prints k; Vaswani et al., 2017
    """
    positions = np.asarray(positions, dtype=np.float64)
    turn = angles(positions.ravel(), frequencies(width, base))  # (positions.size, C/2)
    return np.stack([np.sin(turn), np.cos(turn)], axis=-1).reshape(*positions.shape, width)


def clipped(relative, offsets):
    """The vectors of the offsets, those beyond ±r sharing the last one.

    relative  (2r + 1, C)
    offsets   (...)       m − n, whole tokens
    returns   (..., C)
    raises    ValueError if an offset is not whole, or the number of vectors not odd
    """
    if len(relative) % 2 == 0:
        raise ValueError(f"relative must have 2 r + 1 vectors, an odd number; got {len(relative)}")
    reach = len(relative) // 2
    return relative[np.clip(_whole(offsets), -reach, reach) + reach]


def bucket(offsets, buckets=32, longest=128):
    """Which of T5's buckets an offset falls in: small ones alone, larger ones together, on a logarithmic scale up to `longest`.

    offsets  (...)  m − n, whole tokens; keys behind the query (m ≥ n) take the first half of the buckets, keys ahead the second
    returns  (...)  int, 0 … buckets − 1
    raises   ValueError if an offset is not whole, buckets is not a multiple of 4, or longest does not exceed buckets / 4
    source   Raffel et al., 2020, section 2.1; the rule of their code
    """
    if buckets % 4 or not 4 <= buckets < 4 * longest:
        raise ValueError(f"buckets must be a multiple of 4 between 4 and 4 · longest = {4 * longest}, got {buckets}")
    offsets = _whole(offsets)
    half, alone = buckets // 2, buckets // 4
    distance = np.abs(offsets)
    steps = np.log(np.maximum(distance, 1) / alone) / np.log(longest / alone) * (half - alone)
    together = np.minimum(alone + np.maximum(steps, 0).astype(int), half - 1)
    return np.where(offsets < 0, half, 0) + np.where(distance < alone, distance, together)


def _offsets(m, n):
    """m − n for every query and key: (M, N) float64."""
    return np.subtract.outer(np.asarray(m, dtype=np.float64), np.asarray(n, dtype=np.float64))


def _whole(values):
    values = np.asarray(values, dtype=np.float64)
    whole = np.isfinite(values) & (np.rint(values) == values)
    if not whole.all():
        raise ValueError(f"a table knows whole offsets and positions only, got {values[~whole].flat[0]}")
    return values.astype(int)


def _rows(table, positions):
    """The table's rows at those positions: (T, C)."""
    positions = _whole(positions)
    outside = positions[(positions < 0) | (positions >= len(table))]
    if outside.size:
        raise ValueError(f"the table has positions 0 to {len(table) - 1}, got {outside.flat[0]}")
    return table[positions]


def _check(x, y, m, n, w):
    width = w.w_q.shape[1]
    for name, words, places in (("x", x, m), ("y", y, n)):
        if np.ndim(words) != 2 or np.shape(words)[1] != width:
            raise ValueError(f"{name} must have shape (T, {width}), got {np.shape(words)}")
        if np.shape(places) != (len(words),):
            raise ValueError(f"{name} has {len(words)} words, but its positions have shape {np.shape(places)}")
        if not np.isfinite(places).all():
            raise ValueError(f"positions must be finite, got {np.asarray(places)[~np.isfinite(places)][0]}")
