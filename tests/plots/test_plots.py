"""Every figure is drawn, shows what its tables say, and is the same bytes a second time."""

import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import docutils.core
import jinja2
import matplotlib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import yaml
from demo_score.analysis.tables import make_tables
from demo_score.conditions import CONDITIONS, CONTROLS
from demo_score.plots import figures, forest, registry, traces
from demo_score.plots.style import WIDTH, condition_label, figure_style
from demo_score.runtime.errors import UserError
from demo_score.tables import ALL_RUNS
from demo_score.tables.arena import ARENA_TABLES
from matplotlib.collections import PathCollection
from places import SCRIPTS
from synthetic_results import experiment, write_experiment, write_table

__all__ = ["experiment"]  # the fixture

pytestmark = pytest.mark.slow

SCRIPT = SCRIPTS / "plot.py"
CAPTIONS = sorted(SCRIPT.parents[1].glob("report/*.rst"))
NAMES = ["success", "differences", "checkpoints", "kept", "classifier_curves", "scores", "traces", "paths"]
INPUTS = {  # of those that show more than one table
    "classifier_curves": ("metrics", "classifiers"),
    "scores": ("scores", "classifiers"),
    "traces": ("traces", "classifiers"),
    "paths": ("paths", "scores"),
}
PAGES = ["answer", "overview", "episodes", "demonstrations", "problems", "summary", "manifest", "run", "workflow"]
ARENA = ["arena_uplift", "arena_detection", "arena_curves", "arena_agreement", "arena_cost", "arena_summary"]


def draw(name: str, experiment: dict, out: list[Path], monkeypatch) -> None:
    """Run plot.py in this process."""
    inputs = INPUTS.get(name)
    if inputs is None:
        words = ["--table", experiment["tables"] / f"{name}.csv"]
    else:
        words = [word for key in inputs for word in (f"--{key}", *experiment[key])]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), name, *map(str, words), "--out", *map(str, out)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


@pytest.mark.parametrize("name", NAMES)
def test_figure_is_one_column_wide_and_not_empty_and_the_same_bytes_again(name, experiment, tmp_path, monkeypatch):
    first, second = ([tmp_path / f"{time}.{kind}" for kind in ("png", "svg")] for time in ("first", "second"))
    draw(name, experiment, first, monkeypatch)
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20)  # a user's own settings change nothing
    draw(name, experiment, second, monkeypatch)
    pixels = matplotlib.image.imread(first[0])
    assert pixels.shape[1] == round(WIDTH * 200)
    assert 0.02 < (pixels[..., :3].min(axis=2) < 0.9).mean() < 0.6
    assert first[1].read_text().count("<path") > 50 and first[1].stat().st_size < 300_000
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def rows_of(experiment: dict, table: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a table over all runs, and those of single runs."""
    rows = pd.read_csv(experiment["tables"] / f"{table}.csv")
    return rows[rows["seed"] == ALL_RUNS], rows[rows["seed"] != ALL_RUNS]


def drawn(axes) -> tuple[list[float], list[tuple[float, float]], list[float]]:
    """What lies in rows: means, their limits, and the runs' values."""
    bars = [container for container in axes.containers if hasattr(container, "has_xerr")]
    means = [bar.lines[0].get_xdata()[0] for bar in bars]
    limits = [tuple(segment[:, 0]) for bar in bars for segment in bar.lines[2][0].get_segments() if len(segment)]
    runs = [x for points in axes.collections if isinstance(points, PathCollection) for x in points.get_offsets()[:, 0]]
    return means, limits, runs


def assert_drawn(axes, mean: pd.DataFrame, runs: pd.DataFrame, value: str) -> None:
    means, limits, points = drawn(axes)
    assert means == pytest.approx(list(mean[value]), abs=1e-6)
    assert np.array(limits) == pytest.approx(mean[["low", "high"]].to_numpy(), abs=1e-6)
    assert points == pytest.approx(list(runs[value]), abs=1e-6)


def test_success_draws_the_mean_of_the_runs_with_its_interval_and_each_run(experiment):
    with figure_style():
        axes = figures.success(experiment["tables"] / "success.csv").axes[0]
    mean, runs = rows_of(experiment, "success")
    assert_drawn(axes, mean, runs, "rate")
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(list(mean["rate"]), abs=1e-6)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        condition_label(condition) for condition in CONDITIONS
    ]
    assert [text.get_text() for text in axes.texts] == [f"{100 * rate:.0f}%" for rate in mean["rate"]]
    assert axes.get_xlabel() == "Success rate (6 runs of 200 episodes)"
    assert axes.get_xlim() == (0, 1) and axes.get_ylim()[0] > axes.get_ylim()[1]


