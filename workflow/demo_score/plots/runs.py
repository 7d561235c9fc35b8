"""How every figure shows runs: their mean with its interval over runs, and each run as an open point."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from demo_score.plots.style import GREY, count_range, error_bars
from demo_score.tables import ALL_RUNS

MEAN = {"fmt": "o", "markersize": 4, "capsize": 2, "elinewidth": 1.2, "zorder": 4, "clip_on": False}
RUN = {"marker": "o", "s": 9, "facecolors": "white", "linewidths": 0.7, "zorder": 3, "clip_on": False}
ABOVE, BELOW = 0.14, 0.2  # of the height of a row: where the mean is, and where the runs are


def mean_and_runs(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows over all runs, and those of single runs."""
    is_mean = rows["seed"] == ALL_RUNS
    return rows[is_mean], rows[~is_mean]


def draw_row(axes: Axes, height: float, rows: pd.DataFrame, value: str, colour: str) -> None:
    """The mean of the runs with its interval (where there is one) and, below, the runs; rows grow downwards.

    rows: of one estimate, `value` with low and high, of all runs and of each.
    """
    mean, runs = mean_and_runs(rows)
    axes.scatter(runs[value], np.full(len(runs), height + BELOW), edgecolors=colour, **RUN)
    bars = error_bars(mean[value], mean["low"], mean["high"])
    axes.errorbar(mean[value], [height - ABOVE] * len(mean), xerr=bars, color=colour, **MEAN)


def name_rows(axes: Axes, labels: list[str]) -> None:
    """A row for each label, the first on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def describe_runs(rows: pd.DataFrame, by: str, unit: str) -> str:
    """For an axis: how many runs each value of the column `by` has, and how many episodes or the like a run has."""
    runs = mean_and_runs(rows)[1]
    counted = count_range(runs.groupby(by)["seed"].nunique())
    return f"{counted} run{'s' * (counted != '1')} of {count_range(runs['n'])} {unit}"


def legend(figure: Figure, rows: pd.DataFrame, others: Sequence[Artist] = ()) -> None:
    """What the two kinds of points are, and what `others` say, above all axes."""
    style = {"color": GREY, "marker": "o"}
    interval = mean_and_runs(rows)[0]["low"].notna().any()
    label = "mean of the runs, 95% interval" if interval else "mean (no interval from one run)"
    handles = [
        Line2D([], [], markersize=4, label=label, linewidth=1.2 * interval, **style),
        Line2D([], [], markersize=3, markerfacecolor="white", label="a run", linewidth=0, **style),
    ]
    figure.legend(handles=[*handles, *others], loc="outside upper center", ncols=2, handlelength=1.5, columnspacing=1.0)
