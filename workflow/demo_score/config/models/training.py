"""The settings of a training."""

from collections.abc import Iterator
from typing import Literal

from demo_score.config.models.base import ABSENT, Count, OpenSection, Text, number, pair, whole

MAX_CHECKPOINTS = 100000
Amount = whole(0, 1000000000)
Batch = whole(1, 1000000)
Fraction = number(ge=0, le=1)
Rate = number(gt=0)
Decay = number(ge=0, lt=1)


class Transform(OpenSection):
    """A random change of images, by a factor."""

    weight: number(ge=0)
    min_max: pair(number(ge=0))


class Shift(Transform):
    """The same, by something that is added."""

    min_max: pair(number(ge=-0.5, le=0.5))


class ImageTransforms(OpenSection):
    """Changes of training images."""

    enable: bool = ABSENT
    max_num_transforms: Count = ABSENT
    random_order: bool = ABSENT
    brightness: Transform = ABSENT
    contrast: Transform = ABSENT
    saturation: Transform = ABSENT
    hue: Shift = ABSENT
    sharpness: Transform = ABSENT

    def conflicts(self) -> Iterator[str]:
        for name, transform in self:
            if isinstance(transform, Transform) and transform.min_max[0] > transform.min_max[1]:
                yield f"{name}.min_max: {transform.min_max} is not smallest, then largest"


class Training(OpenSection):
    """The settings `training`."""

    init_from: Text | None = ABSENT
    sample_weights: Text | None = ABSENT
    image_store: Text | None = ABSENT
    offline_steps: Count = ABSENT
    eval_freq: Amount = ABSENT
    log_freq: Count = ABSENT
    save_freq: Count = ABSENT
    resume_freq: Count = ABSENT
    batch_size: Batch = ABSENT
    num_workers: whole(0, 1024) = ABSENT
    compile: bool = ABSENT
    lr: Rate = ABSENT
    lr_backbone: number(ge=0) | None = ABSENT
    weight_decay: number(ge=0) = ABSENT
    adam_betas: pair(Decay) = ABSENT
    adam_eps: Rate = ABSENT
    grad_clip_norm: Rate = ABSENT
    lr_scheduler: Literal["constant", "cosine"] = ABSENT
    lr_final_fraction: Fraction = ABSENT
    lr_warmup_steps: Amount = ABSENT
    ema_decay: Decay = ABSENT
    drop_n_last_frames: Amount = ABSENT
    start_fraction: Fraction = ABSENT
    start_frames: Count = ABSENT
    image_transforms: ImageTransforms = ABSENT

    def conflicts(self) -> Iterator[str]:
        steps, every = self.offline_steps or 0, self.save_freq or 1
        if steps // every > MAX_CHECKPOINTS:
            checkpoints = f"{steps // every} checkpoints in training.offline_steps={steps}"
            yield f"training.save_freq={every}: {checkpoints}; save fewer"
        for problem in self.image_transforms.conflicts() if self.image_transforms else ():
            yield f"training.image_transforms.{problem}"
