"""Wrong answers to the exercises of chapter 14b, each with part of the lesson that its checker must give."""

import copy
from functools import partial

import numpy as np
import torch

from ropebook.experiments import STUDENT, paired

# ---- 14b.1 ------------------------------------------------------------------


def reached(steps, losses, threshold, read=None, below=np.less_equal, which=0, begun=lambda steps, i: steps[0], never=None):
    """The right answer to exercise 14b.1, with its mistakes as options."""
    steps, losses = np.asarray(steps), np.asarray(losses)
    there = np.flatnonzero(below(losses, threshold))
    if len(there) == 0:
        return never(steps, losses) if never else None
    i = there[which]
    if i == 0 and begun:
        return begun(steps, i)
    return (read or line)(steps, losses, threshold, i)


def share(losses, threshold, i):
    return (losses[i - 1] - threshold) / (losses[i - 1] - losses[i])


def line(steps, losses, threshold, i):
    return steps[i - 1] + share(losses, threshold, i) * (steps[i] - steps[i - 1])


def nearer(steps, losses, threshold, i):
    return steps[i - 1 + np.abs(losses[i - 1 : i + 1] - threshold).argmin()]


def as_in_the_chapter(steps, losses, threshold):
    """The chapter's own function, which no curve of its race brings to its first point."""
    below = np.flatnonzero(losses <= threshold)
    return line(steps, losses, threshold, below[0]) if len(below) else None


def by_crossings(steps, losses, threshold, which=0, begin=True):
    """The crossings from above, of which one is taken; begin: a first point that is there counts."""
    steps, losses = np.asarray(steps), np.asarray(losses)
    if begin and losses[0] <= threshold:
        return steps[0]
    at = 1 + np.flatnonzero((losses[:-1] > threshold) & (losses[1:] <= threshold))
    return line(steps, losses, threshold, at[which]) if len(at) else None


def by_interp(steps, losses, threshold):
    if min(losses) > threshold:
        return None
    return np.interp(threshold, losses[::-1], steps[::-1])


def by_halves(steps, losses, threshold):
    i = np.searchsorted(-np.asarray(losses), -threshold)
    if i == len(losses):
        return None
    return line(steps, losses, threshold, i) if i else steps[0]


def looks_at_the_end(steps, losses, threshold):
    return None if losses[-1] > threshold else reached(steps, losses, threshold)


def at_even_steps(steps, losses, threshold):
    return reached(np.linspace(steps[0], steps[-1], len(steps)), losses, threshold)


def without_end(steps, losses, threshold):
    i = 0
    while losses[i] > threshold:
        i += 1
    return line(steps, losses, threshold, i) if i else steps[0]


def by_a_loop(steps, losses, threshold):
    """The right answer to exercise 14b.1 with a loop over pairs of points, written from the far end of each line."""
    before = None
    for step, loss in zip(steps, losses):
        if loss <= threshold:
            return step if before is None else step - (step - before[0]) * (threshold - loss) / (before[1] - loss)
        before = step, loss


def in_single(steps, losses, threshold):
    found = reached(np.float32(steps), np.float32(losses), np.float32(threshold))
    return None if found is None else torch.tensor([found])


def by_local_interp(steps, losses, threshold):
    """The right answer to exercise 14b.1 with np.interp on the one line that matters."""
    for i, loss in enumerate(losses):
        if loss <= threshold:
            return np.interp(threshold, [loss, losses[i - 1]], [steps[i], steps[i - 1]]) if i else float(steps[0])


# ---- 14b.2 ------------------------------------------------------------------


def lead(a, b, t, centre=np.mean, ddof=1, over=np.sqrt, spread=None):
    """The right answer to exercise 14b.2, with its mistakes as options; spread: of a and b where it is not that of a − b."""
    d = a - b
    half = t * (spread(a, b) if spread else d.std(ddof=ddof)) / over(len(d))
    return centre(d), centre(d) - half, centre(d) + half


def unpaired(ddof):
    return partial(lead, spread=lambda a, b: np.sqrt(a.var(ddof=ddof) + b.var(ddof=ddof)))


def in_order(*order):
    return lambda a, b, t: [lead(a, b, t)[i] for i in order]


def in_place(a, b, t):
    a -= b
    return lead(a, 0, t)


