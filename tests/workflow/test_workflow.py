"""The whole workflow in miniature (tests/tiny/config.yaml): results, staleness, reproducibility, kills."""

import os
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import yaml
from browser import CHROMIUM, DRIVER, Reader
from configurations import read_experiment
from conftest import one_line_error
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.observations import ENVIRONMENT_STATE
from demo_score.reporting.report import make_report
from documents import blocks
from guide import SMALL as SMALL_TRAINING
from miniature import ENVIRONMENT, RUN, TINY, command, copy_repository, digests, kill_when, snakemake
from places import REPOSITORY

pytestmark = pytest.mark.slow

FINAL = "train_final_policy_tiny"
TABLE_FIGURES = {"plot_success", "plot_differences", "plot_checkpoints", "plot_kept"}
OTHER_FIGURES = {"plot_classifier_curves", "plot_scores", "plot_traces", "plot_paths"}
MANIFEST = {"digest_inputs", "write_manifest"}
AFTER_EVALUATION = {"make_tables", "write_pages", "write_answer", "all"} | TABLE_FIGURES | MANIFEST
AFTER_FILTER = (
    {"choose_episodes", FINAL, "evaluate", "trace_scores", "compare_architectures"} | OTHER_FIGURES | AFTER_EVALUATION
)

# The commands by hand of docs/commands.md: what they name -> what the miniature has instead.
MINIATURE = {
    r"results/aloha_cube_state": "results/tiny",
    r"\$R/rollouts/001250.hdf5 ": "",
    r"rollouts/001000.hdf5": "rollouts/000300.hdf5",
    r"rollouts/001500.hdf5": "rollouts/000400.hdf5",
    r"base/checkpoints/001000": "base/checkpoints/000300",
    r"curated_demos/checkpoints/001500": "curated_demos/checkpoints/000060",
    r"eval.n_episodes=100": "eval.n_episodes=6",
    r"experiment=small_act": f"experiment=small_act {SMALL_TRAINING}",
    r"python workflow/scripts/tools/compare.py": "",  # which needs published results: test_compare.py
}


def stale_rules(folder: Path, *targets: str) -> set[str]:
    """The rules that another run would execute."""
    lines = snakemake(folder, *targets, "--dry-run").stdout.splitlines()
    if "Job stats:" not in lines:
        assert any("Nothing to be done" in line for line in lines)
        return set()
    table = lines[lines.index("Job stats:") + 3 :]
    return {line.split()[0] for line in table[: table.index("")]} - {"total"}


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("finished"))
    run = snakemake(folder)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return folder


