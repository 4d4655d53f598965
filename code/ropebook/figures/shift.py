"""Chapter 03's figure, drawn once in Python: what shift.js draws, character for character.

Three ways to write a position into a two-dimensional vector, and what each does to the score
when query and key both move by the same number of tokens.
"""

import numpy as np

from ropebook.figures.drawing import (
    arrow, at, card, colour, fixed, label, level, percent, plot, polyline, readout, svg, tag, text, track, word,
)  # fmt: skip
from ropebook.rotation import rotate

LONGEST = 40  # the largest shift, tokens
ENCODERS = ("add", "scale", "rotate")
STATE = {"m": (8, 0, 20), "n": (3, 0, 20), "shift": (10, 0, LONGEST), "theta": (0.35, 0.05, 1.5), "encoder": ("rotate", *ENCODERS)}
LABEL = "A query and a key in the plane, and their score as both positions shift, for three encoders"
QUERY, KEY = np.array([1.1, 0.5]), np.array([0.6, 1.0])
KAPPA = 0.96  # the scale encoder's factor per token
COLOURS = {"add": "sinusoidal", "scale": "learned", "rotate": "rope"}
DASHES = {"add": "7 4", "scale": "2 4", "rotate": "none"}
MEANING = {"add": "add (cos mθ, sin mθ)", "scale": "scale by 0.96ᵐ", "rotate": "rotate by mθ"}

REACH = 2.6  # half the plane's side
LEFT, WIDE = 10, 84  # where the plot lies, percent of the width
LOW, HIGH = -1.5, 4.8  # the score's axis
TOP, TALL = 48, 180  # the plot's box, px


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
    unit = 130 / REACH  # px

    def vector(tail, tip, name, width, attributes):
        return arrow(unit * tail[0], -unit * tail[1], unit * tip[0], -unit * tip[1], name, width, attributes)

    def named(x, name):
        reach = unit * (1 + 0.22 / np.hypot(*x))
        bold = {"text-anchor": "middle", "fill": colour(name), "font-weight": 600, "font-size": 15}
        return text(reach * x[0], 5 - reach * x[1], name, bold)

    def wedge(q, k, attributes):
        start = np.arctan2(k[1], k[0])
        turn = np.arctan2(k[0] * q[1] - k[1] * q[0], k @ q)
        arc = [(0.5 * unit * np.cos(a), -0.5 * unit * np.sin(a)) for a in (start + turn * j / 24 for j in range(25))]
        return polyline([(0, 0), *arc], {"fill": colour("score"), **attributes})

    origin = np.zeros(2)
    q, k = encode(encoder, QUERY, m + shift, theta), encode(encoder, KEY, n + shift, theta)
    q0, k0 = encode(encoder, QUERY, m, theta), encode(encoder, KEY, n, theta)
    sums = [(origin, QUERY), (QUERY, q), (origin, KEY), (KEY, k)] if encoder == "add" else []
    parts = [vector(tail, tip, "muted", 1.5, {}) for tail, tip in sums]
    grid = {"stroke": colour("grid"), "stroke-width": 1.5}
    about = (
        f"Encoder {encoder}: the query at position {m + shift} is ({fixed(q[0], 2)}, {fixed(q[1], 2)}), "
        f"the key at {n + shift} is ({fixed(k[0], 2)}, {fixed(k[1], 2)})."
    )
    return svg(
        260, 260, "The plane of query and key", about, {"viewBox": "-130 -130 260 260", "style": "display:block"},
        tag("circle", {"r": unit, "fill": "none", **grid}),
        tag("line", {"x1": -130, "x2": 130, "y1": 0, "y2": 0, **grid}), tag("line", {"x1": 0, "x2": 0, "y1": -130, "y2": 130, **grid}),
        label(unit + 4, 14, "1", "start"),
        wedge(q0, k0, {"fill-opacity": 0.12}), wedge(q, k, {"fill-opacity": 0.35}),
        vector(origin, k0, "k", 5, {"opacity": 0.3}), vector(origin, q0, "q", 2.5, {"opacity": 0.3}), *parts,
        vector(origin, k, "k", 6, {}), vector(origin, q, "q", 3, {}), named(q, "q"), named(k, "k"),
    )  # fmt: skip


