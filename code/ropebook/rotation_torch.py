"""RoPE in torch: differentiable, any device, and as fast as copying the tensor in float32.

A pair of features is one complex number, and turning it by m theta multiplies it by e^{i m theta}. The table of these
factors is computed in float64 on the CPU, cast once, then moved: angles computed in float32 are off by 1.4e-4 radians at
position 4096, and some devices have no float64. Nothing is cached: a table depends on positions, theta, dtype and device,
so whoever holds one knows what it is for; `ropebook.rotary` holds one for a model.

Letters of shapes: B sequences, H heads, T tokens, D features of a head (even).
"""

import numpy as np
import torch

from ropebook.rotation import angles


def rotation_table(positions, theta, dtype=torch.float32, device="cpu"):
    """The complex factors e^{i positions[t] theta[i]}. A compiled function takes the table as an argument: it cannot make one.

    positions  (T,) or (B, T)  tokens; finite real numbers: list, NumPy array or tensor
    theta      (D/2,)          radians per token; array or tensor
    dtype      the real dtype in which the rotation will be computed: torch.float32 or torch.float64
    device     where the table goes
    returns    (T, D/2) or (B, T, D/2)  complex64 or complex128
    raises     ValueError for another dtype or shape, or as `ropebook.angles`
    source     RoFormer eq. 12 and 34; chapter 07
    """
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
    positions = _to_numpy(positions)
    if positions.ndim not in (1, 2):
        raise ValueError(f"positions must have shape (T,) or (B, T), got shape {positions.shape}")
    angle = angles(positions.reshape(-1), _to_numpy(theta))  # (B T, D/2)
    angle = torch.from_numpy(angle.reshape(*positions.shape, angle.shape[1]))
    return torch.polar(torch.ones_like(angle), angle).to(dtype.to_complex()).to(device)


def apply_table(x, table, out=None):
    """Multiply the pairs (x[2i], x[2i+1]) of each row, read as complex numbers, by the table's factors.

    torch.compile makes one kernel of it, without a graph break. Its compiler knows no complex numbers and warns where it meets
    one, so hand compiled code the table as the real numbers cos | sin that it consists of: torch.view_as_real(table).

    x        (..., T, D)  real floating; half-precision x is rotated in the table's precision and cast back
    table    (T, D/2) from `rotation_table`, on the device of x, for every row of that token;
             or (B, T, D/2) for x (B, H, T, D), the same for all H heads; or torch.view_as_real of either, (..., 2)
    out      None, or where to write: shape, dtype and device of x, whose dtype must be the table's precision; x itself, memory
             of an earlier call, slots of a cache. Saves the fresh memory that takes half of the time when x is large (64 MB)
    returns  (..., T, D)  dtype and device of x, or out; differentiable in x
    raises   ValueError if shapes, devices or dtypes do not fit, naming both, or if a gradient is wanted through out
    source   RoFormer eq. 34; chapter 07
    """
    factors = factors_for(x, table)  # (..., T, D/2, 2)
    if out is not None:
        _check_out(x, factors, out)
    if factors.ndim == 4:
        factors = factors.unsqueeze(1)  # (B, 1, T, D/2, 2)
    real = x.to(factors.dtype)
    pairs = real.unflatten(-1, (-1, 2))  # (..., T, D/2, 2)
    if torch.compiler.is_compiling():
        turned = _multiply_real(pairs, factors).flatten(-2).to(x.dtype)  # (..., T, D)
        return turned if out is None else out.copy_(turned)
    if out is None:
        return _multiply(pairs, factors).flatten(-2).to(x.dtype)  # (..., T, D)
    torch.mul(_complex(pairs), _complex(factors), out=torch.view_as_complex(out.unflatten(-1, (-1, 2))))
    return out


def rotate(x, positions, theta):
    """Turn pair i of row t of x, (x[2i], x[2i+1]), by positions[t] * theta[i]: the torch twin of `ropebook.rotate`.

    x          (..., T, D)  real floating tensor
    positions  (T,), or (B, T) for x (B, H, T, D): tokens
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
    positions  (T,), or (B, T) for x (B, H, T, D): tokens
    theta      (D/2,)       radians per token
    returns    (..., T, D)  dtype and device of x; differentiable in x
    raises     ValueError as `rotate`
    source     GPT-NeoX and Llama in Hugging Face transformers; chapter 06
    """
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ValueError(f"x must have shape (..., T, D) with D even, got {tuple(x.shape)}")
    return to_half_split(rotate(to_interleaved(x), positions, theta))


