"""Chapter 12's figure, drawn once in Python: what spectrum.js draws, character for character.

A model trained on texts of L tokens reads s times as many. One dot a pair, by its wavelength, shows how far a method slows it down and
whether it still comes to angles that training never showed; three dials show the angles of the pair that is read.

Dynamic NTK is NTK-aware for the text at hand, and LongRoPE's divisors are found by search: neither is here.
"""

import math

import numpy as np

from ropebook import extension
from ropebook.figures.drawing import (
    arrow, at, card, colour, fixed, grouped, label, level, num, percent, plot, polyline, readout, svg, tag, text, track, word,
)  # fmt: skip
from ropebook.frequencies import frequencies

MEANING = {
    "none": "the model as it was trained",
    "interpolation (PI)": "every position divided by s, so every pair s times slower",
    "NTK-aware": "a larger base: the slowest pair s times slower, the fastest kept",
    "by parts": "s times slower below 1 turn in training, kept above 32, mixed by turns between",
    "YaRN (paper)": "as by parts, and sharper scores",
    "YaRN (code)": "as its paper, but mixed by the pair’s number instead of its turns",
    "Llama 3": "by parts, from 1 to 4 turns",
    "new base": "1,000,000, whatever s is",
    "p-RoPE": "the slowest quarter of the pairs stands still, from training on",
}
STATE = {
    "method": ("YaRN (code)", *MEANING), "s": (8, 1, 2, 4, 8, 16, 32), "length": (4096, 512, 2048, 4096, 8192),
    "base": (10_000, 10_000, 150_000, 500_000), "d": (128, 64, 128, 256), "pair": (36, 0, 127),
}  # fmt: skip
LABEL = "How ways to read longer texts slow the pairs down, and which pairs still come to angles that training never showed"
RIVAL = {"YaRN (code)": "YaRN (paper)", "YaRN (paper)": "YaRN (code)"}

LEFT, WIDE = 12, 84  # where the board lies, percent of the width
TOP, TALL = 56, 200  # the same in px
LOW, HIGH = 0.7, 6.5  # the axis of wavelengths, powers of ten
STILL = 8  # the axis of speeds in halvings; this many stand for a speed of 0
RADIUS, MIDDLE = 38, 46  # of a dial, px


def spectrum(method, s, length, base, d):
    """The frequencies and the scale that a method gives: ropebook.extension's, with p-RoPE's share 0.75 and 1,000,000 as the new base."""
    of = (d, base, s, length)
    rules = {
        "none": (extension.unchanged, of[:2]),
        "interpolation (PI)": (extension.interpolated, of[:3]), "NTK-aware": (extension.ntk_aware, of[:3]),
        "by parts": (extension.by_parts, of), "YaRN (paper)": (extension.yarn_paper, of), "YaRN (code)": (extension.yarn_code, of),
        "Llama 3": (extension.llama3, of), "new base": (extension.rebased, (d, 1_000_000)), "p-RoPE": (extension.proportional, (d, base, 0.75)),
    }  # fmt: skip
    rule, given = rules[method]
    return rule(*given)


def turns(length, base, d):
    """How often each pair turns in a training text: (D/2,)."""
    return length * frequencies(d, base) / (2 * np.pi)


def ratios(method, s, length, base, d):
    """New speed ÷ old speed of each pair: (D/2,)."""
    return spectrum(method, s, length, base, d).theta / frequencies(d, base)


def fresh(method, s, length, base, d):
    """Whether the long text brings each pair to angles that training did not: (D/2,) bool."""
    return (turns(length, base, d) < 1) & (s * ratios(method, s, length, base, d) > 1 + 1e-9)


def _places(x):
    """A number in words, with as many decimals as it needs."""
    return grouped(math.floor(x + 0.5)) if x >= 100 else fixed(x, 1 if x >= 1 else 4 if 0 < x < 0.01 else 2)


def _rail(wavelength):
    return LEFT + WIDE * (math.log10(wavelength) - LOW) / (HIGH - LOW)


def _halvings(ratio):
    return min(-math.log2(ratio), STILL) if ratio else STILL


def _height(ratio):
    return TOP + TALL * _halvings(ratio) / STILL


def _upright(x, dashes):
    return tag("line", {"x1": percent(x), "x2": percent(x), "y1": TOP, "y2": TOP + TALL, "stroke": colour("ink"), **dashes})


def _curve(x, ratios):
    line = {"stroke": colour("muted"), "stroke-dasharray": "5 4", "vector-effect": "non-scaling-stroke"}
    points = polyline([(place, _halvings(ratio)) for place, ratio in zip(x, ratios, strict=True)], line)
    return plot(percent(LEFT), TOP, percent(WIDE), TALL, LEFT, LEFT + WIDE, -STILL, 0, points)


