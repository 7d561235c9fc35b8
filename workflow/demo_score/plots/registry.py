"""The figures by their names, and who draws them; packages that draw are imported for the one that is drawn."""

from collections.abc import Callable

FIGURES = {  # a module of this folder -> its functions that draw
    "figures": ("success", "checkpoints", "kept"),
    "classifier": ("classifier_curves", "scores"),
    "forest": ("differences", "overview"),
    "traces": ("traces", "paths"),
    "arena": ("arena_uplift", "arena_detection", "arena_cost"),
    "arena_grids": ("arena_curves", "arena_agreement"),
}
NAMES = [name for names in FIGURES.values() for name in names]


def drawing(name: str) -> Callable:
    """The function that draws a figure: tables -> figure; its parameters are called as the options of plot.py."""
    from demo_score.plots import arena, arena_grids, classifier, figures, forest, traces

    modules = {"figures": figures, "classifier": classifier, "forest": forest, "traces": traces}
    modules |= {"arena": arena, "arena_grids": arena_grids}
    return next(getattr(modules[module], name) for module, names in FIGURES.items() if name in names)
