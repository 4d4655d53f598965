"""Checkers of chapter 13, a whole RoFormer."""

import torch
from torch.nn.functional import layer_norm

from ropebook.checks.asking import asked
from ropebook.checks.ch13_mistakes import ATTENTIONS, BLOCKS, EMPTY, FUSIONS, LIKENESSES, PARTS, POST, PRE, alike, attended, both, joined
from ropebook.exercises import Wrong, exercise

CLOSE = 1e-4  # relative and absolute: float32 is off by 1e-6, mistakes by hundredths at least
HUGE = 1e30  # what padding may hold; the products of two such numbers would leave float32


def _near(got, right, where=...):
    """Whether two tensors are the same but for rounding, all over or at some of their rows; NaN equals NaN only."""
    return got.shape == right.shape and torch.allclose(got[where].double(), right[where].double(), rtol=CLOSE, atol=CLOSE, equal_nan=True)


def _lesson(mistakes, case, got, where=...):
    """The lesson of the mistake that explains what the answer returned; a mistake that does not apply makes None."""
    for lesson, wrong in mistakes:
        made = wrong(*case)
        if made is not None and _near(got, made, where):
            return lesson
    return None


def _tensor(result, name, shape):
    """What the answer returned, in float64, once its type and shape are right; entries may still be no numbers."""
    try:
        got = torch.as_tensor(result).detach()
    except (TypeError, ValueError, RuntimeError):
        hint = " torch.stack makes one." if isinstance(result, (list, tuple)) else ""
        raise Wrong(f"Expected a tensor for {name}, got {type(result).__name__}.{hint}") from None
    if got.is_complex() or got.dtype == torch.bool:
        raise Wrong(f"Expected real numbers for {name}, got {str(got.dtype).removeprefix('torch.')}.")
    if got.shape != torch.Size(shape):
        raise Wrong(f"For {name} the shape should be {tuple(shape)}; yours is {tuple(got.shape)}.")
    return got.double()


def _worst(got, right):
    """The worst entry, in words."""
    place = torch.unravel_index((got - right).abs().nan_to_num(nan=torch.inf).argmax(), got.shape)
    return f"entry {[part.item() for part in place]} should be {right[place]:.4f}; yours is {got[place]:.4f}."


def _untouched(names, before, after):
    for name, one, other in zip(names, before, after):
        if not torch.equal(one, other):
            raise Wrong(f"Your function changes the {name} that it was given. Others may still need it: write into a new tensor.")


KINDS = ("pre-LN", "post-LN")


@exercise("13.1")
def block(answer):
    """A function (x, attention, feed_forward, norm_1, norm_2, kind) -> the stream (T, C) after one block of either kind."""
    for index, (T, C) in enumerate(((5, 8), (6, 6), (1, 12))):
        x, *functions = case = _parts(index, T, C)
        got = {}
        for kind in KINDS:
            name, given = f'x {(T, C)} and kind "{kind}"', x.clone()
            first = index == 0 and kind == KINDS[0]
            got[kind] = _tensor(asked(answer, name, first, given, *functions, kind), name, (T, C))
            _untouched(["x"], [x], [given])
        right = {"pre-LN": both(PRE)(*case), "post-LN": both(POST)(*case)}
        _check_kinds(got, right)
        for kind in KINDS:
            if not _near(got[kind], right[kind]):
                raise Wrong(f'For kind "{kind}": {_lesson(BLOCKS, case, got[kind]) or _worst(got[kind], right[kind])}')
    return "The same four functions, once each. With pre-LN x itself goes through to the end; with post-LN only what the norms made of it."


def _parts(seed, T, C):
    """x, attention, feed_forward, norm_1, norm_2: functions of which none undoes, or is like, another."""
    draw = torch.Generator().manual_seed(130 + seed)
    x, mixing, among, features, gains, shifts = (torch.randn(shape, generator=draw)
                                                 for shape in ((T, C), (T, T), (C, C), (C, C), (2, C), (2, C)))
    norms = [lambda x, g=g, b=b: layer_norm(x, (C,)) * (1 + g / 2).to(x) + b.to(x) for g, b in zip(gains, shifts)]
    attention = lambda x: mixing.softmax(-1).to(x) @ x @ among.to(x) / C**0.5
    return 2 * x + 1, attention, lambda x: 2 * torch.tanh(x @ features.to(x) / C**0.5), *norms


