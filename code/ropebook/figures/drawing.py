"""SVG as text, written so that common.js writes the very same characters.

Every coordinate is rounded to two decimals, halves up with a small nudge, so that the last bit of a cosine
cannot change the text: a figure's picture is the same on every machine and in both languages.
"""

import json
import math
from html import escape
from pathlib import Path

PALETTE = json.loads((Path(__file__).parent / "palette.json").read_text(encoding="utf-8"))
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def fixed(x, digits):
    """x with that many decimals and a true minus sign; never a negative zero."""
    scale = 10**digits
    x = math.floor(x * scale + 0.5 + 1e-6) / scale
    return ("−" if x < 0 else "") + f"{abs(x):.{digits}f}"


def signed(x, digits):
    """As `fixed`, with a plus sign before what is not negative."""
    text = fixed(x, digits)
    return text if text.startswith("−") else "+" + text


def grouped(n):
    """A whole number with a comma after every three digits: 1,000,000."""
    return f"{n:,}"


def num(x):
    """A coordinate: two decimals at most, no trailing zeros."""
    return f"{math.floor(x * 100 + 0.5 + 1e-6) / 100 + 0.0:.10g}"


def percent(x):
    return num(x) + "%"


def colour(name):
    """The palette's colour: the page's variable where there is one, else the light palette's hex."""
    return f"var(--rb-{name},{PALETTE['light'][name]})"


def tag(name, attributes, *inside):
    """<name key="value" …>inside</name>; numbers are rounded, text is escaped."""
    pairs = (f' {key}="{escape(value if isinstance(value, str) else num(value))}"' for key, value in attributes.items())
    return f"<{name}{''.join(pairs)}>{''.join(inside)}</{name}>"


def text(x, y, words, attributes):
    return tag("text", {"x": x, "y": y, **attributes}, escape(words))


def label(x, y, words, anchor):
    """A small grey word beside an axis."""
    return text(x, y, words, {"text-anchor": anchor, "fill": colour("muted"), "font-size": 12})


def level(x1, x2, y, words):
    """A horizontal grid line with its value at the left; x1 and x2 in percent."""
    line = {"x1": percent(x1), "x2": percent(x2), "y1": y, "y2": y, "stroke": colour("grid")}
    return tag("line", line) + label(percent(x1 - 1.5), y + 4, words, "end")


def svg(width, height, title, about, attributes, *inside):
    """One panel: a name for the pointer, a sentence that says what it shows, then the drawing."""
    outer = {"width": width, "height": height, "role": "img", "font-family": FONT, "font-size": 13, "fill": colour("ink")}
    style = {"style": f"display:block;width:100%;height:{height}px;overflow:visible"}
    return tag("svg", {**outer, **style, **attributes}, tag("title", {}, escape(title)), tag("desc", {}, escape(about)), *inside)


def at(x, y, *inside):
    """Content drawn around the point (x, y), where x may be a percentage."""
    return tag("svg", {"x": x, "y": y, "overflow": "visible"}, *inside)


def polyline(points, attributes):
    """A path through (x, y) points."""
    return tag("path", {"d": "M" + "L".join(f"{num(x)} {num(y)}" for x, y in points), "fill": "none", **attributes})


def arrow(x0, y0, x1, y1, name, width, attributes):
    """An arrow in a palette colour; its head grows with its width and shrinks with its length."""
    length = math.hypot(x1 - x0, y1 - y0)
    head = min(4 + 2.5 * width, length)
    along, across = ((x1 - x0) / length, (y1 - y0) / length) if length > 1e-9 else (1.0, 0.0)
    bx, by, half = x1 - head * along, y1 - head * across, 0.45 * head
    tip = f"{num(x1)},{num(y1)} {num(bx - half * across)},{num(by + half * along)} {num(bx + half * across)},{num(by - half * along)}"
    shaft = {"x1": x0, "y1": y0, "x2": bx, "y2": by, "stroke": colour(name), "stroke-width": width, "stroke-linecap": "round"}
    return tag("g", attributes, tag("line", shaft), tag("polygon", {"points": tip, "fill": colour(name)}))


def plot(x, y, width, height, left, right, low, high, *inside):
    """A stretched inner picture in data coordinates (y up is negative y); strokes keep their width."""
    box = f"{num(left)} {num(-high)} {num(right - left)} {num(high - low)}"
    return tag("svg", {"x": x, "y": y, "width": width, "height": height, "viewBox": box, "preserveAspectRatio": "none"}, *inside)


def cells(matrix, scale, names=("q", "k")):
    """A matrix in cells of one unit, the opacity saying how large: the first colour where a value is positive, the second where it is negative."""
    shades = [{}, {}]
    for i, row in enumerate(matrix):
        for j, value in enumerate(row):
            shade, strength = shades[1 if value < 0 else 0], num(min(abs(value) / scale, 1))
            shade[strength] = shade.get(strength, "") + f"M{j} {i}h1"
    return "".join(
        tag("g", {"stroke": colour(name), "shape-rendering": "crispEdges"}, *(tag("path", {"d": d, "opacity": o}) for o, d in shade.items()))
        for name, shade in zip(names, shades, strict=True)
    )


def dots(matrix):
    """A dot in every negative cell, for readers who do not see the colours."""
    places = (f"M{j}.5 {i}h0" for i, row in enumerate(matrix) for j, value in enumerate(row) if value < 0)
    return tag("path", {"d": "".join(places), "stroke": colour("ink"), "stroke-width": 0.2, "stroke-linecap": "round"})


def card(heading, lead, *inside):
    """The whole figure: a frame, a heading, a lead (a list of text and words), then what moves."""
    frame = (
        f"box-sizing:border-box;padding:14px 16px;border:1px solid {colour('grid')};border-radius:12px;"
        f"background:{colour('paper')};color:{colour('ink')};font-family:{FONT};font-size:15px;line-height:1.45"
    )
    title = tag("div", {"style": "font-size:125%;font-weight:600"}, escape(heading))
    return tag("div", {"style": frame}, title, tag("p", {"style": "margin:4px 0 16px"}, *lead), *inside)


def caption(*inside):
    return tag("p", {"style": "margin:6px 0;text-align:center"}, *inside)


def readout(words):
    """The sentence of numbers under the picture."""
    return tag("p", {"data-slot": "readout", "style": "margin:8px 0 0;text-align:center;font-variant-numeric:tabular-nums"}, escape(words))


def track(name, panel):
    """A panel that the living figure redraws, in a box over which it lays its handles."""
    return tag("div", {"style": "position:relative"}, tag("div", {"data-slot": name}, panel))


def word(name, words):
    """A word of running text in the colour of what it names."""
    return tag("b", {"style": f"color:{colour(name)}"}, escape(words))
