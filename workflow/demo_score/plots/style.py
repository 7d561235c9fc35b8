"""What all figures share: size, colours, axes in percent, and files that are the same bytes each time.

Colours: Okabe and Ito's palette, distinct with any colour vision (M. Okabe, K. Ito, "Color Universal Design", 2008).
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from demo_score.conditions import CONDITIONS
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path

WIDTH = 3.4  # inches: one column of a two-column page
STRATEGY_COLOURS = ["#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#D55E00", "#0072B2", "#F0E442", "#000000"]
TRAINING_COLOUR, HELD_OUT_COLOUR = "#E69F00", "#0072B2"
KEPT_COLOURS = {"kept": "#0072B2", "dropped": "#D55E00"}
OUTCOME_COLOURS = {"success": "#009E73", "failure": "#CC79A7"}
GREY = "#666666"
STYLE = {
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.titlesize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.0,
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",  # readable on a dark page
    "savefig.dpi": 200,
    "svg.hashsalt": "demo_score",  # identifiers in the SVG that do not change from run to run
}
METADATA = {"png": {"Software": None}, "svg": {"Date": None}}  # nothing that depends on when or where


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw in our style whatever the user's own matplotlib settings are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def new_figure(height: float) -> Figure:
    """A figure WIDTH inches wide and `height` inches high."""
    return Figure(figsize=(WIDTH, height))


def save(figure: Figure, paths: list[Path]) -> None:
    """Write the figure to each path, as its suffix (.png or .svg) says, atomically."""
    for path in paths:
        file_format = path.suffix.removeprefix(".")
        if file_format not in METADATA:
            raise UserError(f"{path}: cannot draw this format; name the file .png or .svg")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=file_format, metadata=METADATA[file_format])


def percent_axis(axes: Axes, label: str, side: Literal["x", "y"] = "y") -> None:
    """An axis of fractions 0..1, marked 0% to 100%."""
    axes.set(**{f"{side}lim": (0, 1), f"{side}label": label})
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_major_locator(MultipleLocator(0.2))
    axis.set_major_formatter(PercentFormatter(xmax=1))


def error_bars(rates: pd.Series, low: pd.Series, high: pd.Series) -> np.ndarray:
    """(2, n) distances below and above the rates, never negative, as matplotlib's errorbar takes them."""
    return np.clip(np.stack([rates - low, high - rates]), 0, None)


def above(figure: Figure, axes: Axes, columns: int) -> None:
    """The axes' legend, above all axes, where it covers no data."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, handlelength=1.5, columnspacing=1.0)


def row_heights(count: int, highest: float = 1.25, together: float = 4.5) -> float:
    """Inches for each of `count` rows of small panels: `highest` while all fit into `together`, but legible."""
    return max(min(highest, together / count), 0.62)


def condition_label(condition: str) -> str:
    """A condition's name in two lines, where it has two parts."""
    return CONDITIONS[condition].label.replace(", ", ",\n").replace(" (", "\n(")


def wrap(label: str, width: int) -> str:
    """The label broken into lines of at most `width` characters, between words."""
    return textwrap.fill(label, width, break_long_words=False)


def count_range(counts: pd.Series) -> str:
    """One count, or the lowest to the highest where they differ."""
    low, high = int(counts.min()), int(counts.max())
    return f"{low}" if low == high else f"{low}–{high}"
