"""Wrong answers to the exercises of chapter 07, each with part of the lesson that its checker must give."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from ropebook import frequencies, rotation_torch
from ropebook.rotary import KeyValueCache, Rotary

DOUBLE = torch.float64


def speeds(x, base=10000.0):
    return base ** (-torch.arange(0, x.shape[-1], 2, dtype=DOUBLE) / x.shape[-1])


def heads(angles, at):
    return angles[:, None] if at.ndim == 2 else angles


def multiply(x, cos, sin):
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1).flatten(-2)


def turn(x, at, base=10000.0, theta=None, angles=torch.Tensor.double, positions=lambda at: at, work=None, swap=False):
    """The right answer to exercise 7.1, with its mistakes as options."""
    work = work or torch.promote_types(x.dtype, torch.float32)
    theta = speeds(x, base) if theta is None else theta(x, base)
    angle = heads(angles(positions(at)[..., None] * theta), at)
    cos, sin = angle.cos().to(work), angle.sin().to(work)
    return multiply(x.to(work), *((sin, cos) if swap else (cos, sin))).to(x.dtype)


def turn_halves(x, at, base=10000.0):
    angle = heads(at[..., None] * speeds(x, base), at)
    first, second = x.double().chunk(2, dim=-1)
    return torch.cat([first * angle.cos() - second * angle.sin(), first * angle.sin() + second * angle.cos()], dim=-1).to(x.dtype)


def mixed(x, at, base, spread, quarter):
    """x cos + quarter sin, with angles spread over the entries and quarter turns of two layouts."""
    angle = heads(spread(at[..., None] * speeds(x, base)), at)
    return (x.double() * angle.cos() + quarter(x.double()) * angle.sin()).to(x.dtype)


def tile(angle):
    return torch.cat([angle, angle], dim=-1)


def repeat(angle):
    return angle.repeat_interleave(2, dim=-1)


def neighbours(x, sign=-1):
    return torch.stack([sign * x[..., 1::2], x[..., 0::2]], dim=-1).flatten(-2)


def halves(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


def by_axis(axis):
    """Positions (T,) used along another axis where the sizes allow it."""

    def wrong(x, at, base=10000.0):
        if at.ndim == 1 and x.shape[axis] == len(at):
            return turn(x.transpose(axis, 2), at, base).transpose(axis, 2)
        return turn(x, at, base)

    return wrong


def no_axis_for_heads(x, at, base=10000.0):
    angle = at[..., None] * speeds(x, base)
    if at.ndim == 2 and x.shape[0] != x.shape[1]:
        angle = angle[:, None]
    return multiply(x.double(), angle.cos(), angle.sin()).to(x.dtype)


def rounded_theta(x, at, base=10000.0):
    return turn(x, at, base, theta=lambda x, base: speeds(x, base).to(x.dtype).double())


def in_place(x, at, base=10000.0):
    x.data.copy_(turn(x, at, base))
    return x


def positions_in_place(x, at, base=10000.0):
    return turn(x, at.unsqueeze_(-1).squeeze(-1), base)


def table_to_the_last(x, at, base=10000.0):
    table = speeds(x, base) * torch.arange(at.flatten()[-1] + 1)[:, None]
    return turn(x, at, base, angles=lambda _: table[at])


def first_overwritten(x, at, base=10000.0):
    angle, out = heads(at[..., None] * speeds(x, base), at), x.double().clone()
    out[..., 0::2] = out[..., 0::2] * angle.cos() - out[..., 1::2] * angle.sin()
    out[..., 1::2] = out[..., 0::2] * angle.sin() + out[..., 1::2] * angle.cos()
    return out.to(x.dtype)


def kept(key):
    """A table that is kept under key(x, at, base)."""
    tables = {}

    def wrong(x, at, base=10000.0):
        angle = tables.setdefault(key(x, at, base), heads(at[..., None] * speeds(x, base), at))
        return multiply(x.double(), angle.cos(), angle.sin()).to(x.dtype)

    return wrong


def kept_in_its_dtype():
    tables = {}

    def wrong(x, at, base=10000.0):
        angle = heads((at[..., None] * speeds(x, base)).to(x.dtype), at)
        angle = tables.setdefault((*at.flatten().tolist(), *at.shape, x.shape[-1], base), angle)
        return multiply(x.double(), angle.double().cos(), angle.double().sin()).to(x.dtype)

    return wrong


class WrongWayBack(torch.autograd.Function):
    """Forwards right; the gradient goes back as it comes, or turned forwards."""

    @staticmethod
    def forward(ctx, x, at, base, again):
        ctx.at, ctx.base, ctx.again = at, base, again
        return turn(x, at, base)

    @staticmethod
    def backward(ctx, grad):
        return turn(grad, ctx.at, ctx.base) if ctx.again else grad, None, None, None


def switches_gradients_off(x, at, base=10000.0):
    torch.set_grad_enabled(False)
    return turn(x, at, base)


def loop(x, at, base=10000.0):
    """The right answer to exercise 7.1, word by word and pair by pair."""
    at, rows = at.expand(x.shape[0], x.shape[2]), []
    for b in range(x.shape[0]):
        for t in range(x.shape[2]):
            for i in range(x.shape[3] // 2):
                angle = torch.tensor(at[b, t].item() * base ** (-2 * i / x.shape[3]), dtype=DOUBLE)
                one, two = x[b, :, t, 2 * i].double(), x[b, :, t, 2 * i + 1].double()  # (H,)
                rows += [one * angle.cos() - two * angle.sin(), one * angle.sin() + two * angle.cos()]
    return torch.stack(rows).reshape(x.shape[0], x.shape[2], x.shape[3], x.shape[1]).permute(0, 3, 1, 2).to(x.dtype)


def by_matrices(x, at, base=10000.0):
    angle = heads(at[..., None] * speeds(x, base), at)
    turns = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=-1).unflatten(-1, (2, 2))
    return (turns @ x.double().unflatten(-1, (-1, 2))[..., None])[..., 0].flatten(-2).to(x.dtype)


def by_complex(x, at, base=10000.0):
    theta = torch.exp(-torch.log(torch.tensor(base, dtype=DOUBLE)) * torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    angle = heads(at.double()[..., None] * theta, at)
    pairs = torch.view_as_complex(x.double().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2).type_as(x)


def attention(q, k, v, at_q=None, at_k=None, at_v=None, rotate=rotation_torch.rotate, mask=torch.tril, scale=None):
    """The right answer to exercise 7.2, with its mistakes as options."""
    theta, at = frequencies(q.shape[-1]), torch.arange(q.shape[2])
    q, k = rotate(q, at if at_q is None else at_q(at), theta), rotate(k, at if at_k is None else at_k(at), theta)
    v = v if at_v is None else rotate(v, at_v(at), theta)
    return scaled_dot_product_attention(q, k, v, attn_mask=mask(torch.ones(len(at), len(at), dtype=torch.bool)), scale=scale)


def attention_by_heads(q, k, v):
    q, k = (rotation_torch.rotate(x.transpose(1, 2), torch.arange(x.shape[1]), frequencies(x.shape[-1])).transpose(1, 2) for x in (q, k))
    return scaled_dot_product_attention(q, k, v, is_causal=True)


def attention_by_hand(q, k, v):
    """The right answer to exercise 7.2, query by query, in numbers of its own."""
    q, k = (turn(x, torch.arange(1, x.shape[2] + 1)) for x in (q, k))
    rows = []
    for t in range(q.shape[2]):
        weights = ((q[:, :, t, None] * k[:, :, : t + 1]).sum(-1) / q.shape[-1] ** 0.5).softmax(-1)
        rows.append((weights[..., None] * v[:, :, : t + 1]).sum(2))
    return torch.stack(rows, dim=2)


def step(q, k, v, keys, values, filled, at_q=None, at_k=None, slot=None, first=0, last=None, store_v=True, turn_v=False, mask=False,
         scale=None):
    """The right answer to exercise 7.3, with its mistakes as options."""
    at = lambda place: torch.tensor([filled if place is None else place])
    slot = filled if slot is None else min(slot, keys.shape[2] - 1)
    keys[:, :, slot] = turn(k, at(at_k))[:, :, 0]
    if store_v:
        values[:, :, slot] = (turn(v, at(filled)) if turn_v else v)[:, :, 0]
    seen = slice(first, filled + 1 if last is None else last)
    return scaled_dot_product_attention(turn(q, at(at_q)), keys[:, :, seen], values[:, :, seen], is_causal=mask, scale=scale)


def step_in_new_tensors(q, k, v, keys, values, filled):
    keys = torch.cat([keys[:, :, :filled], turn(k, torch.tensor([filled]))], dim=2)
    values = torch.cat([values[:, :, :filled], v], dim=2)
    return scaled_dot_product_attention(turn(q, torch.tensor([filled])), keys, values)


def step_turning_all(q, k, v, keys, values, filled):
    keys[:, :, filled], values[:, :, filled] = k[:, :, 0], v[:, :, 0]
    keys[:, :, : filled + 1] = turn(keys[:, :, : filled + 1], torch.arange(filled + 1))
    return scaled_dot_product_attention(turn(q, torch.tensor([filled])), keys[:, :, : filled + 1], values[:, :, : filled + 1])


def step_clearing(q, k, v, keys, values, filled):
    out = step(q, k, v, keys, values, filled)
    values[:, :, filled + 1 :] = 0
    return out


def masked_step(q, k, v, keys, values, filled):
    """The right answer to exercise 7.3, with a mask over all slots."""
    q, k = Rotary(q.shape[-1], 512)(q, k, torch.full((q.shape[0], 1), filled))
    at = torch.tensor([filled])
    keys.index_copy_(2, at, k)
    values.index_copy_(2, at, v)
    return scaled_dot_product_attention(q, keys, values, attn_mask=(torch.arange(keys.shape[2]) <= filled)[None])


def step_by_cache(q, k, v, keys, values, filled):
    cache = KeyValueCache(*keys.shape, dtype=keys.dtype)
    cache.keys, cache.values, cache.filled = keys, values, filled
    q, k = (turn(x, torch.full((x.shape[0], 1), filled)) for x in (q, k))
    keys, values = cache.write(k, v, filled)
    return (q @ keys.mT / q.shape[-1] ** 0.5).softmax(-1) @ values


def count(real):
    return (real.cumsum(1) - 1) * real


def count_in_place(real):
    out = count(real)
    real.fill_(True)
    return out


def count_by_loop(real):
    rows = []
    for row in real.tolist():
        seen, out = 0, []
        for word in row:
            out.append(seen if word else 0)
            seen += word
        rows.append(out)
    return rows


WORDS = torch.randn(3, 6, 32, generator=torch.Generator().manual_seed(3), dtype=DOUBLE)
AT = torch.tensor([[0, 1, 4, 9, 20, 301]] * 3)
OTHER = torch.tensor([3, 5, 11, 2, 70, 130])
SHIFT = torch.tensor([[1], [1700], [258]])


def relative(layer, words=WORDS, at=AT, shift=SHIFT, other=OTHER, tolerance=1e-9, first=True, second=True, third=True):
    """The right answer to exercise 7.5, with its gaps as options."""
    same = lambda one, two: torch.allclose(one, two, rtol=0, atol=tolerance)
    here, there = layer(words, at), layer(words, torch.stack([other, *at[1:]]))
    return ((not first or same(here, layer(words, at + shift))) and (not second or not same(here[0], there[0]))
            and (not third or same(here[1:], there[1:])))


def relative_one_text(layer):
    """All texts at the positions of the first, (T,), and near the start."""
    at = torch.arange(6)
    return torch.equal(layer(WORDS, at).round(decimals=6), layer(WORDS, at + 100).round(decimals=6)) and not torch.allclose(
        layer(WORDS, at), layer(WORDS, 3 * at))


def relative_by_rows(layer):
    """The right answer to exercise 7.5, with many positions at random, each text also on its own."""
    draw = torch.Generator().manual_seed(4)
    for _ in range(10):
        words = torch.randn(4, 5, 32, generator=draw, dtype=DOUBLE)
        at, shift = torch.randint(1000, (4, 5), generator=draw), torch.randint(1000, (4, 1), generator=draw)
        here = layer(words, at)
        alone = torch.cat([layer(words[[row]], at[row] + shift[row]) for row in range(4)])
        if (here - alone).abs().max() > 1e-10 or (here - layer(words, at.flip(0))).abs().max() < 1e-4:
            return torch.tensor(False)
    return torch.tensor(True)


MUTANTS = [
    ("7.1", lambda x, at, base=1e4: turn(x, -at, base), "you turn the other way"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, theta=lambda x, base: speeds(x, base).sqrt()), "it is −2i/D"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, theta=lambda x, base: speeds(x, base) * base ** (-2 / x.shape[-1])),
     "your i starts at 1"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, theta=lambda x, base: speeds(x, base) ** (1 / x.shape[1])), "the width of all heads"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, theta=lambda x, base: speeds(x, base) ** (x.shape[-1] / (x.shape[-1] - 2))),
     "stops short"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, theta=lambda x, base: 1 / speeds(x, base)), "grow from pair to pair"),
    ("7.1", lambda x, at, base=1e4: turn(x, at), "whatever base says"),
    ("7.1", turn_halves, "your pairs are (i, i + D/2)"),
    ("7.1", lambda x, at, base=1e4: mixed(x, at, base, tile, neighbours), "your angles suit halves"),
    ("7.1", lambda x, at, base=1e4: mixed(x, at, base, repeat, halves), "suit neighbours"),
    ("7.1", lambda x, at, base=1e4: mixed(x, at, base, repeat, lambda x: neighbours(x, 1)), "both sines carry a plus"),
    ("7.1", lambda x, at, base=1e4: mixed(x, at, base, repeat, torch.zeros_like), "the sines' are missing"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, swap=True), "changed places"),
    ("7.1", first_overwritten, "already turned"),
    ("7.1", lambda x, at, base=1e4: turn(x, torch.arange(x.shape[2]), base), "number the words 0, 1, 2"),
    ("7.1", lambda x, at, base=1e4: turn(x, at + 1, base), "one token too far"),
    ("7.1", lambda x, at, base=1e4: turn(x, at[..., :1].expand(at.shape), base), "by the position of the first"),
    ("7.1", lambda x, at, base=1e4: turn(x, at.deg2rad(), base), "degrees"),
    ("7.1", lambda x, at, base=1e4: x.clone(), "comes back as it was"),
    ("7.1", lambda x, at, base=1e4: turn(x, at if at.ndim == 1 else at[0], base), "the positions of the first"),
    ("7.1", by_axis(0), "you turn text b by positions[b]"),
    ("7.1", by_axis(1), "you turn head h by positions[h]"),
    ("7.1", no_axis_for_heads, "Give them an axis for the heads"),
    ("7.1", lambda x, at, base=1e4: multiply(x, *(f(at[:, None] * speeds(x, base)) for f in (torch.cos, torch.sin))),
     "stopped with RuntimeError"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base).double(), "the dtype should be bfloat16; yours is float64"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base).numpy(), "Expected a tensor"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base)[0], "the shape should be (2, 3, 5, 8)"),
    ("7.1", lambda x, at, base=1e4: torch.view_as_complex(turn(x, at, base).unflatten(-1, (-1, 2))), "got complex ones"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base) if at.ndim == 1 else None, "every path needs a return"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, positions=lambda at: at.to(x.dtype)), "your positions are in bfloat16"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, positions=torch.Tensor.half), "your positions are in float16"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, angles=lambda angles: angles.to(x.dtype).double()), "rounded to bfloat16 or less"),
    ("7.1", rounded_theta, "far away you are not"),
    ("7.1", lambda x, at, base=1e4: turn(x, at.float(), base, theta=lambda x, base: speeds(x, base).float()), "digits of float32 only"),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, angles=torch.Tensor.float), "digits of float32 only"),
    ("7.1", kept(lambda x, at, base: (at.shape, x.shape[-1])), "the table of an earlier call"),
    ("7.1", kept(lambda x, at, base: (at.shape, x.shape[-1], base)), "the table of an earlier call"),
    ("7.1", kept_in_its_dtype(), "rounded to bfloat16 or less"),
    ("7.1", in_place, "changes the x"),
    ("7.1", positions_in_place, "changes the positions"),
    ("7.1", table_to_the_last, "stopped with IndexError"),
    ("7.1", lambda x, at, base=1e4: turn(x.detach(), at, base), "no gradient flows"),
    ("7.1", lambda x, at, base=1e4: turn(x if at.ndim == 2 else x.detach(), at, base), "no gradient flows"),
    ("7.1", switches_gradients_off, "no gradient flows"),  # and the right answers below still pass
    ("7.1", lambda x, at, base=1e4: turn(x, at, base) + (x.detach() - x), "Is a part of it cut off?"),
    ("7.1", lambda x, at, base=1e4: WrongWayBack.apply(x, at, base, False), "It leaves as it arrived"),
    ("7.1", lambda x, at, base=1e4: WrongWayBack.apply(x, at, base, True), "turned forwards once more"),
    ("7.2", lambda q, k, v: scaled_dot_product_attention(q, k, v, is_causal=True), "neither q nor k is turned"),
    ("7.2", lambda q, k, v: attention(q, k, v, at_k=torch.zeros_like), "only the queries are turned"),
    ("7.2", lambda q, k, v: attention(q, k, v, at_q=torch.zeros_like), "only the keys are turned"),
    ("7.2", lambda q, k, v: attention(q, k, v, at_v=lambda at: at), "you turn the values, too"),
    ("7.2", lambda q, k, v: attention(q, k, v, at_k=torch.neg), "depends on m + n"),
    ("7.2", lambda q, k, v: attention(q, k, v, at_q=torch.neg), "depends on m + n"),
    ("7.2", lambda q, k, v: attention(q, k, v, at_q=torch.neg, at_k=torch.neg), "both turn backwards"),
    ("7.2", lambda q, k, v: attention(q, k, v, rotate=rotation_torch.rotate_half_split), "weights go with one layout"),
    ("7.2", lambda q, k, v: attention(q, k, v, mask=lambda ones: ones), "The attention is causal"),
    ("7.2", lambda q, k, v: attention(q, k, v, mask=torch.triu), "the wrong way round"),
    ("7.2", lambda q, k, v: attention(q, k, v, scale=1.0), "not divided by √D"),
    ("7.2", lambda q, k, v: attention(q, k, v, scale=1 / q.shape[-1]), "instead of its root"),
    ("7.2", attention_by_heads, "all words alike, by the number of their head"),
    ("7.2", lambda q, k, v: attention(q, k, v, at_q=lambda at: at + 1), "the furthest off"),
    ("7.2", lambda q, k, v: attention(q, k, v).transpose(1, 2), "the shape should be (2, 3, 5, 8)"),
    ("7.2", lambda q, k, v: attention(q, k, v).float(), "the dtype should be float64"),
    ("7.2", lambda q, k, v: (attention(q, k, v), k), "Expected a tensor"),
    ("7.3", lambda *a: step(*a, at_q=a[5] + 1, at_k=a[5] + 1), "stands at position 4. Positions start at 0"),
    ("7.3", lambda *a: step(*a, at_q=a[5] - 1, at_k=a[5] - 1), "where the word before it stands"),
    ("7.3", lambda *a: step(*a, at_k=0), "the key that you store is not turned"),
    ("7.3", lambda *a: step(*a, at_q=0, at_k=0), "the key that you store is not turned"),
    ("7.3", lambda *a: step(*a, at_k=-a[5]), "is turned the other way"),
    ("7.3", lambda *a: step(*a, at_q=0), "the query is not turned"),
    ("7.3", lambda *a: step(*a, at_q=a[5] + 1), "the query stands at position 4"),
    ("7.3", lambda *a: step(*a, at_q=a[5] - 1), "the query stands at position 2"),
    ("7.3", lambda *a: step(*a, at_q=-a[5]), "the query is turned the other way"),
    ("7.3", lambda *a: step(*a, slot=a[5] + 1), "slot 4 of keys has changed"),
    ("7.3", lambda *a: step(*a, slot=max(a[5] - 1, 0)), "slot 2 of keys has changed"),
    ("7.3", lambda *a: step(*a, store_v=False), "slot 3 of values is as it was"),
    ("7.3", lambda *a: step(*a, turn_v=True), "the value that you store is not v"),
    ("7.3", lambda *a: step(*a, mask=True), "sees the first key only"),
    ("7.3", lambda *a: step(*a, last=a[3].shape[2]), "the empty ones"),
    ("7.3", lambda *a: step(*a, last=max(a[5], 1)), "does not see itself"),
    ("7.3", lambda *a: step(*a, first=a[5]), "sees itself only"),
    ("7.3", lambda *a: step(*a, scale=1.0), "not divided by √D"),
    ("7.3", lambda *a: 2 * step(*a), "the memory is right, the output is not"),
    ("7.3", step_in_new_tensors, "torch.cat makes new tensors"),
    ("7.3", step_turning_all, "slot 1 of keys has changed"),
    ("7.3", step_clearing, "slot 4 of values has changed"),
    ("7.3", lambda *a: (step(*a), *a[3:5]), "Expected a tensor"),
    ("7.4", lambda real: torch.arange(real.shape[1]).expand(real.shape), "you count places"),
    ("7.4", lambda real: torch.arange(real.shape[1]) * real, "you count places"),
    ("7.4", lambda real: real.cumsum(1) * real, "count from 1"),
    ("7.4", lambda real: real.cumsum(1) - 1, "goes on from the word before it"),
    ("7.4", lambda real: (real.cumsum(1) - 1).clamp(min=0), "repeats the word before it"),
    ("7.4", lambda real: (real.cumsum(1) - 1).masked_fill(~real, -1), "yours gets −1"),
    ("7.4", lambda real: (real.cumsum(1) - 1).masked_fill(~real, 1), "yours gets 1"),
    ("7.4", lambda real: (real.cumsum(0) - 1) * real, "down the batch"),
    ("7.4", lambda real: (real.flatten().cumsum(0).view(real.shape) - 1) * real, "from text to text"),
    ("7.4", lambda real: ((~real).cumsum(1) - 1) * ~real, "you count the padding"),
    ("7.4", lambda real: (torch.arange(real.shape[1]) - real.int().argmax(1, keepdim=True)) * real, "padding between words counts, too"),
    ("7.4", lambda real: (real.flip(1).cumsum(1).flip(1) - 1) * real, "backwards"),
    ("7.4", lambda real: count(real).float(), "yours is float32"),
    ("7.4", lambda real: count(real).T, "each word counts those before it"),
    ("7.4", lambda real: count(real)[0], "one position for each place"),
    ("7.4", lambda real: count(real).to(torch.uint8), "Yours ends with 43, expected 299"),
    ("7.4", lambda real: list(count(real)), "got list. torch.stack makes one"),
    ("7.4", lambda real: {}, "got dict"),
    ("7.4", count_in_place, "changes the mask"),
    ("7.5", lambda layer: True, "You call every layer right"),
    ("7.5", lambda layer: False, "You call every layer wrong"),
    ("7.5", lambda layer: relative(layer, first=False), "sinusoids are added"),
    ("7.5", lambda layer: relative(layer, second=False), "does not look at positions at all"),
    ("7.5", lambda layer: relative(layer, third=False), "the positions of the first row for all rows"),
    ("7.5", lambda layer: relative(layer, tolerance=0.3), "small learned vectors"),
    ("7.5", lambda layer: relative(layer, tolerance=0.0), "A right layer fails"),
    ("7.5", lambda layer: relative(layer, at=AT % 50, shift=SHIFT % 100), "right up to 256 only"),
    ("7.5", lambda layer: relative(layer, shift=SHIFT % 500), "1,024 rows"),
    ("7.5", lambda layer: relative(layer, other=AT[0].max() - AT[0]), "scores fall with distance"),
    ("7.5", relative_one_text, "more misjudged"),
    ("7.5", lambda layer: relative(layer, shift=10 * SHIFT), "positions must be in 0 … 2047"),
    ("7.5", lambda layer: relative(layer, words=WORDS.float()), "words must have shape (B, T, 32) in float64"),
    ("7.5", lambda layer: layer(WORDS, AT), "Return True or False"),
]

# Right answers, spelled in other ways than the solutions.
ALSO_RIGHT = [
    ("7.1", turn),
    ("7.1", loop),
    ("7.1", by_matrices),
    ("7.1", by_complex),
    ("7.1", lambda x, at, base=1e4: rotation_torch.rotate(x, at, frequencies(x.shape[-1], base))),
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, work=x.dtype)),  # cosines in the dtype of x: praised with a reserve
    ("7.1", lambda x, at, base=1e4: turn(x, at, base, angles=torch.Tensor.double if x.dtype == DOUBLE else torch.Tensor.float)),
    ("7.2", attention),
    ("7.2", attention_by_hand),
    ("7.2", lambda q, k, v: scaled_dot_product_attention(*Rotary(q.shape[-1], 1000)(q, k, 700), v, is_causal=True)),
    ("7.3", step),
    ("7.3", masked_step),
    ("7.3", step_by_cache),
    ("7.4", count),
    ("7.4", count_by_loop),
    ("7.4", lambda real: torch.where(real, real.cumsum(-1) - 1, 0).int()),
    ("7.4", lambda real: (real.long().cumsum(1) - 1).masked_fill(~real, 0)),
    ("7.5", relative),
    ("7.5", lambda layer: relative(layer, at=AT.short(), shift=SHIFT.short(), other=OTHER.short())),
    ("7.5", relative_by_rows),
]