def _rail(shift):
    return LEFT + WIDE * shift / LONGEST  # percent of the width


def _height(value):
    return TOP + TALL * (HIGH - value) / (HIGH - LOW)


def _curve(name, m, n, theta, encoder):
    points = [(s / 5, -score(name, m + s / 5, n + s / 5, theta)) for s in range(5 * LONGEST + 1)]
    line = {"stroke": colour(COLOURS[name]), "stroke-dasharray": DASHES[name], "vector-effect": "non-scaling-stroke"}
    return polyline(points, {**line, "stroke-width": 3.5 if name == encoder else 1.5, "opacity": 1 if name == encoder else 0.6})


def _key(i, name, encoder):
    start = LEFT + WIDE * i / len(ENCODERS)
    chosen, ink = name == encoder, colour(COLOURS[name])
    line = {"x1": 0, "x2": 22, "y1": -5, "y2": -5, "stroke": ink, "stroke-dasharray": DASHES[name], "stroke-width": 3.5 if chosen else 1.5}
    return at(percent(start), 14, tag("line", line), text(28, 0, name, {"fill": ink, "font-weight": 700 if chosen else 400, "font-size": 14}))


def _scores(m, n, shift, theta, encoder):
    value, before, x = score(encoder, m + shift, n + shift, theta), score(encoder, m, n, theta), percent(_rail(shift))
    levels = [level(LEFT, LEFT + WIDE, _height(v), fixed(v, 0)) for v in (-1, 0, 1, 2, 3, 4)]
    ticks = [label(percent(_rail(s)), TOP + TALL + 14, fixed(s, 0), "middle") for s in range(0, LONGEST + 1, 10)]
    plumb = {"x1": x, "x2": x, "y1": TOP - 6, "y2": TOP + TALL, "stroke": colour("ink"), "stroke-dasharray": "3 4", "opacity": 0.5}
    anchor = "start" if shift < LONGEST / 4 else "end" if shift > 3 * LONGEST / 4 else "middle"
    about = f"Encoder {encoder}: score {fixed(before, 2)} before the shift, {fixed(value, 2)} after a shift of {shift} tokens."
    return svg(
        "100%", TOP + TALL + 32, "Score by shift, for three encoders", about, {},
        *levels, *ticks, label(percent(LEFT + WIDE / 2), TOP + TALL + 29, "shift s of both positions, tokens", "middle"),
        *(_key(i, name, encoder) for i, name in enumerate(ENCODERS)), tag("line", plumb),
        text(x, TOP - 11, f"score {fixed(value, 2)}", {"text-anchor": anchor, "font-weight": 600, "font-size": 14}),
        plot(percent(LEFT), TOP, percent(WIDE), TALL, 0, LONGEST, LOW, HIGH, *(_curve(name, m, n, theta, encoder) for name in ENCODERS)),
        at(x, _height(value), tag("circle", {"r": 8, "fill": colour(COLOURS[encoder]), "stroke": colour("paper"), "stroke-width": 2})),
    )  # fmt: skip


def picture(m, n, shift, theta, encoder):
    """The figure's markup in that state: a heading, plane and plot side by side, a sentence of numbers."""
    words = f"{MEANING[encoder]}: score {fixed(score(encoder, m, n, theta), 2)} at (m, n) = ({m}, {n})"
    if shift:
        words += f", {fixed(score(encoder, m + shift, n + shift, theta), 2)} at ({m + shift}, {n + shift})"
    row = {"style": "display:flex;flex-wrap:wrap;justify-content:center;align-items:center;gap:12px"}
    plane = tag("div", {"data-slot": "plane", "style": "flex:0 0 260px"}, _plane(m, n, shift, theta, encoder))
    return card(
        "What survives a shift?",
        ["A ", word("q", "query"), " at position m and a ", word("k", "key"), " at n are encoded (faint), then again after both positions "
         "have moved by s (bold). Which score stays?"],
        tag("div", row, plane, tag("div", {"style": "flex:1 1 270px;min-width:0"}, track("scores", _scores(m, n, shift, theta, encoder)))),
        readout(words),
    )  # fmt: skip
