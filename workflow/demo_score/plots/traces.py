"""What the filter goes by, and what it chose: scores as an episode unfolds, and the paths of demonstrations."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from demo_score.analysis.inputs import read_classifiers, read_scores
from demo_score.plots.style import GREY, KEPT_COLOURS, OUTCOME_COLOURS, new_figure, row_heights
from demo_score.runtime.errors import UserError
from demo_score.tables import PATHS, TRACES

N_SINGLE = 3  # episodes of each group that are drawn as lines of their own
N_PATHS = 60  # demonstrations at most in a panel
GROUPS = (  # panel, kind, column, value -> label, colours
    ("rollout", "success", {1: "success", 0: "failure"}, OUTCOME_COLOURS),
    ("demonstration", "kept", {1: "kept", 0: "dropped"}, KEPT_COLOURS),
)
SHORT = {"rollout": "rollouts", "demonstration": "demos"}
VIEWS = {"y": "top view", "z": "front view"}  # the axis beside x
TRACE_COLUMNS = ["seed", "kind", "actor", "episode", "success", "kept", "step", "score"]
UNITS = {True: "m", False: "px"}  # with z; without


def traces(traces: list[Path], classifiers: list[Path]) -> Figure:
    """The score of episodes as far as they have come: rollouts by outcome, demonstrations by verdict, a row a run.

    traces: traces.csv of each seed; classifiers: classifier.yaml of each seed, for the threshold. Bold: the median;
    shaded: the middle half; thin: single episodes.
    """
    table = pd.concat([TRACES.read(path, TRACE_COLUMNS) for path in traces])
    tables = dict(iter(table.groupby("seed")))
    thresholds = read_classifiers(classifiers).set_index("seed")["threshold"]
    if set(tables) != set(thresholds.index):
        raise UserError(f"seeds {sorted(set(tables) ^ set(thresholds.index))}: give traces.csv and classifier.yaml")
    figure = new_figure(0.6 + len(tables) * row_heights(len(tables)))
    panels = figure.subplots(len(tables), 2, squeeze=False, sharex=True, sharey=True)
    for row, (seed, table) in zip(panels, sorted(tables.items()), strict=True):
        for axes, group in zip(row, GROUPS, strict=True):
            _draw_panel(axes, table, *group)
            axes.axhline(thresholds[seed], color="black", linestyle="--", linewidth=0.8)
        row[0].set_title(f"{seed}: {row[0].get_title('left')}", loc="left", pad=2)
    figure.supxlabel("Control step", fontsize=7)
    figure.supylabel("Score so far", fontsize=7)
    _legend(figure, panels[0])
    return figure


def _draw_panel(axes: Axes, table: pd.DataFrame, kind: str, column: str, labels: dict, colours: dict) -> None:
    """The episodes of one kind, in the groups that `column` tells; the numbers of both above."""
    shown = table[table["kind"] == kind]
    for value, label in labels.items():
        _draw_group(axes, shown[shown[column] == value], label, colours[label])
    n = shown.drop_duplicates(["actor", "episode"])[column].value_counts()
    axes.set_title(f"{SHORT[kind]} {' + '.join(str(n.get(value, 0)) for value in labels)}", loc="left", pad=2)


def _draw_group(axes: Axes, group: pd.DataFrame, label: str, colour: str) -> None:
    if group.empty:
        return
    for _, episode in list(group.groupby(["actor", "episode"], sort=False))[:N_SINGLE]:
        axes.plot(episode["step"], episode["score"], color=colour, alpha=0.5, linewidth=0.5, rasterized=True)
    quartiles = group.groupby("step")["score"].quantile([0.25, 0.5, 0.75]).unstack()
    axes.fill_between(quartiles.index, quartiles[0.25], quartiles[0.75], color=colour, alpha=0.2, linewidth=0)
    axes.plot(quartiles.index, quartiles[0.5], color=colour, label=label)


def _legend(figure: Figure, panels: np.ndarray) -> None:
    lines = [line for axes in panels for line in axes.get_legend_handles_labels()[0]]
    figure.legend(handles=lines, loc="outside upper center", ncols=4, handlelength=1.5, columnspacing=1.0)


def paths(paths: Path, scores: list[Path]) -> Figure:
    """The ways of the finger tips (or the pusher) in demonstrations, by how many runs kept them; rows: views.

    paths: paths.csv of the demonstrations; scores: scores.csv of each seed. At most N_PATHS are drawn in a panel.
    """
    points = PATHS.read(paths)
    groups = _by_verdict(read_scores(scores))
    spatial = bool(points["z"].notna().all())
    views = VIEWS if spatial else {"y": ""}
    ratios = [_span(points, view) / _span(points, "x") for view in views]
    figure = new_figure(0.75 + sum(2.55 / len(groups) * ratio + 0.1 for ratio in ratios))
    shape = (len(views), len(groups))
    panels = figure.subplots(*shape, squeeze=False, sharex=True, sharey="row", height_ratios=ratios)
    for axes, (label, _, _) in zip(panels[0], groups, strict=True):
        axes.set_title(label, loc="left")
    for row, (view, seen) in zip(panels, views.items(), strict=True):
        for axes, (_, colour, chosen) in zip(row, groups, strict=True):
            _draw_paths(axes, points, chosen.head(N_PATHS), view, colour)
            axes.set_aspect("equal")
        row[0].set_ylabel(f"{seen}\n{view} ({UNITS[spatial]})".strip())
    for axes in panels[-1]:
        axes.set_xlabel(f"x ({UNITS[spatial]})")
    return figure


def _by_verdict(scores: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Title, colour and demonstrations (actor, episode) that every run kept, that some did, and that none did."""
    shown = scores[scores["kind"] == "demonstration"]
    share = shown.groupby(["actor", "episode"], sort=False)["kept"].mean().reset_index()
    titles = ("kept by all", "dropped by all") if shown["seed"].nunique() > 1 else ("kept", "dropped")
    groups = [
        (titles[0], KEPT_COLOURS["kept"], share[share["kept"] == 1]),
        ("kept by some", GREY, share[share["kept"].between(0, 1, inclusive="neither")]),
        (titles[1], KEPT_COLOURS["dropped"], share[share["kept"] == 0]),
    ]
    n = len(share)
    return [(f"{title}:\n{len(some)} of {n}", colour, some) for title, colour, some in groups if len(some)]


def _span(points: pd.DataFrame, axis: str) -> float:
    return float(points[axis].max() - points[axis].min())


def _draw_paths(axes: Axes, points: pd.DataFrame, chosen: pd.DataFrame, view: str, colour: str) -> None:
    """A line for each effector of each chosen demonstration, a dot where it ends."""
    wanted = set(zip(chosen["actor"], chosen["episode"], strict=True))
    lines = [
        path[["x", view]].to_numpy()
        for (strategy, episode, _), path in points.groupby(["strategy", "episode", "effector"])
        if (strategy, episode) in wanted
    ]
    axes.add_collection(LineCollection(lines, colors=colour, alpha=0.25, linewidths=0.4, rasterized=True))
    ends = np.array([line[-1] for line in lines]).reshape(-1, 2)
    axes.scatter(*ends.T, s=1.5, color="black", linewidths=0, zorder=3, rasterized=True)
    axes.autoscale_view()
