"""Chapter 09's figure, drawn once in Python: what window.js draws, character for character.

Sixteen words stand in a row, and the row moves along the axis of positions, a million tokens far. One map shows the scores QKᵀ/√D
where the row stands, a second one what has changed since it began at 0; positions and angles are rounded to a number format.

Letters of shapes: T words, D features of a head, in pairs.
"""

import itertools

import numpy as np

from ropebook.figures.drawing import (
    at, card, cells, colour, dots, fixed, grouped, num, percent, plot, readout, svg, tag, text, track, word,
)  # fmt: skip
from ropebook.figures.encodings import normals
from ropebook.frequencies import frequencies

LONGEST = 1_000_000  # the last start, tokens
STOPS = [*range(100), *(x * 10**p for p in (1, 2, 3, 4) for x in range(10, 100)), LONGEST]  # where the window can be dragged to
WORDS, WIDTH = 16, 32  # T and D
LAST = WORDS - 1
ENCODINGS = ("RoPE", "sinusoidal", "ALiBi", "none")
FORMATS = ("float64", "float32", "float16", "bfloat16")
STATE = {
    "start": (100_000, 0, LONGEST), "encoding": ("RoPE", *ENCODINGS), "format": ("float64", *FORMATS), "base": (10_000, 100, 10_000, 500_000),
    "m": (11, 0, LAST), "n": (4, 0, LAST),
}  # fmt: skip
LABEL = "The scores of sixteen words as they move along the axis of positions, and what has changed since start 0"
SLOPE = 0.25  # ALiBi's loss of score per token
QUERIES, KEYS = np.reshape(list(itertools.islice(normals(9), 2 * WORDS * WIDTH)), (2, WORDS, WIDTH))  # every word's own

LEFT, TOP, CELL = 64, 64, 16  # a map's margins and cells, px
SIDE = CELL * WORDS
EDGE, WIDE = 5, 90  # where the axis of positions lies, percent of the width
RAIL = 50  # its height in its picture, px
SMALL = 0.005  # the share of its scale below which a cell is blank
MEANING = {
    "RoPE": "queries and keys turned by their positions", "sinusoidal": "fixed waves added to queries and keys",
    "ALiBi": "minus 0.25 for every token between the two positions", "none": "the words alone",
}  # fmt: skip
HOLDS = {"float64": 2**53, "float32": 2**24, "float16": 2**11, "bfloat16": 2**8}  # every whole number up to here
BIGGEST, END = 65_504, 65_520  # the largest number of float16, and the first position that it rounds to infinity


def rounded(x, format):
    """x as the format holds it: the nearest number, ties to even, infinity beyond the largest.

    x          floating; any shape
    format     "float64", "float32", "float16" or "bfloat16"
    returns    float64
    """
    with np.errstate(over="ignore"):
        return _bfloat16(x) if format == "bfloat16" else np.asarray(x, format).astype(np.float64)


def _bfloat16(x):
    last = np.ldexp(1.0, np.maximum(np.frexp(x)[1] - 8, -133))  # what the last of 8 bits is worth
    nearest = np.rint(x / last) * last
    return np.where(np.abs(nearest) >= 2.0**128, np.copysign(np.inf, x), nearest)


def scores(encoding, format, base, start):
    """q·k/√D of every word as query with every word as key, when the words stand at start, start + 1, …

    encoding   a name in ENCODINGS
    format     of positions and of angles, in FORMATS; cosines, sines and sums are in float64
    base       of the frequencies
    start      tokens
    returns    (T, T) float64, queries down; not finite where float16 cannot hold a position
    """
    positions = rounded(start + np.arange(WORDS, dtype=np.float64), format)
    angle = rounded(np.multiply.outer(positions, frequencies(WIDTH, base)), format)  # (T, D/2)
    with np.errstate(invalid="ignore"):  # the cosine of infinity, and infinity less itself
        q, k = (_encoded(encoding, x, np.cos(angle), np.sin(angle)) for x in (QUERIES, KEYS))  # (T, D)
        distance = np.abs(np.subtract.outer(positions, positions))
        return q @ k.T / np.sqrt(WIDTH) - (SLOPE * distance if encoding == "ALiBi" else 0)


def _encoded(encoding, x, cos, sin):
    """Words at the positions whose cosines and sines are given: (T, D)."""
    first, second = x[:, 0::2], x[:, 1::2]  # (T, D/2)
    if encoding == "RoPE":
        first, second = first * cos - second * sin, first * sin + second * cos
    if encoding == "sinusoidal":
        first, second = first + sin, second + cos
    return np.stack([first, second], axis=-1).reshape(x.shape)


