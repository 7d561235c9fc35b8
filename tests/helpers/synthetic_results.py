"""Made-up results of an experiment, laid out as the workflow writes them, with the effect that we expect."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from demo_score.analysis.tables import make_tables
from demo_score.conditions import CONDITIONS
from demo_score.tables import SCORES

RATES = {
    "base": 0.42,
    "curated_demos": 0.80,
    "curated_rollouts_plus_demos": 0.76,
    "random": 0.45,
    "random_rollouts_plus_demos": 0.47,
    "length_matched": 0.44,
    "oracle": 0.92,
}
STEPS = {3000: 0.20, 4500: 0.31, 6000: 0.38, 8000: 0.42}
CURATED_STEPS = {6000: 0.66, 8000: 0.80}
THRESHOLD = 0.52


SEEDS = (10000, 20000, 30000, 40000, 50000, 60000)


def write_experiment(root: Path, seeds: tuple[int, ...] = SEEDS, n: int = 200) -> dict[str, list[Path]]:
    """Write every input of the tables and figures below `root`; returns their paths by command-line argument."""
    paths = {"evaluations": [], "rollouts": [], "scores": [], "classifiers": [], "metrics": [], "traces": []}
    for seed in seeds:
        generator = np.random.default_rng(seed)
        folder = root / f"seed{seed}"
        shift = generator.uniform(-0.05, 0.05)
        for condition in CONDITIONS:
            rate = RATES.get(condition, 0.5)
            table = outcomes(n, rate + shift, generator, seed, condition, 8000)
            paths["evaluations"].append(write_table(folder / condition / "evaluation.csv", table))
        tables = [outcomes(100, rate + shift, generator, seed, "base", step) for step, rate in STEPS.items()]
        paths["rollouts"].append(write_table(folder / "rollouts.csv", pd.concat(tables)))
        for step, rate in CURATED_STEPS.items():
            table = outcomes(100, rate + shift, generator, seed, "curated_demos", step)
            paths["rollouts"].append(write_table(folder / f"curated_demos/rollouts/{step:06d}.csv", table))
        paths["scores"].append(_write_scores(folder / "demo_score/scores.csv", generator, seed))
        paths["traces"].append(_write_traces(folder / "demo_score/traces.csv", paths["scores"][-1], generator))
        paths["classifiers"].append(_write_classifier(folder / "demo_score/classifier.yaml", seed))
        for split in ("003000-008000", "004500-008000"):
            paths["metrics"].append(_write_metrics(folder / f"classifiers/{split}/small.csv", generator))
    paths["paths"] = [_write_paths(root / "demonstrations/paths.csv", generator)]
    return paths


def outcomes(n: int, rate: float, generator: np.random.Generator, seed: int, condition: str, step: int) -> pd.DataFrame:
    """Outcomes of n episodes that succeed at `rate`, on the start seeds 100000..100000 + n - 1."""
    success = (generator.random(n) < rate).astype(int)
    length = np.where(success == 1, generator.integers(190, 260, n), 400)
    reward = np.where(success == 1, 1.0, generator.uniform(0, 0.95, n).round(3))
    columns = {"start_seed": 100000 + np.arange(n), "success": success, "length": length, "max_reward": reward}
    return pd.DataFrame({"seed": seed, "condition": condition, "step": step, **columns})


def write_table(path: Path, table: pd.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    return path


def _write_scores(path: Path, generator: np.random.Generator, seed: int) -> Path:
    rows = []
    for kind, source, count, mean in (
        ("demonstration", "reliable", 60, 0.66),
        ("demonstration", "unreliable", 90, 0.44),
        ("rollout", "003000", 50, 0.45),
        ("rollout", "008000", 50, 0.52),
    ):
        for episode, score in enumerate(np.clip(generator.normal(mean, 0.06, count), 0, 1)):
            length = int(generator.integers(180, 260))
            kept = int(score > THRESHOLD)
            row = (seed, kind, f"../{source}.hdf5", episode, length, source, 1, score, kept)
            rows.append((*row, "" if kept else "below threshold"))
    return write_table(path, pd.DataFrame(rows, columns=list(SCORES.columns)))


def _write_traces(path: Path, scores: Path, generator: np.random.Generator) -> Path:
    """Scores that wander from 0.5 to where they end."""
    table = pd.read_csv(scores)[["seed", "kind", "actor", "file", "episode", "success", "kept", "score"]]
    parts = []
    for step in range(10, 101, 10):
        noise = generator.normal(0, 0.01, len(table)) * (step < 100)
        parts.append(table.assign(step=step, score=0.5 + (table["score"] - 0.5) * step / 100 + noise))
    return write_table(path, pd.concat(parts))


def _write_paths(path: Path, generator: np.random.Generator) -> Path:
    """Both hands from their places to a meeting point; those of the unreliable strategy anywhere."""
    rows = []
    for strategy, count, spread in (("reliable", 60, 0.01), ("unreliable", 90, 0.1)):
        for episode in range(count):
            meeting = np.array([0, 0.5, 0.25]) + generator.normal(0, spread, 3)
            for effector, x in (("left", -0.2), ("right", 0.2)):
                for step in range(0, 200, 20):
                    point = np.array([x, 0.5, 0.3]) + (meeting - [x, 0.5, 0.3]) * step / 180
                    rows.append((strategy, episode, step, effector, *point))
    return write_table(path, pd.DataFrame(rows, columns=["strategy", "episode", "step", "effector", "x", "y", "z"]))


def _write_classifier(path: Path, seed: int) -> Path:
    chosen = {
        "run_seed": seed,
        "file": "../classifiers/004500-008000/small.safetensors",
        "model_arch": "small",
        "member": 2,
        "threshold": THRESHOLD,
        "cross_val_auc": 0.91,
        "cross_val_accuracy": 0.84,
        "cross_val_loss": 0.41,
        "best_epoch": 180,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(chosen))
    return path


def _write_metrics(path: Path, generator: np.random.Generator) -> Path:
    epoch = np.arange(0, 301, 2)
    members = []
    for member in range(5):
        speed = generator.uniform(40, 90)
        training = 0.32 + 0.4 * np.exp(-epoch / speed) + generator.normal(0, 0.004, len(epoch))
        held_out = 0.40 + 0.32 * np.exp(-epoch / speed) + 2e-6 * np.maximum(epoch - 180, 0) ** 2
        auc = 0.92 - 0.42 * np.exp(-epoch / speed) + generator.normal(0, 0.004, len(epoch))
        columns = {"member": member, "seed": 7 + member, "lr": 1e-4, "weight_decay": 0.1, "epoch": epoch}
        curves = {"training_loss": training, "cross_val_loss": held_out, "cross_val_auc": auc}
        members.append(pd.DataFrame({**columns, **curves, "cross_val_accuracy": auc - 0.05}))
    return write_table(path, pd.concat(members))


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> dict:
    """Inputs of a made-up experiment by argument, and its folder of tables."""
    root = tmp_path_factory.mktemp("experiment")
    paths = write_experiment(root, n=200)
    inputs = {name: paths[name] for name in ("evaluations", "rollouts", "scores", "classifiers")}
    make_tables(**inputs, out=root / "tables", oracle=["reliable"], architectures=[])
    return paths | {"tables": root / "tables"}
