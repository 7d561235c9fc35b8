"""The simulators that are built in, the one list of them; any other is a package gym_<name> (see envs.gym_env).

Imports none of them: whoever checks a configuration, or starts a process, reads this first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RECORDED = "recorded"  # no simulator: data that were recorded elsewhere


@dataclass(frozen=True)
class Simulator:
    """What the rest of the library must know of a simulator before it is imported."""

    module: str  # what takes long to import, for processes to share
    success: str = ""  # when an episode has succeeded
    draws_with_opengl: bool = True  # then it must not be imported before OpenGL is chosen
    megabytes: int = 0  # of memory that each environment takes, where it is worth counting
    takes_starts: bool = False  # env.starts says where its episodes begin
    effectors: str = ""  # what moves in demonstrations and can be traced: finger tips, pusher or hand; empty: unknown


SIMULATORS = {
    "aloha": Simulator("gym_aloha.env", "the reward is 4 at some step", effectors="finger tips"),
    "pusht": Simulator(
        "gym_pusht.envs", "the block covers .95 of its place", False, takes_starts=True, effectors="pusher"
    ),
    "metaworld": Simulator("metaworld", "Meta-World's flag at some step", megabytes=20, effectors="hand"),
    "robosuite": Simulator(
        "demo_score.envs.robosuite", "the task is done at some step", megabytes=110, effectors="hand"
    ),
}


def simulator_in(env_args: Mapping[str, Any]) -> str:
    """The name of the simulator that a file was recorded in: ours, or robosuite in robomimic's; empty: not told."""
    return env_args.get("name", "robosuite" if "env_kwargs" in env_args else "")


def simulator(name: str) -> Simulator:
    """That of `env.name`."""
    return SIMULATORS.get(name, Simulator(f"gym_{name}"))