def largest(matrix):
    """The largest size of a finite entry, NaN if there is none."""
    finite = np.abs(matrix[np.isfinite(matrix)])
    return float(finite.max()) if finite.size else float("nan")


def size(x):
    """A number in words: three decimals, below 0.01 two digits and a power of ten; what is below 10⁻⁹ is left to float64's own rounding."""
    if x >= 0.01:
        return fixed(x, 3)
    if x < 1e-9:
        return "below 10⁻⁹"
    digits, power = f"{x:.1e}".split("e-")
    return f"{digits} × 10⁻{'⁰¹²³⁴⁵⁶⁷⁸⁹'[int(power)]}"


def _rail(start):
    """Where a start lies on the axis, percent of the width."""
    return EDGE + WIDE * float(np.interp(start, STOPS, range(len(STOPS)))) / (len(STOPS) - 1)


def _axis(start, format):
    marks = {0: "0", 100: "100", 1000: "1k", 10_000: "10k", 100_000: "100k", LONGEST: "1M"}
    muted = {"fill": colour("muted"), "font-size": 12, "text-anchor": "middle"}
    ticks = [text(percent(_rail(place)), RAIL + 34, words, muted) for place, words in marks.items()]
    x, exact = _rail(start), percent(_rail(min(HOLDS[format], LONGEST)))
    line = {"y1": RAIL, "y2": RAIL, "stroke-width": 6}
    box = {"x": -8, "y": -15, "width": 16, "height": 30, "rx": 4, "fill": colour("paper"), "stroke": colour("ink"), "stroke-width": 2.5}
    grip = (tag("line", {"x1": d, "x2": d, "y1": -7, "y2": 7, "stroke": colour("ink")}) for d in (-3, 0, 3))
    return svg(
        "100%", RAIL + 40, "Axis of positions", f"The window starts at {grouped(start)}. {_note(format)}", {},
        tag("line", {"x1": percent(EDGE), "x2": percent(EDGE + WIDE), **line, "stroke": colour("grid")}),
        tag("line", {"x1": percent(EDGE), "x2": exact, **line, "stroke": colour("score")}), *ticks,
        text("50%", RAIL - 26, f"words at {grouped(start)} to {grouped(start + LAST)}",
             {"text-anchor": "middle", "font-weight": 600, "font-size": 14}),
        at(percent(x), RAIL, tag("rect", box), *grip),
    )  # fmt: skip


def _note(format):
    if HOLDS[format] > LONGEST:
        return f"{format} holds every whole position here."
    past = f", and from {grouped(END)} on infinity" if format == "float16" else ""
    return f"{format} holds every whole position up to {grouped(HOLDS[format])} (green), beyond that rounded ones{past}."


def _axes(start, m, n):
    rows, columns = [], []
    for i in range(WORDS):
        y, bold = num(CELL * (i + 0.5) + 4), {"font-weight": 700, "fill": colour("ink")}
        if i % 5 == 0 or i == m:
            rows.append(text(-5, y, grouped(start + i), bold if i == m else {}))
        if i % 5 == 0 or i == n:
            columns.append(text(5, y, grouped(start + i), bold if i == n else {}))
    corner = text(-5, -22, "key →", {}) + text(-5, -7, "query ↓", {})
    muted = {"fill": colour("muted"), "font-size": 12}
    return (
        tag("g", {**muted, "text-anchor": "end", "transform": f"translate({LEFT} {TOP})"}, corner, *rows)
        + tag("g", {**muted, "transform": f"translate({LEFT} {TOP}) rotate(-90)"}, *columns)
    )


def _hatch(matrix):
    """Hatched lines in every cell whose value is no finite number."""
    holes = (f"M{j} {i}l.5-.5M{j} {i}.5l1-1M{j}.5 {i}.5l.5-.5" for i, row in enumerate(matrix) for j, x in enumerate(row) if not np.isfinite(x))
    return tag("path", {"d": "".join(holes), "stroke": colour("muted"), "stroke-width": 0.07})


