"""Chapter 02's figure, drawn once in Python: what encodings.js draws, character for character.

Ten position encodings score the same words with the same queries and keys: ten small maps, and one of them large.
The whole text moves. Which maps stay? And which are constant along diagonals when all words are the same?
"""

import numpy as np

from ropebook.encodings import ENCODINGS, Weights
from ropebook.figures.drawing import PALETTE, card, cells, colour, dots, fixed, num, plot, readout, svg, tag, text, track, word

LONGEST_SHIFT = 40  # tokens
SENTENCE = "the dog bites the man and the man bites the dog .".split()
VOCABULARY = list(dict.fromkeys(SENTENCE))  # in order of appearance
LAST = len(SENTENCE) - 1
STATE = {
    "encoding": ("RoPE", *ENCODINGS), "words": ("sentence", "sentence", "one word"), "shift": (10, 0, LONGEST_SHIFT),
    "m": (8, 0, LAST), "n": (2, 0, LAST),
}  # fmt: skip
LABEL = "The score matrices of ten position encodings on the same words, as the whole text moves"
MEANING = {
    "NoPE": "the words alone",
    "sinusoidal": "fixed waves added to the words",
    "learned": "a learned vector for each position, added to the words",
    "Shaw": "a learned vector for each offset, added to the keys",
    "Transformer-XL": "waves of the offset, and two questions that all queries ask",
    "T5": "a learned number for each bucket of offsets",
    "TUPE": "positions ask positions, words ask words, T5’s number on top",
    "DeBERTa": "words ask offsets, offsets ask words",
    "ALiBi": "minus a slope times the distance",
    "RoPE": "queries and keys turned by their positions",
}

WIDTH = 8  # C, and D
REACH = 4  # r, the largest offset with a vector of its own
BUCKETS = 32
SEED, PRIME = 77, 2147483647

LEFT, TOP, CELL = 66, 66, 20  # the large map's margins and cells, px
SIDE = CELL * len(SENTENCE)


def normals(seed):
    """Nearly normal numbers, the same in every language: the sum of twelve uniform ones, less 6.

    seed       1 … PRIME − 1
    yields     float; the uniform ones are Park and Miller's: seed ← 48271 · seed mod PRIME, over PRIME
    """
    while True:
        total = 0
        for _ in range(12):
            seed = 48271 * seed % PRIME
            total += seed
        yield total / PRIME - 6


_normal = normals(SEED)


def _vectors(count, scale=1.0):
    """The next vectors, number by number: (count, C)."""
    return scale * np.array([[next(_normal) for _ in range(WIDTH)] for _ in range(count)])


def _project():
    return _vectors(WIDTH, WIDTH**-0.5)


