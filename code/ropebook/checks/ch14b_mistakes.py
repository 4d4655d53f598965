"""Right and wrong results for the checkers of chapter 14b: what each mistake gives, and what it teaches."""

import numpy as np

from ropebook.experiments import STUDENT

# ---- 14b.1 ------------------------------------------------------------------


def first_reached(steps, losses, threshold, found=None, read=None, begun=None):
    """The right answer to 14b.1, with its mistakes as options.

    found    (losses, threshold) -> the points that count as there, in order
    read     (steps, losses, threshold, i) -> the step, where point i > 0 is the first of them
    begun    (steps, losses, threshold) -> the step, where i is 0
    """
    at = (found or _at_or_below)(losses, threshold)
    if not len(at):
        return None
    if at[0] == 0:
        return begun(steps, losses, threshold) if begun else steps[0]
    return (read or _on_the_line)(steps, losses, threshold, at[0])


def _at_or_below(losses, threshold):
    return np.flatnonzero(losses <= threshold)


def _share(losses, threshold, i):
    return (losses[i - 1] - threshold) / (losses[i - 1] - losses[i])


def _on_the_line(steps, losses, threshold, i):
    return steps[i - 1] + _share(losses, threshold, i) * (steps[i] - steps[i - 1])


def _crossings(losses, threshold):
    """The points at or below the threshold whose point before is above it."""
    return 1 + np.flatnonzero((losses[:-1] > threshold) & (losses[1:] <= threshold))


def _change(**options):
    return lambda *case: first_reached(*case, **options)


def _rounded(how):
    return _change(read=lambda *case: how(_on_the_line(*case)))


def _widths_alike(steps, losses, threshold, i):
    return steps[i - 1] + _share(losses, threshold, i) * (steps[1] - steps[0])


def _along_even_steps(steps, losses, threshold, i):
    return steps[0] + (i - 1 + _share(losses, threshold, i)) * (steps[-1] - steps[0]) / (len(steps) - 1)


def _next_line(steps, losses, threshold, i):
    return _on_the_line(steps, losses, threshold, min(i + 1, len(steps) - 1))


CURVE_MISTAKES = (  # on steps, losses, threshold
    ("a point on the threshold is there: look for the first with a loss <= threshold, not <.",
     _change(found=lambda losses, at: np.flatnonzero(losses < at))),
    ("index 0 − 1 is the last point. No point comes before the first; if that is at or below the threshold, its step is the answer.",
     _change(begun=lambda *case: _on_the_line(*case, 0))),
    ("the first point is there already, and before it nobody looked: its step is the answer.",
     lambda *case: first_reached(*case, begun=lambda *_: None)),
    ("the first point is there already: its step is the answer, and no line is needed.",
     lambda *case: first_reached(*case, begun=lambda steps, losses, at: _on_the_line(steps, losses, at, min(1, len(steps) - 1)))),
    ("the first point is there already: its step is the answer, not 0.", _change(begun=lambda *_: 0)),
    ("the first point is there already: its step is the answer. You wait until the curve comes down once more.", _change(found=_crossings)),
    ("that is the last time that it gets there. A curve may rise again, so neither start at its end nor search as in a sorted list.",
     _change(found=lambda losses, at: _crossings(losses, at)[-1:])),
    ("that is the step of the lowest point.", lambda steps, losses, at: steps[losses.argmin()] if losses.min() <= at else None),
    ("it ends above the threshold, and yet it was there in between. One look at the last point does not tell.",
     lambda steps, losses, at: None if losses[-1] > at else first_reached(steps, losses, at)),
    ("that counts points. The step is asked for: read it off `steps`.", _change(read=lambda steps, losses, at, i: i)),
    ("that counts points. The step is asked for: read it off `steps`.",
     _change(read=lambda steps, losses, at, i: i - 1 + _share(losses, at, i))),
    ("you take that share of the line from its far end: the share of the fall counts from the point before.",
     _change(read=lambda steps, losses, at, i: steps[i] - _share(losses, at, i) * (steps[i] - steps[i - 1]))),
    ("you take the middle between two points. The line gets there where its share of the fall is reached.",
     _change(read=lambda steps, losses, at, i: (steps[i - 1] + steps[i]) / 2)),
    ("the looks are not evenly spaced: multiply the share by the distance between these two, steps[i] − steps[i − 1].",
     _change(read=_widths_alike)),
    ("the looks are not evenly spaced: multiply the share by the distance between these two, steps[i] − steps[i − 1].",
     _change(read=_along_even_steps)),
    ("that is the line after the first point that is there. The crossing lies on the line before it.", _change(read=_next_line)),
    ("you round to a whole step; the step need not be whole.", _rounded(np.floor)),
    ("you round to a whole step; the step need not be whole.", _rounded(np.ceil)),
    ("you draw the line through the logarithms of the losses. Draw it through the losses.",
     lambda steps, losses, at: first_reached(steps, np.log(losses), np.log(at))),
)