def _map(matrix, scale, names, title, about, ends, start, m, n):
    width, height, y = LEFT + SIDE + 4, TOP + SIDE + 30, TOP + SIDE + 12
    shown = np.where(np.isfinite(matrix) & (np.abs(matrix) >= SMALL * scale), matrix, 0)
    steps, side, muted = np.arange(-7, 8)[None] / 7, 12, {"fill": colour("muted"), "font-size": 12}
    wide = side * steps.size
    left = LEFT + (SIDE - wide) / 2
    cell = {"x": LEFT + CELL * n, "y": TOP + CELL * m, "width": CELL, "height": CELL, "fill": "none"}
    return svg(
        str(width), str(height), title, about,
        {"viewBox": f"0 0 {width} {height}", "style": f"display:block;width:100%;max-width:{width}px;height:auto;margin:auto;overflow:visible"},
        _axes(start, m, n),
        plot(LEFT, TOP, SIDE, SIDE, 0, WORDS, 0.5 - WORDS, 0.5, cells(shown, scale, names), dots(shown), _hatch(matrix)),
        tag("rect", {"x": LEFT, "y": TOP, "width": SIDE, "height": SIDE, "fill": "none", "stroke": colour("grid")}),
        tag("rect", {**cell, "stroke": colour("paper"), "stroke-width": 5}), tag("rect", {**cell, "stroke": colour("ink"), "stroke-width": 2.5}),
        text(left - 7, y + 11, ends[0], {**muted, "text-anchor": "end"}), text(left + wide + 7, y + 11, ends[1], muted),
        plot(left, y, wide, side, 0, steps.size, -0.5, 0.5, cells(steps, 1, names), dots(steps)),
    )  # fmt: skip


def _heading(words, more):
    style = "text-align:center;font-variant-numeric:tabular-nums"
    return tag("div", {"style": style}, tag("b", {}, words), tag("div", {"style": f"font-size:14px;color:{colour('muted')}"}, more))


def _verdict(change):
    """What has become of the scores, in words and a number."""
    lost, far = int(np.sum(~np.isfinite(change))), largest(change)
    if lost == WORDS**2:
        return f"no score is a finite number, for {grouped(BIGGEST)} is the largest that float16 holds"
    others = f"{lost} of {WORDS**2} scores are not finite; among the others " if lost else ""
    if far < 1e-9:
        return f"{others}no score changes by more than 10⁻⁹"
    weight = ", too little to see" if far < SMALL else ", as much as a score itself" if far >= 1 else ""
    return f"{others}the largest change of a score is {size(far)}{weight}"


def _value(x):
    return fixed(x, 4) if np.isfinite(x) else "NaN" if np.isnan(x) else "−∞"


def _numbers(before, now, start, encoding, format, base, m, n):
    based = f", base {grouped(base)}" if encoding in ("RoPE", "sinusoidal") else ""
    held = "" if encoding == "none" else f" in {format}"
    return (
        f"{encoding}{held}{based}: {_verdict(now - before)}. "
        f"Score of word {m} with word {n}: {_value(before[m, n])} at start 0, {_value(now[m, n])} at start {grouped(start)}."
    )


def picture(start, encoding, format, base, m, n):
    """The figure's markup in that state: a heading, the axis of positions, two maps, a sentence of numbers."""
    before, now = scores(encoding, format, base, 0), scores(encoding, format, base, start)
    words, scale = _numbers(before, now, start, encoding, format, base, m, n), largest(before)
    change = now - before
    far = "no finite number" if np.isnan(largest(change)) else f"largest: {size(largest(change))}"
    left = _map(now, scale, ("q", "k"), f"Scores at start {grouped(start)}", words, (f"score {fixed(-scale, 1)}", fixed(scale, 1)), start, m, n)
    right = _map(change, 1, ("score", "rope"), "Change since start 0", words, ("change ≤ −1", "≥ 1"), start, m, n)
    row = "display:flex;flex-wrap:wrap;justify-content:center;gap:16px 20px;margin-top:12px"
    half = {"style": f"flex:0 1 {LEFT + SIDE + 4}px;min-width:0"}
    return card(
        "What stays when the window moves?",
        ["Sixteen words, each with a query (down) and a key (across), stand at sixteen positions in a row. On the left their scores QKᵀ/√D, ",
         word("q", "positive"), " or ", word("k", "negative"), "; on the right what has been ", word("score", "added"), " or ",
         word("rope", "taken away"), " since the row began at 0. Move the row: which scores stay, and in which number format?"],
        track("axis", _axis(start, format)),
        tag("p", {"data-slot": "note", "style": "margin:2px 0 0;text-align:center;font-size:14px"}, _note(format)),
        tag("div", {"style": row},
            tag("div", half, tag("div", {"data-slot": "means"}, _heading("scores", MEANING[encoding])), track("scores", left)),
            tag("div", half, tag("div", {"data-slot": "far"}, _heading("change", far)), track("change", right))),
        readout(words),
    )  # fmt: skip
