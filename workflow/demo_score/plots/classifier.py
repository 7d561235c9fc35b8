"""The classifier: its training curves, and the scores that it gives the demonstrations."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demo_score.errors import UserError
from demo_score.evaluation.inputs import read_classifiers, read_columns, read_scores, seed_of
from demo_score.plots.style import GREY, HELD_OUT_COLOUR, STRATEGY_COLOURS, TRAINING_COLOUR, above, new_figure

BINS = 30
METRICS = ["member", "epoch", "training_loss", "cross_val_loss", "cross_val_auc"]
CURVES = (  # panel, column, colour, label
    (0, "training_loss", TRAINING_COLOUR, "training"),
    (0, "cross_val_loss", HELD_OUT_COLOUR, "held-out rollouts"),
    (1, "cross_val_auc", HELD_OUT_COLOUR, None),
)


def classifier_curves(metrics: list[Path], classifiers: list[Path]) -> Figure:
    """Loss and held-out AUC by epoch of the chosen architecture's members, a row a seed; the choice is marked.

    metrics: the per-epoch CSVs of every architecture and split, of which the chosen one of each seed is drawn.
    classifiers: classifier.yaml of each seed. Raises UserError when a chosen classifier has no metrics.
    """
    chosen = read_classifiers(classifiers)
    figure = new_figure(0.55 + 1.25 * len(chosen))
    panels = figure.subplots(len(chosen), 2, squeeze=False, sharex="row")
    for row, classifier in zip(panels, chosen.to_dict("records"), strict=True):
        _draw_members(row, _chosen_metrics(metrics, classifier), classifier)
        row[0].set_ylabel(f"Seed {classifier['seed']}\nloss ({classifier['model_arch']})")
        row[1].set_ylabel("Held-out AUC")
        row[0].set_ylim(bottom=0)
        row[1].set_ylim(0, 1)
        row[1].axhline(0.5, color=GREY, linewidth=0.6, linestyle=":")
    for axes in panels[-1]:
        axes.set_xlabel("Epoch")
    above(figure, panels[0, 0], columns=3)
    return figure


def _chosen_metrics(metrics: list[Path], classifier: dict) -> pd.DataFrame:
    """The metrics of the classifier's seed and architecture; with several splits, of the one that holds its weights."""
    seed, arch = classifier["seed"], classifier["model_arch"]
    paths = [path for path in metrics if seed_of(path) == seed and path.stem == arch]
    if len(paths) > 1:
        paths = [path for path in paths if path.parent.resolve() in classifier["weights"].parents]
    if len(paths) != 1:
        raise UserError(f"seed {seed}: {len(paths)} metrics files for its classifier {arch}; give all, each once")
    table = read_columns(paths[0], METRICS)
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
            axes.plot(member["epoch"], member[column], color=colour, alpha=0.3, linewidth=0.6)
        axes.plot(table[is_chosen]["epoch"], table[is_chosen][column], color=colour, label=label)
        if column != "training_loss":
            axes.plot(best["epoch"], best[column], "o", color="black", markersize=3.5, label=label and "chosen epoch")


def scores(scores: list[Path], classifiers: list[Path]) -> Figure:
    """Histograms of the demonstrations' scores by strategy, a panel a seed, with the threshold.

    scores: scores.csv of each seed; classifiers: classifier.yaml of each seed, for the threshold.
    """
    table = read_scores(scores)
    table = table[table["kind"] == "demonstration"]
    thresholds = read_classifiers(classifiers).set_index("seed")["threshold"]
    missing = sorted(set(table["seed"]) ^ set(thresholds.index))
    if missing or table.empty:
        raise UserError(f"seeds {missing}: give scores.csv, with demonstrations, and classifier.yaml of each seed")
    edges = _edges(pd.concat([table["score"], thresholds]))
    figure = new_figure(0.65 + 1.05 * len(thresholds))
    panels = figure.subplots(len(thresholds), 1, squeeze=False, sharex=True)[:, 0]
    strategies = sorted(table["source"].unique())
    for axes, (seed, group) in zip(panels, table.groupby("seed"), strict=True):
        _draw_histograms(axes, group, strategies, edges)
        axes.axvline(thresholds[seed], color="black", linestyle="--", label="threshold")
        axes.set_title(f"Seed {seed} (n = {len(group)} demonstrations)", loc="left")
        axes.set_ylabel("Demonstrations")
    panels[-1].set_xlabel("Score: predicted probability of success")
    above(figure, panels[0], columns=3)
    return figure


def _draw_histograms(axes: Axes, group: pd.DataFrame, strategies: list[str], edges: np.ndarray) -> None:
    for i, strategy in enumerate(strategies):
        colour = STRATEGY_COLOURS[i % len(STRATEGY_COLOURS)]
        values = group.loc[group["source"] == strategy, "score"]
        axes.hist(values, edges, histtype="stepfilled", color=colour, alpha=0.35, linewidth=0, label=strategy)
        axes.hist(values, edges, histtype="step", color=colour)


def _edges(values: pd.Series) -> np.ndarray:
    """(BINS + 1,) bin edges over the range of the values, rounded outwards to 0.05."""
    low, high = np.floor(values.min() * 20) / 20, np.ceil(values.max() * 20) / 20
    return np.linspace(low, max(high, low + 0.05), BINS + 1)