def to_half_split(x):
    """Reorder the last axis of x (..., D), D even, from interleaved to half-split: the torch twin of `ropebook.to_half_split`."""
    return x.unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2)  # (..., D)


def to_interleaved(x):
    """Reorder the last axis of x (..., D), D even, from half-split to interleaved; undoes `to_half_split`."""
    return x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)  # (..., D)


def factors_for(x, table):
    """The table's cos | sin, (T, D/2, 2) or (B, T, D/2, 2), once they are found to fit x; raises and takes what `apply_table` does."""
    factors = torch.view_as_real(table) if table.is_complex() else table
    _check_fit(x, factors)
    return factors


def _to_numpy(values):
    return values.detach().cpu().double().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _aligned(pairs):
    """Whether memory holds the two numbers of every pair (..., 2) as one complex number."""
    return pairs.stride(-1) == 1 and all(step % 2 == 0 for step in (*pairs.stride()[:-1], pairs.storage_offset()))


def _copied_unless_aligned(pairs):
    return pairs if _aligned(pairs) else pairs.clone(memory_format=torch.contiguous_format)


def _complex(pairs):
    return torch.view_as_complex(_copied_unless_aligned(pairs))


def _multiply(pairs, factors):
    """The complex product of (..., T, D/2, 2) and the table's pairs, as pairs."""
    pairs, table = _complex(pairs), _complex(factors)  # (..., T, D/2)
    turned = torch.view_as_real(pairs * table)
    if turned.requires_grad:  # backward reads the gradient as complex numbers, too
        turned.register_hook(lambda grad: None if grad is None else _copied_unless_aligned(grad))
    return turned


def _multiply_real(pairs, factors):
    """`_multiply` written out in real numbers, for compilers."""
    (first, second), (cos, sin) = pairs.unbind(-1), factors.unbind(-1)  # (..., T, D/2)
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)


def _check_fit(x, factors):
    if not x.is_floating_point():
        raise ValueError(f"x must hold real floating-point numbers, got dtype {x.dtype}")
    if factors.ndim not in (3, 4) or factors.shape[-1] != 2:
        raise ValueError(f"the table must be complex of shape (T, D/2) or (B, T, D/2), or (..., 2) real, got {tuple(factors.shape)} real")
    *batch, T, half, _ = factors.shape
    fits = x.shape[-2:] == (T, 2 * half) and (not batch or (x.ndim == 4 and x.shape[0] == batch[0]))
    if not fits:
        turns = f"({batch[0]}, H, {T}, {2 * half})" if batch else f"(..., {T}, {2 * half})"
        raise ValueError(f"x has shape {tuple(x.shape)}, but the table of shape {tuple(factors.shape[:-1])} turns {turns}")
    if x.device != factors.device:
        raise ValueError(f"x is on {x.device}, but the table is on {factors.device}")
    if x.dtype == torch.float64 and factors.dtype != torch.float64:
        raise ValueError(f"x is {x.dtype}, but the table is in {factors.dtype}: make it with dtype=torch.float64")


def _check_out(x, factors, out):
    if torch.is_grad_enabled() and (x.requires_grad or out.requires_grad):
        raise ValueError("out records no gradient, but x or out requires one: drop out=, or use torch.no_grad()")
    if x.dtype != factors.dtype:
        raise ValueError(f"out needs x in the table's precision {factors.dtype}, got x of {x.dtype}")
    if (out.shape, out.dtype, out.device) != (x.shape, x.dtype, x.device):
        expected, got = (f"{tuple(t.shape)} {t.dtype} on {t.device}" for t in (x, out))
        raise ValueError(f"out must be like x, {expected}, got {got}")
    if not torch.compiler.is_compiling() and not _aligned(out.unflatten(-1, (-1, 2))):
        got = f"strides {out.stride()} from element {out.storage_offset()}"
        raise ValueError(f"out must hold pairs side by side from an even element on, got {got}")