def test_one_run_is_drawn_without_an_interval(tmp_path):
    paths = write_experiment(tmp_path, seeds=(10000,), n=50)
    inputs = {name: paths[name] for name in ("evaluations", "rollouts", "scores", "classifiers")}
    make_tables(**inputs, out=tmp_path / "tables")
    with figure_style():
        for draw_one, name in (
            (figures.success, "success"),
            (forest.differences, "differences"),
            (figures.kept, "kept"),
        ):
            figure = draw_one(tmp_path / f"tables/{name}.csv")
            figure.draw_without_rendering()
            means, limits, runs = drawn(figure.axes[0])
            assert means == runs and not limits
            assert figure.legends[0].texts[0].get_text() == "mean (no interval from one run)"
        figures.checkpoints(tmp_path / "tables/checkpoints.csv").draw_without_rendering()
        traces.traces(paths["traces"], paths["classifiers"]).draw_without_rendering()
        panels = traces.paths(paths["paths"][0], paths["scores"]).axes
    assert [axes.get_title("left").partition(":")[0] for axes in panels[:2]] == ["kept", "dropped"]


def test_success_leaves_out_an_absent_condition(experiment, tmp_path):
    table = pd.read_csv(experiment["tables"] / "success.csv")
    fewer = write_table(tmp_path / "success.csv", table[table["condition"] != "length_matched"])
    with figure_style():
        axes = figures.success(fewer).axes[0]
    assert len(axes.patches) == len(CONDITIONS) - 1
    assert matplotlib.colors.to_hex(axes.patches[-1].get_facecolor()) == CONDITIONS["oracle"].colour.lower()


def test_every_condition_has_its_own_colour():
    assert len({condition.colour for condition in CONDITIONS.values()}) == len(CONDITIONS)


def test_checkpoints_draws_the_mean_of_the_runs_and_each_run_in_the_colour_of_its_condition(experiment):
    with figure_style():
        axes = figures.checkpoints(experiment["tables"] / "checkpoints.csv").axes[0]
    mean, runs = rows_of(experiment, "checkpoints")
    handles, labels = axes.get_legend_handles_labels()
    assert labels == ["Base policy", "Curated (demos)"] and axes.get_ylabel().endswith("(6 runs of 100 rollouts)")
    for condition, handle in zip(("base", "curated_demos"), handles, strict=True):
        assert handle.lines[0].get_color() == CONDITIONS[condition].colour
        assert list(handle.lines[0].get_ydata()) == pytest.approx(
            list(mean[mean["condition"] == condition]["rate"]), abs=1e-6
        )
        thin = [
            line for line in axes.lines if line.get_color() == CONDITIONS[condition].colour and line.get_linewidth() < 1
        ]
        thin = [line for line in thin if line.get_linestyle() == "-"]
        of_runs = runs[runs["condition"] == condition].sort_values(["seed", "step"])["rate"]
        assert [y for line in thin for y in line.get_ydata()] == pytest.approx(list(of_runs))
    assert list(axes.get_xticks()) == [3000, 4500, 6000, 8000]


def test_checkpoints_of_user_supplied_rollouts_have_the_interval_of_their_episodes(experiment, tmp_path):
    rows = pd.read_csv(experiment["tables"] / "checkpoints.csv").query(
        "condition == 'base' and seed in ('10000', 'all')"
    )
    supplied = rows.replace({"seed": {"10000": "user"}})
    supplied.loc[supplied["seed"] == ALL_RUNS, ["low", "high"]] = float("nan")
    with figure_style():
        axes = figures.checkpoints(write_table(tmp_path / "checkpoints.csv", supplied)).axes[0]
    (bars,), labels = axes.get_legend_handles_labels()
    assert labels == ["user-supplied rollouts"]
    lows = [segment[0, 1] for segment in bars.lines[2][0].get_segments()]
    assert lows == pytest.approx(list(supplied[supplied["seed"] == "user"]["low"]), abs=1e-6)


def test_differences_draws_each_condition_beside_the_base_and_its_control(experiment):
    with figure_style():
        panels = forest.differences(experiment["tables"] / "differences.csv").axes
    mean, runs = rows_of(experiment, "differences")
    pairs = {
        "minus base policy": [(condition, "base") for condition in CONDITIONS if condition != "base"],
        "minus its control of equal size": list(CONTROLS.items()),
        "minus random subset": [("length_matched", "random"), ("oracle", "random")],
    }
    assert [axes.get_title("left") for axes in panels] == list(pairs)
    for axes, shown in zip(panels, pairs.values(), strict=True):
        of_panel = [pd.concat(chosen(rows, *pair) for pair in shown) for rows in (mean, runs)]
        assert_drawn(axes, *of_panel, "difference")
        assert [label.get_text() for label in axes.get_yticklabels()] == [
            condition_label(condition) for condition, _ in shown
        ]
    assert panels[-1].get_xlabel() == "Difference (points; 6 runs of 200 pairs)"


def chosen(rows: pd.DataFrame, condition: str, against: str) -> pd.DataFrame:
    return rows[(rows["condition"] == condition) & (rows["against"] == against)]


