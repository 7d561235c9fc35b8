"""A made-up arena, laid out as the workflow writes it: methods whose policies and scores are as good as we choose."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from demo_score.analysis.arena.tables import make_arena_tables
from demo_score.curation_methods import METHODS
from demo_score.entrants import control_of
from synthetic_results import SEEDS, write_table

EXTERNAL = "mine"
LEVELS = ("own", "25", "50", "75")
GAINS = dict(zip([*METHODS, EXTERNAL], np.linspace(0.3, -0.1, len(METHODS) + 1).tolist(), strict=True))
N_POSITIVE, N = 40, 100


def write_arena(
    root: Path,
    seeds: tuple[int, ...] = SEEDS,
    methods: tuple[str, ...] = (*METHODS, EXTERNAL),
    levels: tuple[str, ...] = LEVELS,
    n_random: int = 5,
    n: int = 100,
    curve_seeds: tuple[int, ...] | None = None,
    rates: dict[str, float] | None = None,
) -> dict[str, list[Path]]:
    """Write every input below `root`; returns the paths by argument of make_arena_tables.

    curve_seeds: the runs of the sizes other than own, the first two by default; rates: of entrants, else by GAINS.
    """
    paths = {"evaluations": [], "scores": [], "kept": [], "costs": []}
    controls = [*(f"random_{i + 1}" for i in range(n_random)), "length_matched", "oracle", "all"]
    for seed in seeds:
        generator = np.random.default_rng(seed)
        folder, shift = root / f"seed{seed}/arena", generator.uniform(-0.05, 0.05)
        scores = {name: _scores(generator, place / len(methods)) for place, name in enumerate(methods)}
        for name, table in scores.items():
            paths["scores"].append(_write_scores(folder / f"scores/{name}.csv", table, seed, name))
        for keep in levels if seed in (curve_seeds or seeds[:2]) else levels[:1]:
            share = 0.4 if keep == "own" else int(keep) / 100
            for name in [*methods, *controls] if keep == "own" else [*methods, *controls[:-2]]:
                rate = (rates or {}).get(name, 0.4 + GAINS.get(name, 0.45 * (name == "oracle"))) + shift
                table = _outcomes(n, rate - 0.1 * abs(share - 0.4), generator)
                columns = {"seed": seed, "condition": name, "keep": keep, "step": 8000}
                place = folder / keep / name
                paths["evaluations"].append(write_table(place / "evaluation.csv", table.assign(**columns)))
                kept = _kept(scores.get(name), name, share, generator)
                paths["kept"].append(_write_kept(place / "kept.csv", kept, seed, name, keep))
        paths["costs"].append(_write_costs(folder / "costs.csv", seed, [name for name in methods if name in METHODS]))
    return paths


def arena_tables(root: Path, oracle: list[str] | None = ("reliable",), **changed) -> Path:
    """The folder `root`/arena, with the tables of a made-up arena; `changed`: arguments of write_arena."""
    make_arena_tables(**write_arena(root, **changed), out=root / "arena", oracle=oracle and list(oracle))
    return root / "arena"


def _outcomes(n: int, rate: float, generator: np.random.Generator) -> pd.DataFrame:
    success = (generator.random(n) < rate).astype(int)
    return pd.DataFrame({"start_seed": 100 + np.arange(n), "success": success, "length": 90, "max_reward": success})


def _scores(generator: np.random.Generator, blur: float) -> pd.DataFrame:
    """The first N_POSITIVE demonstrations are of the reliable strategy, and a little shorter."""
    positive = np.arange(N) < N_POSITIVE
    length = generator.integers(100, 140, N) + 15 * ~positive
    score = positive - 3 * blur * generator.random(N) - 0.01 * length
    return pd.DataFrame({"length": length, "actor": np.where(positive, "reliable", "unreliable"), "score": score})


def _kept(scores: pd.DataFrame | None, name: str, share: float, generator: np.random.Generator) -> np.ndarray:
    size = {"oracle": N_POSITIVE, "all": N}.get(name, round(share * N))
    order = generator.permutation(N) if scores is None else np.argsort(-scores["score"].to_numpy(), kind="stable")
    order = np.arange(N) if control_of(name) in ("oracle", "all") else order
    return np.isin(np.arange(N), order[:size]).astype(int)


def _demonstrations(path: Path) -> dict:
    """Data set (relative to the table, as the workflow has it) and episode of every demonstration."""
    folder = path.parents[len(path.parts) - 1 - path.parts.index("arena")]
    file = os.path.relpath(folder.parent / "demonstrations", path.parent)
    return {"file": f"{file}/all.hdf5", "episode": range(N)}


def _write_scores(path: Path, table: pd.DataFrame, seed: int, method: str) -> Path:
    return write_table(path, table.assign(seed=seed, method=method, **_demonstrations(path)))


def _write_kept(path: Path, kept: np.ndarray, seed: int, entrant: str, keep: str) -> Path:
    columns = {"seed": seed, "entrant": entrant, "keep": keep, **_demonstrations(path), "kept": kept}
    return write_table(path, pd.DataFrame(columns))


def _write_costs(path: Path, seed: int, methods: list[str]) -> Path:
    needs = ["filter" if i % 4 == 0 else "rollouts" if i % 4 == 1 else "" for i in range(len(methods))]
    rollouts = [300 * bool(need) for need in needs]
    seconds = [2.0 * 1.6**i for i in range(len(methods))]
    columns = {"seed": seed, "method": methods, "needs": needs, "rollouts": rollouts, "core_seconds": seconds}
    return write_table(path, pd.DataFrame(columns))
