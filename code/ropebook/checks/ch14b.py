"""Checkers of chapter 14b, the race of six encodings."""

import numpy as np

from ropebook.checks.asking import asked, lesson_of, one_number
from ropebook.checks.ch14b_mistakes import CURVE_MISTAKES, LEAD_MISTAKES, SEED_MISTAKES, first_reached, interval, seeds_for
from ropebook.checks.ch14b_models import PAIRS, changes, copied_names, numbers, ways, why_not_apart, why_not_copied, why_not_named
from ropebook.exercises import NotAnswered, Wrong, exercise
from ropebook.experiments import STUDENT

# {step: loss}; losses are sums of powers of two, so that float32 holds them and points lie on a threshold exactly
CURVES = (
    ("a falling curve", {50: 7.5, 100: 7.25, 150: 6.75, 300: 6.0625, 500: 5.5, 800: 5.25}, 6.5),
    ("a curve that falls, rises and falls", {10: 7.0, 30: 6.8125, 60: 6.125, 100: 6.875, 150: 6.625, 210: 5.75, 300: 5.5}, 6.5),
    ("a curve that is there between the first two points", {50: 7.0, 90: 6.1875, 300: 6.0}, 6.5),
    ("a curve that rises first", {0: 6.75, 50: 7.25, 120: 7.0, 250: 6.3125, 320: 6.375, 400: 6.0}, 6.5),
    ("a curve that ends above the threshold", {100: 7.0, 200: 6.75, 500: 5.8125, 600: 6.25, 700: 6.625}, 6.5),
    ("a curve that touches the threshold and rises", {20: 7.0, 60: 6.5, 90: 6.75, 200: 5.9375}, 6.5),
    ("a curve that stays on the threshold for a while", {10: 7.0, 20: 6.5, 40: 6.5, 70: 6.0}, 6.5),
    ("a curve whose last point lies on the threshold", {5: 8.0, 10: 7.0, 100: 6.25}, 6.25),
    ("a curve that begins below the threshold, rises and falls", {30: 6.25, 60: 6.875, 90: 6.75, 200: 6.0625}, 6.5),
    ("a curve that begins below the threshold", {0: 6.25, 100: 6.0, 300: 5.75, 400: 5.5}, 6.5),
    ("a curve that begins on the threshold and rises", {30: 6.5, 60: 6.875, 90: 6.75, 200: 6.0625}, 6.5),
    ("a curve that stays above the threshold, where None is right", {50: 7.5, 100: 7.0, 300: 6.75, 400: 6.625}, 6.5),
    ("a curve that rises, where None is right", {50: 7.0, 100: 7.25, 300: 7.5}, 6.5),
    ("a single point below the threshold", {70: 6.0}, 6.5),
    ("a single point above the threshold, where None is right", {70: 7.0}, 6.5),
)
A_HUNDREDTH = 0.01  # of a step; float32 is off by 2e-4 at most, a few roundings of 6e-8 of up to 800 steps


def _or_none(answer, name, first, *args):
    """As `asked`; from the second case on None is an answer like others."""
    return asked(answer, name, True, *args) if first else asked(lambda *given: [answer(*given)], name, False, *args)[0]


@exercise("14b.1")
def first_below(answer):
    """A function (steps, losses, threshold) -> the step at which the lines between the points first reach the threshold, or None."""
    for case in CURVES:
        _check_curve(answer, np.array, case[0], case is CURVES[0], *case[1:])
    for name, *case in CURVES:
        try:
            _check_curve(answer, list, name, False, *case)
        except Wrong as wrong:
            raise Wrong(f"Arrays go well, and these are lists, which np.asarray makes arrays of. {wrong}") from None
    return "Between two looks a line, before the first and after the last nothing: what was not looked at is not known."


def _check_curve(answer, given, name, first, curve, threshold):
    steps, losses = list(curve), list(curve.values())
    result = _or_none(answer, name, first, given(steps), given(losses), threshold)
    case = *(np.array(x, dtype=float) for x in (steps, losses)), threshold
    right = first_reached(*case)
    if right is None and result is not None:
        raise Wrong(f"For {name}: it never gets down to {threshold}, so return None and no number; yours is {result}.")
    got = None if result is None else one_number(result, name)
    if not _same_step(got, right):
        with np.errstate(all="ignore"):
            lesson = next((lesson for lesson, wrong in CURVE_MISTAKES if _same_step(got, wrong(*case))), None)
        raise Wrong(f"For {name}: {lesson or _why_not_reached(got, right, *case)}")


def _same_step(got, other):
    return got is other if got is None or other is None else abs(got - other) <= A_HUNDREDTH


def _why_not_reached(got, right, steps, losses, threshold):
    if got is None:
        return f"it gets down to {threshold} at step {right:.6g}, and you return None."
    if got in steps and right not in steps:
        return f"step {got:g} is that of a point. The line gets down to {threshold} between two points, at step {right:.6g}."
    return f"the line gets down to {threshold} at step {right:.6g} for the first time; yours is {got:.6g}."


def _race(S, mean, own=0.05, shared=0.3, way=1):
    """Losses (S,) of two models: what the seed gives to both, to the second in this way, and what it gives to each."""
    both, a, b = np.random.default_rng([14, S]).standard_normal((3, S))
    return 6 + mean + shared * both + own * a, 6 + way * shared * both + own * b