# ---- 14b.2 ------------------------------------------------------------------


def interval(a, b, t, centre=np.mean, half=lambda d: _error(d)):
    """The right answer to 14b.2, with its mistakes as options: centre and half width, over t, from the differences."""
    difference = a - b
    return _around(centre(difference), t * half(difference))


def _error(d, ddof=1):
    return d.std(ddof=ddof) / np.sqrt(len(d))


def _around(mean, half):
    return np.array([mean, mean - half, mean + half])


def _other(**options):
    return lambda a, b, t: interval(a, b, t, **options)


def _unpaired(a, b, t, ddof=1):
    return _around((a - b).mean(), t * np.hypot(_error(a, ddof), _error(b, ddof)))


UNPAIRED = ("that takes the scatter of each model, with all that the seeds do to both. "
            "Subtract seed by seed first: the scatter of the differences is asked for.")  # fmt: skip
LEAD_MISTAKES = (  # on a, b, t
    ("the sign of each difference counts: you take their sizes.", lambda a, b, t: interval(np.abs(a - b), 0, t)),
    ("that is the mean of b − a; a − b is asked for.", lambda a, b, t: interval(b, a, t)),
    ("the low end comes before the high end.", lambda *case: interval(*case)[[0, 2, 1]]),
    ("the numbers are right, and their order is mean, low, high.", lambda *case: interval(*case)[[1, 0, 2]]),
    ("the numbers are right, and their order is mean, low, high.", lambda *case: interval(*case)[[1, 2, 0]]),
    ("add the mean: the ends are mean − t s / √S and mean + t s / √S.", lambda *case: interval(*case) - [0, *2 * [interval(*case)[0]]]),
    (UNPAIRED, _unpaired),
    (UNPAIRED, lambda a, b, t: _unpaired(a, b, t, ddof=0)),
    (UNPAIRED, lambda a, b, t: _around((a - b).mean(), t * (_error(a) + _error(b)))),
    (UNPAIRED, lambda a, b, t: _around((a - b).mean(), t * abs(_error(a) - _error(b)))),
    (UNPAIRED, lambda a, b, t: _around((a - b).mean(), t * _error(np.concatenate([a, b])))),
    ("estimate s with S − 1: NumPy's std divides by S unless you pass ddof=1.", _other(half=lambda d: _error(d, ddof=0))),
    ("the half width is t s / √S: a mean of S differences scatters less than one of them. Divide s by √S.",
     _other(half=lambda d: d.std(ddof=1))),
    ("the half width is t s / √S. You leave √S out, and divide by S instead of S − 1 in s.", _other(half=np.std)),
    ("divide s by √S, not by S.", _other(half=lambda d: d.std(ddof=1) / len(d))),
    ("you take off 1 twice: s is estimated with S − 1, then divided by √S.", _other(half=lambda d: d.std(ddof=1) / np.sqrt(len(d) - 1))),
    ("that is the variance of the differences where their standard deviation belongs: take its root.",
     _other(half=lambda d: d.var(ddof=1) / np.sqrt(len(d)))),
    ("that is the interval in which one more difference should land. For their mean it is t s / √S.",
     _other(half=lambda d: d.std(ddof=1) * np.sqrt(1 + 1 / len(d)))),
    ("that is the median of the differences. Take their mean.", _other(centre=np.median)),
    ("that is the difference of two medians. Take the mean of the differences.",
     lambda a, b, t: _around(np.median(a) - np.median(b), t * _error(a - b))),
    ("that is right for t = 1. Multiply by `t`.", lambda a, b, t: interval(a, b, 1)),
    ("that takes 1.96, which is for very many seeds. Is `t` used?", lambda a, b, t: interval(a, b, 1.96)),
    ("that takes Student's t from a table. Is `t` used?", lambda a, b, t: interval(a, b, STUDENT[len(a)])),
    ("the interval goes t s / √S to each side; yours goes half of that.", lambda a, b, t: interval(a, b, t / 2)),
    ("the interval goes t s / √S to each side; yours goes twice that.", lambda a, b, t: interval(a, b, 2 * t)),
    ("those are the least and the largest difference. The interval is mean ± t s / √S.",
     lambda a, b, t: [(a - b).mean(), (a - b).min(), (a - b).max()]),
)

