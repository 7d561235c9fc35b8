"""Success by condition, success by checkpoint, and what the filter kept."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demo_score.conditions import CONDITIONS
from demo_score.plots.runs import describe_runs, draw_row, legend, mean_and_runs, name_rows
from demo_score.plots.style import (
    STRATEGY_COLOURS,
    above,
    condition_label,
    error_bars,
    new_figure,
    percent_axis,
    wrap,
)
from demo_score.runtime.errors import UserError
from demo_score.tables import CHECKPOINTS, FROM_USER, KEPT, SUCCESS

RATE_COLUMNS = ["seed", "n", "low", "high"]
ROW = 0.27  # inches


def success(table: Path) -> Figure:
    """The success rate of each condition: the mean of the runs with its 95% t interval, and each run.

    table: success.csv, as tables.success_table writes it.
    """
    rows = SUCCESS.read(table, ["condition", "rate", *RATE_COLUMNS])
    conditions = [condition for condition in CONDITIONS if condition in set(rows["condition"])]
    figure = new_figure(0.7 + ROW * len(conditions))
    axes = figure.subplots()
    groups = [rows[rows["condition"] == condition] for condition in conditions]
    _draw_rates(axes, groups, "rate", [CONDITIONS[condition].colour for condition in conditions])
    name_rows(axes, [condition_label(condition) for condition in conditions])
    percent_axis(axes, f"Success rate ({describe_runs(rows, 'condition', 'episodes')})", "x")
    legend(figure, rows)
    return figure


def _draw_rates(axes: Axes, groups: list[pd.DataFrame], value: str, colours: list[str]) -> None:
    """A row a group: a bar to the mean, its interval, the runs; at the end the mean in figures."""
    for height, (rows, colour) in enumerate(zip(groups, colours, strict=True)):
        mean = mean_and_runs(rows)[0][value].item()
        axes.barh(height, mean, height=0.8, color=colour, alpha=0.2, linewidth=0)
        draw_row(axes, height, rows, value, colour)
        axes.text(1.03, height, f"{100 * mean:.0f}%", ha="left", va="center", fontsize=6.5)


def checkpoints(table: Path) -> Figure:
    """Success rate at each checkpoint of the base policy and of curated ones: the mean of the runs, and each run.

    table: checkpoints.csv, as tables.checkpoint_table writes it. Bold with 95% t intervals: the mean; thin: the runs.
    User-supplied rollouts are of no run, and have Wilson intervals.
    """
    rows = CHECKPOINTS.read(table, ["condition", "step", "rate", *RATE_COLUMNS])
    figure = new_figure(2.2)
    axes = figure.subplots()
    steps = np.sort(rows["step"].unique())
    gap = np.diff(steps).min() if len(steps) > 1 else 1.0
    conditions = [condition for condition in CONDITIONS if condition in set(rows["condition"])]
    for condition in conditions:
        shift = 0.04 * gap * (conditions.index(condition) - (len(conditions) - 1) / 2)
        _draw_steps(axes, rows[rows["condition"] == condition], condition, shift)
    axes.set_xticks(steps)
    axes.set_xlabel("Training step of the policy")
    n = describe_runs(rows, "condition", "rollouts")
    percent_axis(axes, f"Success rate\n({n})")
    above(figure, axes, columns=2)
    return figure


def _draw_steps(axes: Axes, rows: pd.DataFrame, condition: str, shift: float) -> None:
    """A condition's runs and their mean, moved sideways so that intervals of conditions do not hide each other."""
    colour = CONDITIONS[condition].colour
    mean, runs = mean_and_runs(rows)
    label = CONDITIONS[condition].label.partition(" (all")[0]
    if FROM_USER in set(rows["seed"]):
        mean, runs, label = rows[rows["seed"] == FROM_USER], runs[:0], "user-supplied rollouts"
    for _, run in runs.groupby("seed"):
        axes.plot(run["step"] + shift, run["rate"], "o-", color=colour, markersize=1.5, linewidth=0.5, alpha=0.6)
    bars = error_bars(mean["rate"], mean["low"], mean["high"])
    style = {"color": colour, "markersize": 3.5, "capsize": 2, "linewidth": 1.4, "clip_on": False, "zorder": 4}
    axes.errorbar(mean["step"] + shift, mean["rate"], bars, fmt="o-", label=label, **style)


def kept(table: Path) -> Figure:
    """The share of the demonstrations of each strategy that was kept: the mean with its 95% t interval, and each run.

    table: kept.csv, as tables.kept_table writes it.
    """
    rows = KEPT.read(table, ["kind", "actor", "kept", "fraction", *RATE_COLUMNS])
    rows = rows[(rows["kind"] == "demonstration") & (rows["actor"] != "all")]
    if rows.empty:
        raise UserError(f"{table}: holds no demonstrations; score them before drawing this figure")
    strategies = sorted(rows["actor"].unique())
    figure = new_figure(0.7 + 1.3 * ROW * len(strategies))
    axes = figure.subplots()
    groups = [rows[rows["actor"] == strategy] for strategy in strategies]
    colours = [STRATEGY_COLOURS[i % len(STRATEGY_COLOURS)] for i in range(len(strategies))]
    _draw_rates(axes, groups, "fraction", colours)
    name_rows(axes, [_counts(strategy, group) for strategy, group in zip(strategies, groups, strict=True)])
    percent_axis(axes, f"Demonstrations kept ({describe_runs(rows, 'actor', 'demonstrations')})", "x")
    legend(figure, rows)
    return figure


def _counts(strategy: str, rows: pd.DataFrame) -> str:
    """A strategy's name, and below it how many of its demonstrations all runs together kept."""
    runs = mean_and_runs(rows)[1]
    return f"{wrap(strategy, 20)}\n{runs['kept'].sum()} of {runs['n'].sum()}"
