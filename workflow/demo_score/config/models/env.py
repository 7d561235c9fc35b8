"""The settings `env`."""

from typing import Any

from pydantic import ConfigDict

from demo_score.config.models.base import ABSENT, OpenSection, Text, different, pair, whole
from demo_score.config.models.training import Batch
from demo_score.simulators import RECORDED

Dimension = whole(0, 1000000)
Pixels = whole(1, 10000)
Hertz = whole(1, 100000)
# What is only recorded is no task of a simulator.
_RECORDED = {"if": {"properties": {"name": {"const": RECORDED}}}, "else": {"required": ["task"]}}


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
    recorded_in: Text | None = ABSENT
    env_kwargs: dict[str, Any] = ABSENT
    observed: dict[str, list[str]] | None = ABSENT


class EnvironmentSettings(OpenSection):
    """Settings of which only `env` is known."""

    env: Environment
