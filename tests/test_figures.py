"""The still side of the figures: the same text every time, complete, accessible, and refused when asked for nonsense."""

import base64
import gzip
import itertools
import json
import re
import subprocess
import sys
from fractions import Fraction
from html.parser import HTMLParser
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from traitlets import TraitError

from ropebook import extension, figures, frequencies, rotate
from ropebook.encodings import ENCODINGS, sinusoid
from ropebook.decay import abel_bound, mean_partial_sum, scores, trivial_bound
from ropebook.figures import decay, drawing, encodings, hero, shift, spectrum, static, window

NAMES = sorted(static.FIGURES)
ODD_STATES = [
    ("decay", {"distribution": "ramp", "d": 256, "base": 100, "reach": 1000000, "axis": "log", "m": 0}),
    ("decay", {"distribution": "tuned", "d": 32, "base": 10000000, "reach": 256, "target": 1000000, "m": 1}),
    ("decay", {"distribution": "independent", "d": 256, "reach": 65536, "m": 1000000}),
    ("decay", {"distribution": "your own", "d": 32, "reach": 65536, "axis": "log", "h1": 10, "h2": -10, "h3": 0, "h4": -1}),
    ("decay", {"distribution": "your own", "h1": 0, "h2": 0, "h3": 0, "h4": 0}),
    ("encodings", {"encoding": "learned", "words": "one word", "shift": 40, "m": 0, "n": 11}),
    ("encodings", {"encoding": "Transformer-XL", "shift": 0, "m": 11, "n": 11}),
    ("hero", {"m": 0, "n": 0}),
    ("hero", {"m": 64, "n": 0}),
    ("shift", {"m": 20, "n": 0, "shift": 40, "theta": 1.5, "encoder": "add"}),
    ("shift", {"m": 0, "n": 0, "shift": 0, "theta": 0.05, "encoder": "scale"}),
    ("spectrum", {"method": "none", "s": 1, "length": 512, "base": 500_000, "d": 256, "pair": 127}),
    ("spectrum", {"method": "p-RoPE", "s": 32, "length": 8192, "base": 500_000, "d": 64, "pair": 127}),
    ("spectrum", {"method": "new base", "d": 256, "pair": 0}),
    ("window", {"start": 0, "encoding": "none", "base": 100, "m": 0, "n": 15}),
    ("window", {"start": 65_510, "encoding": "sinusoidal", "format": "float16", "m": 15, "n": 0}),
    ("window", {"start": 1_000_000, "format": "bfloat16", "base": 500_000}),
    ("window", {"start": 65_536, "encoding": "ALiBi", "format": "float16"}),
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
    assert len(pictures) == {"decay": 2, "encodings": 11, "hero": 6, "shift": 2, "spectrum": 2, "window": 3}[name]
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
def test_loader_and_bundle_hold_the_module(name):
    arguments = static.bundle(name).removeprefix("ropebookFigure(").removesuffix(");\n")
    (shared,) = re.findall(r'const SHARED = (".*"); //', static.loader())
    given, own = json.loads(f"[{arguments}]")
    assert given == name and json.loads(shared) + own == static.module(name)
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
    (lambda: static.placeholder("heron"), "no figure 'heron'; there are 'decay', 'encodings', 'hero', 'shift', 'spectrum', 'window'"),
    (lambda: static.bundle("../hero"), "no figure '../hero'"),
    (lambda: static.placeholder("hero", m=65), "hero: m must be a whole number from 0 to 64, got 65"),
    (lambda: static.placeholder("hero", m=-1), "from 0 to 64, got -1"),
    (lambda: static.placeholder("hero", m=1.5), "whole number from 0 to 64, got 1.5"),
    (lambda: static.placeholder("hero", m=True), "got True"),
    (lambda: static.placeholder("hero", k=3), "figure 'hero' has no 'k'; it has 'm', 'n'"),
    (lambda: static.placeholder("decay", d=96), "decay: d must be one of 32, 64, 128, 256, got 96"),
    (lambda: static.placeholder("decay", base=99), "decay: base must be a whole number from 100 to 10000000, got 99"),
    (lambda: static.placeholder("decay", reach=1000), "one of 256, 4096, 65536, 1000000, got 1000"),
    (lambda: static.placeholder("decay", distribution="paired"), "'tuned', 'your own', got 'paired'"),
    (lambda: static.placeholder("decay", h1=11), "decay: h1 must be a whole number from -10 to 10, got 11"),
    (lambda: static.placeholder("decay", h4=-0.5), "decay: h4 must be a whole number from -10 to 10, got -0.5"),
    (lambda: static.placeholder("encodings", shift=41), "encodings: shift must be a whole number from 0 to 40, got 41"),
    (lambda: static.placeholder("encodings", m=12), "encodings: m must be a whole number from 0 to 11, got 12"),
    (lambda: static.placeholder("encodings", words="two words"), "words must be one of 'sentence', 'one word', got 'two words'"),
    (lambda: static.placeholder("encodings", encoding="rope"), "'ALiBi', 'RoPE', got 'rope'"),
    (lambda: static.placeholder("shift", theta=float("nan")), "theta must be a number from 0.05 to 1.5, got nan"),
    (lambda: static.placeholder("shift", encoder="shear"), "encoder must be one of 'add', 'scale', 'rotate', got 'shear'"),
    (lambda: static.placeholder("spectrum", s=3), "spectrum: s must be one of 1, 2, 4, 8, 16, 32, got 3"),
    (lambda: static.placeholder("spectrum", pair=128), "spectrum: pair must be a whole number from 0 to 127, got 128"),
    (lambda: static.placeholder("spectrum", method="YaRN"), "'new base', 'p-RoPE', got 'YaRN'"),
    (lambda: static.placeholder("window", start=1_000_001), "window: start must be a whole number from 0 to 1000000, got 1000001"),
    (lambda: static.placeholder("window", base=1000), "window: base must be one of 100, 10000, 500000, got 1000"),
    (lambda: static.placeholder("window", format="float8"), "'float16', 'bfloat16', got 'float8'"),
])  # fmt: skip
def test_nonsense_is_refused_with_what_was_given_and_expected(call, words):
    with pytest.raises(ValueError) as error:
        call()
    assert words in str(error.value)


