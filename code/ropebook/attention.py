"""Attention in NumPy: each word's new vector is a weighted mean of all words' values. Order has no part in it.

Letters of shapes: T tokens, D head dimension. Leading axes (batch, heads) pass through.
"""

import numpy as np


def attention(q, k, v, causal=False):
    """Weighted means of the values; the weights are the softmax of the scores q·k / √D.

    q, k     (..., T, D)  queries and keys, floating
    v        (..., T, E)  values
    causal   whether word m sees only the words n ≤ m
    returns  (..., T, E)
    raises   ValueError if the shapes do not fit, naming both
    source   RoFormer eq. 2; chapter 01
    """
    if q.shape[-2:] != k.shape[-2:] or k.shape[-2] != v.shape[-2]:
        raise ValueError(f"q, k and v must have as many words, q and k as many features; got {q.shape}, {k.shape} and {v.shape}")
    return weights(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), causal) @ v


def weights(scores, causal=False):
    """The softmax of each row of scores: positive numbers that add up to 1.

    scores   (..., T, T)  already divided by √D
    causal   whether word m sees only the words n ≤ m; the others get weight 0
    returns  (..., T, T)
    """
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    parts = np.exp(scores - scores.max(axis=-1, keepdims=True))  # the largest is 1: nothing overflows
    return parts / parts.sum(axis=-1, keepdims=True)
