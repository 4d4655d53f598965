"""The ways of rotating q and k that `ropebook.bench` times: this book's, and those of packages that readers have.

Each is prepared for one case, a `ropebook.bench.Case`: its tables are made outside the time, and it becomes a function
turn(q, k) → (q', k'). What it lacks, a package, a GPU or a compiler, it raises then or when it first turns.

Shapes: B sequences, H heads, T tokens, D features of a head; q and k are (B, H, T, D).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from ropebook.rotation_torch import apply_table


@dataclass(frozen=True)
class Implementation:
    """One way of rotating q and k, as it is timed."""

    name: str
    prepare: Callable  # prepare(case) → turn(q, k) → (q', k')
    layout: str = "interleaved"  # or "half-split"
    tokens_first: bool = False  # wants memory in the order (B, T, H, D)
    ours: bool = False
    compiled: bool = False
    angle_unit: float = 0.0  # unit roundoff of the angles that it is handed; 0 if it is handed cos and sin


_compile = partial(torch.compile, fullgraph=True, dynamic=False)


def _turn_both(q, k, table):
    return apply_table(q, table), apply_table(k, table)


def _eager(case):
    return lambda q, k: _turn_both(q, k, case.table)


def _eager_warm(case):
    warm = [torch.empty_like(x) for x in case.tensors]
    return lambda q, k: (apply_table(q, case.table, out=warm[0]), apply_table(k, case.table, out=warm[1]))


def _compiled(case):
    turn, factors = _compile(_turn_both), torch.view_as_real(case.table)
    return lambda q, k: turn(q, k, factors)


def _turn_half_split(x, cos, sin):
    """Rounded to the dtype of x before the halves are joined: joined first, they are written to memory in float32 and read again."""
    first, second = x.to(cos.dtype).chunk(2, -1)  # (B, H, T, D/2)
    turned = first * cos - second * sin, first * sin + second * cos
    return torch.cat([half.to(x.dtype) for half in turned], -1)  # (B, H, T, D)


def _compiled_half_split(case):
    turn = _compile(lambda q, k, cos, sin: (_turn_half_split(q, cos, sin), _turn_half_split(k, cos, sin)))
    cos, sin = case.table.real.contiguous(), case.table.imag.contiguous()  # (T, D/2)
    return lambda q, k: turn(q, k, cos, sin)


def _fused(case):
    _need_gpu(case)
    from ropebook.rotation_triton import apply_table_fused, unavailable

    if reason := unavailable():
        raise ImportError(reason)
    return lambda q, k: (apply_table_fused(q, case.table), apply_table_fused(k, case.table))


def _llama(case, wrap=lambda function: function):
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    turn, (cos, sin) = wrap(apply_rotary_pos_emb), _cos_sin_twice(case)
    return lambda q, k: turn(q, k, cos, sin)


def _roformer(case):
    from transformers.models.roformer.modeling_roformer import RoFormerSelfAttention

    cos, sin = case.cos_sin()
    table = torch.cat([sin, cos], -1)[None, None]  # (1, 1, T, D)
    return lambda q, k: RoFormerSelfAttention.apply_rotary_position_embeddings(table, q, k)


def _rotary_embedding_torch(case):
    from rotary_embedding_torch import apply_rotary_emb

    angle = case.angles.repeat_interleave(2, -1).to(case.device, torch.float32)  # (T, D)
    return lambda q, k: (apply_rotary_emb(angle, q), apply_rotary_emb(angle, k))


def _liger(case):
    _need_gpu(case)
    from liger_kernel.transformers.rope import liger_rotary_pos_emb

    cos, sin = _cos_sin_twice(case)
    return lambda q, k: liger_rotary_pos_emb(q, k, cos, sin)


def _cos_sin_twice(case):
    """cos and sin for both halves of the features, each (1, T, D)."""
    return [torch.cat([half, half], -1)[None] for half in case.cos_sin()]


def _need_gpu(case):
    if case.device.type != "cuda":
        raise ImportError("needs a GPU")


LLAMA = "Hugging Face Llama"
IMPLEMENTATIONS = (
    Implementation("ours, eager", _eager, ours=True),
    Implementation("ours, eager, out=", _eager_warm, ours=True),  # float32 forward only, as apply_table itself says
    Implementation("ours, compiled", _compiled, ours=True, compiled=True),
    Implementation("ours, half-split, compiled", _compiled_half_split, "half-split", ours=True, compiled=True),
    Implementation("ours, fused Triton", _fused, ours=True),
    Implementation(LLAMA, _llama, "half-split"),
    Implementation(f"{LLAMA}, compiled", partial(_llama, wrap=_compile), "half-split", compiled=True),
    Implementation("Hugging Face RoFormer", _roformer),
    Implementation("rotary-embedding-torch", _rotary_embedding_torch, angle_unit=2.0**-24),
    Implementation("Liger", _liger, "half-split", tokens_first=True),  # turns q and k in place
)
PEERS = tuple(one.name for one in IMPLEMENTATIONS if not one.ours)
