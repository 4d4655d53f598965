"""How fast each pair of features turns: the one list of numbers that RoPE is free to choose."""

import math
import operator

import numpy as np


def frequencies(head_dim, base=10000.0):
    """Angular frequency of each pair: theta[i] = base ** (-2 i / head_dim), i = 0 … head_dim/2 - 1.

    head_dim   D, the width of one attention head; even, at least 2
    base       b > 0, finite; 10000 in the paper
    returns    (D/2,) float64, radians per token, fastest pair first
    raises     ValueError if head_dim is not a positive even integer or base is not finite and positive
    source     RoFormer eq. 15 (its i starts at 1); chapter 05
    """
    try:
        head_dim = operator.index(head_dim)
    except TypeError:
        raise ValueError(f"head_dim must be an even integer, got {head_dim!r}") from None
    if head_dim < 2 or head_dim % 2:
        raise ValueError(f"head_dim must be an even integer of at least 2, got {head_dim}")
    if not math.isfinite(base) or base <= 0:
        raise ValueError(f"base must be finite and positive, got {base}")
    return float(base) ** (-2.0 * np.arange(head_dim // 2) / head_dim)