def _check_kinds(got, right):
    """Refuses the other kind of block, in place of one or of both."""
    other = {"pre-LN": "post-LN", "post-LN": "pre-LN"}
    wrong = [kind for kind in KINDS if not _near(got[kind], right[kind]) and _near(got[kind], right[other[kind]])]
    if len(wrong) == 2:
        raise Wrong("The two kinds have changed places: pre-LN is (13c), a norm inside f, and post-LN is (13b), a norm around the sum.")
    for kind in wrong:
        where = "inside f, and x is added bare: (13c)." if kind == "pre-LN" else "around the sum: (13b)."
        raise Wrong(f'For kind "{kind}" your block is {other[kind]}. Look at kind; in {kind} the norm stands {where}')


TEXTS = (  # heads, features of one, the words of each text, padding in between
    (3, 8, ("xxxxx", "xx...", "..xxx", "x.x.x")),
    (3, 4, ("xxx", ".x.", "xx.")),
    (2, 3, (".xxx..", "x.....")),
    (4, 2, ("x",)),
)


@exercise("13.2")
def attention(answer):
    """A function (q, k, v, present) -> softmax attention (B, H, T, D) that no padding takes part in."""
    for index, (H, D, rows) in enumerate(TEXTS):
        *case, present = _texts(index, H, D, rows)
        name = f"B = {len(rows)}, H = {H}, T = {len(rows[0])}, D = {D}"
        _check_attention(answer, name, index == 0, case, present, _why_not_attended)
    for size in (HUGE, -HUGE):
        *case, present = _texts(9, 2, 4, TEXTS[0][2])
        for x in case[1:]:
            x[~present[:, None].expand(x.shape[:-1])] = size
        _check_attention(answer, f"padding that holds {size:.0e} in k and v", False, case, present, _why_not_hidden)
    return "A score of −∞ is a share of exactly 0, and 0 times any number, however large, is 0: the padding might hold anything finite."


def _texts(seed, H, D, rows):
    """q, k, v (B, H, T, D) and present (B, T); padding is larger than the words are, so that it shows."""
    present = torch.tensor([[place == "x" for place in row] for row in rows])
    qkv = torch.randn(3, len(rows), H, len(rows[0]), D, generator=torch.Generator().manual_seed(1320 + seed))
    return *(qkv * torch.where(present, 1.0, 2.0)[:, None, :, None]), present


def _check_attention(answer, name, first, case, present, why):
    given = [x.clone() for x in (*case, present)]
    got = _tensor(asked(answer, name, first, *given), name, case[0].shape)
    _untouched(("q", "k", "v", "present"), (*case, present), given)
    right, words = attended(*case, present), present[:, None].expand(got.shape[:-1])  # words (B, H, T)
    if not _near(got, right, words):
        raise Wrong(f"For {name}: {why((*case, present), got, right, words)}")
    if not got[~words].isfinite().all():
        raise Wrong(f"For {name} the words are right, but rows of padding hold {got[~words][~got[~words].isfinite()][0]}. If all "
                    "scores of a query are −∞, its softmax is 0 / 0: hide keys only.")


def _why_not_attended(case, got, right, words):
    if lesson := _lesson(ATTENTIONS, case, got, words):
        return lesson
    if not got[words].isfinite().all():
        return "some words get no number. Every word has a key that it may see: hide keys, not queries, and take the softmax over the last axis."
    return _worst(torch.where(words[..., None], got, right), right)


def _why_not_hidden(case, got, right, words):
    if not got[words].isfinite().all():
        return ("right while the padding was small, but now words get no number. Huge scores go through the softmax before they are hidden, or "
                "their exponentials are multiplied by 0, and ∞ · 0 is not a number. Put −∞ in their place before the softmax.")
    return ("right while the padding was small, but now it shows. A number that is added to a score, such as −1e9, is nothing beside one of 1e30, "
            "and a share that is nearly 0 is not 0. Put −∞ in place of the score, before the softmax: masked_fill.")


@exercise("13.3")
def fused(answer):
    """A function (theirs, heads) -> (weight (3 C, C), bias (3 C,)) with queries and keys reordered head by head."""
    for index, (heads, D) in enumerate(((3, 8), (2, 6), (4, 4), (1, 10), (3, 2))):
        C, draw = heads * D, torch.Generator().manual_seed(133 + index)
        theirs = {f"{part}.{kind}": torch.randn(shape, generator=draw) for part in PARTS for kind, shape in (("weight", (C, C)), ("bias", (C,)))}
        name, given = f"{heads} heads of {D} features", {key: x.clone() for key, x in theirs.items()}
        got = _two(asked(answer, name, index == 0, given, heads), name, C)
        if given.keys() != theirs.keys() or not all(torch.equal(x, given[key]) for key, x in theirs.items()):
            raise Wrong("Your function changes the dict that it was given, or a tensor in it. Others may still need it.")
        if not _near(got, torch.cat(_flat(joined(theirs, heads)))):
            raise Wrong(f"For {name}: {_why_not_fused(theirs, heads, got)}")
    return "Rows have moved, and nothing else: a score is the same sum as before, its terms in another order."