def by_torch(a, b, t):
    d = torch.tensor(a - b, requires_grad=True)
    half = t * d.std() / len(d) ** 0.5
    return torch.stack([d.mean(), d.mean() - half, d.mean() + half])


def without_numpy(a, b, t):
    """The right answer to exercise 14b.2 with sums; s / √S from the sum of squares over S (S − 1)."""
    d = [x - y for x, y in zip(a.tolist(), b.tolist())]
    mean = sum(d) / len(d)
    half = t * (sum((x - mean) ** 2 for x in d) / (len(d) * (len(d) - 1))) ** 0.5
    return {"mean": mean, "low": mean - half, "high": mean + half}.values()


# ---- 14b.3 ------------------------------------------------------------------


def fitting(source, target):
    own = target.state_dict()
    return {name: weight for name, weight in source.state_dict().items() if name in own and own[name].shape == weight.shape}


def same_start(source, target, fits=fitting, load=lambda target, both: target.load_state_dict(both, strict=False), names=None):
    """The right answer to exercise 14b.3, with its mistakes as options; names: what is returned, of (source, target, both)."""
    both = fits(source, target)
    load(target, both)
    return names(source, target, both) if names else sorted(target.state_dict().keys() - both.keys())


def by_name(source, target):
    return {name: weight for name, weight in source.state_dict().items() if name in target.state_dict()}


def by_count(source, target):
    """As many numbers, in whatever shape."""
    own = target.state_dict()
    return {name: weight.reshape(own[name].shape) for name, weight in by_name(source, target).items() if own[name].numel() == weight.numel()}


def by_place(source, target):
    """The first with the first, the second with the second, if only the shapes agree."""
    pairs = zip(target.state_dict().items(), source.state_dict().values())
    return {name: weight for (name, own), weight in pairs if own.shape == weight.shape}


def assigned(clone):
    """load_state_dict that puts the given tensors, or clones of them, in the place of target's."""
    return lambda target, both: target.load_state_dict({name: weight.clone() if clone else weight for name, weight in both.items()},
                                                       strict=False, assign=True)


def data_handed_over(target, both, own=lambda weight: weight):
    for name, parameter in [*target.named_parameters(), *target.named_buffers()]:
        if name in both:
            parameter.data = own(both[name])


def parameters_copied(source, target):
    """Parameters alone."""
    old, left = dict(source.named_parameters()), []
    with torch.no_grad():
        for name, weight in target.named_parameters():
            if name in old and old[name].shape == weight.shape:
                weight.copy_(old[name])
            else:
                left.append(name)
    return sorted(left)


def parts_copied(source, target):
    """As many rows and columns as both have."""
    names = same_start(source, target)
    for name, weight in by_name(source, target).items():
        both = tuple(slice(min(sizes)) for sizes in zip(weight.shape, target.state_dict()[name].shape))
        target.state_dict()[name][both] = weight[both]
    return names


def spread_out(source, target):
    """copy_ repeats one row where there is only one."""
    left = sorted(target.state_dict())
    for name, weight in by_name(source, target).items():
        try:
            target.state_dict()[name].copy_(weight)
            left.remove(name)
        except RuntimeError:
            pass
    return left


def resized(source, target):
    for name, parameter in target.named_parameters():
        if name in source.state_dict():
            parameter.data = source.state_dict()[name].clone()
    return sorted(target.state_dict().keys() - source.state_dict().keys())


def unchanged_values(source, target):
    """Names by what has changed."""
    before = copy.deepcopy(target.state_dict())
    same_start(source, target)
    return sorted(name for name, weight in target.state_dict().items() if torch.equal(weight, before[name]))


def frozen(source, target):
    names = same_start(source, target)
    for parameter in target.parameters():
        parameter.requires_grad_(False)
    return names


def modules_exchanged(source, target):
    names = same_start(source, target)
    for name, module in source.named_children():
        if name in dict(target.named_children()) and not any(left.startswith(name) for left in names):
            setattr(target, name, module)
    return names


def all_taken(source, target):
    """What only source has joins target."""
    names = same_start(source, target)
    for name, module in source.named_children():
        if name not in dict(target.named_children()):
            target.add_module(name, copy.deepcopy(module))
    return names


