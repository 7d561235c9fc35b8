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
import pandas as pd
import pytest
import yaml
from demo_score.errors import UserError
from demo_score.evaluation.inputs import ARMS
from demo_score.evaluation.tables import make_tables
from demo_score.plots import classifier, figures, forest, traces
from demo_score.plots.style import ARM_COLOURS, WIDTH, figure_style, wrap
from synthetic_results import THRESHOLD, write_experiment, write_table

SCRIPT = Path(__file__).resolve().parents[1] / "workflow/scripts/plot.py"
CAPTIONS = sorted(SCRIPT.parents[1].glob("report/*.rst"))
NAMES = ["success", "differences", "checkpoints", "kept", "classifier_curves", "scores", "traces", "paths"]
INPUTS = {  # of those that show more than one table
    "classifier_curves": ("metrics", "classifiers"),
    "scores": ("scores", "classifiers"),
    "traces": ("traces", "classifiers"),
    "paths": ("paths", "scores"),
}
PAGES = ["overview", "episodes", "demonstrations", "problems", "summary", "manifest", "run", "workflow"]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> dict:
    """Inputs of a made-up experiment by argument, and its folder of tables."""
    root = tmp_path_factory.mktemp("experiment")
    paths = write_experiment(root, n=200)
    inputs = {name: paths[name] for name in ("evaluations", "rollouts", "scores", "classifiers")}
    make_tables(**inputs, out=root / "tables")
    return paths | {"tables": root / "tables"}


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
    assert first[1].read_text().count("<path") > 50
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_success_draws_a_bar_an_arm_at_its_pooled_rate(experiment):
    with figure_style():
        axes = figures.success(experiment["tables"] / "success.csv").axes[0]
    table = pd.read_csv(experiment["tables"] / "success.csv")
    pooled = table[table["seed"] == "pooled"]
    assert [bar.get_height() for bar in axes.patches] == pytest.approx(list(pooled["rate"]))
    assert [label.get_text() for label in axes.get_xticklabels()] == [wrap(label) for label in ARMS.values()]
    assert axes.get_ylabel() == "Success rate (n = 400 episodes)"
    assert axes.get_ylim() == (0, 1)


def test_success_leaves_out_an_absent_arm(experiment, tmp_path):
    table = pd.read_csv(experiment["tables"] / "success.csv")
    fewer = write_table(tmp_path / "success.csv", table[table["arm"] != "length_matched"])
    with figure_style():
        axes = figures.success(fewer).axes[0]
    assert len(axes.patches) == len(ARMS) - 1
    assert matplotlib.colors.to_hex(axes.patches[-1].get_facecolor()) == ARM_COLOURS["oracle"].lower()


def test_every_arm_has_its_own_colour():
    assert list(ARM_COLOURS) == list(ARMS)
    assert len(set(ARM_COLOURS.values())) == len(ARMS)


def test_checkpoints_draws_a_line_a_policy_and_seed_in_the_colour_of_its_arm(experiment):
    with figure_style():
        axes = figures.checkpoints(experiment["tables"] / "checkpoints.csv").axes[0]
    arms = {"base": "Base policy", "curated_demos": "Curated (demos)"}
    handles, labels = axes.get_legend_handles_labels()
    assert labels == [f"{label}, seed {seed}" for label in arms.values() for seed in (10000, 20000)]
    colours = [handle.lines[0].get_color() for handle in handles]
    assert colours == [ARM_COLOURS[arm] for arm in arms for _ in range(2)]
    assert list(axes.get_xticks()) == [3000, 4500, 6000, 8000]


def test_differences_draws_every_interval_once(experiment):
    table = pd.read_csv(experiment["tables"] / "differences.csv")
    with figure_style():
        panels = forest.differences(experiment["tables"] / "differences.csv").axes
    assert [axes.get_title("left") for axes in panels] == ["minus base policy", "minus random subset"]
    for axes, against in zip(panels, ("base", "random"), strict=True):
        rows = table[table["against"] == against]
        drawn = sorted(bars.lines[0].get_xdata()[0] for bars in axes.containers)
        assert drawn == pytest.approx(sorted(rows["difference"]))
        limits = sorted(segment[0][0] for bars in axes.containers for segment in bars.lines[2][0].get_segments())
        assert limits == pytest.approx(sorted(rows["low"]))


def test_overview_draws_the_curated_arm_of_each_experiment(experiment, tmp_path):
    table = pd.read_csv(experiment["tables"] / "differences.csv")
    tables = [write_table(tmp_path / f"{name}/tables/differences.csv", table) for name in ("cube", "long_name")]
    with figure_style():
        axes = forest.overview(tables).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cube", "long name"]
    assert len(axes.containers) == 2 * 3
    without = write_table(tmp_path / "other/tables/differences.csv", table[table["arm"] != "curated_demos"])
    with pytest.raises(UserError, match="no table tells of the arm curated_demos"):
        forest.overview([without])


