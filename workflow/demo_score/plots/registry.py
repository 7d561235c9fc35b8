"""The figures by their names, and who draws them; packages that draw are imported for the one that is drawn."""

from collections.abc import Callable

NAMES = ("success", "checkpoints", "kept", "classifier_curves", "scores", "differences", "overview", "traces", "paths")
NAMES += ("arena_uplift", "arena_detection", "arena_cost", "arena_curves", "arena_agreement")


def drawing(name: str) -> Callable:
    """The function that draws a figure: tables -> figure; its parameters are called as the options of plot.py."""
    from demo_score.plots.arena import arena_cost, arena_detection, arena_uplift
    from demo_score.plots.arena_grids import arena_agreement, arena_curves
    from demo_score.plots.classifier import classifier_curves, scores
    from demo_score.plots.figures import checkpoints, kept, success
    from demo_score.plots.forest import differences, overview
    from demo_score.plots.traces import paths, traces

    functions = [success, checkpoints, kept, classifier_curves, scores, differences, overview, traces, paths]
    functions += [arena_uplift, arena_detection, arena_cost, arena_curves, arena_agreement]
    return next(function for function in functions if function.__name__ == name)
