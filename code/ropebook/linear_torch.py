"""Linear attention with RoPE in torch, for a model to be trained with; `ropebook.linear` is its NumPy twin and explains it.

Letters of shapes: B sequences, H heads, T tokens, D head dimension (even), F features of a weight.
"""

import torch
import torch.nn.functional as F

from ropebook.linear import FORMS
from ropebook.rotation_torch import apply_table


def feature_map(x):
    """elu(x) + 1: positive; below −38, or −18 in float32, it rounds to 0, since torch adds the 1 to e^x − 1. RoFormer eq. 18."""
    return F.elu(x) + 1


def sides(q, k, table, form="equation 19"):
    """The four rows of features of linear attention, as `ropebook.linear.sides`.

    q, k     (..., T, D)  floating
    table    (T, D/2) complex, from `rotation_table`; not used by the form "plain"
    form     one of `ropebook.linear.FORMS`
    returns  a, b, c, d, each (..., T, F)
    raises   ValueError for another form, or as `apply_table`
    """
    turn = lambda x: apply_table(x, table)
    if form == "equation 19":
        c, d = feature_map(q), feature_map(k)
        return turn(c), turn(d), c, d
    if form == "rotate first":
        a, b = feature_map(turn(q)), feature_map(turn(k))
    elif form == "rotated denominator":
        a, b = turn(feature_map(q)), turn(feature_map(k))
    elif form == "one plus cosine":
        a, b = (F.pad(F.normalize(turn(x), dim=-1), (1, 0), value=1.0) for x in (q, k))
    elif form == "plain":
        a, b = feature_map(q), feature_map(k)
    else:
        raise ValueError(f"form must be one of {', '.join(FORMS)}; got {form!r}")
    return a, b, a, b


def quadratic(a, b, c, d, v, causal=False, present=None):
    """Attention by the table of all T² weights: Σ_n (a_m·b_n) v_n / Σ_n c_m·d_n. Short texts are fastest so.

    a, b, c, d  (..., T, F)  from `sides`
    v           (..., T, E)  values
    causal      whether word m sees only the words n ≤ m
    present     (B, T) bool for v (B, H, T, E): false for padding, which has no weight but for itself; None if there is none
    returns     (..., T, E)
    """
    weights, parts = a @ b.mT, c @ d.mT  # (..., T, T)
    if present is not None:
        weights, parts = (table.masked_fill(~seen(present), 0) for table in (weights, parts))
    if causal:
        weights, parts = weights.tril(), parts.tril()
    return weights @ v / parts.sum(dim=-1, keepdim=True)


def seen(present):
    """Which words each word may look at: those that are present, and itself, so that padding has something to look at and no sum is empty.

    present  (B, T)        bool: false for padding
    returns  (B, 1, T, T)  bool
    """
    itself = torch.eye(present.shape[-1], dtype=torch.bool, device=present.device)
    return present[:, None, None] | itself
