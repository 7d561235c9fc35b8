"""Diffusion Policy (Chi et al. 2023, arXiv 2303.04137): a network that turns noise into a sequence of actions.

In training it learns what noise was added to demonstrated actions; at inference it removes noise step by step.
A different noise gives a different, equally plausible sequence, so that several strategies are kept apart.
"""

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from demo_score.errors import UserError
from demo_score.observations import ACTION
from demo_score.policies.base import Policy
from demo_score.policies.losses import masked_mse
from demo_score.policies.noise import denoise, draw_noise, make_scheduler
from demo_score.policies.unet import ConditionalUnet
from demo_score.policies.vision import REDUCTION, Keypoints, crop, group_norm, make_backbone


class DiffusionPolicy(Policy):
    """The policy of `settings.policy`; sizes and options as named there (configs/policy/diffusion.yaml)."""

    def __init__(self, settings: DictConfig):
        _check(settings)
        super().__init__(settings)
        features = sum(self.vector_sizes.values())
        if self.image_keys:
            _check_images(settings, self.image_keys)
            self.backbone = make_backbone(settings, group_norm if settings.use_group_norm else nn.BatchNorm2d)
            n_keypoints = settings.spatial_softmax_num_keypoints
            self.keypoints = Keypoints(self.backbone.layer4[-1].conv2.out_channels, n_keypoints)
            features += 2 * n_keypoints * len(self.image_keys)
        self.unet = ConditionalUnet(settings, self.action_dim, settings.n_obs_steps * features)
        self.scheduler = make_scheduler(settings)

    @staticmethod
    def action_offsets(settings: DictConfig) -> range:
        """Which steps, relative to now, the actions of a batch cover: the horizon begins at the first observation."""
        return range(1 - settings.n_obs_steps, 1 - settings.n_obs_steps + settings.horizon)

    def reset(self, seeds: list[int]) -> None:
        """Begin a batch of episodes; `seeds` decide the noise of each, whatever else is in the batch."""
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean squared error of the prediction at diffusion steps drawn at random.

        batch: observation keys -> (B, n_obs_steps, ...), images in [0, 1]; action (B, horizon, action_dim);
        action_is_pad (B, horizon), whose actions do not count with do_mask_loss_for_padding. The mean is over
        those that count.
        """
        actions = self.normalization.normalize(ACTION, batch[ACTION])
        noise = torch.randn_like(actions)
        step = torch.randint(self.settings.num_train_timesteps, (len(actions),), device=actions.device)
        noisy = self.scheduler.add_noise(actions, noise, step)
        predicted = self.unet(noisy, step, self._condition(batch)).float()
        target = noise if self.settings.prediction_type == "epsilon" else actions
        counts = ~batch["action_is_pad"]
        if not self.settings.do_mask_loss_for_padding:
            counts = torch.ones_like(counts)
        return masked_mse(predicted, target, counts), {}

    @torch.no_grad()
    def act(self, observations: dict[str, Tensor]) -> Tensor:
        """The next n_action_steps actions, (B, n_action_steps, action_dim), in the environment's units.

        observations: key -> (B, n_obs_steps, ...), the last one is now; images in [0, 1].
        """
        condition = self._condition(observations)
        noise = draw_noise((self.settings.horizon, self.action_dim), self.generators).to(condition.device)
        sample = denoise(self.scheduler, lambda x, t: self.unet(x, t, condition).float(), noise, self.generators)
        now = self.settings.n_obs_steps - 1
        return self.normalization.restore(ACTION, sample)[:, now : now + self.settings.n_action_steps]

    def _condition(self, arrays: dict[str, Tensor]) -> Tensor:
        """What the network sees of a batch: (B, n_obs_steps * features)."""
        observations = self.normalized({**arrays, **{key: self._cropped(arrays[key]) for key in self.image_keys}})
        vectors = [observations[key] for key in self.vector_sizes]
        images = [self._look(observations[key]) for key in self.image_keys]
        return torch.cat([*vectors, *images], dim=-1).flatten(1)

    def _cropped(self, images: Tensor) -> Tensor:
        """What is seen of images (B, n_obs_steps, 3, H, W), cut out before anything is computed on the rest."""
        if self.settings.crop_shape is None:
            return images
        at_random = self.training and self.settings.crop_is_random
        cropped = crop(images.flatten(0, 1), tuple(self.settings.crop_shape), at_random)
        return cropped.unflatten(0, images.shape[:2])

    def _look(self, images: Tensor) -> Tensor:
        """(B, n_obs_steps, 3, H, W) -> (B, n_obs_steps, features)."""
        return self.keypoints(self.backbone(images.flatten(0, 1))).unflatten(0, images.shape[:2])


def _check(settings: DictConfig) -> None:
    shrinks = 2 ** (len(settings.down_dims) - 1)
    if settings.horizon % shrinks:
        raise UserError(f"policy.horizon must be a multiple of {shrinks}: each policy.down_dims but one halves it")
    if not 1 <= settings.n_action_steps <= settings.horizon - settings.n_obs_steps + 1:
        raise UserError("policy.n_action_steps must lie between 1 and policy.horizon - policy.n_obs_steps + 1")
    if settings.n_obs_steps < 1:
        raise UserError("policy.n_obs_steps must be at least 1")
    if settings.kernel_size % 2 == 0:
        raise UserError("policy.kernel_size must be odd")
    if any(dim % settings.n_groups for dim in settings.down_dims):
        raise UserError("policy.n_groups must divide every entry of policy.down_dims")
    if settings.diffusion_step_embed_dim % 2 or settings.diffusion_step_embed_dim < 4:
        raise UserError("policy.diffusion_step_embed_dim must be even and at least 4")


def _check_images(settings: DictConfig, image_keys: list[str]) -> None:
    for key in image_keys:
        image = list(settings.input_shapes[key][1:])
        seen = image if settings.crop_shape is None else list(settings.crop_shape)
        if seen[0] > image[0] or seen[1] > image[1]:
            raise UserError(f"policy.crop_shape={seen} is larger than {key}, {image}; set a smaller one, or null")
        if min(seen) <= REDUCTION:
            raise UserError(f"{key}: keypoints need more than {REDUCTION} pixels a side, not {seen}")
    if settings.use_group_norm and settings.pretrained_backbone_weights is not None:
        raise UserError("policy.pretrained_backbone_weights come with batch norm; set policy.use_group_norm=false")
