"""The settings `policy` of the policies that there are; those of other policies, and other keys, are free."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler

from demo_score.config.json_schema import conditional
from demo_score.config.models.base import ABSENT, OpenSection, Size, Text, number, pair, whole
from demo_score.observations import STATE

REDUCTION = 32  # pixels of the image a pixel of a backbone's last feature map, in each direction
Layers = whole(1, 1000)
Steps = whole(1, 10000)
Beta = number(gt=0, lt=1)
Mode = Literal["mean_std", "min_max", "pixel_mean_std"]
Shape = Annotated[list[whole(1, 1000000)], Field(min_length=1, max_length=4)]
ActionShape = Annotated[list[whole(1, 100000)], Field(min_length=1, max_length=1)]


class OutputShapes(OpenSection):
    """What a policy gives."""

    action: ActionShape


class Shared(OpenSection):
    """What our policies share."""

    n_obs_steps: whole(1, 1000)
    n_action_steps: Steps
    input_shapes: dict[str, Shape] | None = ABSENT
    output_shapes: OutputShapes
    input_normalization_modes: dict[str, Mode]
    output_normalization_modes: dict[str, Mode]
    min_std: number(gt=0)
    vision_backbone: Literal["resnet18", "resnet34", "small_cnn"] = ABSENT
    pretrained_backbone_weights: Text | None = ABSENT

    def backbone_conflicts(self) -> Iterator[str]:
        """What a small_cnn does not have."""
        if self.vision_backbone != "small_cnn":
            return
        if self.pretrained_backbone_weights is not None:
            yield "policy.vision_backbone=small_cnn needs policy.pretrained_backbone_weights=null"
        if getattr(self, "replace_final_stride_with_dilation", None):
            yield "policy.vision_backbone=small_cnn needs policy.replace_final_stride_with_dilation=false"
        if getattr(self, "use_group_norm", None) is False:
            yield "policy.vision_backbone=small_cnn needs policy.use_group_norm=true"


class Act(Shared):
    """Action Chunking Transformer."""

    chunk_size: Steps
    actions_per_query: Steps
    replace_final_stride_with_dilation: bool = ABSENT
    pre_norm: bool
    dim_model: Size
    n_heads: Size
    dim_feedforward: Size
    feedforward_activation: Literal["relu", "gelu"]
    n_encoder_layers: whole(0, 1000)
    n_decoder_layers: Layers
    dropout: number(ge=0, lt=1)
    use_vae: bool
    latent_dim: Size
    n_vae_encoder_layers: Layers
    kl_weight: number(ge=0)
    kl_free_nats: number(ge=0)
    sample_latent: bool
    temporal_ensemble_coeff: number(ge=-100, le=100) | None

    def conflicts(self) -> Iterator[str]:
        chunk, group, actions = self.chunk_size, self.actions_per_query, self.n_action_steps
        dim, heads = self.dim_model, self.n_heads
        if chunk % group:
            yield f"policy.actions_per_query={group} must divide policy.chunk_size={chunk}"
        if actions > chunk:
            yield f"policy.n_action_steps={actions} must lie between 1 and policy.chunk_size={chunk}"
        if self.use_vae and STATE not in (self.input_shapes or [STATE]):
            yield f"policy.use_vae needs {STATE} in policy.input_shapes; add it or set policy.use_vae=false"
        if self.n_obs_steps != 1:
            yield f"policy.n_obs_steps={self.n_obs_steps}: ACT looks at one observation; set 1"
        if dim % heads or dim % 4:
            yield f"policy.dim_model={dim} must be a multiple of 4 and of policy.n_heads={heads}"
        if self.temporal_ensemble_coeff is not None and actions != 1:
            yield "policy.temporal_ensemble_coeff needs policy.n_action_steps=1: it looks at every step"
        yield from self.backbone_conflicts()


class Diffusion(Shared):
    """Diffusion Policy."""

    horizon: Steps
    use_group_norm: bool = ABSENT
    crop_shape: pair(Size) | None = ABSENT
    crop_is_random: bool = ABSENT
    spatial_softmax_num_keypoints: Size = ABSENT
    down_dims: Annotated[list[Size], Field(min_length=1, max_length=10)]
    kernel_size: whole(1, 1001)
    n_groups: Size
    diffusion_step_embed_dim: whole(4, 65536)
    use_film_scale_modulation: bool
    noise_scheduler_type: Literal["DDPM", "DDIM"]
    num_train_timesteps: Steps
    beta_schedule: Literal["squaredcos_cap_v2", "linear", "scaled_linear"]
    beta_start: Beta
    beta_end: Beta
    prediction_type: Literal["epsilon", "sample"]
    clip_sample: bool
    clip_sample_range: number(gt=0)
    num_inference_steps: Steps | None
    do_mask_loss_for_padding: bool

    def conflicts(self) -> Iterator[str]:
        horizon, actions, shrinks = self.horizon, self.n_action_steps, 2 ** (len(self.down_dims) - 1)
        if horizon % shrinks:
            yield f"policy.horizon={horizon} must be a multiple of {shrinks}: each policy.down_dims but one halves it"
        if actions > horizon - self.n_obs_steps + 1:
            yield f"policy.n_action_steps={actions} must lie between 1 and policy.horizon - policy.n_obs_steps + 1"
        if self.kernel_size % 2 == 0:
            yield f"policy.kernel_size={self.kernel_size} must be odd"
        if any(dim % self.n_groups for dim in self.down_dims):
            yield f"policy.n_groups={self.n_groups} must divide every entry of policy.down_dims"
        if self.diffusion_step_embed_dim % 2:
            yield f"policy.diffusion_step_embed_dim={self.diffusion_step_embed_dim} must be even"
        if self.beta_start > self.beta_end:
            yield f"policy.beta_start={self.beta_start} must not be above policy.beta_end={self.beta_end}"
        if (self.num_inference_steps or 1) > self.num_train_timesteps:
            yield "policy.num_inference_steps must lie between 1 and policy.num_train_timesteps"
        yield from self._image_conflicts()
        yield from self.backbone_conflicts()

    def _image_conflicts(self) -> Iterator[str]:
        images = {key: shape[1:] for key, shape in (self.input_shapes or {}).items() if len(shape) == 3}
        for key, image in images.items():
            seen = self.crop_shape or image
            if seen[0] > image[0] or seen[1] > image[1]:
                yield f"policy.crop_shape={seen} is larger than {key}, {image}; set a smaller one, or null"
            if min(seen) <= REDUCTION:
                yield f"{key}: keypoints need more than {REDUCTION} pixels a side, not {seen}"
        if images and self.use_group_norm and self.pretrained_backbone_weights is not None:
            yield "policy.pretrained_backbone_weights come with batch norm; set policy.use_group_norm=false"


POLICIES: dict[str, type[Shared]] = {"act": Act, "diffusion": Diffusion}


class _OneOfOurs:
    """In the JSON schema: a policy of one of our names has our settings."""

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> dict:
        ours = {name: handler(model.__pydantic_core_schema__) for name, model in POLICIES.items()}
        return handler(core_schema) | {"allOf": [conditional("name", name, model) for name, model in ours.items()]}


class AnyPolicy(OpenSection):
    """A policy by its name."""

    name: str

    def conflicts(self) -> Iterator[str]:
        if self.name in POLICIES:
            yield from POLICIES[self.name].build(self.model_extra, "settings: policy").conflicts()


class PolicySettings(OpenSection):
    """Settings of which only `policy` is known."""

    policy: Annotated[AnyPolicy, _OneOfOurs()]
