"""The still side of the figures: the same text every time, complete, accessible, and refused when asked for nonsense."""

import base64
import gzip
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from traitlets import TraitError

from ropebook import figures, frequencies, rotate
from ropebook.encodings import ENCODINGS
from ropebook.figures import drawing, encodings, hero, shift, static

NAMES = sorted(static.FIGURES)
ODD_STATES = [
    ("encodings", {"encoding": "learned", "words": "one word", "shift": 40, "m": 0, "n": 11}),
    ("encodings", {"encoding": "Transformer-XL", "shift": 0, "m": 11, "n": 11}),
    ("hero", {"m": 0, "n": 0}),
    ("hero", {"m": 64, "n": 0}),
    ("shift", {"m": 20, "n": 0, "shift": 40, "theta": 1.5, "encoder": "add"}),
    ("shift", {"m": 0, "n": 0, "shift": 0, "theta": 0.05, "encoder": "scale"}),
]


class Tree(HTMLParser):
    """Every element's name and attributes, and the text inside elements of each name; tags must balance, but for <img>."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.open = [], {}, []
        self.feed(text)
        self.close()
        assert not self.open, f"unclosed {self.open}"

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name != "img":
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open:
            self.words.setdefault(self.open[-1], []).append(data)


@pytest.mark.parametrize("name, state", [(name, {}) for name in NAMES] + ODD_STATES)
def test_placeholder_carries_state_picture_and_alt_text(name, state):
    tree = Tree(static.placeholder(name, **state))
    attributes = tree.elements[0][1]
    assert attributes["class"] == "ropebook-figure" and attributes["role"] == "group"
    assert attributes["data-figure"] == name and len(attributes["aria-label"]) > 30
    assert json.loads(attributes["data-state"]) == static.state_of(name, state)
    assert not [found for _, found in tree.elements if "id" in found or "onclick" in found]
    assert {element for element, _ in tree.elements} == {"div", "p", "b", "img"}  # what viewers that clean a notebook let through
    assert "var(" not in static.placeholder(name, **state)
    pictures = [found for element, found in tree.elements if element == "img"]
    assert len(pictures) == {"encodings": 11, "hero": 6, "shift": 2}[name]
    assert all(re.match(r"[A-Z].*\d.*\.$", picture["alt"]) for picture in pictures)  # says what the panel shows, with its numbers


@pytest.mark.parametrize("name, state", [(name, {}) for name in NAMES] + ODD_STATES)
def test_each_still_picture_stands_alone_and_is_the_living_ones(name, state):
    living = static.FIGURES[name].picture(**static.state_of(name, state))
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', static.placeholder(name, **state))
    for svg in (base64.b64decode(data).decode() for data in found):
        root = ElementTree.fromstring(svg)  # an image must be well-formed XML in its namespace
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("style") == f"background:{drawing.PALETTE['light']['paper']}"
        drawn = svg.split(">", 1)[1]
        assert drawn in re.sub(r"var\(--rb-\w+,(#\w+)\)", r"\1", living)


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_the_same_every_time(name):
    code = f"from ropebook.figures import static as s; print(s.loader(), s.bundle({name!r}), s.placeholder({name!r}))"
    first, second = (subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", NAMES)
def test_no_last_bit_of_a_cosine_reaches_the_text(name, monkeypatch):
    before = static.placeholder(name)
    for module in (np, hero.math):
        for function in ("cos", "sin"):
            exact = getattr(module, function)
            monkeypatch.setattr(module, function, lambda x, exact=exact: exact(x) * (1 + 4e-16))
    assert static.placeholder(name) == before


def test_still_side_imports_without_widgets_and_torch():
    code = """
import sys
for name in ("anywidget", "ipywidgets", "traitlets", "torch", "sympy", "matplotlib"):
    sys.modules[name] = None
from ropebook.figures import static
print(len(static.placeholder("hero")) > 1000)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_scripts_are_small():
    scripts = [static.loader(), *map(static.bundle, NAMES)]
    assert sum(len(gzip.compress(script.encode())) for script in scripts) <= 60_000


@pytest.mark.parametrize("name, state", [(name, {}) for name in NAMES] + ODD_STATES)
def test_still_pictures_are_light(name, state):
    assert len(static.placeholder(name, **state).encode()) < 150_000


@pytest.mark.parametrize("name", NAMES)
def test_bundle_holds_the_module(name):
    arguments = static.bundle(name).removeprefix("ropebookFigure(").removesuffix(");\n")
    assert json.loads(f"[{arguments}]") == [name, static.module(name)]
    assert "import" not in re.sub(r"//.*", "", static.module(name))  # one text, nothing to fetch


@pytest.mark.parametrize("words", ['<&>"\'', "</script>", "−θᵐ"])
def test_text_and_attributes_are_escaped(words):
    tree = Tree(drawing.tag("g", {"data-words": words}, drawing.text(0, 0, words, {})))
    assert tree.elements[0][1]["data-words"] == words
    assert "".join(tree.words["text"]) == words


