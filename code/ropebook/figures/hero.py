"""The landing page's figure, drawn once in Python: what hero.js draws, character for character.

The same word stands at two places, as query and as key. It is four unit arrows, all pointing right at position 0;
its position turns them. The score adds up how well the four pairs of arrows agree.
"""

import math

import numpy as np

from ropebook.figures.drawing import arrow, at, colour, fixed, percent, plot, polyline, signed, svg, tag, text, track, word
from ropebook.frequencies import frequencies
from ropebook.rotation import rotate

LAST = 64  # positions run from 0 to here
STATE = {"m": (22, 0, LAST), "n": (10, 0, LAST)}  # default, lowest, highest
LABEL = "Two words as turning arrows, and the score between them by their offset"
THETA = frequencies(8, base=100.0)  # radians per token: one turn in 6, 20, 63 and 199 tokens
WORD = np.array([1.0, 0.0] * 4)  # (8,)

LOW, HIGH = -2.2, 4.4  # the score's axis
TOP, TALL = 14, 142  # the plot's box, px


def agreements(m, n):
    """What each pair of arrows adds to the score of a query at m and a key at n.

    m, n       tokens
    returns    (4,) between −1 (opposed) and 1 (in line)
    """
    q, k = rotate(np.stack([WORD, WORD]), [m, n], THETA)  # (8,) each
    return (q * k).reshape(-1, 2).sum(-1)


def score(offset):
    return float(np.sum(agreements(offset, 0.0)))


def _rail(position):
    return 10 + 80 * position / LAST  # percent of the width


def _offset_rail(offset):
    return 10 + 40 * (offset + LAST) / LAST


def _chip(position, y, role, name):
    box = {"x": -32, "y": -20, "width": 64, "height": 40, "rx": 10, "fill": colour(name)}
    middle = {"text-anchor": "middle", "fill": colour("paper")}
    return at(
        percent(_rail(position)), y,
        tag("rect", box),
        text(0, -3, role, {**middle, "font-weight": 600, "font-size": 14}),
        text(0, 13, f"at {fixed(position, 0)}", {**middle, "font-size": 12}),
    )  # fmt: skip


def _strip(m, n):
    rails = [
        tag("line", {"x1": "10%", "x2": "90%", "y1": y, "y2": y, "stroke": colour("grid"), "stroke-width": 4, "stroke-linecap": "round"})
        for y in (24, 120)
    ]
    ticks = [
        text(percent(_rail(p)), 160, fixed(p, 0), {"text-anchor": "middle", "fill": colour("muted"), "font-size": 12})
        for p in range(0, LAST + 1, 16)
    ]
    rod = {"x1": percent(_rail(m)), "y1": 24, "x2": percent(_rail(n)), "y2": 120, "stroke": colour("score"), "stroke-width": 3}
    grip = {"x": -58, "y": -15, "width": 116, "height": 30, "rx": 15, "fill": colour("paper"), "stroke": colour("score"), "stroke-width": 2}
    offset = text(0, 5, f"‹ offset {signed(m - n, 0)} ›", {"text-anchor": "middle", "fill": colour("score"), "font-weight": 600})
    title = f"A text of {LAST} tokens. The query stands at {fixed(m, 0)}, the key at {fixed(n, 0)}, so their offset is {signed(m - n, 0)}."
    return svg(
        "100%", 168, title, {},
        *rails, *ticks, tag("line", rod),
        _chip(m, 24, "query", "q"), _chip(n, 120, "key", "k"),
        at(percent(_rail((m + n) / 2)), 72, tag("rect", grip), offset),
    )  # fmt: skip


