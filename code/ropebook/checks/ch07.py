"""Checkers of chapter 07, the rotation inside a model."""

import math

import torch
from torch.nn.functional import scaled_dot_product_attention

from ropebook.checks.asking import asked
from ropebook.checks.ch07_layers import LAYERS
from ropebook.checks.turning import angles_of, checked, same, short, slack, speeds, turned, where, why_not_turned
from ropebook.exercises import Wrong, call, exercise

DOUBLE, SINGLE, HALF, BRAIN = torch.float64, torch.float32, torch.float16, torch.bfloat16

# (B, H, T, D), whether positions are (B, T), base if it is given, dtype, positions below. First all sizes differ; then two agree,
# so that a wrong axis fits; the second has the sizes of the first, which a cache with the length as its key mistakes for it.
TURNS = (
    ((2, 3, 5, 8), False, (), DOUBLE, 30),
    ((2, 3, 5, 8), False, (500.0,), DOUBLE, 30),
    ((2, 3, 5, 6), True, (500.0,), DOUBLE, 30),
    ((3, 3, 5, 8), True, (), DOUBLE, 30),
    ((2, 4, 4, 8), False, (), DOUBLE, 30),
    ((4, 3, 4, 8), False, (), DOUBLE, 30),
    ((4, 2, 4, 8), True, (), DOUBLE, 30),
    ((5, 2, 1, 8), True, (), DOUBLE, 30),
    *(((2, 3, 7, 8), batched, (), dtype, 4096) for dtype in (BRAIN, HALF, SINGLE, DOUBLE) for batched in (False, True)),
)


@exercise("7.1")
@torch.enable_grad()  # whatever a cell has switched off; afterwards the mode is as before, whatever the answer does
def turn_rows(answer):
    """A function (x, positions, base) -> x (B, H, T, D) turned by positions (T,) or (B, T)."""
    once, earlier = True, []
    for index, (sizes, batched, base, dtype, below) in enumerate(TURNS):
        x, at = _drawn(index, sizes, batched, dtype, below)
        name = f"x {sizes} in {short(dtype)} and positions {tuple(at.shape)}"
        given = x.clone(), at.clone()
        got = checked(asked(answer, name, index == 0, *given, *base), sizes, dtype, name)
        for what, before, after in zip(("x", "positions"), (x, at), given):
            if not torch.equal(before, after):
                raise Wrong(f"Your function changes the {what} that it was given. Others may still need it: write into a new tensor.")
        angles = angles_of(at, speeds(sizes[-1], *base))
        off = (got - turned(x, angles)).abs()
        loose = {} if dtype == DOUBLE else {"angle_unit": 2.0**-24}  # angles in float32 are near enough for narrower rows
        if (off > slack(x, angles, dtype, **loose)).any():
            raise Wrong(f"For {name}: {_why_not(x, at, base, got, angles, earlier, far=below > 30)}")
        once &= not (off > slack(x, angles, dtype, roundings=1 if dtype in (HALF, BRAIN) else 3, **loose)).any()
        earlier.append((sizes[-1], at, base))
    for batched in (True, False):
        _check_gradient(answer, batched)
    return "Right on every axis, in four dtypes, and on the way back." + (
        "" if once else " In 16 bits you multiply rounded numbers: up to three roundings where one, at the end, would do.")


def _drawn(seed, sizes, batched, dtype, below):
    """x (B, H, T, D) and distinct positions, (B, T) or (T,); the first of them is below − 1, the largest."""
    generator = torch.Generator().manual_seed(seed)
    shape = (sizes[0], sizes[2]) if batched else (sizes[2],)
    at = torch.randperm(below - 1, generator=generator)[: math.prod(shape)].reshape(shape)
    at.view(-1)[0] = below - 1
    return torch.randn(sizes, generator=generator, dtype=DOUBLE).to(dtype), at


def _why_not(x, at, base, got, angles, earlier, far):
    if x.dtype == DOUBLE and ((got - turned(x, angles)).abs() <= slack(x, angles, SINGLE, angle_unit=2.0**-24)).all():
        return "right to the digits of float32 only. Are the angles made in float32? Make them in float64, theta included."
    for features, other, other_base in earlier:
        if features == x.shape[-1] and other.shape == at.shape and same(got, turned(x, angles_of(other, speeds(features, *other_base)))):
            return ("you turn by the table of an earlier call, of as many words. If a table is kept, its key must name all that it "
                    "depends on: positions, base, width, dtype.")
    if not far:
        return why_not_turned(x, at, *(base or (10000.0,)), got)
    for rounded in (BRAIN, HALF):
        if not (at.to(rounded).double() == at).all() and ((got - turned(x, angles_of(at.to(rounded), speeds(x.shape[-1], *base)))).abs()
                                                          <= slack(x, angles, x.dtype, angle_unit=2.0**-24)).all():
            lost = at[at.to(rounded).double() != at][0]
            return f"your positions are in {short(rounded)}, where {lost} becomes {lost.to(rounded).item():.0f}. Keep them whole."
    return (f"near position 0 you were right, far away you are not: {where(x, at, turned(x, angles), got)} "
            f"Are positions or angles rounded to {short(x.dtype)} or less? Make them in float64.")