RACES = (  # name, a, b, t
    ("six seeds", *_race(6, 0.8), STUDENT[6]),
    ("two seeds", *_race(2, 0.1), STUDENT[2]),
    ("a model that is ahead, eight seeds", *_race(8, -0.5), STUDENT[8]),
    ("ten seeds with t = 3.25", *_race(10, 0.02), 3.25),
    ("three seeds with t = 1.5", *_race(3, 0.3, own=0.4, shared=0.1), 1.5),
    ("a model that suffers from what helps the other", *_race(5, 0.1, way=-1), STUDENT[5]),
    ("a lead that is the same for all seeds", np.array([5.5, 6.0, 5.75]), np.array([6.0, 6.5, 6.25]), STUDENT[3]),
)
CLOSE = 1e-4  # relative and absolute: float32 losses of 6 are off by 2.4e-7, their mean and scatter by some 1e-6, times t = 12.7


@exercise("14b.2")
def lead(answer):
    """A function (a, b, t) -> the mean of a − b and the ends of its interval, seed by seed."""
    for name, a, b, t in RACES:
        given = a.copy(), b.copy()
        got = _three(asked(answer, name, name == RACES[0][0], *given, t), name)
        near = lambda other: np.allclose(got, other, rtol=CLOSE, atol=CLOSE)
        if not near(interval(a, b, t)):
            lesson = next((lesson for lesson, wrong in LEAD_MISTAKES if near(wrong(a, b, t))), None)
            raise Wrong(f"For {name}: {lesson or _first_wrong(got, interval(a, b, t))}")
        if not (np.array_equal(given[0], a) and np.array_equal(given[1], b)):
            raise Wrong(f"The numbers are right, but your function writes into `a` or `b`. Make a new array for {name}: a - b, not a -= b.")
    return "What a seed does to both models is gone from the differences, and the interval is as narrow as what is left."


def _three(result, name):
    """The reader's mean, low and high."""
    try:
        parts = list(result)
    except TypeError:
        raise Wrong(f"Return three numbers: mean, low, high; for {name} I got one {type(result).__name__}.") from None
    if len(parts) != 3:
        raise Wrong(f"Return three numbers: mean, low, high; for {name} I got {len(parts)}.")
    return [one_number(part, f"the {which} of {name}") for which, part in zip(("mean", "low end", "high end"), parts)]


def _first_wrong(got, right):
    for which, mine, yours in zip(("mean", "low end", "high end"), right, got):
        if not np.isclose(yours, mine, rtol=CLOSE, atol=CLOSE):
            return f"the {which} should be {mine:.6g}; yours is {yours:.6g}."


@exercise("14b.3")
def same_start(answer):
    """A function (source, target) that gives target what both have by name and shape -> the sorted names of the rest of target."""
    if not callable(answer):
        raise Wrong(f"Expected a function, got {type(answer).__name__}.")
    for name, make in PAIRS:
        source, target = make()
        old, own, begun = numbers(source), numbers(target), ways(target)
        names = copied_names(answer, name, source, target)
        if names is None and name == PAIRS[0][0] and not changes(own, target) and not changes(old, source):
            raise NotAnswered
        left = sorted(key for key, weight in own.items() if key not in old or old[key].shape != weight.shape)
        if lesson := (why_not_copied(old, own, left, source, target) or why_not_apart(source, target, begun)
                      or why_not_named(names, left, old, own)):
            raise Wrong(f"For {name}: {lesson}")
    return "The two start as one model wherever they can, and then go their own ways."


MADE_UP = {2: 12.0, 3: 4.5, 4: 3.0, 5: 2.75, 6: 2.5}  # with s = 2, four seeds give mean ± 3 exactly
PLANS = (  # d, s, t
    (10.0, 1.0, STUDENT),
    (0.13, 0.1, STUDENT),
    (-0.1, 0.1, STUDENT),
    (-0.146, 0.2, STUDENT),
    (1.2, 0.6, dict(reversed(STUDENT.items()))),
    (3.0, 2.0, MADE_UP),
    (-3.0, 2.0, MADE_UP),
    (3.1, 2.0, MADE_UP),
    (0.25, 0.5, STUDENT),
    (-0.5, 1.0, STUDENT),
    (2.0, 2.0, MADE_UP),
    (10.0, 2.0, {2: 12.0, 3: 4.5}),
)


@exercise("14b.4")
def seeds_needed(answer):
    """A function (d, s, t) -> the smallest S of t with t[S] · s / √S below |d|, or None."""
    results = []
    for d, s, t in PLANS:
        name = f"d = {d:g}, s = {s:g} and t for {', '.join(map(str, t))} seeds"
        result = _or_none(answer, name, not results, d, s, dict(t))
        results.append(result if result is None or seeds_for(d, s, t) is None else one_number(result, name))
    for (d, s, t), got in zip(PLANS, results):
        if not _same_number(got, seeds_for(d, s, t)):
            lesson = lesson_of(SEED_MISTAKES, PLANS, results, _same_number) or _why_not_enough(got, d, s, t)
            raise Wrong(f"For d = {d:g}, s = {s:g} and t from {min(t)} to {max(t)} seeds: {lesson}")
    return "Every second mean comes out nearer to 0 than expected: with this many seeds the chance of an interval without 0 is about even."


def _same_number(got, other):
    return got is other if got is None or other is None else np.array_equal(got, other)


def _why_not_enough(got, d, s, t):
    right = seeds_for(d, s, t)
    reach = lambda S: f"{S:g} seeds give {d:g} ± {t[S] * s / np.sqrt(S):.4g}"
    if right is None:
        return f"even {reach(max(t))}, which holds 0. So return None; yours is {got}."
    if got not in t:
        return f"{reach(right)}, which leaves out 0. Return the number of seeds, {right}; yours is {got}."
    return f"{reach(got)}. {'That leaves out 0, but fewer do, too.' if got > right else 'That holds 0.'}"
