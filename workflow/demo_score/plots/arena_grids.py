"""The arena's small multiples and matrices: success over the share kept, and how far methods agree."""

from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator, PercentFormatter

from demo_score.analysis.arena.order import methods_in
from demo_score.entrants import ALL, ORACLE, OWN, RANDOM
from demo_score.plots.arena_style import METHOD_COLOUR, colour, name, of_own_size
from demo_score.plots.style import GREY, count_range, error_bars, new_figure, wrap
from demo_score.runtime.errors import UserError
from demo_score.tables import ALL_RUNS, ARENA_AGREEMENT, ARENA_UPLIFT

CURVE = ["entrant", "keep", "seed", "runs", "n", "rate", "rate_low", "rate_high", "uplift", "share"]
COLUMNS = 3  # of panels
FEW = 3  # runs, and fewer: their t interval says nothing, so that each run is drawn instead
RUN_POINT = {"marker": "o", "markersize": 2, "markeredgewidth": 0, "alpha": 0.5, "linestyle": "none"}


def arena_curves(table: Path) -> Figure:
    """Success over the share of the demonstrations that is kept, a panel a method, beside random of the same size.

    table: arena_uplift.csv. Methods with several sizes, or where none has, all. Dashed: the oracle and all
    demonstrations, which have one size each. Sizes of few runs have a small point a run in place of an interval.
    """
    every = ARENA_UPLIFT.read(table, CURVE)
    rows = every[every["seed"] == ALL_RUNS].sort_values("share", kind="stable")
    methods = of_own_size(every).sort_values("uplift", ascending=False, kind="stable")["entrant"].tolist()
    several = [method for method in methods if (rows["entrant"] == method).sum() > 1]
    shown = several or methods
    if not shown:
        raise UserError(f"{table}: holds no method; give arena.methods in config.yaml")
    columns = min(COLUMNS, len(shown))
    lines = ceil(len(shown) / columns)
    figure = new_figure(0.8 + 0.95 * lines)
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, method in zip(panels, shown, strict=False):
        _draw_curves(axes, rows, every[every["seed"] != ALL_RUNS], method)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
        above = panels[list(panels).index(axes) - columns] if lines > 1 else axes
        above.tick_params(labelbottom=True)
    figure.supxlabel(f"Demonstrations kept ({_sizes(rows)})", fontsize=7)
    figure.supylabel("Success rate", fontsize=7)
    _legend(figure, rows)
    return figure


def _draw_curves(axes: Axes, rows: pd.DataFrame, single: pd.DataFrame, method: str) -> None:
    """A method and random of the same sizes, with their intervals or single runs; the oracle and all as lines."""
    for entrant in (ORACLE, ALL):
        for rate in rows.loc[rows["entrant"] == entrant, "rate"]:
            axes.axhline(rate, color=colour(entrant), linewidth=0.7, linestyle="--")
    for entrant, shift in ((RANDOM, 0.008), (method, -0.008)):
        chosen = rows[rows["entrant"] == entrant]
        own, many = chosen["keep"] == OWN, chosen[chosen["runs"] > FEW]
        bars = error_bars(many["rate"], many["rate_low"], many["rate_high"])
        axes.errorbar(many["share"] + shift, many["rate"], bars, fmt="none", elinewidth=0.6, ecolor=colour(entrant))
        few = chosen.loc[chosen["runs"] <= FEW, "keep"]
        points = single[(single["entrant"] == entrant) & single["keep"].isin(few)]
        axes.plot(points["share"] + shift, points["rate"], color=colour(entrant), **RUN_POINT)
        for rows_of_line, fmt, size in ((~own, "o-", 2.5), (own, "D", 4)):  # own is of more runs, perhaps
            line = chosen[rows_of_line]
            axes.plot(line["share"] + shift, line["rate"], fmt, color=colour(entrant), linewidth=0.8, markersize=size)
    axes.set_title(wrap(name(method), 22), loc="left", fontsize=6.5, pad=2)
    axes.set(xlim=(0, 1), ylim=(-0.06, 1.06))  # markers at 0 and 100% are whole
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MultipleLocator(0.5))
        axis.set_major_formatter(PercentFormatter(xmax=1))


def _sizes(rows: pd.DataFrame) -> str:
    """How many runs the arena's own size has, and how many the others."""
    own, others = (rows.loc[chosen, "runs"] for chosen in (rows["keep"] == OWN, rows["keep"] != OWN))
    text = f"own size: {_runs(own)}"
    return f"{text}; others: {_runs(others)}" if len(others) else text


def _runs(counts: pd.Series) -> str:
    text = count_range(counts)
    return f"{text} run{'s' * (text != '1')}"


def _legend(figure: Figure, rows: pd.DataFrame) -> None:
    dot, diamond = {"marker": "o", "markersize": 2.5}, {"marker": "D", "markersize": 4, "linewidth": 0}
    handles = [
        Line2D([], [], color=METHOD_COLOUR, label="the method", **dot),
        Line2D([], [], color=colour(RANDOM), label="random of equal size", **dot),
        Line2D([], [], color=GREY, label="of the arena's own size", **diamond),
    ]
    present = [entrant for entrant in (ORACLE, ALL) if entrant in set(rows["entrant"])]
    handles += [Line2D([], [], color=colour(one), linestyle="--", linewidth=0.7, label=name(one)) for one in present]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, handlelength=1.5, columnspacing=1.0)


def arena_agreement(table: Path) -> Figure:
    """How far methods agree: the rank correlation of their scores, the mean over runs.

    table: arena_agreement.csv.
    """
    rows = ARENA_AGREEMENT.read(table, ["method", "other", "seed", "rho", "overlap"], empty=True)
    rows = rows[rows["seed"] == ALL_RUNS]
    methods = methods_in([*rows["method"], *rows["other"]])
    if not methods:
        raise UserError(f"{table}: holds no pair of methods; give two or more in arena.methods in config.yaml")
    values = _matrix(rows, methods)
    cell = 0.165
    figure = new_figure(1.35 + max(cell * len(methods), 0.8))
    axes = figure.subplots()
    image = axes.imshow(values, cmap="RdBu", vmin=-1, vmax=1)
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            ink = "white" if abs(value) > 0.6 else "black"
            axes.text(column, row, _two_digits(value), ha="center", va="center", fontsize=4.5, color=ink)
    names = [name(method) for method in methods]
    axes.set_yticks(range(1, len(methods)), names[1:])
    axes.set_xticks(range(len(methods) - 1), names[:-1], rotation=90)
    axes.set(xlim=(-0.5, len(methods) - 1.5), ylim=(len(methods) - 0.5, 0.5))
    axes.tick_params(length=0, labelsize=6)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, location="top", shrink=0.7, aspect=25, pad=0.02, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.set_label("Rank correlation of scores")
    bar.outline.set_linewidth(0.4)
    return figure


def _matrix(rows: pd.DataFrame, methods: list[str]) -> np.ndarray:
    """Correlations below the diagonal; NaN elsewhere, and where there is none."""
    values = np.full((len(methods), len(methods)), np.nan)
    for row in rows.to_dict("records"):
        values[methods.index(row["other"]), methods.index(row["method"])] = row["rho"]
    return values


def _two_digits(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".") if abs(value) < 0.995 else f"{value:.0f}"
