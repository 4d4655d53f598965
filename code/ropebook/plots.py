"""The look of the chapters' still plots: the book's palette on a white card, readable in both colour schemes and in grey."""

import matplotlib.pyplot as plt

from ropebook.figures.drawing import PALETTE

COLOURS = PALETTE["light"]


def axes(xlabel, ylabel, height=2.8):
    """A fresh plot, 7 inches wide, with labelled axes and a light grid.

    xlabel, ylabel  what the axes show, with the unit in brackets
    height          inches
    returns         the matplotlib Axes
    """
    ax = plt.subplots(figsize=(7, height), layout="constrained")[1]
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(color=COLOURS["grid"], linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
