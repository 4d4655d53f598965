"""The layers of exercise 7.5: right ones, and ten that are wrong in one way each.

Each is a function (words (B, T, 32), positions (T,) or (B, T)) -> (B, H, T, D) in float64, attention without a mask.
"""

import torch

from ropebook.frequencies import frequencies
from ropebook.rotation_torch import rotate, rotate_half_split

WIDTH, HEADS, D, LIMIT = 32, 4, 8, 2048
THETA = frequencies(D)
PART = [*frequencies(4), 0.0, 0.0]  # the first four features turn


def _turner(rotation=rotate, theta=THETA, signs=(1, 1, 0), places=lambda at: at):
    """turn(q, k, v, at): each turned by its sign times places(at) (B, T)."""
    return lambda *qkv: [rotation(x, sign * places(qkv[-1]), theta) for x, sign in zip(qkv, signs)]


def _heads_turned(q, k, v, at):
    """Head h is turned by the position of word h, as a rotation for (B, T, H, D) does with (B, H, T, D)."""
    of_heads = at[:, torch.arange(HEADS) % at.shape[1]]  # (B, H)
    turn = lambda x: rotate(x.transpose(1, 2), of_heads, THETA).transpose(1, 2)
    return turn(q), turn(k), v


def _layer(turn=_turner(), add=None, key_heads=HEADS, penalty=0.0):
    """An attention layer of random weights; add(at) is added to the words, penalty times distance taken from the scores."""
    generator = torch.Generator().manual_seed(7)
    weight = torch.randn((HEADS + 2 * key_heads) * D, WIDTH, generator=generator, dtype=torch.float64) / WIDTH**0.5

    def layer(words, positions):
        at = _places(words, positions)  # (B, T)
        words = words if add is None else words + add(at)
        rows = (words @ weight.T).unflatten(-1, (-1, D)).transpose(1, 2)  # (B, H + 2 H_k, T, D)
        q, k, v = turn(*rows.split((HEADS, key_heads, key_heads), dim=1), at)
        k, v = (x.repeat_interleave(HEADS // key_heads, dim=1) for x in (k, v))
        distance = (at[:, :, None] - at[:, None, :]).abs()  # (B, T, T)
        return (q @ k.mT / D**0.5 - penalty * distance[:, None]).softmax(-1) @ v

    return layer


def _places(words, positions):
    """Positions as (B, T) in int64, or a ValueError that says what fits."""
    if words.ndim != 3 or words.shape[-1] != WIDTH or words.dtype != torch.float64:
        raise ValueError(f"words must have shape (B, T, {WIDTH}) in float64, got {tuple(words.shape)} in {words.dtype}")
    B, T, _ = words.shape
    if positions.shape not in ((T,), (B, T)) or positions.is_floating_point():
        raise ValueError(f"positions must be whole numbers of shape ({T},) or ({B}, {T}), got {tuple(positions.shape)} in {positions.dtype}")
    if positions.min() < 0 or positions.max() >= LIMIT:
        raise ValueError(f"positions must be in 0 … {LIMIT - 1}, got {positions.min()} … {positions.max()}")
    return positions.expand(B, T).long()  # indexes tables


def _sinusoids(at):
    angles = at[..., None] * torch.from_numpy(frequencies(WIDTH))  # (B, T, WIDTH/2)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _learned(at):
    """A table of the size with which learned positions start out, 0.02."""
    return 0.02 * torch.randn(LIMIT, WIDTH, generator=torch.Generator().manual_seed(8), dtype=torch.float64)[at]


LAYERS = (  # right?, layer, what to tell a reader whose test misjudges it
    (True, _layer(), "queries and keys turned, interleaved. Moved together its output stays, but for rounding, which may reach 1e-12."),
    (False, _layer(_turner(signs=(0, 0, 0))), "it does not look at positions at all. Does the output change when distances do?"),
    (True, _layer(_turner(rotate_half_split, signs=(-1, -1, 0))), "half-split pairs, turned backwards, both q and k. Layout and direction "
     "are no matter of offsets."),
    (False, _layer(_turner(signs=(0, 0, 0)), add=_sinusoids), "sinusoids are added to its words. Does the output stay when all positions of "
     "a row move together?"),
    (True, _layer(_turner(theta=PART), key_heads=2), "half of the features turned, two key heads for four of queries. It sees offsets like "
     "any other."),
    (False, _layer(add=_learned), "queries and keys are turned, but small learned vectors, 0.02 a number, are added as well. "
     "Let the tolerance be smaller: rounding is below 1e-12."),
    (False, _layer(_turner(signs=(1, 0, 0))), "only its queries are turned. Does the output stay when all positions of a row move together?"),
    (False, _layer(_turner(signs=(1, 1, 1))), "its values are turned, too. The weights see offsets only, the output does not."),
    (True, _layer(_turner(signs=(0, 0, 0)), penalty=0.05), "nothing is turned; scores fall with distance. That, too, is an offset and "
     "nothing else: change distances, not just their signs."),
    (False, _layer(_turner(signs=(1, -1, 0))), "its keys turn the other way, so that scores see m + n. Does the output stay when all "
     "positions of a row move together?"),
    (False, _layer(_heads_turned), "it turns the heads instead of the words. Does the output change when distances do?"),
    (False, _layer(_turner(places=lambda at: at[:1].expand(at.shape))), "it uses the positions of the first row for all rows. Change one "
     "row's positions, and see which rows of the output change."),
    (False, _layer(_turner(places=lambda at: at.bfloat16().double())), "its positions are bfloat16, right up to 256 only. Let positions be "
     "larger, and odd."),
    (False, _layer(_turner(places=lambda at: at.clamp(max=LIMIT // 2 - 1))), "its table has 1,024 rows, and later positions all get the last. "
     "Positions may be up to 2,047: use them."),
)
