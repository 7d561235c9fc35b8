"""The classifier: its training curves, and the scores that it gives the demonstrations."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demo_score.analysis.inputs import read_classifiers, read_scores
from demo_score.plots.style import (
    GREY,
    HELD_OUT_COLOUR,
    STRATEGY_COLOURS,
    TRAINING_COLOUR,
    above,
    new_figure,
    row_heights,
)
from demo_score.runtime.errors import UserError
from demo_score.tables import CLASSIFIER_METRICS

BINS = 30
METRICS = ["member", "epoch", "training_loss", "cross_val_loss", "cross_val_auc"]
CURVES = (  # panel, column, colour, label
    (0, "training_loss", TRAINING_COLOUR, "training"),
    (0, "cross_val_loss", HELD_OUT_COLOUR, "held-out rollouts"),
    (1, "cross_val_auc", HELD_OUT_COLOUR, None),
)


def classifier_curves(metrics: list[Path], classifiers: list[Path]) -> Figure:
    """Loss and held-out AUC by epoch of the chosen architecture's members, a row a run; the choice is marked.

    metrics: the per-epoch CSVs of every architecture and split, of which the chosen one of each seed is drawn.
    classifiers: classifier.yaml of each seed. Raises UserError when a chosen classifier has no metrics.
    """
    chosen = read_classifiers(classifiers)
    figure = new_figure(0.55 + len(chosen) * row_heights(len(chosen)))
    panels = figure.subplots(len(chosen), 2, squeeze=False, sharex=True, sharey="col")
    for row, classifier in zip(panels, chosen.to_dict("records"), strict=True):
        _draw_members(row, _chosen_metrics(metrics, classifier), classifier)
        row[0].set_title(f"Run {classifier['seed']}: {classifier['model_arch']}", loc="left", pad=2)
        row[0].set_ylabel("Loss")
        row[1].set_ylabel("AUC")
        row[1].axhline(0.5, color=GREY, linewidth=0.6, linestyle=":")
    panels[0, 0].set_ylim(bottom=0)
    panels[0, 1].set_ylim(0, 1)
    for axes in panels[-1]:
        axes.set_xlabel("Epoch")
    above(figure, panels[0, 0], columns=3)
    return figure


def _chosen_metrics(metrics: list[Path], classifier: dict) -> pd.DataFrame:
    """The metrics beside the classifier's weights."""
    wanted = classifier["weights"].with_suffix(".csv")
    paths = [path for path in metrics if path.resolve() == wanted]
    if len(paths) != 1:
        raise UserError(f"seed {classifier['seed']}: {len(paths)} metrics files {wanted.name}; give all, each once")
    table = CLASSIFIER_METRICS.read(paths[0], METRICS)
    if not ((table["member"] == classifier["member"]) & (table["epoch"] == classifier["best_epoch"])).any():
        raise UserError(f"{paths[0]}: lacks the chosen member and epoch; train this classifier again")
    return table


def _draw_members(panels: np.ndarray, table: pd.DataFrame, classifier: dict) -> None:
    """Every member thin and pale, then the chosen one bold with a marker at the chosen epoch."""
    is_chosen = table["member"] == classifier["member"]
    best = table[is_chosen & (table["epoch"] == classifier["best_epoch"])]
    for panel, column, colour, label in CURVES:
        axes = panels[panel]
        for _, member in table[~is_chosen].groupby("member"):
            axes.plot(member["epoch"], member[column], color=colour, alpha=0.3, linewidth=0.6, rasterized=True)
        axes.plot(table[is_chosen]["epoch"], table[is_chosen][column], color=colour, label=label)
        if column != "training_loss":
            axes.plot(best["epoch"], best[column], "o", color="black", markersize=2.5, label=label and "chosen epoch")


def scores(scores: list[Path], classifiers: list[Path]) -> Figure:
    """Histograms of the demonstrations' scores by strategy, a panel a run, with the threshold.

    scores: scores.csv of each seed; classifiers: classifier.yaml of each seed, for the threshold.
    """
    table = read_scores(scores)
    table = table[table["kind"] == "demonstration"]
    thresholds = read_classifiers(classifiers).set_index("seed")["threshold"]
    missing = sorted(set(table["seed"]) ^ set(thresholds.index))
    if missing or table.empty:
        raise UserError(f"seeds {missing}: give scores.csv, with demonstrations, and classifier.yaml of each seed")
    edges = _edges(pd.concat([table["score"], thresholds]))
    columns = 1 if len(thresholds) < 4 else 2
    rows = math.ceil(len(thresholds) / columns)
    figure = new_figure(0.65 + rows * row_heights(rows, 1.05))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    strategies = sorted(table["actor"].unique())
    for axes, (seed, group) in zip(panels.flat, table.groupby("seed"), strict=False):
        _draw_histograms(axes, group, strategies, edges)
        axes.axvline(thresholds[seed], color="black", linestyle="--", linewidth=0.8, label="threshold")
        axes.set_title(f"Run {seed} (n = {len(group)})", loc="left", pad=2)
    for axes in panels.flat[len(thresholds) :]:
        axes.set_axis_off()
    figure.supxlabel("Score: predicted probability of success", fontsize=7)
    figure.supylabel("Demonstrations", fontsize=7)
    above(figure, panels[0, 0], columns=3)
    return figure


def _draw_histograms(axes: Axes, group: pd.DataFrame, strategies: list[str], edges: np.ndarray) -> None:
    for i, strategy in enumerate(strategies):
        colour = STRATEGY_COLOURS[i % len(STRATEGY_COLOURS)]
        values = group.loc[group["actor"] == strategy, "score"]
        axes.hist(values, edges, histtype="stepfilled", color=colour, alpha=0.35, linewidth=0, label=strategy)
        axes.hist(values, edges, histtype="step", color=colour)


def _edges(values: pd.Series) -> np.ndarray:
    """(BINS + 1,) bin edges over the range of the values, rounded outwards to 0.05."""
    low, high = np.floor(values.min() * 20) / 20, np.ceil(values.max() * 20) / 20
    return np.linspace(low, max(high, low + 0.05), BINS + 1)
