"""Diffusion Policy (Chi et al. 2023, arXiv 2303.04137): a network that turns noise into a sequence of actions.

In training it learns what noise was added to demonstrated actions; at inference it removes noise step by step.
A different noise gives a different, equally plausible sequence, so that several strategies are kept apart.
"""

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from demo_score.observations import ACTION
from demo_score.policies.base import Policy
from demo_score.policies.losses import masked_mse, mean_square
from demo_score.policies.noise import denoise, draw_noise, make_scheduler
from demo_score.policies.normalization import PIXELS
from demo_score.policies.unet import ConditionalUnet
from demo_score.policies.vision import Keypoints, channels_of, crop, group_norm, make_backbone
from demo_score.runtime.errors import UserError


class DiffusionPolicy(Policy):
    """The policy of `settings.policy`; sizes and options as named there (configs/policy/diffusion.yaml)."""

    def __init__(self, settings: DictConfig):
        super().__init__(settings)
        features = sum(self.vector_sizes.values())
        if self.image_keys:
            self.backbone = make_backbone(settings, group_norm if settings.use_group_norm else nn.BatchNorm2d)
            if settings.crop_shape is not None and self.normalization.pixel_keys:
                raise UserError(f"policy.crop_shape leaves {PIXELS} without its pixels: set null, or another mode")
            n_keypoints = settings.spatial_softmax_num_keypoints
            self.keypoints = Keypoints(channels_of(self.backbone), n_keypoints)
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
        return masked_mse(predicted, target, self._counts(batch)), {}

    @torch.no_grad()
    def act(self, observations: dict[str, Tensor]) -> Tensor:
        """The next n_action_steps actions, (B, n_action_steps, action_dim), in the environment's units.

        observations: key -> (B, n_obs_steps, ...), the last one is now; images in [0, 1].
        """
        condition = self._condition(observations)
        sample = self._denoised(draw_noise(self.draw_shape, self.generators), condition, self.generators)
        now = self.settings.n_obs_steps - 1
        return self.normalization.restore(ACTION, sample)[:, now : now + self.settings.n_action_steps]

    @property
    def draw_shape(self) -> tuple[int, ...]:
        """Of the noise from which a sequence is made."""
        return self.settings.horizon, self.action_dim

    def chunk(self, observations: dict[str, Tensor], draw: Tensor | None = None) -> Tensor:
        """The whole sequence, normalised, from the noise `draw` (B, horizon, action_dim), or from its mean, 0.

        What DDPM adds while noise is removed is the same at every call, for each row another. observations: as of
        `act`. Returns (B, horizon, action_dim).
        """
        condition = self._condition(observations)
        noise = torch.zeros(len(condition), *self.draw_shape) if draw is None else draw
        generators = [torch.Generator().manual_seed(0)] * len(condition)
        return self._denoised(noise, condition, generators)

    def _denoised(self, noise: Tensor, condition: Tensor, generators: list[torch.Generator]) -> Tensor:
        noise = noise.to(condition.device)
        return denoise(self.scheduler, lambda x, t: self.unet(x, t, condition).float(), noise, generators)

    def embedding(self, observations: dict[str, Tensor]) -> Tensor:
        """What the network is conditioned on: (B, n_obs_steps * features)."""
        return self._condition(observations)

    def output_draws(self, n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Noise and diffusion steps for `output`, of `n` samples; on the CPU, as `generator`."""
        noise = torch.randn(n, *self.draw_shape, generator=generator)
        return {"noise": noise, "step": torch.randint(self.settings.num_train_timesteps, (n,), generator=generator)}

    def output(self, batch: dict[str, Tensor]) -> Tensor:
        """The mean square of what the network predicts of the noised actions that count in the loss: (B,).

        batch: as of `loss`, and noise (B, horizon, action_dim) and step (B,), see `output_draws`. The output function
        of CUPID (Agia et al. 2025), f = mean(epsilon^2).
        """
        actions = self.normalization.normalize(ACTION, batch[ACTION])
        noisy = self.scheduler.add_noise(actions, batch["noise"], batch["step"])
        predicted = self.unet(noisy, batch["step"], self._condition(batch)).float()
        return mean_square(predicted, self._counts(batch))

    def _counts(self, batch: dict[str, Tensor]) -> Tensor:
        """Which steps (B, horizon) count in the loss."""
        is_pad = batch["action_is_pad"]
        return ~is_pad if self.settings.do_mask_loss_for_padding else torch.ones_like(is_pad)

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
