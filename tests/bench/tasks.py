"""Every task that can be simulated: its strategies' success, recorded actions played back, and its speed beside stock.

python tests/bench/tasks.py --out results/published/tasks [--attempts 200] [--play-back 100] [--only metaworld_assembly]

Writes strategies.csv, playback.csv and speed.csv, experts.csv of Meta-World's tasks without a settings file of their
own, of which `make docs` makes docs/tasks.md, and run.yaml. Each task is added to what is there, so that a run that was
stopped goes on with the next. The speed of stock ALOHA needs OpenGL (EGL).
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))
os.environ.setdefault("MUJOCO_GL", "egl")  # the stock environment of ALOHA draws at every step

import gymnasium
import numpy as np
import pandas as pd
import yaml
from demo_score.config.settings import compose_settings
from demo_score.config.tree import choices
from demo_score.data.episodes import Episode
from demo_score.data.formats.robomimic import write_episodes
from demo_score.demonstrations.collect import demonstrate
from demo_score.demonstrations.playback import play_back
from demo_score.demonstrations.strategies import strategies_of
from demo_score.envs import make_env
from demo_score.provenance.manifest import describe_machine
from demo_score.runtime.files import write_text
from omegaconf import OmegaConf

SEED = 95_000_000  # of the first attempt: seen by no experiment
IMAGES = ("pixels", "pixels_agent_pos")
OF_DATA = ("recorded", "robosuite")  # settings files whose task, or sizes, data say
SECONDS = 3.0  # that a speed is measured for, at least
SHARE = 4  # of the attempts, that the expert of a task without a settings file makes
STEPS = 50  # of a demonstration, in turns: the stock ALOHA draws at each, which takes long without a GPU


def simulated() -> dict[str, dict]:
    """Settings files whose task has strategies and observes numbers -> their env settings."""
    found = {}
    for name in choices("env"):
        if name in OF_DATA:
            continue
        composed, _ = compose_settings([f"env={name}", "policy=act_state", "seed=0"], complete=False)
        env = OmegaConf.to_container(composed.env, resolve=True)
        if strategies_of(env["name"], env["task"]) and env["obs_type"] not in IMAGES:
            found[name] = env
    return found


def other_tasks(known: dict[str, dict]) -> dict[str, dict]:
    """Meta-World's tasks that no settings file names -> env settings."""
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    named = {env["task"] for env in known.values()}
    example = next(env for env in known.values() if env["name"] == "metaworld")
    return {task: example | {"task": task} for task in sorted(ALL_V3_ENVIRONMENTS) if task not in named}


def attempts_of(name: str, env: dict, n: int, only: str = "") -> tuple[pd.DataFrame, list[Episode]]:
    """A row a strategy, or for that named `only`; and the successes of the first, which is the expert."""
    rows, experts = [], []
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        for strategy in [only] if only else strategies_of(env["name"], env["task"]):
            run = partial(_attempt, json.dumps(env), strategy)
            episodes = pool.map(run, range(SEED, SEED + n), chunksize=5)
            done = [episode for episode in episodes if episode is not None]
            experts = experts or done
            steps = np.mean([len(episode) for episode in done]) if done else np.nan
            rows.append({"env": name, "strategy": strategy, "n": n, "successes": len(done), "steps": steps})
            print(f"{name} {strategy}: {len(done)} of {n}", flush=True)
    return pd.DataFrame(rows), experts


def _attempt(env: str, strategy: str, seed: int) -> Episode | None:
    if env not in _MADE:
        _MADE.clear()
        _MADE[env] = make_env(json.loads(env))
    return demonstrate(_MADE[env], strategy, seed)


_MADE: dict = {}


def played_back(name: str, env: dict, experts: list[Episode], n: int, folder: Path) -> pd.DataFrame:
    """The first experts' actions, from the file that holds them; robosuite's as robosuite itself records them."""
    file = folder / f"{name}.hdf5"
    if env["name"] == "robosuite":
        from robosuite_recording import record

        record(file, env["task"], {"better": n}, SEED)
    else:
        write_episodes(file, experts[:n], {"env_name": env["task"], **env})
    table = play_back(file, folder / f"{name}.csv")
    file.unlink()
    (folder / f"{name}.csv").unlink()
    same = int((table["recorded"] == table["success"]).sum())
    row = {"env": name, "n": len(table), "recorded": int(table["recorded"].sum()), "same": same}
    return pd.DataFrame([{**row, "difference": table["difference"].max()}])