@pytest.fixture
def edited(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to edit."""
    return shutil.copytree(finished, tmp_path / "edited", symlinks=True)


def test_run_ends_in_tables_and_figures(finished: Path) -> None:
    success = pd.read_csv(finished / "results/tiny/tables/success.csv")
    assert set(success["condition"]) == {"base", "curated_demos", "curated_rollouts_plus_demos", "random"}
    assert (success["n"] == 6).all()
    of_run, of_all = success[success["seed"] == "10000"], success[success["seed"] == "all"]
    assert of_run["rate"].between(of_run["low"], of_run["high"]).all()
    assert len(of_all) == 4 and of_all["low"].isna().all()  # one run gives no interval over runs
    for figure in ("success", "differences", "checkpoints", "classifier_curves", "scores", "kept", "traces", "paths"):
        assert (finished / f"results/tiny/figures/{figure}.png").stat().st_size > 5000
        assert "<svg" in (finished / f"results/tiny/figures/{figure}.svg").read_text()


def test_each_command_by_hand_runs_on_a_finished_run(edited: Path) -> None:
    """As a block of shell, made to name the miniature's files and to take seconds."""
    shutil.copytree(REPOSITORY / "tests/data/bring_your_own", edited / "tests/data/bring_your_own")
    shutil.copy(edited / TINY, edited / "config.yaml")
    (block,) = [text for text in blocks(REPOSITORY / "docs/commands.md", "bash") if "O=outputs/by_hand" in text]
    for pattern, instead in MINIATURE.items():
        assert re.search(pattern, block), pattern
        block = re.sub(pattern, instead, block)
    environment = {**ENVIRONMENT, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run = subprocess.run(
        ["bash", "-eux"], input=block, cwd=edited, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    made = {path.suffix for path in (edited / "outputs/by_hand").rglob("*") if path.stat().st_size}
    assert {".hdf5", ".txt", ".safetensors", ".csv", ".md", ".png", ".svg", ".mp4", ".html", ".parquet"} <= made


def test_start_decides_who_succeeds_and_the_filter_finds_out(finished: Path) -> None:
    """See gym_tiny.py: whatever the policy learned, rollouts have both outcomes, and so have the filter's verdicts."""
    for path in (finished / RUN / "rollouts").glob("*.hdf5"):
        episodes = read_episodes(path)
        assert [episode.success for episode in episodes] == [start(episode) > 0.1 for episode in episodes]
        assert {len(episode) for episode in episodes if episode.success} == {30}
        assert {len(episode) for episode in episodes if not episode.success} == {60}
    scores = pd.read_csv(finished / RUN / "demo_score/scores.csv")
    scores["start"] = [
        start(read_episodes(finished / RUN / "demo_score" / row.file)[row.episode]) for row in scores.itertuples()
    ]
    starts = scores[scores["kind"] == "demonstration"].groupby("kept")["start"].mean()
    assert starts[1] > 0.1 > starts[0]


def start(episode: Episode) -> float:
    """x (m) of the cube at the beginning."""
    return float(episode.observations[ENVIRONMENT_STATE][0, 0])


def test_lists_hold_the_kept_episodes_and_no_failed_rollout(finished: Path) -> None:
    scores = pd.read_csv(finished / RUN / "demo_score/scores.csv")
    kept = scores[scores["kept"] == 1]
    lists = finished / RUN / "demo_score_datasets"
    counts = {
        name: sum(len(line.split(" ")[-1].split(",")) for line in (lists / name).read_text().splitlines())
        for name in ("demo_score_demos_only.txt", "demo_score_rollouts_plus_demos.txt")
    }
    assert counts["demo_score_demos_only.txt"] == (kept["kind"] == "demonstration").sum()
    assert counts["demo_score_rollouts_plus_demos.txt"] == len(kept)
    assert (kept["success"] == 1).all()


def test_verify_passes_and_names_the_table_that_was_edited(edited: Path) -> None:
    assert verify(edited).returncode == 0
    table = edited / "results/tiny/tables/success.csv"
    table.write_text(table.read_text().replace("base,10000,1,6,", "base,10000,1,7,"))
    run = verify(edited)
    assert run.returncode == 1
    assert "results/tiny/tables/success.csv: row base 10000: n 7 does not follow from seed10000/base/eval" in run.stdout
    assert "kept.csv" not in run.stdout
    (edited / RUN / "demo_score/classifier.yaml").unlink()
    assert f"{RUN}/demo_score/classifier.yaml: missing since the tables were made" in verify(edited).stdout


def verify(folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "workflow/scripts/tools/verify.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_commands_by_hand_give_the_same_bits(finished: Path, tmp_path: Path) -> None:
    experiment = read_experiment(yaml.safe_load((finished / TINY).read_text())["experiments"]["tiny"])
    arguments = ("final_policy", 10000, "by_hand", f"{RUN}/random/datasets_file.txt")
    overrides = [*experiment.training_overrides(*arguments), f"hydra.run.dir={tmp_path}"]
    command(finished, "train.py", *overrides)
    for name in ("metrics.csv", "checkpoints/000060/model.safetensors"):
        assert (tmp_path / name).read_bytes() == (finished / RUN / "random" / name).read_bytes()
    where = ["-p", str(tmp_path / "checkpoints/000060"), "--out-dir", str(tmp_path)]
    where += ["--run-seed", "10000", "--condition", "random"]
    seed = experiment.stage_seed("evaluation", 10000)
    command(finished, "eval.py", *where, *experiment.stage_overrides("evaluation"), f"seed={seed}")
    assert (tmp_path / "evaluation.csv").read_bytes() == (finished / RUN / "random/evaluation.csv").read_bytes()


def test_settings_name_experiment_seed_and_condition(finished: Path) -> None:
    settings = yaml.safe_load((finished / RUN / "random/settings.yaml").read_text())
    assert settings["wandb"]["name"] == "tiny_seed10000_random"


def write_report(folder: Path, *options: str) -> Path:
    command(folder, "tools/make_report.py", "--out", "report.html", "--cores", "2", *options, "--configfile", TINY)
    return folder / "report.html"


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver")
def test_report_opens_in_a_browser_and_shows_every_figure_and_table(finished: Path) -> None:
    report = write_report(finished)
    assert 500_000 < report.stat().st_size < 15_000_000
    reader = Reader(report)
    found = reader.read()
    seen = {category: " ".join(results) for category, results in found.items()}
    report.unlink()
    assert "Curated (demos): one run gives no interval: no effect shown against base or random" in reader.first
    assert "Success, mean over 1 run (%)" in reader.first and "published" not in reader.first
    assert [category[0] for category in sorted(seen)] == ["1", "2", "3", "4", "5"]  # no videos
    assert ["summary" in result for result in found["1. Outcome"]] == [True, True, False, False, False, False]
    shown = ["figure: success", "figure: differences", "summary", "table: success", "table: differences"]
    assert all(name in seen["1. Outcome"] for name in shown)
    assert "score along an episode" in seen["3. Classifiers"] and "paths" in seen["4. Kept and dropped"]


def test_report_of_what_is_not_made_yet_says_so_in_one_line(tmp_path: Path) -> None:
    folder = copy_repository(tmp_path / "new")
    parts = [sys.executable, "workflow/scripts/tools/make_report.py", "--configfile", TINY]
    run = subprocess.run(parts, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert line.startswith("error: results/report.html: no report: ") and line.endswith("run make first")


def test_report_that_cannot_be_written_says_so_before_anything_runs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    out = tmp_path / "results/report.html"
    with one_line_error(out, f"{tmp_path} cannot be written", "--out FILE"):
        make_report(out, videos=True, cores="2", options=[])


def test_videos_are_made_only_when_asked_for(finished: Path) -> None:
    assert stale_rules(finished, "videos") == {"record_rollouts", "record_demonstrations", "videos"}
    assert not list(finished.glob("results/**/episodes.*"))


@pytest.mark.skipif(os.environ["MUJOCO_GL"] == "disable", reason="OpenGL does not work here")
def test_episodes_are_recorded_and_reported(edited: Path) -> None:
    pages = [f"{RUN}/base/episodes.html", f"{RUN}/demo_score/demonstrations.html"]
    run = snakemake(edited, *pages)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    for page, suffix in product(pages, (".mp4", ".png", ".html")):
        assert (edited / page).with_suffix(suffix).stat().st_size > 5000
    run = snakemake(edited, *pages, "--report", "report.html")
    assert run.returncode == 0, run.stderr[-3000:]
    assert "run again from the same checkpoint" in (edited / "report.html").read_text()


def test_second_run_has_nothing_to_do(finished: Path) -> None:
    assert stale_rules(finished) == set()


def test_touched_files_are_not_stale(edited: Path) -> None:
    for path in (edited / "workflow").rglob("*.py"):
        path.touch()
    assert stale_rules(edited) == set()


def test_edit_of_the_classifiers_reruns_from_step_3(edited: Path) -> None:
    config = edited / TINY
    config.write_text(config.read_text().replace("epochs: 100", "epochs: 101"))
    expected = {"write_classifier_settings", "train_classifiers", "select_classifier", "apply_filter"}
    assert stale_rules(edited) == expected | AFTER_FILTER


def test_edit_of_the_final_training_reruns_only_that(edited: Path) -> None:
    config = edited / TINY
    head, final = config.read_text().split("final_policy:")
    config.write_text(f"{head}final_policy:{final.replace('training.batch_size=16', 'training.batch_size=15')}")
    assert stale_rules(edited) == {"compose_settings", FINAL, "evaluate"} | AFTER_EVALUATION


def test_edit_of_the_settings_tree_counts_only_where_it_changes_a_run(edited: Path) -> None:
    append(edited / "workflow/configs/policy/act_state.yaml", "# a comment\n")
    assert stale_rules(edited) == set()
    experiment = edited / "workflow/configs/experiment/small_act.yaml"
    experiment.write_text(experiment.read_text().replace("kl_weight: 0.01", "kl_weight: 0.02"))
    stale = stale_rules(edited)
    assert "train_base_policy_tiny" in stale and "collect_demonstrations" not in stale


def test_edit_of_a_library_module_makes_its_stages_stale(edited: Path) -> None:
    for module in ("plots/figures.py", "curation/scoring.py"):
        append(edited / "workflow/demo_score" / module, "\n# a comment\n\n\ndef nobody_calls(): pass\n")
    assert stale_rules(edited) == set()
    append(edited / "workflow/demo_score/plots/figures.py", "\nassert True\n")
    assert stale_rules(edited) == {"all"} | TABLE_FIGURES | OTHER_FIGURES
    append(edited / "workflow/demo_score/curation/scoring.py", "\nassert True\n")
    assert stale_rules(edited) == {"apply_filter"} | AFTER_FILTER


def test_edit_of_the_readme_makes_nothing_stale(edited: Path) -> None:
    append(edited / "README.md", "\nedited\n")
    assert stale_rules(edited) == set()


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="finds the process to kill in /proc")
def test_killed_jobs_and_fewer_cores_lead_to_the_same_bits(finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path.resolve() / "killed", symlinks=True)
    shutil.rmtree(folder / "logs")
    for stage in ("base", "rollouts"):
        shutil.rmtree(folder / RUN / stage)
    checkpoint = f"{RUN}/base/checkpoints/000400/model.safetensors"
    kill_when(folder, checkpoint, "scripts/train.py", f"{RUN}/base/.unfinished_*/state.pt")
    assert not (folder / checkpoint).exists()
    rollouts = f"{RUN}/rollouts/000400.hdf5"
    kill_when(folder, rollouts, "scripts/collect_rollouts.py", "logs/tiny/seed10000/rollouts/000400.log")
    assert not (folder / rollouts).exists()
    run = snakemake(folder, rollouts, cores=1)
    assert run.returncode == 0, run.stderr[-3000:]
    made, uninterrupted = (digests(at, "tiny/seed10000/*/**/*") for at in (folder, finished))
    assert {checkpoint, rollouts, f"{RUN}/base/metrics.csv"} <= set(made)
    assert {name: uninterrupted.get(name) == content for name, content in made.items()} == dict.fromkeys(made, True)
