"""Figures of classifiers, their scores and traces, and of the paths of demonstrations show what their tables say."""

import pandas as pd
import pytest
from demo_score.plots import classifier, traces
from demo_score.plots.style import figure_style
from demo_score.runtime.errors import UserError
from synthetic_results import THRESHOLD, experiment, write_table

__all__ = ["experiment"]  # the fixture


def test_traces_draw_the_median_of_each_group_and_the_threshold(experiment):
    with figure_style():
        panels = traces.traces(experiment["traces"], experiment["classifiers"]).axes
    table = pd.read_csv(experiment["traces"][0])
    bold = {line.get_label(): line for axes in panels[:2] for line in axes.lines}
    for label, kind, column, value in (("success", "rollout", "success", 1), ("dropped", "demonstration", "kept", 0)):
        shown = table[(table["kind"] == kind) & (table[column] == value)]
        assert list(bold[label].get_ydata()) == pytest.approx(list(shown.groupby("step")["score"].median()))
    counts = pd.read_csv(experiment["scores"][0]).query("kind == 'demonstration'")["kept"].value_counts()
    assert panels[1].get_title("left") == f"demos {counts[1]} + {counts[0]}"
    assert panels[0].get_title("left").startswith("10000: rollouts ") and len(panels) == 2 * 6
    assert [line.get_ydata()[0] for line in panels[3].lines if line.get_linestyle() == "--"] == [THRESHOLD]
    with pytest.raises(UserError, match="seeds \\[20000, 30000, 40000, 50000, 60000\\]"):
        traces.traces(experiment["traces"], experiment["classifiers"][:1])


def test_paths_draw_apart_what_all_runs_kept_some_and_none(experiment):
    with figure_style():
        panels = traces.paths(experiment["paths"][0], experiment["scores"]).axes
    scores = pd.concat(pd.read_csv(path) for path in experiment["scores"]).query("kind == 'demonstration'")
    times = scores.groupby(["actor", "episode"])["kept"].sum()
    counts = [(times == 6).sum(), times.between(1, 5).sum(), (times == 0).sum()]
    assert min(counts) > 0 and len(panels) == 2 * 3
    titles = ("kept by all", "kept by some", "dropped by all")
    shown = [f"{title}:\n{n} of 150" for title, n in zip(titles, counts, strict=True)]
    assert [axes.get_title("left") for axes in panels[:3]] == shown
    for axes, n in zip([*panels[:3], *panels[3:]], 2 * counts, strict=True):
        assert len(axes.collections[0].get_segments()) == 2 * min(n, traces.N_PATHS)
    assert [panels[i].get_ylabel() for i in (0, 3)] == ["top view\ny (m)", "front view\nz (m)"]


def test_paths_of_a_pusher_are_flat(experiment, tmp_path):
    table = pd.read_csv(experiment["paths"][0]).query("effector == 'left'").assign(effector="pusher", z=float("nan"))
    with figure_style():
        panels = traces.paths(write_table(tmp_path / "paths.csv", table), experiment["scores"][:1]).axes
    assert len(panels) == 2 and panels[0].get_ylabel() == "y (px)"


def test_scores_draws_demonstrations_only_and_the_threshold(experiment):
    with figure_style():
        panels = classifier.scores(experiment["scores"], experiment["classifiers"]).axes
    assert [axes.get_title("left") for axes in panels] == [f"Run {10000 * i} (n = 150)" for i in range(1, 7)]
    assert panels[0].get_legend_handles_labels()[1] == ["reliable", "unreliable", "threshold"]
    assert list(panels[0].lines[0].get_xdata()) == [THRESHOLD, THRESHOLD]


def test_scores_without_the_classifier_of_a_seed_is_refused(experiment):
    with pytest.raises(UserError, match="seeds \\[20000, 30000, 40000, 50000, 60000\\]"):
        classifier.scores(experiment["scores"], experiment["classifiers"][:1])


def test_classifier_curves_draws_the_split_that_was_chosen(experiment):
    with figure_style():
        panels = classifier.classifier_curves(experiment["metrics"], experiment["classifiers"]).axes
    chosen = pd.read_csv(experiment["metrics"][1])  # 004500-008000 of the first seed, not 003000-008000
    chosen = chosen[chosen["member"] == 2]
    bold = {line.get_label(): line for line in panels[0].lines}
    assert list(bold["held-out rollouts"].get_ydata()) == list(chosen["cross_val_loss"])
    best = chosen[chosen["epoch"] == 180].iloc[0]
    marker = bold["chosen epoch"]
    assert (marker.get_xdata()[0], marker.get_ydata()[0]) == (180, best["cross_val_loss"])


def test_classifier_curves_without_the_chosen_metrics_is_refused(experiment):
    with pytest.raises(UserError, match="seed 20000: 0 metrics files"):
        classifier.classifier_curves(experiment["metrics"][:2], experiment["classifiers"][:2])
