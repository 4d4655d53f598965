"""The book's moving figures: one plain ES module each, a widget class for Jupyter, a still picture for everywhere else.

    from ropebook.figures import Hero
    figure = Hero(m=22, n=10)   # in a notebook: drag it, read figure.m, set figure.n

`ropebook.figures.static` makes the still pictures and the site's scripts and needs NumPy only;
the widget classes need anywidget, which is imported when one of them is first asked for.
"""

__all__ = ["Decay", "Encodings", "Hero", "Shift", "Spectrum", "Window"]


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ropebook.figures import widgets

    return getattr(widgets, name)
