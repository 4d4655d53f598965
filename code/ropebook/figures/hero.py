"""The landing page's figure, drawn once in Python: what hero.js draws, character for character.

The same word stands at two places, as query and as key. It is four unit arrows, all pointing right at position 0;
its position turns them. The score adds up how well the four pairs of arrows agree.
"""

import math

import numpy as np

from ropebook.figures.drawing import (
    arrow, at, caption, card, colour, fixed, label, level, percent, plot, polyline, readout, signed, svg, tag, text, track, word,
)  # fmt: skip
from ropebook.frequencies import frequencies
from ropebook.rotation import rotate

LAST = 64  # positions run from 0 to here
STATE = {"m": (22, 0, LAST), "n": (10, 0, LAST)}  # default, lowest, highest
LABEL = "Two words as turning arrows, and the score between them by their offset"
THETA = frequencies(8, base=100.0)  # radians per token: one turn in 6, 20, 63 and 199 tokens
WORD = np.array([1.0, 0.0] * 4)  # (8,)

LEFT, WIDE = 12, 76  # where the rails and the plot lie, percent of the width
QUERY_AT, ROD_AT, KEY_AT = 24, 72, 120  # heights in the strip, px
LOW, HIGH = -2.6, 4.2  # the score's axis
TOP, TALL = 26, 140  # the plot's box, px


def agreements(m, n):
    """What each pair of arrows adds to the score of a query at m and a key at n.

    m, n       tokens
    returns    (4,) between −1 (opposed) and 1 (in line)
    """
    q, k = rotate(np.stack([WORD, WORD]), [m, n], THETA)  # (8,) each
    return (q * k).reshape(-1, 2).sum(-1)


def scores(offsets):
    """The score by offset: of a query at each offset and a key at position 0.

    offsets    (T,)  tokens
    returns    (T,)  between −4 and 4
    """
    return rotate(np.tile(WORD, (len(offsets), 1)), offsets, THETA) @ WORD


def score(offset):
    return float(scores([offset])[0])


def _rail(position):
    return LEFT + WIDE * position / LAST  # percent of the width


def _offset_rail(offset):
    return LEFT + WIDE * (offset + LAST) / (2 * LAST)


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
    ends = {"x1": percent(LEFT), "x2": percent(LEFT + WIDE), "stroke": colour("grid"), "stroke-width": 4, "stroke-linecap": "round"}
    rails = [tag("line", {**ends, "y1": y, "y2": y}) for y in (QUERY_AT, KEY_AT)]
    ticks = [label(percent(_rail(p)), KEY_AT + 38, fixed(p, 0), "middle") for p in range(0, LAST + 1, 16)]
    rod = {"x1": percent(_rail(m)), "y1": QUERY_AT, "x2": percent(_rail(n)), "y2": KEY_AT, "stroke": colour("score"), "stroke-width": 3}
    grip = {"x": -54, "y": -15, "width": 108, "height": 30, "rx": 15, "fill": colour("paper"), "stroke": colour("score"), "stroke-width": 2}
    offset = {"text-anchor": "middle", "fill": colour("score"), "font-weight": 600}
    about = f"The query stands at token {fixed(m, 0)}, the key at token {fixed(n, 0)}: their offset is {signed(m - n, 0)}."
    return svg(
        "100%", KEY_AT + 56, "Where the two words stand", about, {},
        *rails, *ticks, label("50%", KEY_AT + 53, "position in the text, tokens", "middle"), tag("line", rod),
        _chip(m, QUERY_AT, "query", "q"), _chip(n, KEY_AT, "key", "k"),
        at(percent(_rail((m + n) / 2)), ROD_AT, tag("rect", grip), text(0, 5, f"‹ offset {signed(m - n, 0)} ›", offset)),
    )  # fmt: skip