def _check_gradient(answer, batched):
    x, at = _drawn(1, (2, 3, 5, 8), batched, DOUBLE, 30)
    leaf, sent = x.clone().requires_grad_(), _drawn(2, (2, 3, 5, 8), True, DOUBLE, 30)[0]
    got = asked(answer, "an x that records gradients", False, leaf, at)
    arrived = torch.autograd.grad((got * sent).sum(), leaf, allow_unused=True)[0] if got.requires_grad else None
    if arrived is None:
        raise Wrong("The numbers are right, but no gradient flows back to x: detach, .data, .numpy() or torch.no_grad cuts it off.")
    angles = angles_of(at, speeds(8))
    if not (arrived - turned(sent, -angles)).abs().le(slack(sent, angles, DOUBLE)).all():
        reasons = {"It leaves as it arrived.": sent, "Yours is turned forwards once more.": turned(sent, angles)}
        reason = next((reason for reason, wrong in reasons.items() if same(arrived, wrong)), "Is a part of it cut off?")
        raise Wrong(f"The numbers are right, but the gradient is not: it has to be turned back, by minus the angles. {reason}")


@exercise("7.2")
def relative_attention(answer):
    """A function (q, k, v) -> the output (B, H, T, D) of causal attention with q and k turned."""
    for seed, sizes in enumerate(((2, 3, 5, 8), (3, 4, 4, 6), (1, 2, 12, 16))):
        qkv = torch.randn(3, *sizes, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
        name = f"q, k and v of shape {sizes}"
        got = checked(asked(answer, name, seed == 0, *qkv.clone()), sizes, DOUBLE, name, "Does each word see at least itself?")
        if not same(got, _attended(*qkv)):
            lesson = next((lesson for lesson, options in ATTENTIONS if same(got, _attended(*qkv, **options))),
                          f"word {(got - _attended(*qkv)).abs().amax((0, 1, 3)).argmax()} is the furthest off. "
                          "Is it the softmax of q·k/√D, both turned, speeds of base 10000, times v?")
            raise Wrong(f"For {name}: {lesson}")
    return "Counted from 0 or from 1: only offsets count. The values carry what a word says, not where, and stay as they are."


def _attended(q, k, v, turns=(1, 1, 0), mask=torch.tril, power=-0.5, half_split=False, softmax=-1):
    """The right answer to exercise 7.2, with its mistakes as options; q, k and v are turned by turns times their positions."""
    angles = torch.arange(q.shape[2])[:, None] * speeds(q.shape[-1])
    q, k, v = (turned(y, turn * angles, half_split) for y, turn in zip((q, k, v), turns))
    seen = mask(torch.ones(q.shape[2], q.shape[2], dtype=torch.bool))
    return (q @ k.mT * q.shape[-1] ** power).masked_fill(~seen, -torch.inf).softmax(softmax) @ v


ATTENTIONS = (  # lesson, options of _attended
    ("neither q nor k is turned, or all words alike, by the number of their head or text. Then offsets do not count.", {"turns": (0, 0, 0)}),
    ("only the queries are turned, so a score knows the query's own position and not the offset. Turn the keys, too.", {"turns": (1, 0, 0)}),
    ("only the keys are turned, so a score knows the key's own position and not the offset. Turn the queries, too.", {"turns": (0, 1, 0)}),
    ("you turn the values, too. Their average is turned when it leaves, by absolute positions. Leave v as it is.", {"turns": (1, 1, 1)}),
    ("queries and keys turn in opposite directions, so a score depends on m + n. Turn both forwards.", {"turns": (1, -1, 0)}),
    ("queries and keys turn in opposite directions, so a score depends on m + n. Turn both forwards.", {"turns": (-1, 1, 0)}),
    ("both turn backwards: an offset counts as its opposite. The angle is position times theta, with a plus.", {"turns": (-1, -1, 0)}),
    ("your pairs are (i, i + D/2), in q and k alike. That is relative, too, but another function: weights go with one layout, here "
     "neighbours.", {"half_split": True}),
    ("words see those after them. The attention is causal: query t sees keys 0 … t.", {"mask": lambda ones: ones}),
    ("your mask is the wrong way round: query t sees keys 0 … t, the lower triangle.", {"mask": torch.triu}),
    ("the scores are not divided by √D.", {"power": 0.0}),
    ("the scores are divided by D instead of its root.", {"power": -1.0}),
    ("the softmax runs over the queries. Each query spreads 1 over its keys, the last axis.", {"softmax": -2}),
)

STEPS = (((2, 3, 7, 8), 3), ((3, 2, 6, 4), 5), ((2, 2, 2, 8), 1), ((1, 4, 5, 6), 0))  # (B, H, S, D) of the memory, filled


@exercise("7.3")
def next_word(answer):
    """A function (q, k, v, keys, values, filled) -> output (B, H, 1, D) that stores the new word in keys and values."""
    for seed, (sizes, filled) in enumerate(STEPS):
        theta, draw = speeds(sizes[-1]), lambda *shape: torch.randn(shape, generator=generator, dtype=DOUBLE)
        generator = torch.Generator().manual_seed(seed)
        memory = draw(2, *sizes)
        memory[:, :, :, filled:] *= 1000  # whatever was there
        memory[0, :, :, :filled] = turned(memory[0, :, :, :filled], torch.arange(filled)[:, None] * theta)
        q, k, v = draw(3, *sizes[:2], 1, sizes[-1])
        keys, values = memory.clone()
        name = f"memory of shape {sizes} with filled = {filled}"
        result = asked(answer, name, seed == 0, q.clone(), k.clone(), v.clone(), keys, values, filled)
        got = checked(result, q.shape, DOUBLE, name)
        lesson = _why_not_stored(k, v, *memory, keys, values, filled) or _why_not_seen(q, k, v, *memory, filled, got)
        if lesson:
            raise Wrong(f"For {name}: {lesson}")
    return "The key is turned once, when it is stored; the query by the same position; and the value is stored as it came."


def _why_not_stored(k, v, old_keys, old_values, keys, values, filled):
    """What is wrong with the memory after the call; None if the new word is in its slot and all else as it was, bit for bit."""
    slots, at = torch.arange(keys.shape[2]), lambda place: turned(k, place * speeds(k.shape[-1]))
    changed = [(old != new).any(-1).any(1).any(0) for old, new in ((old_keys, keys), (old_values, values))]  # (S,) each
    if not (changed[0] | changed[1]).any():
        return "keys and values are as they were. Store the new word in them, in place; torch.cat makes new tensors."
    for what, slot in zip(("keys", "values"), changed):
        if (elsewhere := slots[slot & (slots != filled)]).numel():
            return (f"slot {elsewhere[0]} of {what} has changed, but the new word belongs in slot {filled}: "
                    f"the first stood in slot 0, and {filled} are there. All other slots stay as they are.")
        if not slot.any():
            return f"slot {filled} of {what} is as it was. Keys and values are stored both."
    if not torch.equal(values[:, :, filled : filled + 1], v):
        return "the value that you store is not v. Values are neither turned nor changed."
    if same(key := keys[:, :, filled : filled + 1], at(filled)):
        return None
    for place, lesson in ((0, "is not turned. Turn it by its position before you store it; keys in the memory are turned already."),
                          (filled + 1, f"stands at position {filled + 1}. Positions start at 0, so after {filled} words comes {filled}."),
                          (filled - 1, f"stands at position {filled - 1}, where the word before it stands."),
                          (-filled, "is turned the other way.")):
        if same(key, at(place)):
            return f"the key that you store {lesson}"
    return f"the key that you store is not k turned by position {filled} at the speeds of base 10000, neighbours as pairs."


def _why_not_seen(q, k, v, keys, values, filled, got):
    """What is wrong with the output; None if nothing is."""
    theta, new = speeds(q.shape[-1]), slice(filled, filled + 1)
    keys[:, :, new], values[:, :, new] = turned(k, filled * theta), v

    def seen(first=0, last=filled + 1, place=filled, scale=None):
        query, slots = turned(q, place * theta), slice(first, last)
        return scaled_dot_product_attention(query, keys[:, :, slots], values[:, :, slots], scale=scale) if last > first else None

    if same(got, seen()):
        return None
    return next((lesson for lesson, wrong in (
        ("the query is not turned. It stands where its key stands.", seen(place=0)),
        (f"the query stands at position {filled + 1}, its own key at {filled}.", seen(place=filled + 1)),
        (f"the query stands at position {filled - 1}, its own key at {filled}.", seen(place=filled - 1)),
        ("the query is turned the other way.", seen(place=-filled)),
        ("the new word sees the first key only. is_causal=True lines up query 0 with key 0, and here query 0 is the newest word: no mask.",
         seen(last=1)),
        ("the new word sees all slots, the empty ones with them. Cut off after its own.", seen(last=keys.shape[2])),
        ("the new word does not see itself.", seen(last=filled)),
        ("the new word sees itself only, and not the words before.", seen(first=filled)),
        ("the scores are not divided by √D.", seen(scale=1.0)),
    ) if same(got, wrong)), "the memory is right, the output is not. Is it the softmax of q·k/√D over all words so far, times their values?")


@exercise("7.4")
def places(answer):
    """A function (real) -> positions (B, T) of a mask of words: 0, 1, 2, … in each row, 0 at padding. Compared exactly."""
    texts = ("..xxx", "xxx..", ".xxx.", "xxxxx", "....."), ("x.xx..x", "..x.xxx"), ("x..", "xx.", ".xx"), ("." * 150 + "x" * 300,)
    for index, rows in enumerate(texts):
        real = torch.tensor([[place == "x" for place in row] for row in rows])
        given = real.clone()
        got = _tensor(call(answer, given))
        if not torch.equal(given, real):
            raise Wrong("Your function changes the mask that it was given.")
        if got.shape != real.shape:
            raise Wrong(f"For a mask of shape {tuple(real.shape)} yours has shape {tuple(got.shape)}: one position for each place.")
        if got.dtype == torch.bool or got.is_floating_point() or got.is_complex():
            raise Wrong(f"Positions are whole numbers, in a tensor of integers; yours is {short(got.dtype)}.")
        right = (real.cumsum(1) - 1) * real
        if not torch.equal(got.long(), right):
            raise Wrong(_why_not_placed(real, got.long(), right))
    return "For the rotation padding might have any number, since the mask hides it; 0 is one that every table has."


def _tensor(result):
    try:
        return torch.as_tensor(result)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"Expected one tensor of positions, (B, T), got {type(result).__name__}. torch.stack makes one of many.") from None