EMBEDDING = _vectors(len(VOCABULARY))  # the words, then the weights, in this order
WEIGHTS = Weights(
    w_q=_project(), w_k=_project(), table=_vectors(LONGEST_SHIFT + len(SENTENCE), 0.7), relative=_vectors(2 * REACH + 1),
    bias=_vectors(BUCKETS // WIDTH, 2).ravel(), w_r=_project(), u=_vectors(1)[0], v=_vectors(1)[0], u_q=_project(), u_k=_project(),
)  # fmt: skip


def text_of(words):
    return SENTENCE if words == "sentence" else ["dog"] * len(SENTENCE)


def scores(encoding, words, shift):
    """The score of every word as query with every word as key, when the text starts at position `shift`.

    encoding   a name in ropebook.encodings.ENCODINGS
    words      "sentence" or "one word"
    shift      tokens
    returns    (T, T)  queries down, keys across
    """
    x = EMBEDDING[[VOCABULARY.index(name) for name in text_of(words)]]  # (T, C)
    positions = np.arange(len(x)) + shift
    return ENCODINGS[encoding](x, x, positions, positions, WEIGHTS)


def moved(before, after):
    """The largest change of a score: both (T, T)."""
    return float(np.abs(after - before).max())


def spread(matrix):
    """How far apart the scores on one diagonal are, on the worst diagonal: 0 if the score depends on the offset alone."""
    return float(max(np.ptp(np.diagonal(matrix, offset)) for offset in range(-LAST, LAST + 1)))


def _tokens(shift):
    return f"{shift} token{'' if shift == 1 else 's'}"


def _ink(encoding):
    return colour(encoding.lower() if encoding.lower() in PALETTE["light"] else "ink")


def _small(name, encoding, words, shift):
    before, after = scores(name, words, 0), scores(name, words, shift)
    change, frame = moved(before, after), {"x": 0, "y": -0.5, "width": 12, "height": 12, "fill": "none", "stroke": colour("grid")}
    about = f"Scores from {fixed(after.min(), 2)} to {fixed(after.max(), 2)}. The shift has moved them by at most {fixed(change, 2)}."
    if words == "one word":
        about += f" Along a diagonal they differ by at most {fixed(spread(after), 2)}."
    style = "display:block;width:100%;width:min(120px,round(down,100%,6px));height:auto;margin:auto;overflow:visible"
    chosen = f";outline:2px solid {colour('ink')};outline-offset:2px" if name == encoding else ""
    drawing = svg(
        "120", "120", f"Score matrix, {name}", about, {"viewBox": "0 -0.5 12 12", "style": style + chosen},
        cells(after, np.abs(before).max()), tag("rect", {**frame, "vector-effect": "non-scaling-stroke"}),
    )  # fmt: skip
    still = f"font-size:12px;color:{colour('muted')}" if change < 1e-9 else "font-size:12px;font-weight:600"
    return tag(
        "div", {"style": "padding:4px 0;text-align:center;line-height:1.3;font-variant-numeric:tabular-nums"},
        drawing,
        tag("div", {"style": f"margin:5px -12px 0;font-size:13px;font-weight:600;white-space:nowrap;color:{_ink(name)}"}, name),
        tag("div", {"style": still}, f"moved {fixed(change, 2)}"),
    )  # fmt: skip


def _axes(words, shift, m, n):
    rows, columns = [], []
    for i, name in enumerate(text_of(words)):
        at, bold = num(CELL * (i + 0.5) + 4.5), {"font-weight": 700, "fill": colour("ink")}
        for place, written in ((-5, str(i + shift)), (-28, name)):
            rows.append(text(place, at, written, bold if i == m else {}))
            columns.append(text(-place, at, written, bold if i == n else {}))
    corner = text(-8, -26, "key →", {}) + text(-8, -8, "query ↓", {})
    return (
        tag("g", {"fill": colour("muted"), "text-anchor": "end", "transform": f"translate({LEFT} {TOP})"}, corner, *rows)
        + tag("g", {"fill": colour("muted"), "transform": f"translate({LEFT} {TOP}) rotate(-90)"}, *columns)
    )


def _reading(m, n):
    """The cell that is read, and the diagonal of cells with the same offset."""
    i, j, steps = max(0, m - n), max(0, n - m), len(SENTENCE) - abs(m - n)
    ends = {"x1": LEFT + CELL * j, "y1": TOP + CELL * i, "x2": LEFT + CELL * (j + steps), "y2": TOP + CELL * (i + steps)}
    cell = {"x": LEFT + CELL * n, "y": TOP + CELL * m, "width": CELL, "height": CELL, "fill": "none"}
    return (
        tag("line", {**ends, "stroke": colour("paper"), "stroke-width": 3, "opacity": 0.6})
        + tag("line", {**ends, "stroke": colour("ink"), "stroke-width": 1.2, "stroke-dasharray": "3 4"})
        + tag("rect", {**cell, "stroke": colour("paper"), "stroke-width": 5})
        + tag("rect", {**cell, "stroke": colour("ink"), "stroke-width": 2.5})
    )


def _legend(scale):
    values, side, y = np.arange(-LAST, LAST + 1, 2)[None] / LAST, 14, TOP + SIDE + 14
    wide, muted = side * len(SENTENCE), {"fill": colour("muted")}
    left = LEFT + (SIDE - wide) / 2
    return (
        text(left - 8, y + 12, f"score {fixed(-scale, 1)}", {**muted, "text-anchor": "end"})
        + text(left + wide + 8, y + 12, fixed(scale, 1), muted)
        + plot(left, y, wide, side, 0, len(SENTENCE), -0.5, 0.5, cells(values, 1), dots(values))
    )


def _large(encoding, words, shift, m, n):
    matrix, scale = scores(encoding, words, shift), np.abs(scores(encoding, words, 0)).max()
    about = f"Queries down, keys across, at positions {shift} to {shift + LAST}. {_numbers(encoding, words, shift, m, n)}"
    width, height = LEFT + SIDE + 2, TOP + SIDE + 30
    return svg(
        str(width), str(height), f"Score matrix with its words, {encoding}", about,
        {"viewBox": f"0 0 {width} {height}", "style": f"display:block;width:100%;max-width:{width}px;height:auto;margin:auto;overflow:visible"},
        _axes(words, shift, m, n),
        plot(LEFT, TOP, SIDE, SIDE, 0, len(SENTENCE), 0.5 - len(SENTENCE), 0.5, cells(matrix, scale), dots(matrix)),
        tag("rect", {"x": LEFT, "y": TOP, "width": SIDE, "height": SIDE, "fill": "none", "stroke": colour("grid")}),
        _reading(m, n), _legend(scale),
    )  # fmt: skip


def _note(shift):
    return f"Words at positions {shift} to {shift + LAST}. Below each map: its largest change since 0 to {LAST}."


def _about(encoding):
    return tag("div", {"style": f"font-size:18px;font-weight:600;color:{_ink(encoding)}"}, encoding) + tag("div", {}, MEANING[encoding])


def _numbers(encoding, words, shift, m, n):
    before, after, names = scores(encoding, words, 0), scores(encoding, words, shift), text_of(words)
    sentence = f"{encoding}: query at {m} ({names[m]}), key at {n} ({names[n]}): score {fixed(before[m, n], 2)}"
    if shift:
        sentence += f"; after a shift of {_tokens(shift)} {fixed(after[m, n], 2)}. Largest change in the map: {fixed(moved(before, after), 2)}"
    if words == "one word":
        sentence += f". Largest difference along a diagonal: {fixed(spread(after), 2)}"
    return sentence + "."


def picture(encoding, words, shift, m, n):
    """The figure's markup in that state: a heading, ten small maps, one large with its words, a sentence of numbers."""
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(max(92px,17%),1fr));gap:10px 6px"
    row = "display:flex;flex-wrap:wrap;justify-content:center;align-items:center;gap:12px 20px;margin-top:16px"
    return card(
        "Which scores stay when the text moves?",
        ["Ten ways to tell attention about order, on the same words: each query (down) gives each key (across) a score, ",
         word("q", "positive"), " or ", word("k", "negative"), ". Which maps stay when the whole text moves? "
         "Which are constant along diagonals when all words are the same?"],
        tag("p", {"data-slot": "note", "style": "margin:8px 0 12px;text-align:center"}, _note(shift)),
        tag("div", {"style": grid}, *(track(name, _small(name, encoding, words, shift)) for name in ENCODINGS)),
        tag("div", {"style": row},
            tag("div", {"style": f"flex:0 1 {LEFT + SIDE + 2}px;min-width:0"}, track("large", _large(encoding, words, shift, m, n))),
            tag("div", {"style": "flex:1 1 260px;min-width:0"},
                tag("div", {"data-slot": "about", "style": "text-align:center"}, _about(encoding)),
                readout(_numbers(encoding, words, shift, m, n)))),
    )  # fmt: skip