def source_emptied(source, target):
    names = same_start(source, target)
    for weight in source.state_dict().values():
        weight.zero_()
    return names


def learns_in_a_copy(source, target):
    return same_start(source, copy.deepcopy(target))


def by_parameters_and_buffers(source, target):
    """The right answer to exercise 14b.3 without state_dict, one tensor after another."""
    def everything(model):
        return {name: part for kind in (model.named_parameters, model.named_buffers) for name, part in kind(remove_duplicate=False)}

    old, left = everything(source), []
    for name, part in everything(target).items():
        if name in old and old[name].shape == part.shape:
            part.data[...] = old[name].data
        else:
            left += [name]
    left.sort()
    return tuple(left)


def whole_state(source, target):
    """The right answer to exercise 14b.3 with a full dictionary and a strict load."""
    own = target.state_dict()
    both = fitting(source, target)
    target.load_state_dict({**own, **both})
    return np.array(sorted(set(own) - set(both)))


# ---- 14b.4 ------------------------------------------------------------------


def seeds(d, s, t, half=lambda s, t, S: t[S] * s / np.sqrt(S), size=abs, enough=np.less, take=min, among=lambda t: t, never=lambda t: None):
    """The right answer to exercise 14b.4, with its mistakes as options."""
    found = [S for S in among(t) if enough(half(s, t, S), size(d))]
    return take(found) if found else never(t)


def by_squares(d, s, t):
    """The right answer to exercise 14b.4 from S > (t s / d)²."""
    for S, value in sorted(t.items()):
        if S > (value * s / d) ** 2:
            return float(S)


def by_ends(d, s, t):
    for S in range(min(t), max(t) + 1):
        low, high = (d + sign * t[S] * s / S**0.5 for sign in (-1, 1))
        if low > 0 or high < 0:
            return torch.tensor(S)


def in_arrays(d, s, t):
    S = np.array(sorted(t))
    enough = S[np.float32([t[n] for n in S]) * np.float32(s) / np.sqrt(S, dtype=np.float32) < np.float32(abs(d))]
    return enough[0] if enough.size else None


def formula(d, s, t):
    """The textbook's first guess, with 1.96."""
    S = max(2, int(np.ceil((1.96 * s / d) ** 2)))
    return S if S in t else None


def counting_up(d, s, t):
    S = 2
    while t[S] * s / S**0.5 >= abs(d):
        S += 1
    return S


def without_default(d, s, t):
    return next(S for S in sorted(t) if t[S] * s / S**0.5 < abs(d))


