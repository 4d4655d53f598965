"""The still side of the figures, for NumPy alone: module texts, the site's scripts, and the placeholder in a page.

A saved notebook is read in many places, and most of them clean it first: GitHub and an untrusted JupyterLab strip <svg>, scripts and
`var(...)` but keep <img>. So the still picture is plain HTML around pictures that carry their SVG as data, in the palette's light colours.

    module(name)              the figure's ES module in one text, as anywidget takes it
    loader(), bundle(name)    classic scripts for the site: a page names loader.js, and NAME.js lie beside it
    placeholder(name, m=3)    the HTML that a notebook saves: a still picture that the loader brings to life
"""

import base64
import json
import re
from html import escape
from pathlib import Path

from ropebook.figures import decay, encodings, hero, shift, spectrum, window
from ropebook.figures.drawing import PALETTE

FIGURES = {"decay": decay, "encodings": encodings, "hero": hero, "shift": shift, "spectrum": spectrum, "window": window}
HERE = Path(__file__).parent
STILL = "A still picture. It moves on the book’s page, in Jupyter and in Colab."


def _figure(name):
    if name not in FIGURES:
        raise ValueError(f"no figure {name!r}; there are {', '.join(map(repr, FIGURES))}")
    return FIGURES[name]


def _text(part):
    return (HERE / f"{part}.js").read_text(encoding="utf-8")


def _shared():
    """What every module begins with: the palette and common.js."""
    return f"const PALETTE = {json.dumps(PALETTE)};\n{_text('common')}\n"


def _own(name):
    """The figure's own text, without its one import line."""
    _figure(name)
    own = _text(name)
    before, found, after = own.partition(' from "./common.js";\n')
    if not found or not before.startswith("import "):
        raise ValueError(f'{name}.js must begin with one import from "./common.js", it begins with {own[:40]!r}')
    return after


def module(name):
    """The figure's module with palette and common.js before it, in place of its one import line."""
    return _shared() + _own(name)


def loader():
    """The script that brings every placeholder of a page to life; it carries what the figures share."""
    return _text("loader").replace('"common.js"', json.dumps(_shared(), ensure_ascii=False))


def bundle(name):
    """The script that hands the loader what is one figure's own."""
    name_and_text = ", ".join(json.dumps(part, ensure_ascii=False) for part in (name, _own(name)))
    return f"ropebookFigure({name_and_text});\n"


def state_of(name, given):
    """The figure's full state: defaults overlaid by what is given.

    raises     ValueError naming what was given and what is expected
    """
    state = {key: rule[0] for key, rule in _figure(name).STATE.items()}
    for key, value in given.items():
        if key not in state:
            raise ValueError(f"figure {name!r} has no {key!r}; it has {', '.join(map(repr, state))}")
        state[key] = _checked(name, key, value)
    return state


def _checked(name, key, value):
    default, *limits = FIGURES[name].STATE[key]
    if isinstance(default, str) or len(limits) > 2:  # a choice, not a range
        if value not in limits:
            raise ValueError(f"{name}: {key} must be one of {', '.join(map(repr, limits))}, got {value!r}")
        return limits[limits.index(value)]
    kind, low, high = type(default), *limits
    if isinstance(value, bool) or not isinstance(value, (int, kind)) or not low <= value <= high:
        raise ValueError(f"{name}: {key} must be {'a whole' if kind is int else 'a'} number from {low} to {high}, got {value!r}")
    return kind(value)


def still(markup):
    """The markup of a living picture as plain HTML: fixed colours, and for every outer <svg> an <img> whose alt text is its title and description."""
    markup = re.sub(r"var\(--rb-\w+,(#\w+)\)", r"\1", markup)
    parts, depth, start = [], 0, 0
    for found in re.finditer(r"<svg |</svg>", markup):
        opens = found[0] == "<svg "
        if opens and depth == 0:
            parts.append(markup[start : found.start()])
            start = found.start()
        depth += 1 if opens else -1
        if depth == 0:
            parts.append(_image(markup[start : found.end()]))
            start = found.end()
    return "".join([*parts, markup[start:]])


def _image(svg):
    head, body = svg.split(">", 1)
    attributes = dict(re.findall(r' ([\w-]+)="(.*?)"', head))
    title, about = re.match(r"<title>(.*?)</title><desc>(.*?)</desc>", body).groups()
    head = head.replace(attributes["style"], f"background:{PALETTE['light']['paper']}")
    alone = f'<svg xmlns="http://www.w3.org/2000/svg"{head.removeprefix("<svg")}>{body}'
    data = base64.b64encode(alone.encode()).decode()
    return (
        f'<img width="{attributes["width"]}" height="{attributes["height"]}" style="{attributes["style"]}"'
        f' alt="{title}. {about}" src="data:image/svg+xml;base64,{data}">'
    )


def placeholder(name, **state):
    """A `<div class="ropebook-figure">` with the still picture of that state; the same text on every machine.

    raises     ValueError naming what was given and what is expected
    """
    state = state_of(name, state)
    figure = FIGURES[name]
    return (
        f'<div class="ropebook-figure" data-figure="{name}" data-state="{escape(json.dumps(state))}"'
        f' role="group" aria-label="{escape(figure.LABEL)}">{still(figure.picture(**state))}'
        f'<p class="rb-still" style="font-size:85%">{STILL}</p></div>'
    )
