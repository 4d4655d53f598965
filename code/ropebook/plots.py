"""The look of the chapters' still plots: the book's palette on a white card, readable in both colour schemes and in grey."""

import matplotlib.pyplot as plt
import numpy as np

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


def heatmaps(maps, titles, words, label):
    """Matrices side by side in one colour scale: a darker cell is a larger number.

    maps      list of (T, T)  rows are queries, columns keys
    titles    one a map
    words     one list of T labels a map, written along both axes
    label     what the numbers are, beside the colour bar
    returns   the matplotlib Figure
    """
    figure, panels = plt.subplots(1, len(maps), figsize=(7, 3), layout="constrained")
    top = max(map_.max() for map_ in maps)
    for ax, map_, title, names in zip(panels, maps, titles, words, strict=True):
        image = ax.imshow(map_, cmap="Greys", vmin=0, vmax=top)
        ax.set_xticks(range(len(names)), names, rotation=45)
        ax.set_yticks(range(len(names)), names)
        ax.set_title(title, fontsize=10)
    figure.colorbar(image, ax=panels, label=label, shrink=0.8)
    return figure


def orbits(paths, titles):
    """Paths of a point in the plane, side by side, each from its start (a filled dot) on.

    paths     list of (N, 2)
    titles    one a path
    returns   the matplotlib Figure
    """
    figure, panels = plt.subplots(1, len(paths), figsize=(7, 7 / len(paths)), layout="constrained")
    for ax, path, title in zip(panels, paths, titles, strict=True):
        ax.plot(*path.T, ".", color=COLOURS["k"], markersize=4)
        ax.plot(*path[0], "o", color=COLOURS["ink"])
        ax.set_title(title, fontsize=10)
        ax.set_aspect("equal")
        ax.set_xlim(-1.1 * np.abs(path).max(), 1.1 * np.abs(path).max())
        ax.set_ylim(ax.get_xlim())
        ax.grid(color=COLOURS["grid"], linewidth=0.6)
    return figure


def bars(panels, xlabel):
    """Horizontal bars, a panel for each case, the longest at the top; bars whose name starts with "ours" in the colour of RoPE.

    panels    {title: {name: number}}
    xlabel    what the numbers are, with the unit in brackets
    returns   the matplotlib Figure
    """
    tallest = max(map(len, panels.values()))
    figure, rows = plt.subplots(len(panels), figsize=(7, 0.26 * tallest * len(panels) + 0.8), layout="constrained", sharex=True)
    for ax, (title, numbers) in zip(np.atleast_1d(rows), panels.items()):
        names = sorted(numbers, key=numbers.get)
        ax.barh(names, [numbers[name] for name in names], color=[COLOURS["rope" if name.startswith("ours") else "muted"] for name in names])
        ax.set_title(title, fontsize=10, loc="left")
        ax.tick_params(axis="y", labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel(xlabel)
    return figure