MUTANTS = [
    ("14b.1", as_in_the_chapter, "index 0 − 1 is the last point"),
    ("14b.1", partial(reached, read=lambda steps, losses, at, i: steps[i]), "step 300 is that of a point"),
    ("14b.1", partial(reached, read=lambda steps, losses, at, i: steps[i - 1]), "step 150 is that of a point"),
    ("14b.1", partial(reached, read=nearer), "step 150 is that of a point"),
    ("14b.1", lambda steps, losses, at: steps[np.abs(np.asarray(losses) - at).argmin()], "step 150 is that of a point"),
    ("14b.1", partial(reached, read=lambda steps, losses, at, i: i), "that counts points"),
    ("14b.1", partial(reached, read=lambda steps, losses, at, i: i - 1 + share(losses, at, i)), "that counts points"),
    ("14b.1", partial(reached, read=lambda steps, losses, at, i: steps[i] - share(losses, at, i) * (steps[i] - steps[i - 1])), "from its far end"),
    ("14b.1", partial(reached, read=lambda steps, losses, at, i: (steps[i - 1] + steps[i]) / 2), "the middle between two points"),
    ("14b.1", partial(reached, read=lambda steps, losses, at, i: steps[i - 1] + share(losses, at, i) * (steps[1] - steps[0])), "not evenly spaced"),
    ("14b.1", at_even_steps, "not evenly spaced"),
    ("14b.1", partial(reached, read=lambda *case: round(line(*case))), "you round to a whole step"),
    ("14b.1", partial(reached, read=lambda *case: int(line(*case))), "you round to a whole step"),
    ("14b.1", partial(reached, read=lambda *case: np.ceil(line(*case))), "you round to a whole step"),
    ("14b.1", partial(reached, read=lambda steps, losses, at, i: line(steps, losses, at, i + 1)), "the line after the first point"),
    ("14b.1", partial(reached, read=lambda steps, losses, at, i: line(steps, np.log(losses), np.log(at), i)), "logarithms of the losses"),
    ("14b.1", partial(by_crossings, which=-1), "falls, rises and falls: that is the last time"),
    ("14b.1", partial(reached, which=-1), "yours is"),
    ("14b.1", lambda steps, losses, at: steps[np.argmin(losses)], "the lowest point"),
    ("14b.1", looks_at_the_end, "One look at the last point does not tell"),
    ("14b.1", by_interp, "nor search as in a sorted list"),
    ("14b.1", by_halves, "nor search as in a sorted list"),
    ("14b.1", partial(reached, below=np.less), "<= threshold, not <"),
    ("14b.1", partial(by_crossings, begin=False), "the first point is there already: its step is the answer. You wait"),
    ("14b.1", partial(reached, begun=lambda steps, i: 0), "its step is the answer, not 0"),
    ("14b.1", partial(reached, begun=lambda steps, i: None), "before it nobody looked"),
    ("14b.1", lambda steps, losses, at: line(steps, losses, at, max(1, np.argmax(np.asarray(losses) <= at))), "no line is needed"),
    ("14b.1", partial(reached, never=lambda steps, losses: steps[-1]), "so return None and no number; yours is 400"),
    ("14b.1", partial(reached, never=lambda steps, losses: np.inf), "so return None and no number; yours is inf"),
    ("14b.1", partial(reached, never=lambda steps, losses: -1), "so return None and no number; yours is -1"),
    ("14b.1", without_end, "where None is right your answer stopped with IndexError"),
    ("14b.1", lambda steps, losses, at: reached(steps, losses, at) if (losses <= at).any() else None, "which np.asarray makes arrays of"),
    ("14b.1", lambda steps, losses, at: np.array(steps), "Return one number"),
    ("14b.2", unpaired(1), "Subtract seed by seed first"),
    ("14b.2", unpaired(0), "Subtract seed by seed first"),
    ("14b.2", partial(lead, spread=lambda a, b: a.std(ddof=1) + b.std(ddof=1)), "Subtract seed by seed first"),
    ("14b.2", partial(lead, spread=lambda a, b: abs(a.std(ddof=1) - b.std(ddof=1))), "Subtract seed by seed first"),
    ("14b.2", partial(lead, ddof=0), "unless you pass ddof=1"),
    ("14b.2", partial(lead, over=lambda S: 1), "Divide s by √S"),
    ("14b.2", partial(lead, over=lambda S: 1, ddof=0), "You leave √S out"),
    ("14b.2", partial(lead, over=lambda S: S), "not by S"),
    ("14b.2", partial(lead, over=lambda S: np.sqrt(S - 1)), "you take off 1 twice"),
    ("14b.2", partial(lead, spread=lambda a, b: (a - b).var(ddof=1)), "the variance of the differences"),
    ("14b.2", partial(lead, over=lambda S: 1 / np.sqrt(1 + 1 / S)), "one more difference should land"),
    ("14b.2", lambda a, b, t: lead(b, a, t), "a − b is asked for"),
    ("14b.2", in_order(0, 2, 1), "the low end comes before the high end"),
    ("14b.2", in_order(1, 0, 2), "their order is mean, low, high"),
    ("14b.2", in_order(1, 2, 0), "their order is mean, low, high"),
    ("14b.2", in_order(0, 1), "I got 2"),
    ("14b.2", lambda a, b, t: lead(a, b, t)[0], "Return three numbers"),
    ("14b.2", lambda a, b, t: [lead(a, b, t)[0], *(end - lead(a, b, t)[0] for end in lead(a, b, t)[1:])], "add the mean"),
    ("14b.2", partial(lead, centre=np.median), "Take their mean"),
    ("14b.2", lambda a, b, t: lead(a, b, 1), "Multiply by `t`"),
    ("14b.2", lambda a, b, t: lead(a, b, 1.96), "very many seeds"),
    ("14b.2", lambda a, b, t: paired(a, b), "from a table"),
    ("14b.2", lambda a, b, t: lead(a, b, 2 * t), "twice that"),
    ("14b.2", lambda a, b, t: lead(a, b, t / 2), "yours goes half of that"),
    ("14b.2", lambda a, b, t: [x - (a - b).mean() + np.median(a) - np.median(b) for x in lead(a, b, t)], "the difference of two medians"),
    ("14b.2", lambda a, b, t: lead(abs(a - b), 0, t), "you take their sizes"),
    ("14b.2", lambda a, b, t: [(a - b).mean(), (a - b).min(), (a - b).max()], "the least and the largest"),
    ("14b.2", lambda a, b, t: [x + 1 for x in lead(a, b, t)], "the mean should be"),
    ("14b.2", lambda a, b, t: [a - b, *lead(a, b, t)[1:]], "Return one number"),
    ("14b.2", in_place, "a - b, not a -= b"),
    ("14b.3", partial(same_start, fits=by_name), "the same shape in both"),
    ("14b.3", partial(same_start, load=lambda target, both: target.load_state_dict(both)), "pass strict=False"),
    ("14b.3", partial(same_start, load=assigned(clone=False)), "lies in the same memory"),
    ("14b.3", partial(same_start, load=data_handed_over), "lies in the same memory"),
    ("14b.3", modules_exchanged, "lies in the same memory"),
    ("14b.3", partial(same_start, load=assigned(clone=True)), "were one weight and are two now"),
    ("14b.3", frozen, "no longer learn as before"),
    ("14b.3", parameters_copied, "It is a buffer"),
    ("14b.3", partial(same_start, fits=by_place), "does not have the numbers of `source`"),
    ("14b.3", partial(same_start, fits=by_count), "`map.weight` of `target` must be left as it is"),
    ("14b.3", parts_copied, "must be left as it is, for it is (1, 4) there and (3, 4) here"),
    ("14b.3", spread_out, "`kinds.weight` of `target` must be left as it is"),
    ("14b.3", resized, "has another shape than before"),
    ("14b.3", lambda source, target: same_start(target, source), "Copy the other way"),
    ("14b.3", all_taken, "`old.weight` is new in `target`"),
    ("14b.3", source_emptied, "Read it, and write into `target` alone"),
    ("14b.3", learns_in_a_copy, "Change it in place"),
    ("14b.3", lambda source, target: [], "Change it in place"),
    ("14b.3", partial(same_start, names=lambda source, target, both: sorted(both)), "the names of what was copied"),
    ("14b.3", partial(same_start, names=lambda source, target, both: [n for n in target.state_dict() if n not in both]), "but not sorted"),
    ("14b.3", partial(same_start, names=lambda source, target, both: target.state_dict().keys() - both.keys()), "but not sorted"),
    ("14b.3", partial(same_start, names=lambda source, target, both: sorted(target.state_dict().keys() ^ source.state_dict().keys())),
     "`old.bias`, which only `source` has"),
    ("14b.3", partial(same_start, names=lambda source, target, both: sorted(target.state_dict().keys() - source.state_dict().keys())),
     "`kinds.weight`, which was left as it was: `source` has that name, with another shape"),
    ("14b.3", partial(same_start, names=lambda source, target, both: sorted({n.split(".")[0] for n in target.state_dict().keys() - both.keys()})),
     "is in neither `state_dict()`"),
    ("14b.3", partial(same_start, names=lambda source, target, both: sorted(target.state_dict())), "it was copied"),
    ("14b.3", partial(same_start, names=lambda source, target, both: [target.state_dict()[n] for n in target.state_dict() if n not in both]),
     "the names alone"),
    ("14b.3", partial(same_start, names=lambda source, target, both: None), "you return nothing"),
    ("14b.3", partial(same_start, names=lambda source, target, both: sorted(target.state_dict().keys() - both.keys()) or None), "an empty list, if nothing was"),
    ("14b.3", partial(same_start, names=lambda source, target, both: ", ".join(sorted(target.state_dict().keys() - both.keys()))), "not str"),
    ("14b.3", unchanged_values, "even if its numbers were the same before"),
    ("14b.3", lambda source, target: [p.copy_(q) for p, q in zip(target.parameters(), source.parameters())], "stopped with RuntimeError"),
    ("14b.4", partial(seeds, half=lambda s, t, S: t[S] * s), "the half width is t[S] · s / √S"),
    ("14b.4", partial(seeds, size=lambda d: d), "take the size of d"),
    ("14b.4", partial(seeds, enough=np.less_equal), "Use <, not <="),
    ("14b.4", partial(seeds, half=lambda s, t, S: 1.96 * s / np.sqrt(S)), "1.96 is for very many seeds"),
    ("14b.4", formula, "1.96 is for very many seeds"),
    ("14b.4", partial(seeds, half=lambda s, t, S: t.get(S - 1, np.inf) * s / np.sqrt(S)), "that of S − 1"),
    ("14b.4", partial(seeds, half=lambda s, t, S: t.get(S + 1, np.inf) * s / np.sqrt(S)), "that of S + 1"),
    ("14b.4", partial(seeds, half=lambda s, t, S: t[2] * s / np.sqrt(S)), "You take one t for all"),
    ("14b.4", partial(seeds, half=lambda s, t, S: t[max(t)] * s / np.sqrt(S)), "You take one t for all"),
    ("14b.4", partial(seeds, half=lambda s, t, S: STUDENT[S] * s / np.sqrt(S)), "a table of your own"),
    ("14b.4", partial(seeds, half=lambda s, t, S: s / np.sqrt(S)), "multiply by t[S]"),
    ("14b.4", partial(seeds, half=lambda s, t, S: t[S] * s / S), "not by S"),
    ("14b.4", partial(seeds, half=lambda s, t, S: t[S] * s / np.sqrt(S - 1)), "not by √(S − 1)"),
    ("14b.4", partial(seeds, half=lambda s, t, S: t[S] * s**2 / np.sqrt(S)), "do not square it"),
    ("14b.4", partial(seeds, half=lambda s, t, S: 2 * t[S] * s / np.sqrt(S)), "not twice or half of it"),
    ("14b.4", partial(seeds, take=max), "the largest S"),
    ("14b.4", partial(seeds, take=len), "how many values of S"),
    ("14b.4", partial(seeds, take=lambda found: min(found) - 1), "that is not enough"),
    ("14b.4", partial(seeds, take=lambda found: min(found) + 1), "one seed too many"),
    ("14b.4", partial(seeds, take=lambda found: found[0]), "go through sorted(t)"),
    ("14b.4", partial(seeds, among=lambda t: range(2, max(t))), "a range ends before its end"),
    ("14b.4", partial(seeds, among=lambda t: range(3, max(t) + 1)), "two seeds can be enough"),
    ("14b.4", partial(seeds, never=max), "So return None; yours is 10"),
    ("14b.4", partial(seeds, never=lambda t: max(t) + 1), "So return None; yours is 11"),
    ("14b.4", partial(seeds, never=lambda t: np.inf), "So return None; yours is inf"),
    ("14b.4", partial(seeds, never=lambda t: 0), "So return None; yours is 0"),
    ("14b.4", partial(seeds, take=sorted), "Return one number"),
    ("14b.4", without_default, "stopped with StopIteration"),
    ("14b.4", counting_up, "stopped with KeyError"),
    ("14b.4", partial(seeds, take=lambda found: 3), "3 seeds give 10 ± 2.484. That leaves out 0, but fewer do, too"),
]

ALSO_RIGHT = [
    ("14b.1", reached),
    ("14b.1", by_crossings),
    ("14b.1", by_a_loop),
    ("14b.1", in_single),
    ("14b.1", by_local_interp),
    ("14b.2", lead),
    ("14b.2", by_torch),
    ("14b.2", without_numpy),
    ("14b.2", partial(lead, ddof=0, over=lambda S: np.sqrt(S - 1))),
    ("14b.2", lambda a, b, t: np.array(lead(np.float32(a), np.float32(b), t))),
    ("14b.3", same_start),
    ("14b.3", by_parameters_and_buffers),
    ("14b.3", whole_state),
    ("14b.3", partial(same_start, load=lambda target, both: [target.state_dict()[name].copy_(weight) for name, weight in both.items()])),
    ("14b.4", seeds),
    ("14b.4", by_squares),
    ("14b.4", by_ends),
    ("14b.4", in_arrays),
]
