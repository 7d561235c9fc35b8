"""Paired differences of success rates with their intervals: between the arms of an experiment, and over experiments."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from demo_score.errors import UserError
from demo_score.evaluation.inputs import ARMS, POOLED, read_columns
from demo_score.plots.style import ARM_COLOURS, GREY, count_range, error_bars, new_figure, wrap

COLUMNS = ["arm", "against", "seed", "n", "difference", "low", "high"]
CURATED = "curated_demos"
ROOM = 0.85  # of the height of a row, for its estimates


def differences(table: Path) -> Figure:
    """Each arm's success rate minus that of the base policy and of the random subset, pooled and by seed.

    table: differences.csv, as tables.difference_table writes it.
    """
    rows = read_columns(table, COLUMNS)
    arms = [arm for arm in ARMS if arm in set(rows["arm"])]
    return _forest(rows.assign(row=rows["arm"]), {arm: wrap(ARMS[arm], 16) for arm in arms})


def overview(tables: list[Path]) -> Figure:
    """The curated demonstrations' success rate minus the base policy's and the random subset's, in several experiments.

    tables: differences.csv of each experiment (results/<experiment>/tables/differences.csv).
    """
    names = {path: path.resolve().parents[1].name for path in tables}
    rows = pd.concat([read_columns(path, COLUMNS).assign(row=name) for path, name in names.items()])
    rows = rows[rows["arm"] == CURATED]
    if rows.empty:
        raise UserError(f"no table tells of the arm {CURATED}; add it to final_policy.arms")
    shown = [name for name in names.values() if name in set(rows["row"])]
    return _forest(rows, {name: wrap(name.replace("_", " "), 16) for name in shown})


def _forest(rows: pd.DataFrame, labels: dict[str, str]) -> Figure:
    """A panel a reference, a row for each of `labels`."""
    references = [arm for arm in ("base", "random") if arm in set(rows["against"])]
    n_seeds = rows[rows["seed"] != POOLED].groupby("row")["seed"].nunique().max()
    figure = new_figure(0.8 + len(labels) * (0.16 + 0.09 * (1 + n_seeds)))
    panels = figure.subplots(1, len(references), squeeze=False, sharex=True, sharey=True)[0]
    for axes, against in zip(panels, references, strict=True):
        shown = rows[rows["against"] == against]
        axes.axvline(0, color=GREY, linewidth=0.6, linestyle=":")
        for height, name in enumerate(labels):
            _draw_row(axes, height, shown[shown["row"] == name])
        axes.set_title(f"minus {ARMS[against].partition(',')[0].partition(' (')[0].lower()}", loc="left")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.0f}" if value else "0"))
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(labels)), labels.values())
    panels[0].set_ylim(len(labels) - 0.5, -0.5)
    pooled, single = (rows.loc[(rows["seed"] == POOLED) == is_pooled, "n"] for is_pooled in (True, False))
    n = f"n = {count_range(pooled)} pairs, {count_range(single)} a seed"
    figure.supxlabel(f"Difference of success rates (points), {n}", fontsize=7)
    _legend(figure)
    return figure


def _draw_row(axes: Axes, height: int, rows: pd.DataFrame) -> None:
    """All seeds together on top, then each seed."""
    ordered = pd.concat([rows[rows["seed"] == POOLED], rows[rows["seed"] != POOLED]])
    places = height + ROOM * (np.arange(len(ordered)) / max(len(ordered), 2) - 0.4)
    for place, row in zip(places, ordered.to_dict("records"), strict=True):
        pooled, colour = row["seed"] == POOLED, ARM_COLOURS[row["arm"]]
        bars = error_bars(*(pd.Series([row[key]]) for key in ("difference", "low", "high")))
        style = {"markersize": 4 if pooled else 3, "markerfacecolor": colour if pooled else "white", "capsize": 1.5}
        style |= {"elinewidth": 1.2 if pooled else 0.7, "alpha": 1 if pooled else 0.8, "markeredgewidth": 0.8}
        axes.errorbar(row["difference"], place, xerr=bars, fmt="o", color=colour, **style)


def _legend(figure: Figure) -> None:
    style = {"color": GREY, "marker": "o", "linewidth": 1.0}
    handles = [
        Line2D([], [], markersize=4, label="all seeds, 95% interval", **style),
        Line2D([], [], markersize=3, markerfacecolor="white", label="a seed", **style),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, handlelength=1.5, columnspacing=1.0)
