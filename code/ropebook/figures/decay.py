"""Chapter 10's figure, drawn once in Python: what decay.js draws, character for character.

The score of a query and a key by their distance, for eight draws and their mean; Abel's bound, on which the paper's argument
for long-term decay rests (eq. 35–37); and the trivial bound Σ|h|, which knows no distance. Everything is a share of Σ|h|.
"""

import itertools

import numpy as np

from ropebook.decay import abel_bound, mean_partial_sum, pair_products, scores, trivial_bound
from ropebook.figures.drawing import (
    at, card, colour, fixed, grouped, label, level, percent, plot, polyline, readout, svg, tag, text, track, word,
)  # fmt: skip
from ropebook.figures.encodings import normals
from ropebook.frequencies import frequencies
from ropebook.rotation import rotate

LONGEST = 1_000_000  # tokens
SAMPLES = 300  # steps along a curve
DRAWS, WIDEST = 8, 256  # WIDEST: the largest head dimension
STATE = {
    "distribution": ("matched", "matched", "independent", "ramp", "tuned", "your own"), "d": (128, 32, 64, 128, 256),
    "base": (10_000, 100, 10_000_000), "reach": (4096, 256, 4096, 65536, LONGEST), "axis": ("linear", "linear", "log"),
    "target": (500, 0, LONGEST), "m": (100, 0, LONGEST), "h1": (0, -10, 10), "h2": (0, -10, 10), "h3": (-5, -10, 10), "h4": (10, -10, 10),
}  # fmt: skip
LABEL = "The score of a query and a key by their distance, beside Abel's bound and the trivial bound"
MEANING = {
    "matched": "k = q, numbers from N(0, 1)",
    "independent": "q and k drawn apart, numbers from N(0, 1)",
    "ramp": "h falls evenly from 1 to 0, which suits Abel’s bound best",
    "tuned": "k = q turned by the target distance",
    "your own": "h is what you make it, real and on straight lines between the four; only the products of q and k count",
}
NOTHING = "All four h are 0: there is no score and no bound."
NUMBERS = np.reshape(list(itertools.islice(normals(2021), 2 * DRAWS * WIDEST)), (DRAWS, 2, WIDEST))  # each draw: q, then k

LEFT, WIDE = 10, 84  # where the plots lie, percent of the width
TOP = 44  # where each plot begins, px
BOUNDS, SCORES = 110, 220  # the heights of the plots, px
DECADES = (-2, 3)  # the bounds' axis, powers of ten
EDGE = 1.1  # the scores' axis ends here, up and down
FINE = 10  # coordinates are rounded to two decimals: ten times the value draws smoother
MEAN_S = "mean\u00a0|S|\u2060\u00a0=\u00a0"  # in one line