@pytest.mark.parametrize("x, coordinate, score, sum_", [
    (0.005, "0.01", "0.01", "+0.01"), (-0.005, "0", "0.00", "+0.00"), (-0.001, "0", "0.00", "+0.00"), (-1.25, "-1.25", "−1.25", "−1.25"),
    (1234.5, "1234.5", "1234.50", "+1234.50"), (0.1 + 0.2, "0.3", "0.30", "+0.30"),
])  # fmt: skip
def test_numbers_round_halves_up_and_have_no_negative_zero(x, coordinate, score, sum_):
    assert (drawing.num(x), drawing.fixed(x, 2), drawing.signed(x, 2)) == (coordinate, score, sum_)


@pytest.mark.parametrize("call, words", [
    (lambda: static.placeholder("heron"), "no figure 'heron'; there are 'encodings', 'hero', 'shift'"),
    (lambda: static.bundle("../hero"), "no figure '../hero'"),
    (lambda: static.placeholder("hero", m=65), "hero: m must be a whole number from 0 to 64, got 65"),
    (lambda: static.placeholder("hero", m=-1), "from 0 to 64, got -1"),
    (lambda: static.placeholder("hero", m=1.5), "whole number from 0 to 64, got 1.5"),
    (lambda: static.placeholder("hero", m=True), "got True"),
    (lambda: static.placeholder("hero", k=3), "figure 'hero' has no 'k'; it has 'm', 'n'"),
    (lambda: static.placeholder("encodings", shift=41), "encodings: shift must be a whole number from 0 to 40, got 41"),
    (lambda: static.placeholder("encodings", m=12), "encodings: m must be a whole number from 0 to 11, got 12"),
    (lambda: static.placeholder("encodings", words="two words"), "words must be one of 'sentence', 'one word', got 'two words'"),
    (lambda: static.placeholder("encodings", encoding="rope"), "'ALiBi', 'RoPE', got 'rope'"),
    (lambda: static.placeholder("shift", theta=float("nan")), "theta must be a number from 0.05 to 1.5, got nan"),
    (lambda: static.placeholder("shift", encoder="shear"), "encoder must be one of 'add', 'scale', 'rotate', got 'shear'"),
])  # fmt: skip
def test_nonsense_is_refused_with_what_was_given_and_expected(call, words):
    with pytest.raises(ValueError) as error:
        call()
    assert words in str(error.value)


@pytest.mark.parametrize("make, words", [
    (lambda: figures.Hero(m=65), ["'m'", "64", "65"]),
    (lambda: figures.Hero(n=-1), ["'n'", "0", "-1"]),
    (lambda: figures.Hero(m=1.5), ["'m'", "int", "1.5"]),
    (lambda: figures.Encodings(shift=41), ["'shift'", "40", "41"]),
    (lambda: figures.Encodings(n=-1), ["'n'", "0", "-1"]),
    (lambda: figures.Encodings(encoding="rope"), ["encoding", *ENCODINGS, "'rope'"]),
    (lambda: figures.Shift(theta=0), ["'theta'", "0.05", "0"]),
    (lambda: figures.Shift(encoder="shear"), ["encoder", "add", "scale", "rotate", "shear"]),
])  # fmt: skip
def test_traits_name_what_was_given_and_expected(make, words):
    with pytest.raises(TraitError) as error:
        make()
    assert all(word in str(error.value) for word in words)


def test_traits_are_the_figures_state():
    for figure in (figures.Encodings(), figures.Hero(), figures.Shift()):
        name = type(figure).__name__.lower()
        assert {key: getattr(figure, key) for key in static.FIGURES[name].STATE} == static.state_of(name, {})
        assert set(static.FIGURES[name].STATE) <= set(figure.keys)  # synced
    assert repr(figures.Hero(m=3)) == "Hero(m=3, n=10)"
    with pytest.raises(AttributeError, match="no attribute 'Heron'"):
        figures.Heron


def test_mime_bundle_holds_the_widget_and_the_still_picture_of_its_state():
    figure = figures.Hero(m=5)
    figure.n = 9
    data, _ = figure._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == figure.model_id
    assert data["text/html"] == static.placeholder("hero", m=5, n=9)
    assert data["text/plain"] == "Hero(m=5, n=9)"
    assert figures.Hero(m=5, n=9)._repr_mimebundle_()[0]["text/html"] == data["text/html"]


def test_pictures_say_what_the_library_computes():
    theta = frequencies(8, base=100.0)
    q, k = rotate(np.stack([hero.WORD, hero.WORD]), [22, 10], theta)
    assert f"offset +12, score {q @ k:.2f}" in static.placeholder("hero", m=22, n=10)
    assert hero.score(12) == pytest.approx(q @ k, abs=1e-12)
    for encoder in shift.ENCODERS:
        scores = [shift.score(encoder, 8 + s, 3 + s, 0.35) for s in range(41)]
        assert (np.ptp(scores) < 1e-12) == (encoder == "rotate")  # only rotation survives a shift
    (before, after), change = read("TUPE", "sentence", 0, 10)
    said = static.placeholder("encodings", encoding="TUPE", m=8, n=2, shift=10).replace("−", "-")
    assert f"score {before[8, 2]:.2f}; after a shift of 10 tokens {after[8, 2]:.2f}. Largest change in the map: {change:.2f}." in said


