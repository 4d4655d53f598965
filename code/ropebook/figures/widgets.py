"""The figures as Jupyter widgets: traits that Python reads and sets, the same module as on the book's page."""

import anywidget
import traitlets

from ropebook.figures import static


class Figure(anywidget.AnyWidget):
    """A widget whose saved output also holds the still picture of its state, as text/html."""

    _ipython_display_ = None  # ipywidgets 7 would show the widget alone, without the still picture

    def __repr__(self):
        state = ", ".join(f"{key}={value!r}" for key, value in self._state().items())
        return f"{type(self).__name__}({state})"

    def _state(self):
        return {key: getattr(self, key) for key in static.FIGURES[self._figure].STATE}

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/html": static.placeholder(self._figure, **self._state())}, metadata


def _synced(figure, key):
    """The trait for one entry of the figure's STATE."""
    default, *limits = static.FIGURES[figure].STATE[key]
    if isinstance(default, str) or len(limits) > 2:  # a choice, not a range
        return traitlets.Enum(limits, default).tag(sync=True)
    kind = traitlets.Int if isinstance(default, int) else traitlets.Float
    return kind(default, min=limits[0], max=limits[1]).tag(sync=True)


class Decay(Figure):
    """The score of a query and a key by their distance, beside the bounds that the paper's argument for decay rests on.

    distribution   "matched" (k = q), "independent", "ramp" (h falls evenly to 0), "tuned" (k = q turned by the target)
                   or "your own" (h as h1 … h4 say)
    d              32, 64, 128 or 256         head dimension
    base           100 … 10,000,000           of the frequencies
    reach          256, 4096, 65536 or 1000000   the largest distance drawn, tokens
    axis           "linear" or "log"
    target         0 … 1,000,000              where the tuned score is largest, tokens; no further than reach
    m              0 … 1,000,000              the distance that is read, tokens; no further than reach
    h1 … h4        -10 … 10                   your own h in tenths: at the fastest pair, a third on, two thirds on, at the slowest
    raises         TraitError naming the value and the limit
    """

    _figure = "decay"
    _esm = static.module("decay")
    distribution = _synced("decay", "distribution")
    d = _synced("decay", "d")
    base = _synced("decay", "base")
    reach = _synced("decay", "reach")
    axis = _synced("decay", "axis")
    target = _synced("decay", "target")
    m = _synced("decay", "m")
    h1 = _synced("decay", "h1")
    h2 = _synced("decay", "h2")
    h3 = _synced("decay", "h3")
    h4 = _synced("decay", "h4")


class Encodings(Figure):
    """The score matrices of ten position encodings on the same words, as the whole text moves.

    encoding   "NoPE", "sinusoidal", "learned", "Shaw", "Transformer-XL", "T5", "TUPE", "DeBERTa", "ALiBi" or "RoPE": the large one
    words      "sentence", or "one word": the word dog, twelve times
    shift      0 … 40   how far all words move, tokens
    m, n       0 … 11   the words, as query and as key, whose score is read
    raises     TraitError naming the value and the limit
    """

    _figure = "encodings"
    _esm = static.module("encodings")
    encoding = _synced("encodings", "encoding")
    words = _synced("encodings", "words")
    shift = _synced("encodings", "shift")
    m = _synced("encodings", "m")
    n = _synced("encodings", "n")


class Hero(Figure):
    """Two words as turning arrows, and their score by offset.

    m          0 … 64  the query's position, tokens
    n          0 … 64  the key's position, tokens
    raises     TraitError naming the value and the limit
    """

    _figure = "hero"
    _esm = static.module("hero")
    m = _synced("hero", "m")
    n = _synced("hero", "n")


class Shift(Figure):
    """What a common shift does to a score, for three ways to write a position into a vector.

    m, n       0 … 20       positions of query and key before the shift, tokens
    shift      0 … 40       how far both move, tokens
    theta      0.05 … 1.5   radians per token
    encoder    "add", "scale" or "rotate"
    raises     TraitError naming the value and the limit
    """

    _figure = "shift"
    _esm = static.module("shift")
    m = _synced("shift", "m")
    n = _synced("shift", "n")
    shift = _synced("shift", "shift")
    theta = _synced("shift", "theta")
    encoder = _synced("shift", "encoder")


class Spectrum(Figure):
    """How ways to read longer texts slow the pairs down, and which pairs still come to angles that training never showed.

    method   "none", "interpolation (PI)", "NTK-aware", "by parts", "YaRN (paper)", "YaRN (code)", "Llama 3", "new base" or "p-RoPE"
    s        1, 2, 4, 8, 16 or 32         how many times longer the text is
    length   512, 2048, 4096 or 8192      L, the tokens of a training text
    base     10000, 150000 or 500000      of the frequencies before
    d        64, 128 or 256               head dimension
    pair     0 … 127                      the pair that is read; no further than d/2 − 1
    raises   TraitError naming the value and the limit
    """

    _figure = "spectrum"
    _esm = static.module("spectrum")
    method = _synced("spectrum", "method")
    s = _synced("spectrum", "s")
    length = _synced("spectrum", "length")
    base = _synced("spectrum", "base")
    d = _synced("spectrum", "d")
    pair = _synced("spectrum", "pair")


class Window(Figure):
    """The scores of sixteen words as they move along the axis of positions, and what has changed since start 0.

    start      0 … 1,000,000                                   where the words begin, tokens
    encoding   "RoPE", "sinusoidal", "ALiBi" or "none"
    format     "float64", "float32", "float16" or "bfloat16"   of positions and angles
    base       100, 10000 or 500000                            of the frequencies
    m, n       0 … 15                                          the words, as query and as key, whose score is read
    raises     TraitError naming the value and the limit
    """

    _figure = "window"
    _esm = static.module("window")
    start = _synced("window", "start")
    encoding = _synced("window", "encoding")
    format = _synced("window", "format")
    base = _synced("window", "base")
    m = _synced("window", "m")
    n = _synced("window", "n")