def test_traces_draw_the_median_of_each_group_and_the_threshold(experiment):
    with figure_style():
        panels = traces.traces(experiment["traces"], experiment["classifiers"]).axes
    table = pd.read_csv(experiment["traces"][0])
    bold = {line.get_label(): line for axes in panels[:2] for line in axes.lines}
    for label, kind, column, value in (("success", "rollout", "success", 1), ("dropped", "demonstration", "kept", 0)):
        shown = table[(table["kind"] == kind) & (table[column] == value)]
        assert list(bold[label].get_ydata()) == pytest.approx(list(shown.groupby("step")["score"].median()))
    counts = pd.read_csv(experiment["scores"][0]).query("kind == 'demonstration'")["kept"].value_counts()
    assert panels[1].get_title("left") == f"demos, n = {counts[1]} + {counts[0]}"
    assert [line.get_ydata()[0] for line in panels[3].lines if line.get_linestyle() == "--"] == [THRESHOLD]
    with pytest.raises(UserError, match="seeds \\[20000\\]"):
        traces.traces(experiment["traces"], experiment["classifiers"][:1])


def test_paths_draw_kept_and_dropped_apart(experiment):
    with figure_style():
        panels = traces.paths(experiment["paths"][0], experiment["scores"]).axes
    scores = pd.read_csv(experiment["scores"][0]).query("kind == 'demonstration'")
    kept = (scores["kept"] == 1).sum()
    assert [axes.get_title("left") for axes in panels[:2]] == [f"kept: {kept} of 150", f"dropped: {150 - kept} of 150"]
    for axes, n in zip(panels[:2], (kept, 150 - kept), strict=True):
        assert len(axes.collections[0].get_segments()) == 2 * min(n, traces.N_PATHS)
    assert len(panels) == 2 * 2 * 2 and panels[2].get_ylabel().endswith("z (m)")


def test_paths_of_a_pusher_are_flat(experiment, tmp_path):
    table = pd.read_csv(experiment["paths"][0]).query("effector == 'left'").assign(effector="pusher", z=float("nan"))
    with figure_style():
        panels = traces.paths(write_table(tmp_path / "paths.csv", table), experiment["scores"]).axes
    assert len(panels) == 2 * 2 and panels[2].get_ylabel() == "Seed 20000\ny (px)"


def test_kept_writes_the_counts_above_the_bars(experiment):
    with figure_style():
        axes = figures.kept(experiment["tables"] / "kept.csv").axes[0]
    table = pd.read_csv(experiment["tables"] / "kept.csv")
    table = table[(table["kind"] == "demonstration") & (table["source"] != "all")].sort_values(["source", "seed"])
    assert [text.get_text() for text in axes.texts] == [
        f"{kept} of {n}" for kept, n in zip(table["kept"], table["n"], strict=True)
    ]


def test_kept_without_demonstrations_is_refused(experiment, tmp_path):
    table = pd.read_csv(experiment["tables"] / "kept.csv")
    rollouts = write_table(tmp_path / "kept.csv", table[table["kind"] == "rollout"])
    with pytest.raises(UserError, match="holds no demonstrations"):
        figures.kept(rollouts)


def test_scores_draws_demonstrations_only_and_the_threshold(experiment):
    with figure_style():
        panels = classifier.scores(experiment["scores"], experiment["classifiers"]).axes
    assert len(panels) == 2
    assert panels[0].get_title("left") == "Seed 10000 (n = 150 demonstrations)"
    assert panels[0].get_legend_handles_labels()[1] == ["reliable", "unreliable", "threshold"]
    assert list(panels[0].lines[0].get_xdata()) == [THRESHOLD, THRESHOLD]


def test_scores_without_the_classifier_of_a_seed_is_refused(experiment):
    with pytest.raises(UserError, match="seeds \\[20000\\]"):
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
        classifier.classifier_curves(experiment["metrics"][:2], experiment["classifiers"])


def test_an_unknown_file_format_is_refused(experiment, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as exit_status:
        draw("success", experiment, [tmp_path / "success.jpg"], monkeypatch)
    assert exit_status.value.code == 2
    assert "name the file .png or .svg" in capsys.readouterr().err


def test_drawing_needs_neither_torch_nor_scipy_nor_a_display():
    loaded = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", loaded, SCRIPT], capture_output=True, text=True, check=True)
    assert not {"torch", "scipy", "h5py", "matplotlib.pyplot", "snakemake"} & set(modules.stdout.split())


def test_every_figure_and_table_has_a_caption(experiment):
    tables = {f"table_{path.stem}" for path in experiment["tables"].glob("*.csv")}
    assert {path.stem for path in CAPTIONS} == {*NAMES, *tables, *PAGES}


@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: path.stem)
def test_caption_is_valid_and_says_in_numbers_what_is_shown(path):
    config = yaml.safe_load((SCRIPT.parents[2] / "config.yaml").read_text())
    name = "aloha_cube_state"
    config["captions"] = {name: "Seeds: 10000, 20000. Settings: 0123456789abcdef."}
    snakemake = SimpleNamespace(
        wildcards=SimpleNamespace(experiment=name, seed="10000", arm="random"),
        config={**config, "run": [name]},
        input=["one", "two"],
        output=Output([f"results/{name}/figures/a.png"]),
    )
    text = jinja2.Template(path.read_text(), undefined=jinja2.StrictUndefined).render(snakemake=snakemake)
    docutils.core.publish_parts(text, writer="html", settings_overrides={"halt_level": 2})
    assert f"``{name}``" in text
    assert "10000, 20000" in text and "Settings: 0123456789abcdef" in text
    if path.stem not in ("workflow", "problems"):
        assert f"snakemake --cores all results/{name}/figures/a.png" in text
    if path.stem in ("success", "differences"):
        assert "n = 400" in text


class Output(list):
    problems = "results/aloha_cube_state/problems.csv"  # of a rule without wildcards