def read(encoding, words, *shifts):
    """The chapter's function on the figure's words, at each of the shifts, and the largest change."""
    names = "the dog bites the man and the man bites the dog .".split() if words == "sentence" else ["dog"] * 12
    x, places = encodings.EMBEDDING[["the dog bites man and .".split().index(name) for name in names]], np.arange(12)
    maps = [ENCODINGS[encoding](x, x, places + shift, places + shift, encodings.WEIGHTS) for shift in shifts]
    return maps, np.ptp(maps, axis=0).max()


RELATIVE = {"NoPE", "Shaw", "Transformer-XL", "T5", "DeBERTa", "ALiBi", "RoPE"}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_only_what_depends_on_the_offset_alone_stays_and_is_constant_along_diagonals(encoding):
    for words in ("sentence", "one word"):
        maps, _ = read(encoding, words, *range(encodings.LONGEST_SHIFT + 1))
        changes = [np.abs(after - maps[0]).max() for after in maps]
        assert max(changes) < 1e-12 if encoding in RELATIVE else min(changes[1:]) > 0.5
        apart = [max(np.ptp(np.diagonal(after, offset)) for offset in range(-11, 12)) for after in maps]
        assert max(apart) < 1e-12 if encoding in RELATIVE and words == "one word" else min(apart) > 0.5
        for shift in (0, 1, 40):
            assert encodings.moved(maps[0], maps[shift]) == changes[shift] and encodings.spread(maps[shift]) == apart[shift]
            assert np.array_equal(encodings.scores(encoding, words, shift), maps[shift])


def test_each_small_map_says_how_far_it_has_moved():
    assert list(ENCODINGS) == list(encodings.MEANING)
    for shift in (0, 1, 10, 40):
        tree = Tree(static.placeholder("encodings", shift=shift))
        said = [words for words in tree.words["div"] if words.startswith("moved ")]
        assert said == [f"moved {read(encoding, 'sentence', 0, shift)[1]:.2f}" for encoding in ENCODINGS]
        stay = {encoding for encoding, words in zip(ENCODINGS, said, strict=True) if words == "moved 0.00"}
        assert stay == (RELATIVE if shift else set(ENCODINGS))


def test_opacity_is_the_share_of_the_largest_score_and_colour_the_sign():
    living = encodings.picture("ALiBi", "sentence", 0, 0, 0)
    (scores,), _ = read("ALiBi", "sentence", 0)
    drawn, palette = np.full((12, 12), np.nan), drawing.PALETTE["light"]
    small = living[living.index("<title>Score matrix, ALiBi</title>") :].split("</svg>")[0]
    for colour, inside in re.findall(r'<g stroke="var\(--rb-\w,(#\w+)\)".*?>(.*?)</g>', small):
        for cells, opacity in re.findall(r'<path d="(.*?)" opacity="(.*?)">', inside):
            for j, i in re.findall(r"M(\d+) (\d+)h1", cells):
                drawn[int(i), int(j)] = float(opacity) * {palette["q"]: 1, palette["k"]: -1}[colour]
    assert np.allclose(drawn, scores / np.abs(scores).max(), rtol=0, atol=0.005 + 1e-6)


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return np.dot([0.2126, 0.7152, 0.0722], [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_in_the_palettes_colours_can_be_read(scheme):
    palette = drawing.PALETTE[scheme]
    paper = luminance(palette["paper"])
    for name in ("ink", "muted", "q", "k", "score", "rope", "learned", "sinusoidal", "alibi", "nope"):
        lighter, darker = sorted([luminance(palette[name]), paper], reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, name


def test_two_runs_of_a_notebook_save_the_same_output(tmp_path):
    cells = [new_code_cell("from ropebook.figures import Hero, Shift\nHero()"), new_code_cell("figure = Shift(shift=4)\nfigure"),
             new_code_cell("figure.shift = 7\nfigure.encoder, figure.shift")]  # fmt: skip
    saved = []
    for _ in range(2):
        notebook = NotebookClient(new_notebook(cells=[nbformat.from_dict(dict(cell)) for cell in cells]), timeout=60).execute()
        outputs = [output["data"] for cell in notebook.cells for output in cell["outputs"]]
        assert "application/vnd.jupyter.widget-view+json" in outputs[0]
        saved.append([{key: value for key, value in data.items() if key.startswith("text/")} for data in outputs])
    assert saved[0] == saved[1]
    assert saved[0][0]["text/html"] == static.placeholder("hero")
    assert saved[0][1] == {"text/plain": "Shift(m=8, n=3, shift=4, theta=0.35, encoder='rotate')", "text/html": static.placeholder("shift", shift=4)}
    assert saved[0][2] == {"text/plain": "('rotate', 7)"}