# ---- 14b.4 ------------------------------------------------------------------


def _fewest(enough, order=sorted):
    """(d, s, t) -> the first S of t with enough(d, s, t, S), or None."""
    return lambda d, s, t: next((S for S in order(t) if enough(d, s, t, S)), None)


def _leaves_out_0(d, s, t, S):
    return t[S] * s / np.sqrt(S) < abs(d)


seeds_for = _fewest(_leaves_out_0)  # the right answer to 14b.4


def _shifted(by):
    def wrong(d, s, t):
        right = seeds_for(d, s, t)
        return right and right + by
    return wrong


def _enough(d, s, t):
    return [S for S in t if _leaves_out_0(d, s, t, S)]


SEED_MISTAKES = (  # on d, s, t
    ("d is negative where the other model is ahead, and the interval leaves out 0 there, too: take the size of d.",
     _fewest(lambda d, s, t, S: t[S] * s / np.sqrt(S) < d)),
    ("there the interval ends at 0, and so holds it. Use <, not <=.", _fewest(lambda d, s, t, S: t[S] * s / np.sqrt(S) <= abs(d))),
    ("the mean of S differences scatters less than one of them: the half width is t[S] · s / √S.",
     _fewest(lambda d, s, t, S: t[S] * s < abs(d))),
    ("divide s by √S, not by S.", _fewest(lambda d, s, t, S: t[S] * s / S < abs(d))),
    ("divide s by √S, not by √(S − 1): s is estimated with S − 1 already.", _fewest(lambda d, s, t, S: t[S] * s / np.sqrt(S - 1) < abs(d))),
    ("t[S] is for S seeds; you take that of S − 1.", _fewest(lambda d, s, t, S: t.get(S - 1, np.inf) * s / np.sqrt(S) < abs(d))),
    ("t[S] is for S seeds; you take that of S + 1.", _fewest(lambda d, s, t, S: t.get(S + 1, np.inf) * s / np.sqrt(S) < abs(d))),
    ("1.96 is for very many seeds, and a few need more. Is t[S] used?", _fewest(lambda d, s, t, S: 1.96 * s / np.sqrt(S) < abs(d))),
    ("multiply by t[S]: one standard error to each side is not the interval.", _fewest(lambda d, s, t, S: s / np.sqrt(S) < abs(d))),
    ("t[S] belongs to S. You take one t for all.", _fewest(lambda d, s, t, S: t[min(t)] * s / np.sqrt(S) < abs(d))),
    ("t[S] belongs to S. You take one t for all.", _fewest(lambda d, s, t, S: t[max(t)] * s / np.sqrt(S) < abs(d))),
    ("that is the t of a table of your own. Is `t` used?", _fewest(lambda d, s, t, S: STUDENT[S] * s / np.sqrt(S) < abs(d))),
    ("the dictionary need not be in order: go through sorted(t).", _fewest(_leaves_out_0, order=list)),
    ("that is the largest S in t. The smallest that is enough is asked for.", lambda d, s, t: max(_enough(d, s, t), default=None)),
    ("that is how many values of S in t are enough. The smallest of them is asked for.", lambda d, s, t: len(_enough(d, s, t)) or None),
    ("two seeds can be enough, and t begins at 2.", _fewest(lambda d, s, t, S: S > 2 and _leaves_out_0(d, s, t, S))),
    ("the last S in t is enough, and you leave it out: a range ends before its end.",
     _fewest(lambda d, s, t, S: S < max(t) and _leaves_out_0(d, s, t, S))),
    ("s is the standard deviation, not the variance: do not square it, nor take its root.",
     _fewest(lambda d, s, t, S: t[S] * s**2 / np.sqrt(S) < abs(d))),
    ("s is the standard deviation, not the variance: do not square it, nor take its root.",
     _fewest(lambda d, s, t, S: t[S] * np.sqrt(s / S) < abs(d))),
    ("the interval goes t[S] · s / √S to each side. Compare that with d, not twice or half of it.",
     _fewest(lambda d, s, t, S: 2 * t[S] * s / np.sqrt(S) < abs(d))),
    ("the interval goes t[S] · s / √S to each side. Compare that with d, not twice or half of it.",
     _fewest(lambda d, s, t, S: t[S] * s / np.sqrt(S) / 2 < abs(d))),
    ("that is the largest S that is not enough. The next one is.", _shifted(-1)),
    ("that is one seed too many. S seeds have t[S].", _shifted(1)),
)
