"""The settings that every run reads, but for `policy`: of a policy of one's own, all but its name is free."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from demo_score.config.models.base import ABSENT, OpenSection, Seed, Text, text, whole
from demo_score.config.models.env import Environment, Hertz
from demo_score.config.models.training import Batch, Training

Device = text("^(auto|cpu|mps|cuda(:[0-9]{1,3})?)$", "auto, cpu, cuda, cuda:N (the N-th GPU) or mps (a Mac)")


Recorded = Annotated[bool | Literal["looks"], WithJsonSchema({"enum": [True, False, "looks"]})]


class Eval(OpenSection):
    """Evaluations in the environment."""

    n_episodes: Batch = ABSENT
    batch_size: whole(1, 10000) = ABSENT
    use_async_envs: bool = ABSENT
    record_images: Recorded = ABSENT


class Wandb(OpenSection):
    """Weights & Biases."""

    enable: bool = ABSENT
    project: Text = ABSENT
    name: Text = ABSENT
    notes: str | None = ABSENT


class Settings(OpenSection):
    """The settings of a run, composed by Hydra. Other keys are free."""

    device: Device
    use_amp: bool
    seed: Seed
    resume: bool
    fps: Hertz = ABSENT
    dataset_repo_id: Text | None = ABSENT
    dataset_keys: dict[str, Annotated[list[str], Field(min_length=1)]] | None = ABSENT
    video_backend: Literal["pyav", "opencv"] = ABSENT
    aloha_jpeg: Literal["act", "standard"] = ABSENT
    training: Training
    eval: Eval
    wandb: Wandb
    env: Environment
    policy: Any

    def conflicts(self) -> Iterator[str]:
        yield from self.training.conflicts()
        yield from self.env.conflicts()