def _why_not_placed(real, got, right):
    count = real.cumsum(1)
    mistakes = (
        (torch.arange(real.shape[1]).expand(real.shape), "you count places, padding included. Only words count."),
        (torch.arange(real.shape[1]) * real, "you count places, padding included. Only words count."),
        (count * real, "your words count from 1. cumsum counts the word itself, too: subtract 1."),
        (count - 1, "padding gets 0; yours goes on from the word before it, and starts at −1."),
        ((count - 1).clamp(min=0), "padding gets 0; yours repeats the word before it."),
        (torch.where(real, count - 1, -1), "padding gets 0; yours gets −1, which no table has."),
        (torch.where(real, count - 1, 1), "padding gets 0; yours gets 1."),
        ((real.cumsum(0) - 1) * real, "you count down the batch. Words follow each other along the last axis."),
        ((real.flatten().cumsum(0).reshape(real.shape) - 1) * real, "your count runs on from text to text. Each row starts at 0."),
        (((~real).cumsum(1) - 1) * ~real, "you count the padding. Words are where real is True."),
        ((torch.arange(real.shape[1]) - real.int().argmax(1, keepdim=True)) * real,
         "your words count from the first one on, and padding between words counts, too. Words count, places do not."),
        (((real.flip(1).cumsum(1)).flip(1) - 1) * real, "your words count backwards: the first has 0."),
    )
    row = (got != right).any(1).nonzero()[0].item()
    lesson = next((lesson for wrong, lesson in mistakes if torch.equal(got, wrong)), "each word counts those before it in its row.")
    if real.shape[1] > 20:
        return f"For a row of {real.shape[1]}: {lesson} Yours ends with {got[row, -1]}, expected {right[row, -1]}."
    drawn = "".join("x" if word else "." for word in real[row])
    return f"For the row {drawn} (x a word) expected {right[row].tolist()}, got {got[row].tolist()}: {lesson}"


@exercise("7.5")
def is_relative(answer):
    """A function (layer) -> whether its output depends on positions through their offsets, and on nothing else of them."""
    said = [_yes_or_no(asked(answer, "a layer", index == 0, layer)) for index, (_, layer, _) in enumerate(LAYERS)]
    if len(set(said)) == 1:
        count = sum(right for right, *_ in LAYERS)
        raise Wrong(f"You call every layer {'right' if said[0] else 'wrong'}. {count} of {len(LAYERS)} are right.")
    wrong = [index for index, (right, *_) in enumerate(LAYERS) if said[index] != right]
    if wrong:
        right, _, lesson = LAYERS[wrong[0]]
        more = f" (And {len(wrong) - 1} more misjudged.)" if len(wrong) > 1 else ""
        raise Wrong(f"{'A right layer fails your test' if right else 'A wrong layer passes your test'}: {lesson}{more}")
    return "Two of the wrong ones are right in any short text, and one in any batch of one: your test goes far out, and from row to row."


def _yes_or_no(result):
    value = result.item() if getattr(result, "shape", None) == () else result  # of a tensor, or of NumPy
    if not isinstance(value, bool):
        raise Wrong(f"Return True or False; for a layer you returned {type(result).__name__}.")
    return value