def shares(distribution, d, base, target, own):
    """The products h_i = q_i k_i* of complex pairs, divided by Σ|h_i|: one row for each draw.

    distribution   "matched", "independent", "ramp", "tuned" or "your own"
    d              head dimension, at most 256
    target         tokens; "tuned" alone uses it
    own            four numbers: h at the fastest pair, a third on, two thirds on and at the slowest; "your own" alone uses them
    returns        (draws, D/2) complex; each row's absolute values sum to 1, or to 0 where all four own numbers are 0;
                   the ramp and your own are one row
    source         RoFormer eq. 35–36
    """
    theta = frequencies(d, base)
    q, k = NUMBERS[:, 0, :d], NUMBERS[:, 1, :d]  # (8, D)
    k = {"independent": k, "tuned": rotate(q[:, None], [target], theta)[:, 0]}.get(distribution, q)
    pair = np.arange(d // 2)[None]
    if distribution == "ramp":
        h = 1 - pair / (d / 2) + 0j
    elif distribution == "your own":
        h = np.interp(3 * pair / (d // 2 - 1), range(4), own) + 0j
    else:
        h = pair_products(q, k)
    whole = trivial_bound(h)[:, None]
    return h / np.where(whole, whole, 1)  # where all are 0 they stay 0


def distances(reach, axis):
    """The whole distances that are drawn, 0 … reach, at most SAMPLES + 1 of them."""
    steps = min(reach, SAMPLES) if axis == "linear" else SAMPLES
    part = np.arange(steps + 1) / steps
    exact = part * reach if axis == "linear" else (1.0 + reach) ** part - 1
    return np.unique(np.floor(exact + 0.5).astype(int))


def rail(m, reach, axis):
    """How far along the axis a distance lies, 0 … 1; the log axis is one of 1 + m, so that 0 has its place."""
    return m / reach if axis == "linear" else np.log(1.0 + m) / np.log(1.0 + reach)


def _places(distribution, reach, axis, target):
    """The distances drawn; the peak of tuned scores is among them, however narrow."""
    return np.union1d(distances(reach, axis), [target] if distribution == "tuned" else []).astype(int)


def _tokens(n):
    return f"{grouped(n)} token{'' if n == 1 else 's'}"


def _left(m, reach, axis):
    return percent(LEFT + WIDE * rail(m, reach, axis))


def _height(value):
    return TOP + SCORES * (EDGE - value) / (2 * EDGE)


def _power(bound):
    """log10; a bound below the axis is drawn at its low end."""
    return np.log10(np.maximum(bound, 10.0 ** DECADES[0]))


def _level_of(bound):
    """Where a bound lies in its plot, px; one beyond an end is drawn at the end."""
    low, high = DECADES
    return TOP + BOUNDS * (high - min(_power(bound), high)) / (high - low)


ABEL = {"stroke": colour("ink"), "stroke-width": 2, "stroke-dasharray": "7 4"}
TRIVIAL = {"stroke": colour("muted"), "stroke-width": 2}
MEAN = {"stroke": colour("score"), "stroke-width": 2}
DRAW = {"stroke": colour("score"), "stroke-width": 1, "opacity": 0.55}


def _legend(column, words, line):
    sample = tag("line", {"x1": 0, "x2": 18, "y1": -4, "y2": -4, **line})
    return at(percent(LEFT + 0.56 * WIDE * column), 34, sample, text(23, 0, words, {"font-size": 12}))


def _curve(x, values, line):
    return polyline(zip(100 * x, -FINE * values, strict=True), {**line, "vector-effect": "non-scaling-stroke", "stroke-linejoin": "round"})


POWERS = {0: "0", 1: "1", 10: "10", 100: "100", 10**3: "10³", 10**4: "10⁴", 10**5: "10⁵", 10**6: "10⁶"}


def _ticks(reach, axis):
    """Distances with a number under them."""
    if axis == "linear":
        return {reach * j // 4: grouped(reach * j // 4) for j in range(5)}
    return {m: words for m, words in POWERS.items() if m <= reach}


def _uprights(reach, axis, tall, m):
    """A thin line at every number of the axis, a dotted one where the reader reads."""
    lines = [(_left(tick, reach, axis), {"stroke": colour("grid")}) for tick in _ticks(reach, axis)]
    lines.append((_left(m, reach, axis), {"stroke": colour("ink"), "stroke-dasharray": "3 4", "opacity": 0.6}))
    return "".join(tag("line", {"x1": x, "x2": x, "y1": TOP, "y2": TOP + tall, **line}) for x, line in lines)


def _spot(x, y, name):
    return at(x, y, tag("circle", {"r": 6, "fill": colour(name), "stroke": colour("paper"), "stroke-width": 2}))


def _bounds(distribution, d, base, reach, axis, target, m, own):
    h, theta = shares(distribution, d, base, target, own), frequencies(d, base)
    places = _places(distribution, reach, axis, target)
    bound, here = (abel_bound(h, where, theta).mean(0) for where in (places, [m]))
    (low, high), x, names = DECADES, rail(places, reach, axis), ("0.01", "0.1", "1", "10", "100", "1,000")
    about = (
        f"At a distance of {_tokens(m)} Abel’s bound is {fixed(here[0], 2)} times the trivial bound; "
        f"over the whole axis at least {fixed(bound.min(), 2)} times."
    ) if h.any() else NOTHING
    ends = {"x1": percent(LEFT), "x2": percent(LEFT + WIDE), "y1": _level_of(1), "y2": _level_of(1)}
    return svg(
        "100%", TOP + BOUNDS + 8, "Bounds by distance", about, {},
        text(percent(LEFT), 14, "Bounds ÷ Σ|h|, log scale", {"font-weight": 600}),
        _legend(0, "Abel’s bound (37)", ABEL), _legend(1, "trivial bound, 1", TRIVIAL),
        *(level(LEFT, LEFT + WIDE, _level_of(10.0 ** (low + i)), words) for i, words in enumerate(names)),
        _uprights(reach, axis, BOUNDS, m), tag("line", {**ends, **TRIVIAL}),
        plot(percent(LEFT), TOP, percent(WIDE), BOUNDS, 0, 100, FINE * low, FINE * high, _curve(x, _power(bound), ABEL)),
        _spot(_left(m, reach, axis), _level_of(here[0]), "ink"),
    )  # fmt: skip


def _scores(distribution, d, base, reach, axis, target, m, own):
    h, theta = shares(distribution, d, base, target, own), frequencies(d, base)
    places = _places(distribution, reach, axis, target)
    lines, bound, here = scores(h, places, theta), abel_bound(h, places, theta).mean(0), scores(h, [m], theta).mean()
    x = rail(places, reach, axis)
    mean, within, many = lines.mean(0), bound.min() < EDGE, len(h) > 1
    inside = [_curve(x, line, DRAW) for line in lines] if many else []
    inside += [_curve(x, sign * np.minimum(bound, 2 * EDGE), ABEL) for sign in (1, -1)] if within else []
    walls = [{"x1": percent(LEFT), "x2": percent(LEFT + WIDE), "y1": _height(v), "y2": _height(v), **TRIVIAL} for v in (1, -1)]
    about = (
        f"{distribution[0].upper()}{distribution[1:]}: the {'mean ' if many else ''}score is {fixed(mean[0], 2)} at distance 0, "
        f"{fixed(here, 2)} at {grouped(m)} and {fixed(mean[-1], 2)} at {_tokens(reach)}."
    ) if h.any() else NOTHING
    return svg(
        "100%", TOP + SCORES + 34, "Score by distance", about, {},
        text(percent(LEFT), 14, "Score ÷ Σ|h|", {"font-weight": 600}),
        label(percent(LEFT + WIDE), 14, "Abel’s bound drawn up and down" if within else "Abel’s bound is off the top", "end"),
        _legend(0, f"mean of {len(h)} draws" if many else "score", MEAN), _legend(1, "each draw", DRAW) if many else "",
        *(level(LEFT, LEFT + WIDE, _height(v), fixed(v, 1)) for v in (-1, -0.5, 0, 0.5, 1)), _uprights(reach, axis, SCORES, m),
        *(label(_left(tick, reach, axis), TOP + SCORES + 14, words, "middle") for tick, words in _ticks(reach, axis).items()),
        label(percent(LEFT + WIDE / 2), TOP + SCORES + 31, f"distance m, tokens: {len(places)} whole distances drawn", "middle"),
        *(tag("line", wall) for wall in walls),
        plot(percent(LEFT), TOP, percent(WIDE), SCORES, 0, 100, -FINE * EDGE, FINE * EDGE, *inside, _curve(x, mean, MEAN)),
        _spot(_left(m, reach, axis), _height(here), "score"),
    )  # fmt: skip


def _numbers(distribution, d, base, target, m, own):
    h, theta = shares(distribution, d, base, target, own), frequencies(d, base)
    value, bound = scores(h, [m], theta).mean(), abel_bound(h, [m], theta).mean()
    if not h.any():
        return NOTHING
    return (
        f"At {_tokens(m)}, in units of Σ|h|: {'score' if len(h) == 1 else 'mean score'} {fixed(value, 2)}, Abel’s bound {fixed(bound, 2)}, "
        f"trivial bound 1; {MEAN_S}{fixed(mean_partial_sum([m], theta)[0], 2)}."
    )


def picture(distribution, d, base, reach, axis, target, m, h1, h2, h3, h4):
    """The figure's markup in that state: a heading, the bounds above the scores, a sentence of numbers."""
    m, target, own = min(m, reach), min(target, reach), (h1, h2, h3, h4)
    state = (distribution, d, base, reach, axis, target, m, own)
    return card(
        "Does the score fall with distance?",
        ["A query meets a key m tokens away. Here is their ", word("score", "score"), ", beside Abel’s bound (37), on which the paper’s "
         "argument for decay rests. Σ|h| is the largest score that these pairs can reach."],
        tag("p", {"data-slot": "note", "style": "margin:8px 0 12px;text-align:center"}, _note(*state[:3])),
        track("bounds", _bounds(*state)), track("scores", _scores(*state)),
        readout(_numbers(distribution, d, base, target, m, own)),
    )  # fmt: skip


def _note(distribution, d, base):
    return f"{distribution}: {MEANING[distribution]}; d = {d}, base = {grouped(base)}."
