"""Pairs of models for the checker of exercise 14b.3, and what it says of what became of them."""

import torch
from torch import nn

from ropebook.checks.asking import asked
from ropebook.exercises import Wrong
from ropebook.roformer import RoFormer, RoFormerConfig


def _pair(source, target):
    """Two models with numbers of their own: ModuleDicts of what is named, with every float number drawn anew."""
    generator = torch.Generator().manual_seed(14)
    pair = [nn.ModuleDict(parts) for parts in (source, target)]
    for at, weight in ((at, weight) for at, model in enumerate(pair) for weight in model.state_dict().values()):
        if weight.is_floating_point():
            weight.copy_(torch.rand(weight.shape, generator=generator))
        else:
            weight.fill_(7 - at)
    return pair


def _tied():
    words, out = nn.Embedding(9, 4), nn.Linear(4, 9)
    out.weight = words.weight
    return {"words": words, "out": out}


def _roformers():
    """Two models whose norms are equal from the start."""
    sizes = {"vocabulary": 7, "width": 8, "heads": 2, "layers": 1, "longest": 5}
    return [RoFormer(RoFormerConfig(encoding=encoding, **sizes)) for encoding in ("RoPE", "learned")]


PAIRS = (  # name, function that makes (source, target)
    ("two models, one with a table of positions", lambda: _pair(
        {"words": nn.Embedding(9, 4), "old": nn.Linear(2, 2), "norm": nn.LayerNorm(4)},
        {"words": nn.Embedding(9, 4), "positions": nn.Embedding(6, 4), "norm": nn.LayerNorm(4), "bias": nn.Embedding(3, 2)})),
    ("two RoFormers, from RoPE to learned positions", _roformers),
    ("two models whose parts differ in shape", lambda: _pair(
        {"words": nn.Embedding(9, 4), "positions": nn.Embedding(8, 4), "kinds": nn.Embedding(1, 4), "map": nn.Linear(4, 6)},
        {"words": nn.Embedding(9, 4), "positions": nn.Embedding(6, 4), "kinds": nn.Embedding(3, 4), "map": nn.Linear(6, 4)})),
    ("two models with buffers", lambda: _pair(
        {"norm": nn.BatchNorm1d(4), "layers": nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))},
        {"norm": nn.BatchNorm1d(4), "layers": nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), "extra": nn.BatchNorm1d(3)})),
    ("two models with tied weights", lambda: _pair(_tied(), {**_tied(), "extra": nn.Linear(2, 2)})),
    ("two models with the same parts", lambda: _pair({"map": nn.Linear(3, 5)}, {"map": nn.Linear(3, 5)})),
    ("two models with nothing in common", lambda: _pair({"one": nn.Linear(3, 5)}, {"two": nn.Linear(3, 5), "first": nn.Linear(3, 5)})),
)


def copied_names(answer, name, source, target):
    """What the answer returns; PyTorch's word on a state that does not fit is long, so it gets a shorter one."""
    try:
        return asked(lambda *given: [answer(*given)], name, False, source, target)[0]
    except Wrong as wrong:
        if "size mismatch" in str(wrong):
            raise Wrong(f"For {name} `load_state_dict` stops at a wrong shape, also with strict=False: hand it only what has the same name "
                        "and the same shape in both.") from None
        if "loading state_dict" in str(wrong):
            raise Wrong(f"For {name} `load_state_dict` stops, since a name is missing or unknown: pass strict=False.") from None
        raise


def numbers(model):
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def ways(model):
    """How a model holds its parameters: by name, which of them learn, and under which first name each lies."""
    first = {id(weight): name for name, weight in model.named_parameters()}
    return [(name, weight.requires_grad, first[id(weight)]) for name, weight in model.named_parameters(remove_duplicate=False)]


def _same(one, other):
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)


def changes(before, model):
    """The names of what is no longer as it was, or is there no more."""
    now = model.state_dict()
    return [name for name, weight in before.items() if name not in now or not _same(now[name], weight)]


