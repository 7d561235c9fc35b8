"""The arena's figures: they draw what its tables say, and in the worst cases too."""

import runpy
import sys
from itertools import pairwise

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from demo_score.curation_methods import METHODS
from demo_score.plots import arena, arena_grids
from demo_score.plots.arena_style import name, spread
from demo_score.plots.style import WIDTH, figure_style
from demo_score.runtime.errors import UserError
from matplotlib.text import Text
from places import SCRIPTS
from synthetic_arena import EXTERNAL, arena_tables
from synthetic_results import write_table

pytestmark = pytest.mark.slow

INPUTS = {
    "arena_uplift": {"table": "arena_uplift"},
    "arena_curves": {"table": "arena_uplift"},
    "arena_agreement": {"table": "arena_agreement"},
    "arena_detection": {"detection": "arena_detection", "uplift": "arena_uplift"},
    "arena_cost": {"costs": "arena_costs", "uplift": "arena_uplift"},
}
FIGURES = {draw.__name__: draw for draw in (arena.arena_uplift, arena.arena_detection, arena.arena_cost)}
FIGURES |= {draw.__name__: draw for draw in (arena_grids.arena_curves, arena_grids.arena_agreement)}
SILENT = dict.fromkeys(
    ["cupid", "length", *(f"random_{i}" for i in range(1, 6)), "oracle", "all", "length_matched"], -1.0
)
WORST = {
    "one_run": {"seeds": (1,), "methods": ("cupid", "length"), "levels": ("own",), "n_random": 1},
    "all_zero": {"methods": ("cupid", "length"), "levels": ("own",), "rates": SILENT},
    "no_oracle": {"oracle": [], "seeds": (1, 2), "methods": tuple(METHODS)[:7]},
    "unmeasured": {"methods": (EXTERNAL, "other"), "seeds": (1, 2)},
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The folder of tables of a made-up arena."""
    return arena_tables(tmp_path_factory.mktemp("arena")) / "tables"


def drawn(figure: str, folder):
    with figure_style():
        made = FIGURES[figure](**{option: folder / f"{table}.csv" for option, table in INPUTS[figure].items()})
        made.draw_without_rendering()
        return made


@pytest.mark.parametrize("figure", FIGURES)
def test_figure_is_one_column_wide_and_the_same_bytes_again(figure, tables, tmp_path, monkeypatch) -> None:
    out = [[tmp_path / f"{time}.{kind}" for kind in ("png", "svg")] for time in (1, 2)]
    words = [f"--{option}={tables / table}.csv" for option, table in INPUTS[figure].items()]
    for paths in out:
        monkeypatch.setattr(sys, "argv", ["plot.py", figure, *words, "--out", *map(str, paths)])
        runpy.run_path(str(SCRIPTS / "plot.py"), run_name="__main__")
    pixels = matplotlib.image.imread(out[0][0])
    assert pixels.shape[1] == round(WIDTH * 200)
    assert 0.02 < (pixels[..., :3].min(axis=2) < 0.9).mean() < 0.6
    for one, other in zip(*out, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("case", WORST)
def test_worst_cases_are_drawn(case, tmp_path) -> None:
    folder = arena_tables(tmp_path, **WORST[case]) / "tables"
    for figure in FIGURES:
        drawn(figure, folder)


@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_is_cut_off(figure, tables) -> None:
    made = drawn(figure, tables)
    box = made.get_tightbbox()
    assert box.x0 > -0.02 and box.x1 < WIDTH + 0.02 and box.y0 > -0.02 and box.y1 < made.get_figheight() + 0.02


def means(tables, table: str) -> pd.DataFrame:
    rows = pd.read_csv(tables / f"{table}.csv")
    return rows[(rows["seed"] == "all") & (rows.get("keep", "own") == "own")]


def test_uplifts_are_sorted_and_controls_apart(tables) -> None:
    methods, controls = drawn("arena_uplift", tables).axes
    rows = means(tables, "arena_uplift").set_index("entrant")["uplift"].dropna()
    chosen = rows[[*METHODS, EXTERNAL]].sort_values(ascending=False)
    assert [label.get_text() for label in methods.get_yticklabels()] == [name(entrant) for entrant in chosen.index]
    values = [bar.lines[0].get_xdata()[0] for bar in methods.containers]
    assert values == pytest.approx(chosen.tolist(), abs=1e-6)
    assert {label.get_text() for label in controls.get_yticklabels()} == {
        "Oracle",
        "All demonstrations",
        "Random of matched length",
    }


def test_detection_has_a_filled_and_an_open_marker_a_method(tables) -> None:
    axes = drawn("arena_detection", tables).axes[0]
    areas, uplift = (means(tables, table) for table in ("arena_detection", "arena_uplift"))
    both = areas.merge(uplift, left_on="method", right_on="entrant")
    filled = sorted((bar.lines[0].get_xdata()[0], bar.lines[0].get_ydata()[0]) for bar in axes.containers)
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white" and line.get_marker() == "o"]
    points = sorted((line.get_xdata()[0], line.get_ydata()[0]) for line in hollow)
    assert np.array(filled) == pytest.approx(np.array(sorted(zip(both["auroc"], both["uplift"], strict=True))))
    expected = np.array(sorted(zip(both["auroc_within_length"], both["uplift"], strict=True)))
    assert np.array(points) == pytest.approx(expected)
    assert len(axes.texts) == 14


@pytest.mark.parametrize("figure", ["arena_detection", "arena_cost"])
def test_labels_do_not_overlap(figure, tables) -> None:
    made = drawn(figure, tables)
    boxes = sorted((Text.get_window_extent(text) for text in made.axes[0].texts), key=lambda box: box.y0)
    assert len(boxes) >= 13
    assert all(above.y0 > below.y1 - 1.5 for below, above in pairwise(boxes))


def test_labels_are_moved_no_more_than_they_must_be() -> None:
    assert spread(np.array([0.5, 0.1, 0.9]), 0.1) == pytest.approx([0.5, 0.1, 0.9])
    assert spread(np.array([0.5, 0.5, 0.5, 0.9]), 0.1) == pytest.approx([0.4, 0.5, 0.6, 0.9])
    assert spread(np.array([]), 0.1).shape == (0,)
    crowded = spread(np.random.default_rng(0).random(30), 0.05)
    assert np.diff(np.sort(crowded)).min() > 0.05 - 1e-9


def test_curves_have_a_panel_a_method_and_agreement_a_number_a_pair(tables) -> None:
    panels = [axes for axes in drawn("arena_curves", tables).axes if axes.get_visible()]
    assert len(panels) == 14
    points = panels[0].containers[1].get_children()  # its own interval bars
    assert points and panels[0].get_title("left") == "Demo-SCORE"
    assert len(drawn("arena_agreement", tables).axes[0].texts) == 14 * 13 / 2


def test_sizes_of_few_runs_show_each_run_in_place_of_an_interval(tables) -> None:
    panel = drawn("arena_curves", tables).axes[0]
    runs = pd.read_csv(tables / "arena_uplift.csv").query("seed != 'all' and keep != 'own'")
    small = [sorted(line.get_ydata()) for line in panel.lines if line.get_markersize() == 2]
    assert small == [sorted(runs.loc[runs["entrant"] == entrant, "rate"]) for entrant in ("random", "demo_score")]
    assert len(small[0]) == 6  # three sizes, two runs
    bars = [len(container.get_children()[0].get_segments()) for container in panel.containers]
    assert bars == [1, 1]  # the own size's alone, of random and of the method


def test_tables_without_a_method_are_refused(tables, tmp_path) -> None:
    rows = pd.read_csv(tables / "arena_uplift.csv")
    few = write_table(tmp_path / "arena_uplift.csv", rows[rows["entrant"] == "oracle"])
    with pytest.raises(UserError, match="holds no method"):
        arena_grids.arena_curves(few)
    with pytest.raises(UserError, match="holds no method"):
        arena.arena_cost(tables / "arena_costs.csv", few)
    empty = write_table(tmp_path / "arena_agreement.csv", pd.read_csv(tables / "arena_agreement.csv").head(0))
    with pytest.raises(UserError, match="holds no pair"):
        arena_grids.arena_agreement(empty)