@pytest.mark.parametrize("make, words", [
    (lambda: figures.Hero(m=65), ["'m'", "64", "65"]),
    (lambda: figures.Hero(n=-1), ["'n'", "0", "-1"]),
    (lambda: figures.Hero(m=1.5), ["'m'", "int", "1.5"]),
    (lambda: figures.Decay(d=96), ["32", "256", "96"]),
    (lambda: figures.Decay(base=99), ["'base'", "100", "99"]),
    (lambda: figures.Decay(m=1000001), ["'m'", "1000000", "1000001"]),
    (lambda: figures.Decay(h2=-11), ["'h2'", "-10", "-11"]),
    (lambda: figures.Encodings(shift=41), ["'shift'", "40", "41"]),
    (lambda: figures.Encodings(n=-1), ["'n'", "0", "-1"]),
    (lambda: figures.Encodings(encoding="rope"), ["encoding", *ENCODINGS, "'rope'"]),
    (lambda: figures.Shift(theta=0), ["'theta'", "0.05", "0"]),
    (lambda: figures.Shift(encoder="shear"), ["encoder", "add", "scale", "rotate", "shear"]),
    (lambda: figures.Spectrum(length=1024), ["length", "512", "8192", "1024"]),
    (lambda: figures.Spectrum(pair=-1), ["'pair'", "0", "-1"]),
    (lambda: figures.Spectrum(method="YaRN"), ["method", *spectrum.MEANING, "'YaRN'"]),
    (lambda: figures.Window(start=-1), ["'start'", "0", "-1"]),
    (lambda: figures.Window(base=1000), ["base", "100", "10000", "500000", "1000"]),
    (lambda: figures.Window(format="float8"), ["format", *window.FORMATS, "float8"]),
])  # fmt: skip
def test_traits_name_what_was_given_and_expected(make, words):
    with pytest.raises(TraitError) as error:
        make()
    assert all(word in str(error.value) for word in words)


def test_traits_are_the_figures_state():
    for figure in (figures.Decay(), figures.Encodings(), figures.Hero(), figures.Shift(), figures.Spectrum(), figures.Window()):
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


def test_decay_reads_the_papers_figure_2():
    theta = frequencies(128, base=10000.0)
    printed = {0: 32.5, 1: 31.54, 5: 20.85, 10: 17.95, 20: 15.24, 50: 12.63, 100: 10.23, 200: 7.24, 256: 6.54}
    for m, value in printed.items():
        assert abs(mean_partial_sum([m], theta)[0] - value) <= 0.005  # half a unit of the last printed digit
        for distribution in decay.MEANING:
            assert f"{decay.MEAN_S}{value:.2f}." in static.placeholder("decay", distribution=distribution, m=m)


