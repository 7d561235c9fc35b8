"""The settings `env`."""

from collections.abc import Iterator
from typing import Any

from pydantic import ConfigDict

from demo_score.config.models.base import ABSENT, OpenSection, Section, Text, different, number, pair, whole
from demo_score.config.models.training import Batch
from demo_score.simulators import RECORDED, simulator

Dimension = whole(0, 1000000)
Pixels = whole(1, 10000)
Position = number(ge=0, le=512)  # on PushT's table
Hertz = whole(1, 100000)
# What is only recorded is no task of a simulator.
_RECORDED = {"if": {"properties": {"name": {"const": RECORDED}}}, "else": {"required": ["task"]}}


class Starts(Section):
    """Where PushT's episodes begin: least and most of each number."""

    model_config = ConfigDict(use_attribute_docstrings=False)

    agent_x: pair(Position)
    agent_y: pair(Position)
    block_x: pair(Position)
    block_y: pair(Position)
    block_angle: pair(number(ge=-7, le=7))

    def conflicts(self) -> Iterator[str]:
        for name, (least, most) in self.model_dump().items():
            if least > most:
                yield f"{name}: from {least} to {most} there is nothing; put the smaller one first"


class Environment(OpenSection):
    """An environment, or what data hold that were recorded elsewhere."""

    model_config = ConfigDict(json_schema_extra=_RECORDED)

    name: Text
    task: Text = ABSENT
    obs_type: Text = ABSENT
    state_dim: Dimension | None = ABSENT
    environment_state_dim: Dimension | None = ABSENT
    action_dim: whole(1, 100000) = ABSENT
    cameras: different(Text, None) | None = ABSENT
    image_size: Pixels | pair(Pixels) | None = ABSENT
    episode_length: Batch = ABSENT
    fps: Hertz = ABSENT
    render_quality: Text = ABSENT
    starts: Starts = ABSENT
    recorded_in: Text | None = ABSENT
    env_kwargs: dict[str, Any] = ABSENT
    observed: dict[str, list[str]] | None = ABSENT

    def conflicts(self) -> Iterator[str]:
        if self.starts and not simulator(self.name).takes_starts:
            yield f"env.starts: {self.name} draws its starts itself; remove env.starts"
        for problem in self.starts.conflicts() if self.starts else ():
            yield f"env.starts.{problem}"


class EnvironmentSettings(OpenSection):
    """Settings of which only `env` is known."""

    env: Environment