def test_overview_draws_the_curated_conditions_of_each_experiment(experiment, tmp_path):
    table = pd.read_csv(experiment["tables"] / "differences.csv")
    tables = [write_table(tmp_path / f"{name}/tables/differences.csv", table) for name in ("cube", "long_name")]
    with figure_style():
        panels = forest.overview(tables).axes
    mean, _ = rows_of(experiment, "differences")
    pairs = [("curated_demos", "base"), *CONTROLS.items()]
    for axes, pair in zip(panels, pairs, strict=True):
        assert [label.get_text() for label in axes.get_yticklabels()] == ["cube", "long name"]
        means, _, runs = drawn(axes)
        assert means == pytest.approx(2 * list(chosen(mean, *pair)["difference"]), abs=1e-6) and len(runs) == 2 * 6
    assert panels[-1].get_xlabel() == "Difference (points; 6 runs of 200 pairs)"
    without = write_table(tmp_path / "other/tables/differences.csv", table[~table["condition"].isin(CONTROLS)])
    with pytest.raises(UserError, match="no table tells of the conditions curated_demos"):
        forest.overview([without])


def test_kept_draws_shares_and_names_the_counts(experiment):
    with figure_style():
        axes = figures.kept(experiment["tables"] / "kept.csv").axes[0]
    mean, runs = (
        rows[(rows["kind"] == "demonstration") & (rows["actor"] != "all")].sort_values("actor", kind="stable")
        for rows in rows_of(experiment, "kept")
    )
    assert_drawn(axes, mean, runs, "fraction")
    names = [f"{row.actor}\n{row.kept} of {row.n}" for row in mean.itertuples()]
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    assert axes.get_xlabel() == "Demonstrations kept (6 runs of 60–90 demonstrations)"


def test_kept_without_demonstrations_is_refused(experiment, tmp_path):
    table = pd.read_csv(experiment["tables"] / "kept.csv")
    rollouts = write_table(tmp_path / "kept.csv", table[table["kind"] == "rollout"])
    with pytest.raises(UserError, match="holds no demonstrations"):
        figures.kept(rollouts)


def test_an_unknown_file_format_is_refused(experiment, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_status:
        draw("success", experiment, [tmp_path / "success.jpg"], monkeypatch)
    assert exit_status.value.code == 2
    assert "name the file .png or .svg" in capsys.readouterr().err


def test_drawing_needs_neither_torch_nor_scipy_nor_a_display():
    loaded = "import runpy, sys; sys.path.insert(0, sys.argv[2]); runpy.run_path(sys.argv[1]); print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", loaded, SCRIPT, SCRIPT.parent], capture_output=True, text=True, check=True
    )
    assert not {"torch", "scipy", "h5py", "matplotlib.pyplot", "snakemake"} & set(modules.stdout.split())


def test_every_figure_and_table_has_a_caption(experiment):
    tables = {f"table_{name}" for name in [*(path.stem for path in experiment["tables"].glob("*.csv")), *ARENA_TABLES]}
    assert {path.stem for path in CAPTIONS} == {*NAMES, *tables, *PAGES, *ARENA}


@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: path.stem)
def test_caption_is_valid_and_says_in_numbers_what_is_shown(path):
    config = yaml.safe_load((SCRIPT.parents[2] / "config.yaml").read_text())
    name = "aloha_cube_state"
    config["captions"] = {name: "Seeds: 10000, 20000. Settings: 0123456789abcdef."}
    snakemake = SimpleNamespace(
        wildcards=SimpleNamespace(experiment=name, seed="10000", condition="random"),
        config={**config, "run": [name]},
        input=["one", "two"],
        output=Output([f"results/{name}/figures/a.png"]),
    )
    text = jinja2.Template(path.read_text(), undefined=jinja2.StrictUndefined).render(snakemake=snakemake)
    docutils.core.publish_parts(text, writer="html", settings_overrides={"halt_level": 2})
    assert f"``{name}``" in text
    assert "10000, 20000" in text and "Settings: 0123456789abcdef" in text
    if path.stem not in ("workflow", "problems"):
        assert f"snakemake --cores all {made_of(path.stem, name)}``" in text
    makers = [maker for maker in ("make_tables.py", "make_arena_tables.py") if f"``{maker}``" in text]
    is_table = path.stem.startswith("table_") or path.stem.endswith("summary")
    assert makers == [f"make_{'arena_' * ('arena' in path.stem)}tables.py"] * is_table
    if path.stem in ("success", "differences"):
        experiment = config["experiments"][name]
        assert f"n = {len(experiment['seeds']) * experiment['evaluation']['n_episodes']} " in text


def made_of(caption: str, experiment: str) -> str:
    """The file that a caption's command makes: of a page, the table or text that it shows."""
    others = {"summary": "summary.md", "manifest": "manifest.json", "run": "run.json"}
    if caption == "arena_summary":
        return f"results/{experiment}/arena/summary.md"
    if caption.startswith("table_arena_"):
        return f"results/{experiment}/arena/tables/{caption.removeprefix('table_')}.csv"
    if caption in others or caption.startswith("table_"):
        return f"results/{experiment}/tables/{others.get(caption) or caption.removeprefix('table_') + '.csv'}"
    return f"results/{experiment}/figures/a.png"


class Output(list):
    problems = "results/aloha_cube_state/problems.csv"  # of a rule without wildcards


def test_every_name_has_its_function() -> None:
    assert [registry.drawing(name).__name__ for name in registry.NAMES] == [*registry.NAMES]