SETTINGS = [(d, base, decay.distances(reach, axis)) for d in (32, 256) for base in (100, 10_000_000)
            for reach, axis in ((4096, "linear"), (1_000_000, "log"))]  # fmt: skip
OWN = [tuple(decay.STATE[f"h{j}"][0] for j in (1, 2, 3, 4)), (10, 10, 10, 10), (10, 3, -3, -10), (0, 0, 10, 0), (0, 0, 0, -1)]
ROUNDING = 1e-12  # at most 128 products of numbers up to 1, each off by a few 2^-53, and sums of 128 waves: below 1e-13


@pytest.mark.parametrize("distribution", decay.MEANING)
def test_no_draw_of_decay_is_above_either_bound(distribution):
    for (d, base, places), own in itertools.product(SETTINGS, OWN if distribution == "your own" else OWN[:1]):
        h, theta = decay.shares(distribution, d, base, 500, own), frequencies(d, base)
        sizes = np.abs(scores(h, places, theta))
        assert np.allclose(trivial_bound(h), 1, rtol=0, atol=ROUNDING)
        assert (sizes <= 1 + ROUNDING).all() and (sizes <= abel_bound(h, places, theta) + ROUNDING).all()


def test_of_the_ready_choices_abels_bound_says_something_for_the_ramp_alone():
    for d, base, places in SETTINGS:
        theta = frequencies(d, base)
        bounds = {name: abel_bound(decay.shares(name, d, base, 500, OWN[0]), places, theta) for name in decay.MEANING}
        least = mean_partial_sum(places, theta) / ((d / 2 + 1) / 2)
        assert np.allclose(bounds["ramp"], least, rtol=ROUNDING, atol=0) and bounds["ramp"].min() < 0.5
        assert all((bounds[name] > 1).all() for name in ("matched", "independent", "tuned", "your own"))
        found = abel_bound(decay.shares("your own", d, base, 500, (9, 6, 3, 0)), places, theta)  # a reader can come close to the ramp
        assert np.allclose(found, least * (d / 2 + 1) / (d / 2 - 1), rtol=ROUNDING, atol=0) and found.min() < 0.6


@pytest.mark.parametrize("target", [0, 1, 500, 4096])
def test_a_tuned_key_scores_highest_at_its_target_and_the_picture_shows_it(target):
    h, theta = decay.shares("tuned", 128, 10_000, target, OWN[0]), frequencies(128, 10_000)
    assert (scores(h, range(4097), theta).argmax(1) == target).all()
    assert np.allclose(scores(h, [target], theta), 1, rtol=0, atol=1e-9)  # an angle of 4096 rounds by 5e-13
    for axis in ("linear", "log"):
        state = static.state_of("decay", {"distribution": "tuned", "target": target, "axis": axis, "reach": 4096})
        peaks = re.findall(r"(?<= )-10(?=[L\"])", decay.picture(**state))
        assert len(peaks) == decay.DRAWS + 1  # each draw and their mean reach 1


def test_independent_pairs_do_not_decay_and_matched_ones_fall_at_first():
    theta, near, far = frequencies(128, 10_000), np.arange(0, 256), np.arange(1_000_000 - 256, 1_000_000)
    spread = [np.sqrt((scores(decay.shares("independent", 128, 10_000, 0, OWN[0]), places, theta) ** 2).mean()) for places in (near, far)]
    expected = np.sqrt(128) / (64 * np.pi / 2)  # a score's standard deviation is √d, a pair's mean |h| is E|q| E|k| = π/2
    assert all(abs(value / expected - 1) < 1 / 3 for value in spread)  # 512 pairs, |h|² off by 1.7 times its mean: 4 % in the root
    matched = scores(decay.shares("matched", 128, 10_000, 0, OWN[0]), [0, 10, 100, 1000], theta).mean(0)
    assert matched[0] == pytest.approx(1, abs=ROUNDING) and (np.diff(matched) < 0).all()