def _dial(i, m, n):
    x, y, radius = 80, 72, 62
    turn_q, turn_k = m * THETA[i], n * THETA[i]
    between = math.remainder(turn_q - turn_k, 2 * math.pi)
    tips = [(x + radius * math.cos(a), y - radius * math.sin(a)) for a in (turn_q, turn_k)]
    steps = [turn_k + between * j / 24 for j in range(25)]
    wedge = [(x, y), *((x + 26 * math.cos(a), y - 26 * math.sin(a)) for a in steps)]
    agree, tokens = signed(math.cos(between), 2), fixed(2 * math.pi / THETA[i], 0)
    degrees = fixed(abs(between) * 180 / math.pi, 0)
    title = f"A pair of arrows that turns once in {tokens} tokens: the angle between query and key is {degrees} degrees, they add {agree}."
    middle = {"text-anchor": "middle"}
    return svg(
        160, 190, title, {},
        tag("circle", {"cx": x, "cy": y, "r": radius + 6, "fill": "none", "stroke": colour("grid"), "stroke-width": 1.5}),
        tag("line", {"x1": x + radius + 1, "y1": y, "x2": x + radius + 11, "y2": y, "stroke": colour("muted"), "stroke-width": 1.5}),
        polyline(wedge, {"fill": colour("score"), "fill-opacity": 0.25}),
        polyline(wedge[1:], {"stroke": colour("score"), "stroke-width": 2}),
        arrow(x, y, *tips[1], "k", 6, {}),
        arrow(x, y, *tips[0], "q", 3, {}),
        text(x, 160, f"one turn in {tokens} tokens", {**middle, "fill": colour("muted"), "font-size": 12}),
        text(x, 182, agree, {**middle, "fill": colour("score"), "font-size": 17, "font-weight": 600}),
    )  # fmt: skip


def _curve(m, n):
    offset, value = m - n, score(m - n)
    y = TOP + TALL * (HIGH - value) / (HIGH - LOW)
    points = [(o / 4, -score(o / 4)) for o in range(-4 * LAST, 4 * LAST + 1)]
    line = {"stroke": colour("score"), "stroke-width": 2, "vector-effect": "non-scaling-stroke"}
    levels = [
        tag("line", {"x1": "10%", "x2": "90%", "y1": h, "y2": h, "stroke": colour("grid")})
        + text("9%", h + 4, fixed(level, 0), {"text-anchor": "end", "fill": colour("muted"), "font-size": 12})
        for level in (-2, 0, 2, 4)
        for h in [TOP + TALL * (HIGH - level) / (HIGH - LOW)]
    ]
    ticks = [
        text(percent(_offset_rail(o)), 174, signed(o, 0) if o else "0", {"text-anchor": "middle", "fill": colour("muted"), "font-size": 12})
        for o in range(-LAST, LAST + 1, 32)
    ]
    x = percent(_offset_rail(offset))
    title = f"Score by offset: four waves added, highest at offset 0. At offset {signed(offset, 0)} the score is {fixed(value, 2)}."
    side, anchor = (12, "start") if offset < 32 else (-12, "end")
    halo = {"stroke": colour("paper"), "stroke-width": 5, "stroke-linejoin": "round", "paint-order": "stroke"}
    return svg(
        "100%", 182, title, {},
        *levels, *ticks,
        tag("line", {"x1": x, "x2": x, "y1": TOP, "y2": TOP + TALL, "stroke": colour("score"), "stroke-dasharray": "3 4"}),
        plot("10%", TOP, "80%", TALL, -LAST, LAST, LOW, HIGH, polyline(points, line)),
        at(
            x, y,
            tag("circle", {"r": 7, "fill": colour("score"), "stroke": colour("paper"), "stroke-width": 2}),
            text(side, -8, f"score {fixed(value, 2)}", {"text-anchor": anchor, "font-weight": 600, "font-size": 14, **halo}),
        ),
    )  # fmt: skip


def picture(m, n):
    """The figure's markup at positions m and n: a heading, three rows of panels, a sentence of numbers."""
    lead = {"style": "margin:4px 0 14px"}
    caption = {"style": "margin:6px 0 0;text-align:center"}
    score_now = fixed(score(m - n), 2)
    return "".join([
        tag("p", {"style": "margin:0;font-size:125%;font-weight:600"}, "Move both words, and the score stays put"),
        tag("p", lead, "A word is four arrows, and its position turns them: some fast, some slowly. The score between a ",
            word("q", "query"), " and a ", word("k", "key"), " adds up how well their arrows agree."),
        track("strip", _strip(m, n)),
        tag("div", {"data-slot": "dials", "style": "text-align:center"}, *(_dial(i, m, n) for i in range(len(THETA)))),
        tag("p", caption, "The four numbers added are the ", word("score", "score"), ". Only the offset, query − key, matters:"),
        track("curve", _curve(m, n)),
        tag("p", {"data-slot": "readout", "style": "text-align:center"},
            f"query at {fixed(m, 0)}, key at {fixed(n, 0)}: offset {signed(m - n, 0)}, score {score_now}"),
    ])  # fmt: skip
