"""What all policies share: observations by name, normalisation, an image backbone with its own learning rate."""

from omegaconf import DictConfig
from torch import Tensor, nn

from demo_score.observations import ACTION
from demo_score.policies.normalization import Normalization
from demo_score.runtime.errors import UserError


class Policy(nn.Module):
    """A policy of `settings.policy`. Observations of shape [features] are vectors, of [3, H, W] images.

    `backbone` is the network that looks at images, if there is one.
    """

    def __init__(self, settings: DictConfig):
        super().__init__()
        self.settings = settings
        self.vector_sizes = {key: int(shape[0]) for key, shape in settings.input_shapes.items() if len(shape) == 1}
        self.image_keys = [key for key, shape in settings.input_shapes.items() if len(shape) == 3 and shape[0] == 3]
        _check(settings, [*self.vector_sizes, *self.image_keys], self.image_keys)
        self.action_dim = int(settings.output_shapes[ACTION][0])
        self.normalization = Normalization(
            {**settings.input_shapes, **settings.output_shapes},
            {**settings.input_normalization_modes, **settings.output_normalization_modes},
        )
        self.backbone: nn.Module | None = None

    def normalized(self, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
        """The policy's observations of `arrays`, (B, n_obs_steps, ...), normalised."""
        return {key: self.normalization.normalize(key, arrays[key]) for key in self.settings.input_shapes}

    def parameter_groups(self, training: DictConfig) -> list[dict]:
        """All parameters for the optimiser; the backbone's apart where it has a learning rate of its own."""
        if self.backbone is None or training.lr_backbone is None:
            return [{"params": list(self.parameters())}]
        backbone = list(self.backbone.parameters())
        ours = {id(parameter) for parameter in backbone}
        others = [parameter for parameter in self.parameters() if id(parameter) not in ours]
        return [{"params": others}, {"params": backbone, "lr": training.lr_backbone}]


def _check(settings: DictConfig, usable: list[str], image_keys: list[str]) -> None:
    if strange := [key for key in settings.input_shapes if key not in usable]:
        raise UserError(f"policy.input_shapes: {strange[0]} is neither [features] nor [3, height, width]")
    if not usable:
        raise UserError("policy.input_shapes is empty: a policy needs observations; set env.obs_type")
    if image_keys and "vision_backbone" not in settings:
        raise UserError(f"policy.vision_backbone is missing, for {image_keys[0]}; use policy=act or policy=diffusion")
