"""RoPE in NumPy: the rotation written out as a matrix, and the fast form that never builds it.

Letters of shapes: T tokens, D head dimension (even), D/2 pairs. Leading axes (batch, heads) pass through.
Default pairing is interleaved, (x[0], x[1]), (x[2], x[3]), …, and the sign is +m theta: the paper's eq. 34.
The other layout says so in its name.
"""

import numpy as np


def angles(positions, theta):
    """Angle of every pair at every position: positions[t] * theta[i].

    positions  (T,)       tokens; any finite real numbers
    theta      (D/2,)     radians per token
    returns    (T, D/2)   float64, radians
    raises     ValueError if either is not one-dimensional or holds a value that is not finite
    """
    positions, theta = _vector("positions", positions), _vector("theta", theta)
    return positions[:, None] * theta  # (T, D/2)


def rotate(x, positions, theta):
    """Turn pair i of row t of x, (x[2i], x[2i+1]), by the angle positions[t] * theta[i].

    x          (..., T, D)  real floating, D even; left unchanged
    positions  (T,)         tokens
    theta      (D/2,)       radians per token
    returns    (..., T, D)  dtype of x; every row keeps its norm
    raises     ValueError if D != 2 * len(theta) or T != len(positions), naming both numbers
    source     RoFormer eq. 34; chapter 05
    """
    x, cos, sin = _prepare(x, positions, theta)
    first, second = x[..., 0::2], x[..., 1::2]  # (..., T, D/2)
    out = np.empty_like(x)
    out[..., 0::2] = first * cos - second * sin
    out[..., 1::2] = first * sin + second * cos
    return out


def rotate_half_split(x, positions, theta):
    """The same rotation for the half-split layout, whose pair i is (x[i], x[i + D/2]).

    x          (..., T, D)  real floating, D even; left unchanged
    positions  (T,)         tokens
    theta      (D/2,)       radians per token
    returns    (..., T, D)  dtype of x; every row keeps its norm
    raises     ValueError as `rotate`
    source     GPT-NeoX and Llama in Hugging Face transformers; chapter 06
    """
    x, cos, sin = _prepare(x, positions, theta)
    first, second = np.split(x, 2, axis=-1)  # (..., T, D/2)
    return np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


def rotation_matrix(position, theta):
    """The block-diagonal matrix R_m, with one 2×2 rotation by position * theta[i] per pair.

    position   m, one finite real number, tokens
    theta      (D/2,)  radians per token
    returns    (D, D)  float64, orthogonal
    raises     ValueError if position is not finite, or theta as `angles`
    source     RoFormer eq. 15; chapter 05
    """
    turn = angles([position], theta)[0]  # (D/2,)
    matrix = np.zeros((2 * len(turn), 2 * len(turn)))
    for i, angle in enumerate(turn):
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix


def to_half_split(x):
    """Reorder the last axis from interleaved to half-split: (0, 2, 4, …, 1, 3, 5, …).

    x          (..., D)  D even
    returns    (..., D)  a copy
    raises     ValueError if D is odd
    """
    x = _even(x)
    return np.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1)


def to_interleaved(x):
    """Reorder the last axis from half-split to interleaved; undoes `to_half_split`.

    x          (..., D)  D even
    returns    (..., D)  a copy
    raises     ValueError if D is odd
    """
    x = _even(x)
    return np.stack(np.split(x, 2, axis=-1), axis=-1).reshape(x.shape)


def _vector(name, values):
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)][0]}")
    return values


def _even(x):
    x = np.asarray(x)
    if x.ndim == 0 or x.shape[-1] % 2:
        raise ValueError(f"the last axis must be even so that features pair up, got shape {x.shape}")
    return x


def _prepare(x, positions, theta):
    """x as an array, and cos and sin of its angles (T, D/2) in the dtype of x, after the shape checks."""
    x, angle = _even(x), angles(positions, theta)
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(f"x must hold real floating-point numbers, got dtype {x.dtype}")
    if x.ndim < 2:
        raise ValueError(f"x must have shape (..., T, D), got {x.shape}")
    if x.shape[-1] != 2 * angle.shape[1]:
        raise ValueError(f"x has {x.shape[-1]} features a row, but theta has {angle.shape[1]} frequencies: expected {2 * angle.shape[1]}")
    if x.shape[-2] != angle.shape[0]:
        raise ValueError(f"x has {x.shape[-2]} rows, but there are {angle.shape[0]} positions")
    return x, np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