def test_your_own_h_lies_on_straight_lines_between_the_four():
    by_hand = [10, 8, 6, 4, 2, 0, -2, -4, -6, -8, -10, -8, -6, -4, -2, 0]  # 16 pairs; the four are pairs 0, 5, 10 and 15
    assert np.allclose(decay.shares("your own", 32, 100, 0, (10, 0, -10, 0)), [np.divide(by_hand, 80)], rtol=0, atol=ROUNDING)
    for d, own in itertools.product((64, 128, 256), OWN):
        parts = [divmod(3 * pair, d // 2 - 1) for pair in range(d // 2)]
        lines = [own[j] + ((own[j + 1] - own[j]) * rest / (d // 2 - 1) if rest else 0) for j, rest in parts]
        assert np.allclose(decay.shares("your own", d, 100, 0, own), [lines / np.abs(lines).sum()], rtol=0, atol=ROUNDING)


def test_your_own_h_begins_with_a_score_that_is_largest_far_away():
    values = scores(decay.shares("your own", 128, 10_000, 0, OWN[0]), range(4097), frequencies(128, 10_000))[0]
    assert abs(values[:100]).mean() < 0.2 and values.max() > 0.55 and 900 < values.argmax() < 1300


@pytest.mark.parametrize("axis", ["linear", "log"])
@pytest.mark.parametrize("d", [32, 256])
def test_four_zeros_leave_no_score_and_no_bound_and_the_figure_says_so(d, axis):
    h = decay.shares("your own", d, 10_000, 0, (0, 0, 0, 0))
    assert h.shape == (1, d // 2) and not h.any()
    zeros = dict.fromkeys(("h1", "h2", "h3", "h4"), 0)
    living = decay.picture(**static.state_of("decay", {"distribution": "your own", "d": d, "axis": axis, **zeros}))
    assert living.count(decay.NOTHING) == 3 and not re.search("nan|inf", living, re.IGNORECASE)  # two alt texts and the read-out
    places = len(decay.distances(4096, axis))
    for value, curves in ((-decay.FINE * decay.DECADES[0], 1), (0, 3)):  # a bound at its axis' low end; a score, with the bound up and down
        assert len(re.findall(rf'd="M0 {value}(?:L[\d.]+ {value}){{{places - 1}}}"', living)) == curves


@pytest.mark.parametrize("axis", ["linear", "log"])
@pytest.mark.parametrize("reach", [256, 4096, 65536, 1_000_000])
def test_distances_are_whole_rising_and_few(reach, axis):
    places = decay.distances(reach, axis)
    assert places[0] == 0 and places[-1] == reach and (np.diff(places) >= 1).all() and len(places) <= decay.SAMPLES + 1
    rails = decay.rail(places, reach, axis)
    assert np.diff(rails).max() <= (1 / decay.SAMPLES + 1 / reach if axis == "linear" else np.log(2) / np.log(1 + reach)) + ROUNDING


def test_spectrum_draws_the_librarys_methods():
    of, theta, d = (8, 4096, 10_000, 128), frequencies(128, 10_000), 128
    expected = {
        "none": extension.unchanged(d), "interpolation (PI)": extension.interpolated(d, 10_000, 8), "NTK-aware": extension.ntk_aware(d, 10_000, 8),
        "by parts": extension.by_parts(d, 10_000, 8, 4096), "YaRN (paper)": extension.yarn_paper(d, 10_000, 8, 4096),
        "YaRN (code)": extension.yarn_code(d, 10_000, 8, 4096), "Llama 3": extension.llama3(d, 10_000, 8, 4096),
        "new base": extension.rebased(d, 1_000_000), "p-RoPE": extension.proportional(d, 10_000, 0.75),
    }  # fmt: skip
    assert list(expected) == list(spectrum.MEANING)
    for method, (new, scale) in expected.items():
        assert np.array_equal(spectrum.ratios(method, *of), new / theta)
        said = static.placeholder("spectrum", method=method)
        assert (f"Cosines and sines times {scale:.2f}." in said) == (scale > 1) == method.startswith("YaRN")


def test_spectrum_reads_pair_36_of_yarn():
    said = ("Pair 36 of 64: wavelength 1,117 tokens, 3.7 turns in training; YaRN ({}): slowed to {} of its speed; at the end of the long text {} "
            "turns instead of 29.3. Cosines and sines times 1.21.")  # fmt: skip
    assert said.format("code", "0.46", "13.5") in static.placeholder("spectrum")
    assert said.format("paper", "0.20", "5.9") in static.placeholder("spectrum", method="YaRN (paper)")


@pytest.mark.parametrize("length, base, d", [(4096, 10_000, 128), (512, 500_000, 256), (8192, 150_000, 64)])
def test_which_pairs_come_to_new_angles(length, base, d):
    slow = int((length * frequencies(d, base) < 2 * np.pi).sum())  # those that make no full turn in training
    for s in (1, 2, 32):
        new = {method: int(spectrum.fresh(method, s, length, base, d).sum()) for method in spectrum.MEANING}
        assert all(new[method] == 0 for method in ("interpolation (PI)", "by parts", "YaRN (paper)", "YaRN (code)", "Llama 3"))
        assert new["none"] == (slow if s > 1 else 0)
        assert new["NTK-aware"] == (slow - 1 if s > 1 else 0)  # the slowest alone is slowed down enough
        for method, count in new.items():
            living = spectrum.picture(method, s, length, base, d, 0)
            assert f"{slow} of {d // 2} pairs make no full turn in training; the long text brings {count} of them to new angles." in living
            hollow = rf'r="3" fill="{re.escape(drawing.colour("paper"))}" stroke="{re.escape(drawing.colour("k"))}"'
            assert len(re.findall(hollow, living)) == count
    assert int(spectrum.fresh("p-RoPE", 8, 4096, 10_000, 128).sum()) == 2 and slow > 2


@pytest.mark.parametrize("method", spectrum.MEANING)
def test_a_dial_marks_what_training_showed_and_what_is_new(method):
    for pair in range(64):
        ends = spectrum._ends(method, 8, 4096, 10_000, 128, pair)
        living = spectrum.picture(method, 8, 4096, 10_000, 128, pair)
        dashes = re.findall(r'pathLength="100" stroke-dasharray="0 (\S+) (\S+) 100"', living)
        tips = re.findall(r'<polygon points="(\S+?),(\S+?) ', living)
        for end, rings, tip in zip(ends, np.reshape(dashes, (3, 3, 2)).astype(float), np.array(tips, float), strict=True):
            seen = 100 * min(ends[0], 1)
            expected = [[0, 100], [0, seen], [seen, max(100 * min(end, 1) - seen, 0)]]  # whole ring, seen in training, new
            assert np.allclose(rings, expected, rtol=0, atol=0.006)
            angle = 2 * np.pi * end
            assert np.allclose(tip, [30 * np.cos(angle), -30 * np.sin(angle)], rtol=0, atol=0.006)  # SVG’s y points down
        assert (rings[2, 1] > 0) == spectrum.fresh(method, 8, 4096, 10_000, 128)[pair]


@pytest.mark.parametrize("x, words", [
    (0, "0.00"), (0.00018, "0.0002"), (0.0099, "0.0099"), (0.01, "0.01"), (0.46, "0.46"), (1, "1.0"), (29.34, "29.3"), (99.94, "99.9"),
    (100.4, "100"), (2_560_000.4, "2,560,000"),
])  # fmt: skip
def test_turns_are_told_with_as_many_decimals_as_they_need(x, words):
    assert spectrum._places(x) == words


def test_every_pair_lies_on_the_board():
    for base, d in itertools.product((10_000, 150_000, 500_000), (64, 128, 256)):
        rails = [spectrum._rail(2 * np.pi / rate) for rate in frequencies(d, base)]
        assert spectrum.LEFT < rails[0] and rails[-1] < spectrum.LEFT + spectrum.WIDE and (np.diff(rails) > 0).all()
        for method, s in itertools.product(spectrum.MEANING, (1, 32)):
            ratio = spectrum.ratios(method, s, 512, base, d)
            assert (ratio <= 1 + 1e-12).all() and (ratio[ratio > 0] > 2.0 ** (1 - spectrum.STILL)).all()


def test_formats_round_as_torch_and_numpy_bit_for_bit():
    random = np.random.default_rng(16)
    heads = np.arange(2**16, dtype=np.uint32) << 16  # every bfloat16, then what lies just above it, around the half and below the next one
    singles = np.concatenate([heads | tail for tail in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)]).view(np.float32)
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)  # every float16 that is not negative
    middles = np.append((halves[:-1] + halves[1:]) / 2, np.float32(65_520))
    around = np.concatenate([halves, middles, np.nextafter(middles, np.float32(0)), np.nextafter(middles, np.float32(1e6))])
    singles = np.concatenate([singles[~np.isnan(singles)], around, -around])
    for format, dtype in [("bfloat16", torch.bfloat16), ("float16", torch.float16), ("float32", torch.float32)]:
        expected = torch.from_numpy(singles).to(dtype).double().numpy()
        found = window.rounded(singles.astype(np.float64), format)
        assert np.array_equal(found.view(np.int64), expected.view(np.int64))
    x = random.normal(size=1000) * 2.0 ** random.integers(-140, 129, 1000)  # float64, whose extra digits decide near a half
    brain = [float(round(Fraction(value) / (unit := Fraction(2) ** int(max(np.frexp(value)[1] - 8, -133)))) * unit) for value in x]
    assert np.array_equal(window.rounded(x, "bfloat16"), np.where(np.abs(brain) < 2.0**128, brain, np.copysign(np.inf, x)))


def test_window_scores_in_float64_are_the_librarys():
    for base, start in itertools.product((100, 10_000, 500_000), (0, 1, 4096, 1_000_000)):
        places, theta = start + np.arange(16), frequencies(32, base)
        waves = sinusoid(places, 32, base)
        expected = {"RoPE": rotate(window.QUERIES, places, theta) @ rotate(window.KEYS, places, theta).T,
                    "sinusoidal": (window.QUERIES + waves) @ (window.KEYS + waves).T, "none": window.QUERIES @ window.KEYS.T}  # fmt: skip
        expected["ALiBi"] = expected["none"] - 0.25 * np.sqrt(32) * np.abs(np.subtract.outer(places, places))
        for encoding in window.ENCODINGS:
            # 32 products of numbers up to 4 or, with waves, 5, each off by a few 2^-53, the same angles
            assert np.allclose(window.scores(encoding, "float64", base, start), expected[encoding] / np.sqrt(32), rtol=0, atol=1e-12)


@pytest.mark.parametrize("base", [100, 10_000, 500_000])
def test_what_stays_when_the_window_moves(base):
    def change(encoding, format, start):
        return window.largest(window.scores(encoding, format, base, start) - window.scores(encoding, format, base, 0))

    theta = frequencies(32, base)
    sizes = [np.hypot(x[:, 0::2], x[:, 1::2]) for x in (window.QUERIES, window.KEYS)]
    for start in (1, 100, 4096, 65_000, 1_000_000):
        for format, digits in (("float64", 53), ("float32", 24)):
            # both angles of a pair are off by half a last digit at most, relatively 2^-digits; 1e-13 for cosines and sums
            bound = ((sizes[0] * theta) @ sizes[1].T).max() * 2 * (start + 30) * 2.0**-digits / np.sqrt(32) + 1e-13
            assert 0 < change("RoPE", format, start) <= bound
        assert change("RoPE", "float64", start) < 1e-9 < change("RoPE", "float32", start)
        assert change("sinusoidal", "float64", start) > 0.3
        for format in ("float64", "float32"):  # which hold every position here
            assert change("ALiBi", format, start) == 0
        assert change("none", "bfloat16", start) == 0
    for format, holds in (("float16", 2048), ("bfloat16", 256)):
        assert change("ALiBi", format, holds - 15) == 0 < change("ALiBi", format, holds)
        assert change("RoPE", format, 4 * holds) > 0.5
    ends = window.scores("RoPE", "bfloat16", base, 1_000_000)  # sixteen positions, one number
    assert np.allclose(ends, window.scores("none", "float64", base, 0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("encoding", window.ENCODINGS)
@pytest.mark.parametrize("start, lost", [(65_504, 0), (65_505, 1), (65_519, 15), (65_520, 16), (1_000_000, 16)])
def test_positions_beyond_float16_leave_no_finite_score_and_the_figure_says_so(encoding, start, lost):
    finite = np.isfinite(window.scores(encoding, "float16", 10_000, start))
    kept = 16 - (0 if encoding == "none" else lost)
    assert np.array_equal(finite, np.multiply.outer(np.arange(16) < kept, np.arange(16) < kept))
    living = window.picture(start, encoding, "float16", 10_000, 15, 15)
    assert living.count("l1-1") == 2 * (256 - kept**2)  # hatched cells of both maps
    assert ("are not finite; among" in living, "no score is a finite number" in living) == (0 < kept < 16, kept == 0)
    assert ("NaN at start" in living) == (kept < 16)


@pytest.mark.parametrize("x, words", [
    (0, "below 10⁻⁹"), (9.9e-10, "below 10⁻⁹"), (1e-9, "1.0 × 10⁻⁹"), (4.24e-5, "4.2 × 10⁻⁵"),
    (0.00996, "1.0 × 10⁻²"), (0.01, "0.010"), (2.0594, "2.059"),
])  # fmt: skip
def test_a_change_is_told_with_as_many_digits_as_it_needs(x, words):
    assert window.size(x) == words


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
