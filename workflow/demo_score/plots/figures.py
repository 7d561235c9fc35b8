"""Success by arm, success by checkpoint, and what the filter kept."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from demo_score.errors import UserError
from demo_score.evaluation.inputs import ARMS, GIVEN, POOLED, read_columns
from demo_score.plots.style import (
    ARM_COLOURS,
    GREY,
    MARKERS,
    STRATEGY_COLOURS,
    above,
    count_range,
    error_bars,
    new_figure,
    offsets,
    percent_axis,
    wrap,
)

RATE_COLUMNS = ["seed", "n", "rate", "low", "high"]


def success(table: Path) -> Figure:
    """Bars of the pooled success rate of each arm with 95% Wilson intervals, markers for the single seeds.

    table: success.csv, as tables.success_table writes it.
    """
    rows = read_columns(table, ["arm", *RATE_COLUMNS])
    arms = [arm for arm in ARMS if arm in set(rows["arm"])]
    pooled = rows[rows["seed"] == POOLED].set_index("arm").loc[arms]
    figure = new_figure(2.6)
    axes = figure.subplots()
    tops = rows.groupby("arm")["rate"].max().clip(lower=pooled["high"]).loc[arms]
    _success_bars(axes, pooled, tops)
    seeds = rows[rows["seed"] != POOLED]
    _seed_markers(axes, seeds, arms)
    axes.set_xticks(range(len(arms)), [wrap(ARMS[arm]) for arm in arms])
    axes.tick_params(axis="x", length=0)
    percent_axis(axes, f"Success rate (n = {count_range(pooled['n'])} episodes)")
    above(figure, axes, columns=3)
    return figure


def _success_bars(axes: Axes, pooled: pd.DataFrame, tops: pd.Series) -> None:
    """A bar an arm with its interval, and its rate in figures above `tops`, the highest thing drawn of the arm."""
    colours = [ARM_COLOURS[arm] for arm in pooled.index]
    x = np.arange(len(pooled))
    axes.bar(x, pooled["rate"], width=0.7, color=colours, alpha=0.3, linewidth=0)
    bars = error_bars(pooled["rate"], pooled["low"], pooled["high"])
    for i, colour in enumerate(colours):
        label = "all seeds, 95% Wilson interval" if i == 0 else None
        rate = pooled["rate"].iloc[i]
        style = {"fmt": "_", "markersize": 8, "color": colour, "capsize": 2, "clip_on": False}
        axes.errorbar(x[i], rate, bars[:, [i]], label=label, **style)
        axes.text(x[i], tops.iloc[i] + 0.02, f"{100 * rate:.0f}%", ha="center", va="bottom", fontsize=6.5)


def _seed_markers(axes: Axes, rows: pd.DataFrame, arms: list[str]) -> None:
    seeds = sorted(rows["seed"].unique(), key=int)
    for i, (seed, offset) in enumerate(zip(seeds, offsets(len(seeds), 0.5), strict=True)):
        chosen = rows[rows["seed"] == seed]
        x = [arms.index(arm) + offset for arm in chosen["arm"]]
        colours = [ARM_COLOURS[arm] for arm in chosen["arm"]]
        style = {"marker": MARKERS[i % len(MARKERS)], "s": 12, "linewidths": 0.7, "facecolors": "white"}
        axes.scatter(x, chosen["rate"], edgecolors=colours, label=f"seed {seed}", zorder=3, clip_on=False, **style)


def checkpoints(table: Path) -> Figure:
    """Success rate at each checkpoint of the base policy and of curated ones, with 95% Wilson intervals.

    table: checkpoints.csv, as tables.checkpoint_table writes it. A line an arm and seed.
    """
    rows = read_columns(table, ["arm", "step", *RATE_COLUMNS])
    figure = new_figure(2.2)
    axes = figure.subplots()
    steps = np.sort(rows["step"].unique())
    spread = np.diff(steps).min() * 0.3 if len(steps) > 1 else 1.0
    seeds = list(dict.fromkeys(rows["seed"]))
    lines = [(arm, seed) for arm in ARMS for seed in seeds if ((rows["arm"] == arm) & (rows["seed"] == seed)).any()]
    for (arm, seed), offset in zip(lines, offsets(len(lines), spread), strict=True):
        group = rows[(rows["arm"] == arm) & (rows["seed"] == seed)]
        bars = error_bars(group["rate"], group["low"], group["high"])
        marker = MARKERS[seeds.index(seed) % len(MARKERS)]
        style = {"markersize": 3.5, "capsize": 2, "color": ARM_COLOURS[arm], "markerfacecolor": "white"}
        label = "given rollouts" if seed == GIVEN else f"{ARMS[arm].partition(' (all')[0]}, seed {seed}"
        axes.errorbar(
            group["step"] + offset, group["rate"], bars, fmt=f"{marker}-", label=label, clip_on=False, **style
        )
    axes.set_xticks(steps)
    axes.set_xlabel("Training step of the policy")
    percent_axis(axes, f"Success rate\n(n = {count_range(rows['n'])} a point)")
    above(figure, axes, columns=2)
    return figure


def kept(table: Path) -> Figure:
    """Demonstrations kept and dropped by strategy, one bar a seed, with 95% Wilson intervals of the share kept.

    table: kept.csv, as tables.kept_table writes it.
    """
    rows = read_columns(table, ["seed", "kind", "source", "n", "kept", "fraction", "low", "high"])
    rows = rows[(rows["kind"] == "demonstration") & (rows["source"] != "all")]
    if rows.empty:
        raise UserError(f"{table}: holds no demonstrations; score them before drawing this figure")
    rows = rows.sort_values(["source", "seed"], ignore_index=True)
    groups = rows["source"].factorize()[0]
    x = np.arange(len(rows)) + 0.6 * groups
    figure = new_figure(2.6 if _rotation(rows) else 2.2)
    axes = figure.subplots()
    _kept_bars(axes, rows, x, [STRATEGY_COLOURS[group % len(STRATEGY_COLOURS)] for group in groups])
    _label_bars(axes, rows, x)
    percent_axis(axes, "Share of demonstrations")
    handles = [Patch(color=GREY, label="kept, 95% Wilson interval"), Patch(color=GREY, alpha=0.25, label="dropped")]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _kept_bars(axes: Axes, rows: pd.DataFrame, x: np.ndarray, colours: list[str]) -> None:
    axes.bar(x, rows["fraction"], width=0.8, color=colours, linewidth=0)
    axes.bar(x, 1 - rows["fraction"], width=0.8, bottom=rows["fraction"], color=colours, alpha=0.25, linewidth=0)
    bars = error_bars(rows["fraction"], rows["low"], rows["high"])
    axes.errorbar(x, rows["fraction"], bars, fmt="none", color="black", capsize=2, clip_on=False)
    for position, count, n in zip(x, rows["kept"], rows["n"], strict=True):
        text = f"{count} of {n}"
        axes.text(position, 1.02, text, ha="center", va="bottom", rotation=_rotation(rows), fontsize=6.5)


def _label_bars(axes: Axes, rows: pd.DataFrame, x: np.ndarray) -> None:
    """Below each bar its seed, and below the bars of a strategy its name."""
    centres = pd.Series(x).groupby(rows["source"]).mean()
    axes.xaxis.remove_overlapping_locs = False  # else the name is lost where it stands below a seed
    axes.set_xticks(x, rows["seed"], rotation=_rotation(rows))
    axes.set_xticks(centres, [wrap(source, 16) for source in centres.index], minor=True)
    axes.tick_params(axis="x", which="both", length=0)
    digits = rows["seed"].astype(str).str.len().max() if _rotation(rows) else 2
    axes.tick_params(axis="x", which="minor", pad=6 + 4.2 * digits)  # points: just below the seeds
    axes.set_xlabel("Seed and strategy of the demonstrations")


def _rotation(rows: pd.DataFrame) -> int:
    """Degrees: upright text where many bars leave no room for it to lie."""
    return 90 if len(rows) > 6 else 0
