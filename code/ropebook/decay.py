"""Scores against distance: their sum of waves, and the bound that the paper's "long-term decay" rests on.

With the pairs of q and k read as complex numbers, h_i = q_i k_i* and S_j = e^{i m θ_0} + … + e^{i m θ_{j−1}}, a score at the offset m is
Re Σ h_i e^{i m θ_i} (eq. 35). Abel's summation by parts turns the sum into one of S (eq. 36) and bounds it (eq. 37).

Letters of shapes: N distances, D features of a head (even); leading axes pass through.
"""

import numpy as np

from ropebook.rotation import angles


def pair_products(q, k):
    """h_i = q_i k_i*, a complex number for each pair.

    q, k     (..., D)  interleaved pairs
    returns  (..., D/2)  complex128
    raises   ValueError if the shapes do not fit or D is odd, naming them
    source   RoFormer eq. 35; chapter 10
    """
    q, k = np.asarray(q, np.float64), np.asarray(k, np.float64)
    if q.ndim == 0 or q.shape[-1:] != k.shape[-1:] or q.shape[-1] % 2:
        raise ValueError(f"q and k must have the same even number of features, got shapes {q.shape} and {k.shape}")
    as_complex = lambda x: x[..., 0::2] + 1j * x[..., 1::2]
    return as_complex(q) * as_complex(k).conj()


def scores(h, distances, theta):
    """q·k of the turned q and k whose positions are `distances` apart (the query's minus the key's); not divided by √D.

    h          (..., D/2)  complex, of `pair_products`
    distances  (N,)        tokens
    theta      (D/2,)      radians per token
    returns    (..., N)    float64
    raises     ValueError if h does not fit theta, naming both; for distances and theta as `rotation.angles`
    source     RoFormer eq. 35; chapter 10
    """
    waves = np.exp(1j * angles(distances, theta))  # (N, D/2)
    _check_pairs(h, waves)
    return (h @ waves.T).real


def partial_sums(distances, theta):
    """S_1 … S_{D/2}: the sums of the first waves.

    distances  (N,)    tokens
    theta      (D/2,)  radians per token
    returns    (N, D/2)  complex128; column j − 1 is S_j
    raises     ValueError as `rotation.angles`
    source     RoFormer eq. 36; chapter 10
    """
    return np.cumsum(np.exp(1j * angles(distances, theta)), axis=-1)


def abel_bound(h, distances, theta):
    """What |score| cannot exceed by eq. 37: max |h_{i+1} − h_i| · Σ |S_{i+1}|, with h_{D/2} = 0.

    h          (..., D/2)  complex
    distances  (N,)        tokens
    theta      (D/2,)      radians per token
    returns    (..., N)    float64
    raises     ValueError as `scores`
    source     RoFormer eq. 37; chapter 10
    """
    sums = partial_sums(distances, theta)  # (N, D/2)
    _check_pairs(h, sums)
    steps = np.abs(np.diff(h, axis=-1, append=0)).max(axis=-1)
    return np.multiply.outer(steps, np.abs(sums).sum(axis=-1))


def trivial_bound(h):
    """What |score| cannot exceed at any distance: Σ |h_i|; h (..., D/2) complex, result (...)."""
    return np.abs(h).sum(axis=-1)


def mean_partial_sum(distances, theta):
    """The mean of |S_1| … |S_{D/2}|, the curve of the paper's Figure 2; shapes as for `partial_sums`, result (N,)."""
    return np.abs(partial_sums(distances, theta)).mean(axis=-1)


def _check_pairs(h, waves):
    if np.shape(h)[-1:] != waves.shape[-1:]:
        raise ValueError(f"h must have one number for each of the {waves.shape[-1]} speeds, got shape {np.shape(h)}")