def why_not_copied(old, own, left, source, target):
    both, changed, now = [name for name in own if name not in left], changes(own, target), target.state_dict()
    if broken := changes(old, source):
        other_way = not changed and broken[0] in own and _same(source.state_dict()[broken[0]], own[broken[0]])
        hint = "Copy the other way: `target` gets, `source` gives." if other_way else "Read it, and write into `target` alone."
        return f"`{broken[0]}` of `source` has changed. {hint}"
    if both and not changed:
        return "`target` is as it was. Change it in place: what becomes of a new model or a new dictionary nobody sees."
    if gone := [name for name in changed if name not in now or now[name].shape != own[name].shape]:
        return f"`{gone[0]}` of `target` is gone or has another shape than before. Numbers are to be copied, not parts exchanged."
    if new := [name for name in now if name not in own]:
        return f"`{new[0]}` is new in `target`. What only `source` has stays there."
    if spoilt := [name for name in left if name in changed]:
        shapes = f", for it is {tuple(old[spoilt[0]].shape)} there and {tuple(own[spoilt[0]].shape)} here" if spoilt[0] in old else ""
        return f"`{spoilt[0]}` of `target` must be left as it is{shapes}; some of its numbers have changed."
    if missed := [name for name in both if not _same(now[name], old[name])]:
        buffer = missed[0] not in dict(target.named_parameters(remove_duplicate=False))
        hint = " It is a buffer, no parameter, and in `state_dict()` it counts like all others." if buffer else ""
        return f"`{missed[0]}` has the same name and shape in both, and `target` does not have the numbers of `source`.{hint}"


def why_not_apart(source, target, begun):
    places = {weight.untyped_storage().data_ptr() for weight in source.state_dict().values()}
    if shared := [name for name, weight in target.state_dict().items() if weight.untyped_storage().data_ptr() in places]:
        return (f"`{shared[0]}` of both lies in the same memory, and who trains one changes the other. Copy numbers into the tensors of "
                "`target`: copy_, or load_state_dict without assign.")
    now = ways(target)
    if [way[:2] for way in now] != [way[:2] for way in begun]:
        return "the numbers are right, but some weights of `target` no longer learn as before. Leave their requires_grad as it was."
    if now != begun:
        return ("two names of `target` were one weight and are two now, which training drives apart. Copy numbers into the tensors that "
                "are there: copy_, or load_state_dict without assign.")


def why_not_named(names, left, old, own):
    if names is None:
        return "`target` is right, and you return nothing. Return the sorted names of what was left; an empty list, if nothing was."
    if isinstance(names, (str, dict)) or not hasattr(names, "__iter__"):
        return f"`target` is right. Return a list of names, not {type(names).__name__}."
    got, both = list(names), [name for name in own if name not in left]
    if got == left and not isinstance(names, (set, frozenset)):
        return None
    if any(not isinstance(name, str) for name in got):
        return "`target` is right. Return the names alone, such as `words.weight`, as text."
    if sorted(got) == left:
        return "the names are right, but not sorted: `sorted` makes a list of them in order."
    if set(got) == set(both):
        return "you return the names of what was copied. Those of what `target` was left with are asked for."
    return _wrong_name(got, left, old, own)


def _wrong_name(got, left, old, own):
    for name in got:
        if name not in own:
            whose = "only `source` has" if name in old else "is in neither `state_dict()`"
            return f"you name `{name}`, which {whose}. Name weights of `target`."
        if name not in left:
            return f"you name `{name}`, which both have in one shape: it was copied, even if its numbers were the same before."
    if missing := [name for name in left if name not in got]:
        there = missing[0] in old
        return (f"you do not name `{missing[0]}`, which was left as it was"
                f"{': `source` has that name, with another shape.' if there else ', for `source` has no such name.'}")
    return "you give a name twice."
