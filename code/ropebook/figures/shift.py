"""Chapter 03's figure, drawn once in Python: what shift.js draws, character for character.

Three ways to write a position into a two-dimensional vector, and what each does to the score
when query and key both move by the same number of tokens.
"""

import numpy as np

from ropebook.figures.drawing import arrow, at, colour, fixed, percent, plot, polyline, signed, svg, tag, text, track, word
from ropebook.rotation import rotate

LONGEST = 40  # the largest shift, tokens
ENCODERS = ("add", "scale", "rotate")
STATE = {"m": (8, 0, 20), "n": (3, 0, 20), "shift": (10, 0, LONGEST), "theta": (0.35, 0.05, 1.5), "encoder": ("rotate", *ENCODERS)}
LABEL = "A query and a key in the plane, and their score as both positions shift, for three encoders"
QUERY, KEY = np.array([1.1, 0.5]), np.array([0.6, 1.0])
KAPPA = 0.96  # the scale encoder's factor per token
COLOURS = {"add": "sinusoidal", "scale": "learned", "rotate": "rope"}
MEANING = {"add": "add p(m) = (cos mθ, sin mθ)", "scale": "scale by κᵐ, κ = 0.96", "rotate": "rotate by mθ"}

REACH = 2.45  # half the plane's side
LOW, HIGH = -2.6, 5.2  # the score's axis
TOP, TALL = 34, 190  # the plot's box, px


def encode(encoder, x, position, theta):
    """The vector x at a position, by one of the three encoders.

    x          (2,)
    position   tokens
    theta      radians per token; the scale encoder does not use it
    returns    (2,)
    """
    if encoder == "add":
        return x + [np.cos(position * theta), np.sin(position * theta)]
    if encoder == "scale":
        return KAPPA**position * x
    return rotate(x[None], [position], [theta])[0]


def score(encoder, m, n, theta):
    return float(encode(encoder, QUERY, m, theta) @ encode(encoder, KEY, n, theta))


def _plane(m, n, shift, theta, encoder):
    side, unit = 260, 130 / REACH
    centre = side / 2

    def vector(x, tail, name, width, attributes):
        ends = [(centre + unit * p[0], centre - unit * p[1]) for p in (tail, tail + x)]
        return arrow(*ends[0], *ends[1], name, width, attributes)

    def label(x, words, name):
        reach = 1 + 0.2 / np.hypot(*x)
        place = {"text-anchor": "middle", "fill": colour(name), "font-weight": 600}
        return text(centre + unit * reach * x[0], centre - unit * reach * x[1] + 4, words, place)

    origin, faint = np.zeros(2), {"opacity": 0.35}
    now = {"q": encode(encoder, QUERY, m + shift, theta), "k": encode(encoder, KEY, n + shift, theta)}
    before = {"q": encode(encoder, QUERY, m, theta), "k": encode(encoder, KEY, n, theta)}
    parts = []
    if encoder == "add":
        parts = [vector(now[name] - x, x, "muted", 1.5, {}) for name, x in (("q", QUERY), ("k", KEY))]
    grid = {"stroke": colour("grid"), "stroke-width": 1.5}
    title = (
        f"The plane. Encoded by {encoder}, the query at position {m + shift} is ({fixed(now['q'][0], 2)}, {fixed(now['q'][1], 2)}), "
        f"the key at {n + shift} is ({fixed(now['k'][0], 2)}, {fixed(now['k'][1], 2)})."
    )
    return svg(
        side, side, title, {},
        tag("circle", {"cx": centre, "cy": centre, "r": unit, "fill": "none", **grid}),
        tag("line", {"x1": 0, "x2": side, "y1": centre, "y2": centre, **grid}),
        tag("line", {"x1": centre, "x2": centre, "y1": 0, "y2": side, **grid}),
        vector(before["q"], origin, "q", 3, faint), vector(before["k"], origin, "k", 3, faint), *parts,
        vector(now["q"], origin, "q", 4, {}), vector(now["k"], origin, "k", 4, {}),
        label(now["q"], "q", "q"), label(now["k"], "k", "k"),
    )  # fmt: skip