def _dial(i, m, n):
    radius = 70
    turn_q, turn_k = m * THETA[i], n * THETA[i]
    between = math.remainder(turn_q - turn_k, 2 * math.pi)
    arc = [(30 * math.cos(a), -30 * math.sin(a)) for a in (turn_k + between * j / 24 for j in range(25))]
    agree, tokens = signed(math.cos(between), 2), fixed(2 * math.pi / THETA[i], 0)
    about = f"Query and key stand {fixed(abs(math.degrees(between)), 0)} degrees apart and add {agree}."
    drawing = svg(
        "160", "160", f"Arrows that turn once in {tokens} tokens", about,
        {"viewBox": "-84 -84 168 168", "style": "width:100%;max-width:160px;height:auto;overflow:visible"},
        tag("circle", {"r": 77, "fill": "none", "stroke": colour("grid"), "stroke-width": 1.5}),
        tag("line", {"x1": 72, "y1": 0, "x2": 82, "y2": 0, "stroke": colour("muted"), "stroke-width": 2}),
        polyline([(0, 0), *arc], {"fill": colour("score"), "fill-opacity": 0.25}),
        polyline(arc, {"stroke": colour("score"), "stroke-width": 2.5}),
        arrow(0, 0, radius * math.cos(turn_k), -radius * math.sin(turn_k), "k", 7, {}),
        arrow(0, 0, radius * math.cos(turn_q), -radius * math.sin(turn_q), "q", 3.5, {}),
    )  # fmt: skip
    return tag(
        "div", {"style": "flex:1 1 0;max-width:170px;min-width:0;text-align:center;line-height:1.25"},
        drawing,
        tag("div", {"style": f"margin:4px 0;font-size:12px;color:{colour('muted')}"}, f"one turn in {tokens} tokens"),
        tag("div", {"style": f"font-size:17px;font-weight:600;font-variant-numeric:tabular-nums;color:{colour('score')}"}, agree),
    )  # fmt: skip


def _height(value):
    return TOP + TALL * (HIGH - value) / (HIGH - LOW)


def _curve(m, n):
    offset, value, x = m - n, score(m - n), percent(_offset_rail(m - n))
    offsets = np.arange(-4 * LAST, 4 * LAST + 1) / 4
    wave = {"stroke": colour("score"), "stroke-width": 2, "vector-effect": "non-scaling-stroke"}
    levels = [level(LEFT, LEFT + WIDE, _height(v), fixed(v, 0)) for v in (-2, 0, 2, 4)]
    ticks = [label(percent(_offset_rail(o)), TOP + TALL + 14, signed(o, 0) if o else "0", "middle") for o in range(-LAST, LAST + 1, 32)]
    plumb = {"x1": x, "x2": x, "y1": TOP - 6, "y2": TOP + TALL, "stroke": colour("score"), "stroke-dasharray": "3 4"}
    anchor = "start" if offset < -48 else "end" if offset > 48 else "middle"
    about = f"Four waves added, highest at offset 0. At offset {signed(offset, 0)} the score is {fixed(value, 2)}."
    return svg(
        "100%", TOP + TALL + 32, "Score by offset", about, {},
        *levels, *ticks, label("50%", TOP + TALL + 29, "offset, tokens", "middle"), tag("line", plumb),
        text(x, TOP - 11, f"score {fixed(value, 2)}", {"text-anchor": anchor, "font-weight": 600, "font-size": 14}),
        plot(percent(LEFT), TOP, percent(WIDE), TALL, -LAST, LAST, LOW, HIGH, polyline(zip(offsets, -scores(offsets)), wave)),
        at(x, _height(value), tag("circle", {"r": 7.5, "fill": colour("score"), "stroke": colour("paper"), "stroke-width": 2})),
    )  # fmt: skip


def picture(m, n):
    """The figure's markup at positions m and n: a heading, three rows of panels, a sentence of numbers."""
    return card(
        "Move one word. Then move both.",
        ["A word is four arrows. At position 0 all point right; each token further on turns them, some fast, some slowly. "
         "The score between a ", word("q", "query"), " and a ", word("k", "key"), " adds up how well their arrows agree."],
        track("strip", _strip(m, n)),
        tag("div", {"data-slot": "dials", "style": "display:flex;justify-content:center;gap:8px"}, *(_dial(i, m, n) for i in range(len(THETA)))),
        caption("They add up to the ", word("score", "score"), ". The curve shows it for every offset, query − key:"),
        track("curve", _curve(m, n)),
        readout(f"query at {fixed(m, 0)}, key at {fixed(n, 0)}: offset {signed(m - n, 0)}, score {fixed(score(m - n), 2)}"),
    )  # fmt: skip