def _flat(two):
    return [torch.as_tensor(x).detach().double().flatten() for x in two]


def _two(result, name, C):
    """Weight and bias, one behind the other: (3 C C + 3 C,)."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise Wrong(f"Return two things, the weight and the bias; for {name} you return {type(result).__name__}.")
    shapes = [tuple(getattr(x, "shape", ())) for x in result]
    if shapes == [(3 * C,), (3 * C, C)]:
        raise Wrong("The weight comes first, then the bias.")
    if shapes[0] == (C, 3 * C):
        raise Wrong(f"Your three matrices stand side by side, {(C, 3 * C)}. Each row makes a feature: one above the other, {(3 * C, C)}.")
    return torch.cat([_tensor(x, f"{name}, {what}", shape).flatten()
                      for x, what, shape in zip(result, ("weight", "bias"), ((3 * C, C), (3 * C,)))])


def _why_not_fused(theirs, heads, got):
    flat = tuple((lesson, lambda *case, wrong=wrong: torch.cat(_flat(wrong(*case)))) for lesson, wrong in FUSIONS)
    if lesson := _lesson(flat, (theirs, heads), got):
        return lesson
    right = torch.cat(_flat(joined(theirs, heads)))
    C = len(theirs["query.bias"])
    row = (~torch.isclose(got, right, rtol=CLOSE, atol=CLOSE)).nonzero()[0].item()
    what, row = ("weight", row // C) if row < 3 * C * C else ("bias", row - 3 * C * C)
    part, at = PARTS[row // C], row % C
    return f"row {row} of your {what}, feature {at % (C // heads)} of head {at // (C // heads)} of the {part}s, is not theirs that belongs there."


BATCHES = (  # features, the tokens of each text
    (6, ("xxxxx", "xx...", "..xxx", "x.x.x")),
    (4, ("xxxx", "x...", "xx..", ".xx.")),
    (5, ("xxx", "...", ".xx", "x..")),
    (8, ("...", "...")),
    (3, ("xx",)),
)


@exercise("13.4")
def likeness(answer):
    """A function (x, present) -> cosines (B, B) between the means of the tokens that are there."""
    for index, (C, rows) in enumerate(BATCHES):
        x, present = case = _batch(index, C, rows)
        name, given = f"B = {len(rows)}, T = {len(rows[0])}, C = {C}, texts {' '.join(rows)}", [part.clone() for part in case]
        got, right = _tensor(asked(answer, name, index == 0, *given), name, (len(rows), len(rows))), alike(*case).double()
        _untouched(("x", "present"), case, given)
        if not _near(got, right):
            raise Wrong(f"For {name}: {_why_not_alike(case, got, right)}")
    return "Divided by a number or not, a sum points where its mean points: the cosine does not see how long the texts are."


def _batch(seed, C, rows):
    """x (B, T, C) and present (B, T); the tokens of a text differ in length, and padding is as large as they are."""
    present = torch.tensor([[place == "x" for place in row] for row in rows])
    draw = torch.Generator().manual_seed(134 + seed)
    return torch.randn(*present.shape, C, generator=draw) * (0.5 + 3 * torch.rand(*present.shape, 1, generator=draw)) + 0.5, present


def _why_not_alike(case, got, right):
    some = case[1].any(1)  # (B,) the texts with something in them
    among = some[:, None] & some
    empty = "" if some.all() else " A text with nothing in it has a row and a column of 0."
    if lesson := _lesson(LIKENESSES, case, got, among) if among.any() and not _near(got, right, among) else _lesson(EMPTY, case, got):
        return lesson
    if not got[~among].isfinite().all():
        return ("entries of a text with nothing in it are no numbers: its mean is 0 / 0, or a vector of length 0 is divided by its length. "
                "clamp(min=1) keeps the count from being 0, and normalize leaves a vector of zeros.")
    if not _near(got, right, ~among):
        return f"entries of a text with nothing in it are not 0: {_worst(torch.where(among, right, got), right)}"
    return _worst(got, right) + empty
