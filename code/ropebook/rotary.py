"""RoPE as a part of a torch model: a module that turns queries and keys together, and memory for decoding.

Letters of shapes: B sequences, H query heads, Hk key heads (fewer than H where queries share them), T tokens, D features of a
head. Pairs are interleaved, (2i, 2i+1); the rows of a half-split model are reordered by `ropebook.layouts`.
"""

from numbers import Integral

import numpy as np
import torch
from torch import nn

from ropebook.frequencies import frequencies
from ropebook.rotation_torch import apply_table, rotation_table


class Rotary(nn.Module):
    """Turn q and k by their positions. Without weights: one `Rotary(64, 4096)` serves all layers of a model.

    head_dim       D, even
    max_positions  N, the table holds positions 0 … N − 1
    base           b of the speeds, as `ropebook.frequencies`
    rotated        R, the first features of a head that turn, even; None for all D. The speeds are those of R features, the rest
                   have speed 0 and pass through
    raises         ValueError naming the argument and what was expected
    source         RoFormer eq. 34; chapter 07

    `exact` is the table in float64 on the CPU, for float64 rows; `table`, for all others, is its float32 cast and moves with the
    model; where it lies on another device than q, each call copies it. Neither is a parameter or a buffer: .to(dtype), .half(),
    to_empty() and loaded weights leave the numbers alone, and a call keeps nothing.
    """

    def __init__(self, head_dim, max_positions, base=10000.0, rotated=None):
        super().__init__()
        theta = np.zeros_like(frequencies(head_dim, base))  # (D/2,); checks both
        rotated = head_dim if rotated is None else rotated
        if not _whole(rotated) or rotated % 2 or not 2 <= rotated <= head_dim:
            raise ValueError(f"rotated must be an even whole number from 2 to head_dim = {head_dim}, got {rotated!r}")
        if not _whole(max_positions) or max_positions < 1:
            raise ValueError(f"max_positions must be a whole number of at least 1, got {max_positions!r}")
        theta[: rotated // 2] = frequencies(rotated, base)
        self.head_dim, self.max_positions, self.base, self.rotated = head_dim, max_positions, base, rotated
        with torch.inference_mode(False):  # made in inference mode, the tables could not serve training later
            self.exact = torch.view_as_real(rotation_table(range(max_positions), theta, torch.float64))  # (N, D/2, 2)
            self.table = self.exact.float()

    def forward(self, q, k, positions):
        """q and k turned. Positions in a tensor on an accelerator, or in compiled code, are not checked beforehand (the host would
        have to wait for them); there, the lookup itself stops the program.

        q          (B, H, T, D)   real floating
        k          (B, Hk, T, D)  dtype and device of q
        positions  a whole number m, for tokens at m … m + T − 1; or an int64 or int32 tensor, (T,) or (B, T)
        returns    (B, H, T, D), (B, Hk, T, D)  dtype and device as given; differentiable
        raises     ValueError if shapes, dtypes or devices do not fit, or if a position is outside of the table, naming both
        """
        self._check(q, k)
        index = self._index(positions, q) if isinstance(positions, torch.Tensor) else self._slice(positions, q)
        table = self.exact if q.dtype == torch.float64 else self.table
        rows = table.to(q.device)[index]  # (T, D/2, 2) or (B, T, D/2, 2)
        return apply_table(q, rows), apply_table(k, rows)

    def extra_repr(self):
        return f"head_dim={self.head_dim}, max_positions={self.max_positions}, base={self.base}, rotated={self.rotated}"

    def _apply(self, fn, recurse=True):
        """What .to(), .half(), .cuda() and to_empty() do to every tensor of a model: here, only the device counts."""
        super()._apply(fn, recurse)
        device = fn(self.table.new_empty(0, dtype=torch.int64)).device
        with torch.inference_mode(False):
            self.table = self.exact.float().to(device)
        return self

    def _slice(self, start, q):
        if not _whole(start):
            raise ValueError(f"positions must be a whole number or an integer tensor, got {start!r}")
        end = start + q.shape[2]
        if start < 0 or end > self.max_positions:
            raise ValueError(f"positions {start} … {end - 1} are outside of the table's 0 … {self.max_positions - 1}")
        return slice(start, end)

    def _index(self, positions, q):
        B, _, T, _ = q.shape
        if positions.dtype not in (torch.int64, torch.int32):
            raise ValueError(f"positions must be a whole number or an integer tensor, int64 or int32, got {positions.dtype}")
        if positions.shape not in ((T,), (B, T)):
            expected = f"({T},) or ({B}, {T}) for q of shape {tuple(q.shape)}"
            raise ValueError(f"positions must have shape {expected}, got {tuple(positions.shape)}")
        if positions.device.type == "cpu" and not torch.compiler.is_compiling():
            outside = positions[(positions < 0) | (positions >= self.max_positions)]
            if len(outside):
                raise ValueError(f"position {outside[0]} is outside of the table's 0 … {self.max_positions - 1}")
        # an index of −1 would mean the last row: made too large, it stops the lookup
        return torch.where(positions < 0, self.max_positions, positions).to(q.device)

    def _check(self, q, k):
        for name, x in (("q", q), ("k", k)):
            if x.ndim != 4 or x.shape[-1] != self.head_dim:
                raise ValueError(f"{name} must have shape (B, H, T, {self.head_dim}), got {tuple(x.shape)}")
        if (q.shape[0], q.shape[2]) != (k.shape[0], k.shape[2]):
            raise ValueError(f"q and k must have the same B and T, got {tuple(q.shape)} and {tuple(k.shape)}")
        if (q.dtype, q.device) != (k.dtype, k.device):
            raise ValueError(f"q and k must have one dtype and device, got {q.dtype} on {q.device} and {k.dtype} on {k.device}")


class KeyValueCache:
    """Memory for the keys and values of the tokens so far, taken once; for decoding, not for training.

    batch, heads, slots, head_dim  B, Hk, the most tokens it can hold, D: whole numbers of at least 1
    dtype, device                  of the keys and values
    raises                         ValueError naming the size that is none
    """

    def __init__(self, batch, heads, slots, head_dim, dtype=torch.float32, device="cpu"):
        for name, size in dict(batch=batch, heads=heads, slots=slots, head_dim=head_dim).items():
            if not _whole(size) or size < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}")
        self.keys, self.values = (torch.empty(batch, heads, slots, head_dim, dtype=dtype, device=device) for _ in range(2))
        self.filled = 0

    def write(self, k, v, start):
        """Store T tokens and look back over all. A start before the end of what is filled forgets the tokens from there on.

        k, v     (B, Hk, T, D)  rotated keys, and values; dtype and device of the cache
        start    the slot of the first token, a whole number of at most self.filled: the tokens fill slots start … start + T − 1
        returns  keys, values, each (B, Hk, start + T, D): views, which a later write from an earlier start changes
        raises   ValueError that names what does not fit, or if k or v records gradients; then nothing is written
        """
        self._check(k, v, start)
        end = start + k.shape[2]
        self.keys[:, :, start:end] = k
        self.values[:, :, start:end] = v
        self.filled = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def _check(self, k, v, start):
        B, H, slots, D = self.keys.shape
        for name, x in (("k", k), ("v", v)):
            if x.ndim != 4 or x.shape != (B, H, k.shape[-2], D):
                raise ValueError(f"{name} must have shape ({B}, {H}, T, {D}), the same T for k and v, got {tuple(x.shape)}")
            if (x.dtype, x.device) != (self.keys.dtype, self.keys.device):
                raise ValueError(f"{name} must be {self.keys.dtype} on {self.keys.device}, got {x.dtype} on {x.device}")
            if torch.is_grad_enabled() and x.requires_grad:
                raise ValueError(f"the cache keeps no gradients, but {name} records them: use torch.no_grad()")
        if not _whole(start) or start < 0:
            raise ValueError(f"start must be a whole number of at least 0, got {start!r}")
        if start > self.filled:
            raise ValueError(f"start {start} would leave a gap: {self.filled} slots are filled")
        if start + k.shape[2] > slots:
            raise ValueError(f"slots {start} … {start + k.shape[2] - 1} are not all there: the cache has {slots}")


def _whole(value):
    return isinstance(value, Integral) and not isinstance(value, bool)
