"""RoPE as one GPU kernel of our own, written in Triton: reads x once, writes the result once, keeps everything between in registers.

Without a GPU, TRITON_INTERPRET=1 in the environment, set before this module is imported, runs the kernel in Triton's interpreter: right
and slow.

Letters of shapes: B sequences, H heads, T tokens, D features of a head (even).
"""

from __future__ import annotations

import math

import torch

from ropebook.rotation_torch import factors_for

try:
    import triton
    import triton.language as tl
    from triton import jit
except ImportError:
    triton = None

    def jit(kernel):
        return kernel


TILE = 4096  # numbers that a program turns, 32 for each of its 128 threads: four loads of 16 bytes in flight in half precision
SHARE = 4  # heads that share a read of cos and sin, which in float32 are twice as many bytes as one head in half precision


@jit
def turn_tile(
    x, out, table, x_b, x_h, x_t, out_b, out_h, out_t, table_b,
    H, T, D, tiles_h, tiles_t, SIGN: tl.constexpr,
    TOKENS: tl.constexpr, HEADS: tl.constexpr, WIDTH: tl.constexpr,
):
    """One program turns TOKENS × HEADS rows of one sequence.

    x_b is how far apart in memory x's sequences are, x_h its heads, …
    """
    # 64 bits: large tensors have offsets beyond 32
    tile = tl.program_id(0).to(tl.int64)
    b, h = tile // tiles_t // tiles_h, tile // tiles_t % tiles_h
    t = tile % tiles_t
    # axes: (TOKENS, HEADS, WIDTH); WIDTH is D, filled up to a power of 2
    tokens = t * TOKENS + tl.arange(0, TOKENS)[:, None, None]
    heads = h * HEADS + tl.arange(0, HEADS)[:, None]
    features = tl.arange(0, WIDTH)
    in_table = (tokens < T) & (features < D)  # (TOKENS, 1, WIDTH)
    in_x = in_table & (heads < H)  # (TOKENS, HEADS, WIDTH)

    at = table + b * table_b + tokens * D + features
    factors = tl.load(at, mask=in_table)
    factors = tl.reshape(factors, (TOKENS, 1, WIDTH // 2, 2))
    cos, sin = tl.split(factors)  # (TOKENS, 1, WIDTH/2)
    sin = sin * SIGN

    at = x + b * x_b + heads * x_h + tokens * x_t + features
    rows = tl.load(at, mask=in_x).to(tl.float32)
    rows = tl.reshape(rows, (TOKENS, HEADS, WIDTH // 2, 2))
    first, second = tl.split(rows)  # (TOKENS, HEADS, WIDTH/2)
    turned = tl.join(first * cos - second * sin,
                     first * sin + second * cos)
    turned = tl.reshape(turned, (TOKENS, HEADS, WIDTH))

    at = out + b * out_b + heads * out_h + tokens * out_t + features
    tl.store(at, turned.to(out.dtype.element_ty), mask=in_x)


def unavailable():
    """Why `apply_table_fused` cannot run here, in one line; None where it can."""
    if triton is None:
        return "Triton cannot be imported: on Linux, pip install triton brings it"
    if not _interpreted() and not torch.cuda.is_available():
        return "torch finds no GPU: without one, set TRITON_INTERPRET=1 before ropebook.rotation_triton is imported"
    return None


def apply_table_fused(x, table):
    """`ropebook.rotation_torch.apply_table` in one kernel, and its gradient in the same kernel with the sines' sign turned round.

    x        (..., T, D)  float32, bfloat16 or float16, rotated in float32 and rounded once to the dtype of x
    table    (T, D/2) complex64 from `rotation_table`, on the device of x, for every row of that token; or (B, T, D/2) for
             x (B, H, T, D), the same for all H heads; or torch.view_as_real of either, (..., 2)
    returns  (..., T, D)  dtype and device of x, fresh memory; differentiable in x, not in the table
    raises   ValueError if shapes, devices or dtypes do not fit, naming both, or if the table requires a gradient;
             RuntimeError with the line of `unavailable`
    source   RoFormer eq. 34; chapter 08
    """
    factors = factors_for(x, table)  # (..., T, D/2, 2)
    if x.dtype not in (torch.float32, torch.bfloat16, torch.float16) or factors.dtype != torch.float32:
        raise ValueError(f"x must be float32, bfloat16 or float16 and the table in float32, got {x.dtype} and a table in {factors.dtype}")
    if factors.requires_grad:
        raise ValueError("the table requires a gradient, and none is computed here: use apply_table")
    if reason := unavailable():
        raise RuntimeError(reason)
    if x.device.type != "cuda" and not _interpreted():
        raise ValueError(f"x must be on a GPU, got x on {x.device}")
    return _Turn.apply(x, factors.contiguous(), 1)


class _Turn(torch.autograd.Function):
    """Forward with sign 1, backward with −1: the inverse rotation needs the table and no x."""

    @staticmethod
    def forward(ctx, x, factors, sign):
        ctx.save_for_backward(factors)
        ctx.sign = sign
        return _launch(x, factors, sign)

    @staticmethod
    def backward(ctx, grad):
        return _Turn.apply(grad, *ctx.saved_tensors, -ctx.sign), None, None


def _launch(x, factors, sign):
    T, D = x.shape[-2:]
    rows = x.reshape(math.prod(x.shape[:-3]), math.prod(x.shape[-3:-2]), T, D)  # (B, H, T, D)
    rows = rows if rows.stride(-1) == 1 else rows.contiguous()
    out = torch.empty_like(rows)  # in the order of memory of x
    if rows.numel():
        (B, H, _, _), width = rows.shape, triton.next_power_of_2(D)
        heads = min(SHARE, triton.next_power_of_2(H))
        tokens = min(max(1, TILE // width // heads), triton.next_power_of_2(T))
        tiles_h, tiles_t = triton.cdiv(H, heads), triton.cdiv(T, tokens)
        table_b = factors.stride(0) if factors.ndim == 4 else 0
        with torch.cuda.device_of(x):
            turn_tile[(B * tiles_h * tiles_t,)](rows, out, factors, *rows.stride()[:3], *out.stride()[:3], table_b, H, T, D,
                                                tiles_h, tiles_t, sign, tokens, heads, width)
    return out.reshape(x.shape)


def _interpreted():
    return not isinstance(turn_tile, triton.JITFunction)
