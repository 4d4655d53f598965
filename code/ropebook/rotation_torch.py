"""RoPE in torch: differentiable, any device, and as fast as copying the tensor in float32.

A pair of features is one complex number, and turning it by m theta multiplies it by e^{i m theta}. The table of these
factors is computed in float64 on the CPU, cast once, then moved: angles computed in float32 are off by 1.4e-4 radians at
position 4096, and some devices have no float64. Nothing is cached: a table depends on positions, theta, dtype and device,
so whoever holds one knows what it is for.
"""

import numpy as np
import torch

from ropebook.rotation import angles


def rotation_table(positions, theta, dtype=torch.float32, device="cpu"):
    """The complex factors e^{i positions[t] theta[i]}.

    positions  (T,)      tokens; finite real numbers: list, NumPy array or tensor
    theta      (D/2,)    radians per token; array or tensor
    dtype      the real dtype in which the rotation will be computed: torch.float32 or torch.float64
    device     where the table goes
    returns    (T, D/2)  complex64 or complex128
    raises     ValueError for another dtype, or as `ropebook.angles`
    source     RoFormer eq. 12 and 34; chapter 07
    """
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
    angle = torch.from_numpy(angles(_to_numpy(positions), _to_numpy(theta)))
    return torch.polar(torch.ones_like(angle), angle).to(dtype.to_complex()).to(device)


def apply_table(x, table):
    """Multiply the pairs (x[2i], x[2i+1]) of each row, read as complex numbers, by the table's factors.

    x        (..., T, D)  real floating; half-precision x is rotated in the table's precision and cast back
    table    (T, D/2)     from `rotation_table`, on the device of x
    returns  (..., T, D)  dtype and device of x; differentiable in x
    raises   ValueError if shapes, devices or dtypes do not fit, naming both
    """
    if not x.is_floating_point():
        raise ValueError(f"x must hold real floating-point numbers, got dtype {x.dtype}")
    if x.ndim < 2 or x.shape[-2:] != (table.shape[0], 2 * table.shape[1]):
        raise ValueError(f"x has shape {tuple(x.shape)}, but the table of shape {tuple(table.shape)} turns (..., {table.shape[0]}, {2 * table.shape[1]})")
    if x.device != table.device:
        raise ValueError(f"x is on {x.device}, but the table is on {table.device}")
    if x.dtype == torch.float64 and table.dtype != torch.complex128:
        raise ValueError(f"x is {x.dtype}, but the table is {table.dtype}: expected torch.complex128")
    real = x.to(table.dtype.to_real()).contiguous()
    pairs = torch.view_as_complex(real.unflatten(-1, (-1, 2)))  # (..., T, D/2)
    return torch.view_as_real(pairs * table).flatten(-2).to(x.dtype)


def rotate(x, positions, theta):
    """Turn pair i of row t of x, (x[2i], x[2i+1]), by positions[t] * theta[i]: the torch twin of `ropebook.rotate`.

    x          (..., T, D)  real floating tensor
    positions  (T,)         tokens
    theta      (D/2,)       radians per token
    returns    (..., T, D)  dtype and device of x; differentiable in x
    raises     ValueError as `rotation_table` and `apply_table`
    source     RoFormer eq. 34; chapter 07
    """
    working = torch.float64 if x.dtype == torch.float64 else torch.float32
    return apply_table(x, rotation_table(positions, theta, working, x.device))


def rotate_half_split(x, positions, theta):
    """The same rotation for the half-split layout, whose pair i is (x[i], x[i + D/2]).

    x          (..., T, D)  real floating tensor
    positions  (T,)         tokens
    theta      (D/2,)       radians per token
    returns    (..., T, D)  dtype and device of x; differentiable in x
    raises     ValueError as `rotate`
    source     GPT-NeoX and Llama in Hugging Face transformers; chapter 06
    """
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ValueError(f"x must have shape (..., T, D) with D even, got {tuple(x.shape)}")
    interleaved = x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)  # (..., T, D)
    turned = rotate(interleaved, positions, theta)
    return turned.unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2)


def _to_numpy(values):
    return values.detach().cpu().double().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