def _board(method, s, length, base, d, pair):
    of, rival = (s, length, base, d), RIVAL.get(method)
    x, all_, new = [_rail(length / turned) for turned in turns(length, base, d)], ratios(method, *of), fresh(method, *of)

    def circle(i, r):
        name = "k" if new[i] else "score"
        fill = colour("paper" if new[i] else name)
        return tag("circle", {"cx": percent(x[i]), "cy": _height(all_[i]), "r": r, "fill": fill, "stroke": colour(name), "stroke-width": r / 2})

    edge, end = _rail(length), _rail(s * length)
    shade = {"x": percent(edge), "y": TOP, "width": percent(LEFT + WIDE - edge), "height": TALL, "fill": colour("muted"), "opacity": 0.14}
    return svg(
        "100%", TOP + TALL + 50, "Speed by wavelength", _tally(method, *of), {},
        text(percent(LEFT), 14, "New speed ÷ old, log scale", {"font-weight": 600}),
        label(percent(LEFT + WIDE), 14, f"dashed: {rival}", "end") if rival else "",
        tag("rect", shade),
        *(level(LEFT, LEFT + WIDE, TOP + TALL * n / STILL, "0" if n == STILL else f"1/{2**n}" if n else "1") for n in range(STILL + 1)),
        *(label(percent(_rail(10 ** (n + 1))), TOP + TALL + 14, words, "middle")
          for n, words in enumerate(("10", "100", "1k", "10k", "100k", "1M"))),
        label(percent(LEFT + WIDE / 2), TOP + TALL + 31, "old wavelength, tokens a turn", "middle"),
        label(percent(LEFT + WIDE / 2), TOP + TALL + 46, "shaded: no full turn in training", "middle"),
        _upright(edge, {}), _upright(end, {"stroke-dasharray": "3 4"}),
        label(percent(edge), TOP - 26, f"L = {grouped(length)}", "end"), label(percent(end), TOP - 11, f"s·L = {grouped(s * length)}", "end"),
        _curve(x, ratios(rival, *of)) if rival else "",
        *(circle(i, 3) for i in range(d // 2)), circle(pair, 7),
    )  # fmt: skip


def _tally(method, s, length, base, d):
    slow, new = (turns(length, base, d) < 1).sum(), fresh(method, s, length, base, d).sum()
    return f"{slow} of {d // 2} pairs make no full turn in training; the long text brings {new} of them to new angles."


def _ends(method, s, length, base, d, pair):
    """The turns of the pair that is read: at the end of a training text, of the long text before, and after."""
    seen = turns(length, base, d)[pair]
    return seen, s * seen, s * seen * ratios(method, s, length, base, d)[pair]


def _ring(start, end, name, width):
    dashes = {"pathLength": 100, "stroke-dasharray": f"0 {num(100 * start)} {num(100 * max(min(end, 1) - start, 0))} 100"}
    return tag("circle", {"r": RADIUS, "fill": "none", "stroke": colour(name), "stroke-width": width, **dashes})


def _dial(n, words, turned, seen):
    angle, far = 2 * np.pi * turned, RADIUS - 8
    rings = _ring(0, 1, "grid", 2), _ring(0, seen, "score", 5), _ring(min(seen, 1), turned, "k", 9)
    return at(
        percent((n + 0.5) * 100 / 3), MIDDLE, tag("g", {"transform": "scale(1 -1)"}, *rings),
        arrow(0, 0, far * np.cos(angle), -far * np.sin(angle), "ink", 2.5, {}), label(0, MIDDLE + 16, words, "middle"),
        text(0, MIDDLE + 33, f"{_places(turned)} turns", {"text-anchor": "middle", "font-weight": 600}),
    )  # fmt: skip


def _dials(pair, ends):
    said, names = [_places(end) for end in ends], ("training text", "long, before", "long, after")
    about = f"Pair {pair} turns {said[0]} times in a training text, in the long one {said[1]} times before and {said[2]} after."
    drawn = (_dial(n, words, end, ends[0]) for n, (words, end) in enumerate(zip(names, ends, strict=True)))
    return svg("100%", 2 * MIDDLE + 40, "Angles of one pair", about, {}, *drawn)


def _numbers(method, s, length, base, d, pair):
    ends, ratio = _ends(method, s, length, base, d, pair), ratios(method, s, length, base, d)[pair]
    said, scale = [_places(end) for end in ends], spectrum(method, s, length, base, d).scale
    kept = ratio > 1 - 1e-9
    speed = "it keeps its speed" if kept else f"slowed to {_places(ratio)} of its speed" if ratio else "it stands still"
    sharper = f" Cosines and sines times {fixed(scale, 2)}." if scale > 1 else ""
    return (
        f"Pair {pair} of {d // 2}: wavelength {_places(length / ends[0])} tokens, {said[0]} turns in training; {method}: {speed}; "
        f"at the end of the long text {said[2]} turns{'' if kept else f' instead of {said[1]}'}.{sharper}"
    )


def _line(name, words):
    return tag("p", {"data-slot": name, "style": "margin:8px 0;text-align:center"}, words)


def picture(method, s, length, base, d, pair):
    """The figure's markup in that state: a heading, the board of all pairs, the dials of one, a sentence of numbers."""
    of, pair = (method, s, length, base, d), min(pair, d // 2 - 1)
    return card(
        "Which pairs meet new angles?",
        ["A model trained on L tokens reads s times as many. Each dot is a pair. By the end of the long text it has turned through angles ",
         word("score", "seen in training"), " alone, or also through ", word("k", "new ones"), " (hollow). Which method slows which pair?"],
        _line("note", f"{method}: {MEANING[method]}."), track("board", _board(*of, pair)), _line("tally", _tally(*of)),
        track("dials", _dials(pair, _ends(*of, pair))), readout(_numbers(*of, pair)),
    )  # fmt: skip