def speeds_of(name: str, env: dict, expert: Episode) -> pd.DataFrame:
    """Control steps a second of both, in turns, through the first actions of one demonstration, without the reset."""
    ours = make_env(env | {"episode_length": 500 if env["name"] == "metaworld" else 10**6})
    theirs, draws = stock(env)
    through = {"ours": _through(ours.step, lambda seed: ours.reset(seed=seed)), "stock": theirs}
    spent, rounds, actions = dict.fromkeys(through, 0.0), dict.fromkeys(through, 0), expert.actions[:STEPS]
    while waiting := [who for who in through if spent[who] < SECONDS]:
        for who in waiting:
            rounds[who] += 1
            spent[who] += through[who](actions, expert.seed)
    rates = {who: rounds[who] * len(actions) / spent[who] for who in through}
    return pd.DataFrame([{"env": name, **rates, "stock_draws": int(draws)}])


def stock(env: dict) -> tuple[Callable[[np.ndarray, int], float], bool]:
    """The simulator's own environment, reset and stepped; and whether it draws at every step, whoever looks or not."""
    if env["name"] == "metaworld":
        import metaworld

        benchmark = metaworld.MT1(env["task"], seed=1)
        made = benchmark.train_classes[env["task"]]()
        made.set_task(benchmark.train_tasks[0])
        return _through(made.step, lambda seed: made.reset()), False
    if env["name"] == "robosuite":
        from robosuite_recording import Stock

        made = Stock(env["task"])
        return _through(made.robosuite.step, made.reset), False
    handles = {"aloha": "gym_aloha", "pusht": "gym_pusht"}
    package = handles[env["name"]]
    kind = "pixels" if env["name"] == "aloha" else "state"
    made = gymnasium.make(f"{package}:{package}/{env['task']}", obs_type=kind, max_episode_steps=10**9)
    return _through(made.step, lambda seed: made.reset(seed=seed)), kind == "pixels"


def _through(
    step: Callable[[np.ndarray], object], reset: Callable[[int], object]
) -> Callable[[np.ndarray, int], float]:
    """Actions and the seed of their start -> the seconds that they take."""

    def run(actions: np.ndarray, seed: int) -> float:
        reset(seed)
        start = time.perf_counter()
        for action in actions:
            step(np.asarray(action, dtype=float))
        return time.perf_counter() - start

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--attempts", type=int, default=200)
    parser.add_argument("--play-back", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, env in simulated().items():
        if (arguments.only and name not in arguments.only) or _holds(arguments.out / "speed.csv", name):
            continue
        strategies, experts = attempts_of(name, env, arguments.attempts)
        _add(arguments.out / "strategies.csv", strategies)
        _add(arguments.out / "playback.csv", played_back(name, env, experts, arguments.play_back, arguments.out))
        _add(arguments.out / "speed.csv", speeds_of(name, env, experts[0]))
        describe(arguments.out)
    for task, env in other_tasks(simulated()).items():
        if not arguments.only and not _holds(arguments.out / "experts.csv", task):
            found, _ = attempts_of(task, env, arguments.attempts // SHARE, "expert")
            _add(arguments.out / "experts.csv", found)
            describe(arguments.out)


def describe(folder: Path) -> None:
    run = {"command": " ".join(["python", *sys.argv]), **describe_machine()}
    write_text(folder / "run.yaml", yaml.safe_dump(run, sort_keys=False))


def _holds(path: Path, name: str) -> bool:
    return path.is_file() and name in set(pd.read_csv(path)["env"])


def _add(path: Path, rows: pd.DataFrame) -> None:
    old = pd.read_csv(path) if path.is_file() else rows.head(0)
    old = old[~old["env"].isin(rows["env"])]
    pd.concat([old, rows] if len(old) else [rows]).to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
