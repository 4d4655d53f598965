"""Looking at what attention looks at."""

from contextlib import contextmanager

import torch

from ropebook.roformer import SelfAttention


@contextmanager
def watched(model, kind=SelfAttention):
    """While inside, every attention of that kind in the model also notes its weights: those with which it would mix the rows of 1.

    model    any of `ropebook.roformer`'s, with softmax attention
    kind     `SelfAttention`, or `CrossAttention` of a translator
    returns  a context manager; `with watched(model) as weights: model(...)` leaves in the list weights (B, H, T, S) of each block in turn
    """
    weights, modules = [], [module for module in model.modules() if isinstance(module, kind)]

    def noting(module):
        mix = module.mix

        def noted(q, k, v, how):
            weights.append(mix(q, k, torch.eye(k.shape[-2], dtype=v.dtype, device=v.device).expand(*k.shape[:-1], -1), how))
            return mix(q, k, v, how)

        return noted

    for module in modules:
        module.mix = noting(module)
    try:
        yield weights
    finally:
        for module in modules:
            del module.mix


def by_offset(weights, reach):
    """The mean weight of the key at each offset from its query, over all queries that have a key there.

    weights  (..., T, T)
    reach    offsets n − m from −reach to reach
    returns  (..., 2 reach + 1)
    """
    return torch.stack([weights.diagonal(offset, -2, -1).mean(-1) for offset in range(-reach, reach + 1)], dim=-1)
