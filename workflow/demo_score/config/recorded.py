"""An environment as a robomimic file describes it: task, arguments of the simulator, and sizes (env.recorded_in)."""

from pathlib import Path
from typing import Any

from demo_score.observations import ACTION, SIZES
from demo_score.runtime.errors import UserError

WIDTHS = {setting: key for key, setting in SIZES.items()} | {"action_dim": ACTION}  # setting -> whose width it is
COMPARED = ("task", "robots", "control_freq", "controller_configs")  # of a file, with what the settings say


def as_recorded(env: dict[str, Any]) -> dict[str, Any]:
    """The settings `env`, with task, env_kwargs and the sizes that are null as the file env.recorded_in tells.

    Raises UserError where there is no such file, where it describes no environment of robosuite, and where it lacks
    what the policy is to see.
    """
    if not (path := env.get("recorded_in")):
        if unknown := [key for key in WIDTHS if "recorded_in" in env and env.get(key) is None and _is_seen(key, env)]:
            raise UserError(f"env.{unknown[0]}: is not given; set it, or env.recorded_in to a robomimic file")
        return env
    from demo_score.data.formats.robomimic import RobomimicFile  # takes a tenth of a second to import

    if not Path(path).is_file():
        raise UserError(f"env.recorded_in={path}: no such file; name a robomimic file, or set the env's own keys")
    file = RobomimicFile(Path(path))
    described = file.env_args()
    if not {"env_name", "env_kwargs"} <= described.keys():
        raise UserError(
            f"{path}: its env_args name no environment of robosuite (env_name, env_kwargs); set env.task, "
            "env.env_kwargs and the sizes instead of env.recorded_in"
        )
    recorded = {"task": described["env_name"], "env_kwargs": described["env_kwargs"] or {}}
    return env | recorded | _sizes(env, file.features(), path)


def check_recorded(described: dict[str, Any], env: dict[str, Any], file: str | Path) -> None:
    """Raise UserError where the env_args of a file name another task, or other arguments, than robosuite is to have."""
    if env.get("name") != "robosuite" or not isinstance(recorded := described.get("env_kwargs"), dict):
        return
    given = {"task": env["task"], **env["env_kwargs"]}
    for key, value in {"task": described.get("env_name"), **recorded}.items():
        if key in COMPARED and key in given and not _same(value, given[key]):
            shown = "another" if isinstance(value, dict) else f"{value}, not {given[key]}"
            raise UserError(f"{file}: was recorded with {key} {shown}; set env.recorded_in={file}")


def _same(recorded: Any, given: Any) -> bool:
    """One robot may be named without a list."""
    return recorded == given or [recorded] == given or recorded == [given]


def _is_seen(key: str, env: dict[str, Any]) -> bool:
    kind = env.get("obs_type", "")
    return {"state_dim": kind != "pixels", "environment_state_dim": "environment" in kind}.get(key, True)


def _sizes(env: dict[str, Any], features: dict[str, tuple[int, ...]], path: str) -> dict[str, int]:
    names = {**{key: [key] for key in WIDTHS.values()}, **(env.get("observed") or {})}
    asked = {key: names[WIDTHS[key]] for key in WIDTHS if key in env and env[key] is None}
    for key, parts in asked.items():
        if missing := [name for name in parts if name not in features]:
            known = ", ".join(sorted(features))
            raise UserError(f"{path}: has no {missing[0]}; set dataset_keys.{WIDTHS[key]} to some of {known}")
    return {key: sum(features[name][0] if features[name] else 1 for name in parts) for key, parts in asked.items()}
