"""The arena's uplifts: of every entrant, beside what its scores detect, and beside what they cost."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, StrMethodFormatter

from demo_score.entrants import OWN, RANDOM, control_of
from demo_score.plots.arena_style import colour, label_beside, name, of_own_size, points
from demo_score.plots.runs import describe_runs, draw_row, legend, mean_and_runs, name_rows
from demo_score.plots.style import GREY, error_bars, new_figure
from demo_score.runtime.errors import UserError
from demo_score.tables import ALL_RUNS, ARENA_DETECTION, ARENA_MEAN_COSTS, ARENA_UPLIFT

UPLIFT = ["entrant", "keep", "seed", "runs", "n", "rate", "uplift", "low", "high"]
ROW, TITLE = 0.2, 0.3  # inches: of an entrant, of what is above and below a panel
POINT = {"capsize": 1.5, "elinewidth": 0.8, "markersize": 4, "linestyle": "none", "clip_on": False}
HOLLOW = {"marker": "o", "markersize": 6, "markeredgewidth": 0.7, "markerfacecolor": "white", "clip_on": False}


def arena_uplift(table: Path) -> Figure:
    """The success of each entrant minus that of a random choice of equal size, the largest first; controls below.

    table: arena_uplift.csv; the arena's own size of keep. Band: one standard deviation of a run's random choices.
    """
    every = ARENA_UPLIFT.read(table, [*UPLIFT, "sd_subsets"])
    rows = every[(every["keep"] == OWN) & (every["entrant"] != RANDOM)]
    controlled = rows["entrant"].map(control_of).notna()
    panels = {"methods": rows[~controlled], "controls": rows[controlled]}
    panels = {title: _sorted(shown) for title, shown in panels.items() if len(shown)}
    counts = [shown["entrant"].nunique() for shown in panels.values()]
    figure = new_figure(0.9 + ROW * sum(counts) + TITLE * len(counts))
    axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=counts)[:, 0]
    for one, (title, shown) in zip(axes, panels.items(), strict=True):
        _forest(one, shown, _spread_of_random(every))
        one.set_title(title, loc="left")
    axes[-1].set_xlabel(f"Uplift over random (points)\n{describe_runs(rows, 'entrant', 'episodes')}")
    legend(figure, rows, _band(every))
    return figure


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    means = mean_and_runs(rows)[0].set_index("entrant")["uplift"]
    return rows.assign(place=rows["entrant"].map(-means)).sort_values("place", kind="stable")


def _forest(axes: Axes, rows: pd.DataFrame, sd: float) -> None:
    if sd > 0:
        axes.axvspan(-sd, sd, color=GREY, alpha=0.12, linewidth=0)
    axes.axvline(0, color=GREY, linewidth=0.6, linestyle=":")
    entrants = list(dict.fromkeys(rows["entrant"]))
    for height, entrant in enumerate(entrants):
        draw_row(axes, height, rows[rows["entrant"] == entrant], "uplift", colour(entrant))
    name_rows(axes, [name(entrant) for entrant in entrants])
    axes.xaxis.set_major_formatter(FuncFormatter(points))


def _spread_of_random(every: pd.DataFrame) -> float:
    """The mean standard deviation between the random choices of a run; NaN where a run has but one."""
    chosen = (every["entrant"] == RANDOM) & (every["keep"] == OWN) & (every["seed"] == ALL_RUNS)
    return float(every.loc[chosen, "sd_subsets"].item())


def _band(every: pd.DataFrame) -> list[Patch]:
    if not _spread_of_random(every) > 0:
        return []
    return [Patch(color=GREY, alpha=0.12, linewidth=0, label="±1 SD of one random choice")]


def arena_detection(detection: Path, uplift: Path) -> Figure:
    """Whether the method that finds the oracle's strategies best makes the best policy: uplift over AUROC.

    detection: arena_detection.csv; uplift: arena_uplift.csv, at the arena's own size of keep.
    """
    areas = ARENA_DETECTION.read(detection, ["method", "seed", "n", "positive", "auroc", "auroc_within_length"])
    areas = areas[areas["seed"] == ALL_RUNS].set_index("method")
    rows = _methods(uplift).join(areas[["auroc", "auroc_within_length"]], on="entrant")
    known = rows.dropna(subset="auroc")
    figure, axes = _scatter(known)
    axes.axvline(0.5, color=GREY, linewidth=0.6, linestyle=":")
    for row in known.to_dict("records"):
        both = [row["auroc"], row["auroc_within_length"]]
        axes.plot(both, [row["uplift"]] * 2, color=colour(row["entrant"]), linewidth=0.6, alpha=0.5)
        axes.plot(both[1:], [row["uplift"]], color=colour(row["entrant"]), **HOLLOW)
        _point(axes, row, both[0], "o")
    label_beside(axes, known["auroc"], known["uplift"], [name(entrant) for entrant in known["entrant"]])
    axes.set(xlim=_limits(known[["auroc", "auroc_within_length"]]), xlabel="AUROC for the oracle's strategies")
    _say_nothing(axes, known, "no strategies of the oracle are known")
    handles = [_key("o", "all demonstrations"), _key("o", "among like lengths", filled=False)]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, handlelength=1.0, columnspacing=1.0)
    return figure


def _limits(areas: pd.DataFrame) -> tuple[float, float]:
    """Of AUROC: all of 0.5 to 1, and what lies below."""
    return (min(0.45, float(np.nanmin(areas.to_numpy())) - 0.03) if len(areas) else 0.0, 1.0)


def arena_cost(costs: Path, uplift: Path) -> Figure:
    """What each method's scores cost beside what they gain: uplift over core-seconds.

    costs: arena_costs.csv; uplift: arena_uplift.csv, at the arena's own size of keep.
    """
    table = ARENA_MEAN_COSTS.read(costs, ["method", "seed", "rollouts", "core_seconds"], empty=True)
    table = table[table["seed"] == ALL_RUNS].set_index("method")
    rows = _methods(uplift).join(table[["rollouts", "core_seconds"]], on="entrant")
    known, unknown = rows.dropna(subset="core_seconds"), rows[rows["core_seconds"].isna()]
    figure, axes = _scatter(known)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    seconds = known["core_seconds"].clip(lower=0.01)
    for row, x in zip(known.to_dict("records"), seconds, strict=True):
        _point(axes, row, x, "s" if row["rollouts"] > 0 else "o")
    label_beside(axes, seconds, known["uplift"], [name(entrant) for entrant in known["entrant"]])
    missing = ", ".join(name(entrant) for entrant in unknown["entrant"])
    axes.set_xlabel("Core-seconds a run" + f"\n(not measured: {missing})" * bool(missing))
    _say_nothing(axes, known, "no time was measured")
    handles = [_key("o", "from demonstrations or policy alone"), _key("s", "needs labelled rollouts")]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, handlelength=1.0, columnspacing=1.0)
    return figure


def _methods(uplift: Path) -> pd.DataFrame:
    rows = of_own_size(ARENA_UPLIFT.read(uplift, UPLIFT))
    if rows.empty:
        raise UserError(f"{uplift}: holds no method; give arena.methods in config.yaml")
    return rows


def _scatter(rows: pd.DataFrame) -> tuple[Figure, Axes]:
    """Axes of uplift, high enough for all labels."""
    figure = new_figure(max(2.3, 1.0 + 0.115 * len(rows)))
    axes = figure.subplots()
    axes.axhline(0, color=GREY, linewidth=0.6, linestyle=":")
    values = np.append(rows[["uplift", "low", "high"]].to_numpy().ravel(), 0)
    low, high = np.nanmin(values), np.nanmax(values)
    margin = max(0.05 * (high - low), 0.03)
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_formatter(FuncFormatter(points))
    axes.set_ylabel("Uplift over random (points)")
    return figure, axes


def _point(axes: Axes, row: dict, x: float, marker: str) -> None:
    """A method's uplift with its interval, where there is one."""
    value = pd.Series([row["uplift"]])
    bars = error_bars(value, pd.Series([row["low"]]), pd.Series([row["high"]]))
    axes.errorbar([x], value, yerr=bars, color=colour(row["entrant"]), marker=marker, zorder=3, **POINT)


def _key(marker: str, label: str, filled: bool = True) -> Line2D:
    face = GREY if filled else "white"
    return Line2D([], [], color=GREY, marker=marker, markerfacecolor=face, markersize=4, linewidth=0, label=label)


def _say_nothing(axes: Axes, known: pd.DataFrame, why: str) -> None:
    if known.empty:
        axes.text(0.5, 0.6, why, transform=axes.transAxes, ha="center", fontsize=7)
