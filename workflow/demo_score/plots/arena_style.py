"""How the arena's figures show entrants: their order, names and colours, and labels that do not overlap."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from demo_score.conditions import BASE, CONDITIONS
from demo_score.curation_methods import METHODS, title
from demo_score.entrants import ALL, ORACLE, OWN, control_of
from demo_score.plots.style import GREY
from demo_score.tables import ALL_RUNS

METHOD_COLOUR, LENGTH_COLOUR, EXTERNAL_COLOUR = "#0072B2", "#D55E00", "#CC79A7"
CONTROL_COLOURS = {ORACLE: CONDITIONS[ORACLE].colour, ALL: CONDITIONS[BASE].colour}
LABEL, LEADER = 6.0, {"arrowstyle": "-", "color": GREY, "linewidth": 0.4, "alpha": 0.6, "shrinkA": 0, "shrinkB": 2}


def colour(entrant: str) -> str:
    """Methods alike but for the control `length`, what is external apart, controls grey or as their conditions are."""
    if control := control_of(entrant):
        return CONTROL_COLOURS.get(control, GREY)
    return LENGTH_COLOUR if entrant == "length" else METHOD_COLOUR if entrant in METHODS else EXTERNAL_COLOUR


def name(entrant: str) -> str:
    """What a figure calls an entrant: controls without what explains them."""
    return title(entrant).partition(" (")[0]


def of_own_size(uplift: pd.DataFrame) -> pd.DataFrame:
    """The rows over all runs of methods at the arena's own size of keep."""
    rows = uplift[(uplift["keep"] == OWN) & (uplift["seed"] == ALL_RUNS)]
    return rows[rows["entrant"].map(control_of).isna()]


def points(value: float, _: int | None = None) -> str:
    """A tick of an axis of points."""
    return f"{100 * value:+.0f}" if round(value, 6) else "0"


def label_beside(axes: Axes, x: Sequence[float], y: Sequence[float], labels: Sequence[str]) -> None:
    """Name points to the right of the axes, each on a line of its own, with a thin line to its point.

    The limits of y are to be set before.
    """
    low, high = axes.get_ylim()
    height = axes.figure.get_figheight() * 72 * 0.65  # points of the axes, at least
    places = spread((np.asarray(y) - low) / (high - low), (LABEL + 1.5) / height)
    for at, end, place, label in zip(x, y, places, labels, strict=True):
        axes.annotate(
            label,
            (at, end),
            (1.04, place),
            textcoords="axes fraction",
            arrowprops={**LEADER, "relpos": (0, 0.5)},
            fontsize=LABEL,
            va="center",
            annotation_clip=False,
        )


def spread(places: np.ndarray, gap: float) -> np.ndarray:
    """The places (n,), moved apart as little as leaves `gap` between neighbours, their order kept, around their mean.

    Pool adjacent violators on places minus their rank times `gap`: the least squares of what is moved.
    Source: Barlow, Bartholomew, Bremner and Brunk, Statistical Inference under Order Restrictions (1972), chapter 1.
    """
    order = np.argsort(places, kind="stable")
    blocks: list[tuple[float, int]] = []  # mean, size
    for rank, value in enumerate(places[order]):
        blocks.append((value - rank * gap, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    moved = np.empty(len(places))
    means, sizes = [mean for mean, _ in blocks], [size for _, size in blocks]
    moved[order] = np.repeat(np.array(means, dtype=float), np.array(sizes, dtype=int)) + gap * np.arange(len(places))
    return moved
