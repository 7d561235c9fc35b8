"""Demonstrations in RoboMimic's layout, recorded by robosuite itself: nothing of our environment is in them."""

import json
from pathlib import Path

import h5py
import numpy as np
import robosuite
from demo_score.demonstrations.strategies import get_strategy

# As RoboMimic's files have it, those of robosuite 1.4 and older.
CONTROLLER = {
    "type": "OSC_POSE",
    **{"input_max": 1, "input_min": -1, "impedance_mode": "fixed", "kp": 150, "damping_ratio": 1},
    **{"output_max": [0.05, 0.05, 0.05, 0.5, 0.5, 0.5], "output_min": [-0.05, -0.05, -0.05, -0.5, -0.5, -0.5]},
    **{"kp_limits": [0, 300], "damping_ratio_limits": [0, 10], "position_limits": None, "orientation_limits": None},
    **{"uncouple_pos_ori": True, "input_type": "delta", "input_ref_frame": "base"},
    **{"interpolation": None, "ramp_ratio": 0.2},
}
KWARGS = {
    **{"robots": ["Panda"], "control_freq": 20, "reward_shaping": False, "camera_heights": 84, "camera_widths": 84},
    **{"has_renderer": False, "has_offscreen_renderer": False, "use_camera_obs": False, "camera_depths": False},
    **{"ignore_done": True, "use_object_obs": True},
}


class Stock:
    """robosuite's environment, with what strategies look at."""

    def __init__(self, task: str, **changes: object):
        from robosuite.controllers.composite.composite_controller_factory import refactor_composite_controller_config

        controller = refactor_composite_controller_config(dict(CONTROLLER), "Panda", ["right"])
        self.task = task
        self.robosuite = robosuite.make(task, **KWARGS | {"controller_configs": controller, "seed": 0} | changes)

    def reset(self, seed: int) -> None:
        generator = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        self.robosuite.rng.bit_generator.state = generator.bit_generator.state
        self.observe(self.robosuite.reset())

    def begin_at(self, model: str, state: np.ndarray) -> None:
        """As robomimic does with what its files store of an episode's start."""
        self.robosuite.reset()
        self.robosuite.reset_from_xml_string(self.robosuite.edit_model_xml(model))
        self.robosuite.sim.reset()
        self.robosuite.sim.set_state_from_flattened(state)
        self.robosuite.sim.forward()
        self.observe(self.robosuite._get_observations(force_update=True))

    def observe(self, seen: dict) -> None:
        robot = {name: np.array(values) for name, values in seen.items() if name.startswith("robot0_")}
        robot.pop("robot0_proprio-state", None)
        self.named = {f"observation.{name}": values for name, values in robot.items()}
        self.named["observation.object"] = np.array(seen["object-state"])


def record(path: Path, task: str, operators: dict[str, int], first_seed: int = 0) -> Path:
    """So many successes of each operator, as robomimic's tools convert them; masks name the operators' episodes."""
    stock, converter, numbers = Stock(task), Stock(task), {}
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        described = {"env_name": task, "env_version": robosuite.__version__, "type": 1}
        data.attrs["env_args"] = json.dumps(described | {"env_kwargs": KWARGS | {"controller_configs": CONTROLLER}})
        seed, total = first_seed, 0
        for operator, count in operators.items():
            while len(numbers.setdefault(operator, [])) < count:
                episode = attempt(stock, operator, seed)
                seed += 1
                if episode is not None:
                    converter.begin_at(episode["model_file"], episode["states"][0])
                    episode["obs"][0] = _recorded(converter.named)
                    numbers[operator].append(len(data))
                    total += _write(data.create_group(f"demo_{len(data)}"), episode)
        data.attrs["total"] = total
        for name, episodes in _masks(numbers).items():
            file[f"mask/{name}"] = np.array([f"demo_{number}" for number in episodes], dtype="S")
    return path


def attempt(stock: Stock, operator: str, seed: int) -> dict | None:
    """What robomimic keeps of an attempt; None of one that fails."""
    stock.reset(seed)
    sim = stock.robosuite.sim
    episode = {"model_file": sim.model.get_xml(), "states": [], "actions": [], "rewards": [], "obs": []}
    for action in get_strategy("robosuite", stock.task, operator).actions(stock, np.random.default_rng(seed)):
        episode["states"].append(np.array(sim.get_state().flatten()))
        episode["obs"].append(_recorded(stock.named))
        seen, reward, _, _ = stock.robosuite.step(action.astype(np.float64))
        stock.observe(seen)
        episode["actions"].append(action.astype(np.float64))
        episode["rewards"].append(float(reward))
    return episode if max(episode["rewards"]) > 0 else None


def _recorded(named: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix("observation."): values for name, values in named.items()}


def _write(group: h5py.Group, episode: dict) -> int:
    group.attrs["num_samples"] = steps = len(episode["actions"])
    group.attrs["model_file"] = episode["model_file"]
    for name in ("states", "actions", "rewards"):
        group[name] = np.array(episode[name])
    group["dones"] = np.array(episode["rewards"], dtype=int)
    for name in episode["obs"][0]:
        group[f"obs/{name}"] = np.array([observed[name] for observed in episode["obs"]])
    return steps


def _masks(numbers: dict[str, list[int]]) -> dict[str, list[int]]:
    """RoboMimic's: every operator, and a tenth of all, at least one, for validation."""
    every = sorted(number for episodes in numbers.values() for number in episodes)
    valid = every[:: max(2, min(10, len(every)))]
    halves = {"valid": valid, "train": [number for number in every if number not in valid]}
    of_operators = {
        f"{operator}_{half}": [number for number in episodes if number in halves[half]]
        for operator, episodes in numbers.items()
        for half in halves
    }
    return {**numbers, **halves, **of_operators}