def _rail(shift):
    return 10 + 84 * shift / LONGEST  # percent of the width


def _height(value):
    return TOP + TALL * (HIGH - value) / (HIGH - LOW)


def _plot(m, n, shift, theta, encoder):
    value, before = score(encoder, m + shift, n + shift, theta), score(encoder, m, n, theta)
    levels = [
        tag("line", {"x1": "10%", "x2": "94%", "y1": _height(level), "y2": _height(level), "stroke": colour("grid")})
        + text("8.5%", _height(level) + 4, fixed(level, 0), {"text-anchor": "end", "fill": colour("muted"), "font-size": 12})
        for level in (-2, 0, 2, 4)
    ]
    ticks = [
        text(percent(_rail(s)), TOP + TALL + 16, fixed(s, 0), {"text-anchor": "middle", "fill": colour("muted"), "font-size": 12})
        for s in range(0, LONGEST + 1, 10)
    ]
    curves, legend = [], []
    for i, name in enumerate(ENCODERS):
        chosen = name == encoder
        points = [(s / 5, -score(name, m + s / 5, n + s / 5, theta)) for s in range(5 * LONGEST + 1)]
        line = {"stroke": colour(COLOURS[name]), "stroke-width": 3 if chosen else 1.5, "vector-effect": "non-scaling-stroke"}
        curves.append(polyline(points, {**line, "opacity": 1 if chosen else 0.5}))
        legend.append(text(percent(10 + 28 * i), 16, name, {"fill": colour(COLOURS[name]), "font-weight": 700 if chosen else 400, "font-size": 14}))
    x = percent(_rail(shift))
    change = signed(value - before, 2)
    title = f"Score by common shift. Encoded by {encoder}, it is {fixed(before, 2)} unshifted and {fixed(value, 2)} after a shift of {shift} tokens."
    return svg(
        "100%", TOP + TALL + 36, title, {},
        *levels, *ticks, *legend,
        text("94%", TOP + TALL + 34, "both shifted by s tokens", {"text-anchor": "end", "fill": colour("muted"), "font-size": 12}),
        tag("line", {"x1": "10%", "x2": "94%", "y1": _height(before), "y2": _height(before), "stroke": colour("ink"), "stroke-dasharray": "2 4"}),
        plot("10%", TOP, "84%", TALL, 0, LONGEST, LOW, HIGH, *curves),
        at(x, _height(value), tag("circle", {"r": 8, "fill": colour(COLOURS[encoder]), "stroke": colour("paper"), "stroke-width": 2})),
        text(x, TOP + 8, change, {"text-anchor": "middle", "font-weight": 600, "font-size": 14}),
    )  # fmt: skip


def picture(m, n, shift, theta, encoder):
    """The figure's markup in that state: a heading, plane and plot side by side, a sentence of numbers."""
    value, before = score(encoder, m + shift, n + shift, theta), score(encoder, m, n, theta)
    row = {"style": "display:flex;flex-wrap:wrap;justify-content:center;align-items:center;gap:8px 16px"}
    return "".join([
        tag("p", {"style": "margin:0 0 6px;font-size:125%;font-weight:600"}, "What survives a shift?"),
        tag("p", {"style": "margin:4px 0 14px"}, "A ", word("q", "query"), " and a ", word("k", "key"),
            " are written into the plane at their positions, then both positions move by the same shift."),
        tag("div", row, tag("div", {"data-slot": "plane", "style": "flex:0 0 auto"}, _plane(m, n, shift, theta, encoder)),
            tag("div", {"style": "flex:1 1 280px;min-width:0"}, track("plot", _plot(m, n, shift, theta, encoder)))),
        tag("p", {"data-slot": "readout", "style": "text-align:center;margin:8px 0 0"},
            f"{MEANING[encoder]}; query at {m}, key at {n}, shift {shift}: score {fixed(before, 2)} → {fixed(value, 2)}"),
    ])  # fmt: skip
