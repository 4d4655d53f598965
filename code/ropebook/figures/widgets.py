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
    if isinstance(default, str):
        return traitlets.Enum(limits, default).tag(sync=True)
    kind = traitlets.Int if isinstance(default, int) else traitlets.Float
    return kind(default, min=limits[0], max=limits[1]).tag(sync=True)


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
