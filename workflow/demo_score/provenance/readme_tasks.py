"""What `make docs` writes of all tasks: from settings files, and results/published/tasks (tests/bench/tasks.py)."""

from pathlib import Path

import pandas as pd

from demo_score.analysis.formatting import NONE, cells, estimate, heading, percent
from demo_score.analysis.statistics import wilson_interval
from demo_score.conditions import BASE
from demo_score.config.settings import compose_settings, environment_of
from demo_score.config.tree import CONFIGS
from demo_score.config.yaml_files import read_yaml
from demo_score.entrants import ALL
from demo_score.runtime.errors import UserError
from demo_score.simulators import simulator
from demo_score.tables import ALL_RUNS, TABLES

FOLDER = "tasks"  # below results/published
TASKS = ("Settings file", "Task", "Observed", "Action", "Hz, steps", "Success", "Policy of all")
STRATEGIES = ("Settings file", "Strategy", "n", "Success (%)", "Mean length")
EXPERTS = ("`env.task`", "n", "Success of `expert` (%)")
PLAYBACK = ("Settings file", "Recorded by", "n", "Successes", "End as recorded (%)", "Observations differ by")
SPEED = ("Settings file", "Ours, steps a second", "Stock", "Times stock")


def tasks_table(published: Path) -> str:
    """A row a task: what is observed and done, when it has succeeded, and how often published base policies succeed."""
    rows = []
    for name in _read(published, "strategies")["env"].unique():
        env = environment_of(compose_settings([f"env={name}"], complete=False)[0])
        widths = ", ".join(str(env[key]) for key in ("state_dim", "environment_state_dim") if env.get(key))
        rate = f"{env['fps']}, {env['episode_length']}"
        success = simulator(env["name"]).success
        rows.append([f"`{name}`", _title(name), widths, str(env["action_dim"]), rate, success, _base(published, name)])
    return _table(TASKS, rows)


def strategies_table(published: Path) -> str:
    """A row a strategy of a task: success of its attempts with Wilson's interval."""
    found = _read(published, "strategies").to_dict("records")
    return _table(
        STRATEGIES,
        [
            [
                f"`{row['env']}`",
                f"`{row['strategy']}`",
                str(row["n"]),
                _share(row["successes"], row["n"]),
                _number(row["steps"]),
            ]
            for row in found
        ],
    )


def experts_table(published: Path) -> str:
    """A row for each of Meta-World's tasks without a settings file, the hardest for its expert first."""
    found = _read(published, "experts").sort_values(["successes", "env"]).to_dict("records")
    rows = [[f"`{row['env']}`", str(row["n"]), _share(row["successes"], row["n"])] for row in found]
    return _table(EXPERTS, rows)


def playback_table(published: Path) -> str:
    """A row a task: do recorded actions end here as they were recorded?"""
    rows = []
    for row in _read(published, "playback").to_dict("records"):
        recorder = "robosuite itself" if row["env"].startswith("robosuite") else "this repository"
        same = percent(row["same"] / row["n"])
        rows.append(
            [f"`{row['env']}`", recorder, str(row["n"]), str(row["recorded"]), same, f"{row['difference']:.2g}"]
        )
    return _table(PLAYBACK, rows)


def speed_table(published: Path) -> str:
    """A row a task: control steps a second of one process, beside the simulator's own environment in the same run."""
    rows = []
    for row in _read(published, "speed").to_dict("records"):
        stock = _number(row["stock"]) + " (draws at every step)" * row["stock_draws"]
        rows.append([f"`{row['env']}`", _number(row["ours"]), stock, f"{row['ours'] / row['stock']:.2f}"])
    return _table(SPEED, rows)


def _read(published: Path, name: str) -> pd.DataFrame:
    path = published / FOLDER / f"{name}.csv"
    if not path.is_file():
        raise UserError(f"{path}: no such file; python tests/bench/tasks.py --out {path.parent} makes it")
    return pd.read_csv(path)


def _title(name: str) -> str:
    """What the settings file says that it is for."""
    return (CONFIGS / f"env/{name}.yaml").read_text(encoding="utf-8").splitlines()[1].removeprefix("# ").rstrip(".")


def _base(published: Path, name: str) -> str:
    """The success of policies of all demonstrations, over runs, of each published experiment in this environment."""
    folders = [
        config.parent for config in sorted(published.glob("*/config.yaml")) if read_yaml(config).get("env") == name
    ]
    return "; ".join(filter(None, map(_success_of_all, folders))) or NONE


def _success_of_all(folder: Path) -> str:
    """Of base policies, or, where there is an arena alone, of its policies of all demonstrations."""
    if (path := folder / "tables/success.csv").is_file():
        table = TABLES["success"].read(path, ["condition", "seed", "n", "rate", "low", "high"])
        rows = table[(table["condition"] == BASE) & (table["seed"] == ALL_RUNS)]
    elif (path := folder / "arena/tables/arena_uplift.csv").is_file():
        table = TABLES["arena_uplift"].read(path, ["entrant", "seed", "n", "rate", "rate_low", "rate_high"])
        table = table.rename(columns={"rate_low": "low", "rate_high": "high"})
        rows = table[(table["entrant"] == ALL) & (table["seed"] == ALL_RUNS)]
    else:
        return ""
    return "; ".join(f"{estimate(row.rate, row.low, row.high)} (n = {row.n})" for row in rows.itertuples())


def _share(successes: int, n: int) -> str:
    return estimate(successes / n, *wilson_interval(successes, n))


def _number(value: float) -> str:
    return NONE if pd.isna(value) else f"{value:,.0f}"


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    return "\n".join([*heading(heads), *map(cells, rows)])
