"""ACT, Action Chunking with Transformers (Zhao et al. 2023, arXiv 2304.13705), from images or poses of objects.

A conditional VAE: an encoder compresses the demonstrated action chunk into a latent z, a transformer predicts
the chunk from the observation and z. At inference z = 0, the mean of its prior, or, with sample_latent, a draw
from it: then a policy trained on several strategies follows each now and then instead of one in between.
"""

import numpy as np
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor, nn

from demo_score.observations import ACTION, STATE
from demo_score.policies.base import Policy
from demo_score.policies.ensembling import TemporalEnsemble
from demo_score.policies.losses import kl_divergence, masked_l1, mean_square
from demo_score.policies.transformer import Decoder, Encoder, sinusoidal_positions
from demo_score.policies.vision import SMALL_CNN, WholeImage, channels_of, make_backbone, sinusoidal_positions_2d


class ACT(Policy):
    """The policy of `settings.policy`; sizes and options as named there (configs/policy/act.yaml)."""

    def __init__(self, settings: DictConfig):
        super().__init__(settings)
        dim = settings.dim_model
        self.vae_encoder = None
        if settings.use_vae:
            self.vae_encoder = VAEEncoder(settings, self.vector_sizes[STATE], self.action_dim)
        self.latent_projection = nn.Linear(settings.latent_dim, dim)
        self.observation_projections = nn.ModuleList(nn.Linear(size, dim) for size in self.vector_sizes.values())
        self.token_position = nn.Parameter(torch.randn(1, 1 + len(self.vector_sizes), dim))
        self.encoder = Encoder(settings.n_encoder_layers, **_layer(settings))
        n_queries = settings.chunk_size // settings.actions_per_query
        self.query_position = nn.Parameter(torch.randn(1, n_queries, dim))
        self.decoder = Decoder(settings.n_decoder_layers, **_layer(settings))
        self.action_head = nn.Linear(dim, settings.actions_per_query * self.action_dim)
        if self.image_keys:
            self._add_backbone()
        coefficient = settings.temporal_ensemble_coeff
        self.ensemble = None if coefficient is None else TemporalEnsemble(coefficient)

    def _add_backbone(self) -> None:
        from torchvision.ops import FrozenBatchNorm2d

        dilate = self.settings.replace_final_stride_with_dilation
        self.backbone = make_backbone(self.settings, FrozenBatchNorm2d, dilate)
        dim = self.settings.dim_model
        if self.settings.vision_backbone == SMALL_CNN:
            sizes = [tuple(self.settings.input_shapes[key]) for key in self.image_keys]
            self.image_projection = WholeImage(self.backbone, sizes, dim)
        else:
            self.image_projection = nn.Conv2d(channels_of(self.backbone), dim, kernel_size=1)

    @staticmethod
    def action_offsets(settings: DictConfig) -> range:
        """Which steps, relative to now, the actions of a batch cover."""
        return range(settings.chunk_size)

    def reset(self, seeds: list[int]) -> None:
        """Begin a batch of episodes; `seeds` decide the latents that are drawn for each, with sample_latent."""
        self.generators = [np.random.default_rng(seed) for seed in seeds]
        if self.ensemble:
            self.ensemble.reset()

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean absolute error over the actions that are not padding, plus kl_weight times the KL divergence.

        Below kl_free_nats the divergence costs no more and has no gradient, so that the latent does not collapse: free
        bits (Kingma et al. 2016, arXiv 1606.04934, appendix C.8), here of the whole latent and the batch's mean.

        batch: observation keys -> (B, 1, ...); action (B, chunk, action_dim); action_is_pad (B, chunk).
        The KL divergence to N(0, I) is summed over the latent and averaged over the batch.
        """
        observations = self._now(batch)
        actions = self.normalization.normalize(ACTION, batch[ACTION])
        valid = ~batch["action_is_pad"]
        if self.vae_encoder is None:
            latent = actions.new_zeros(len(actions), self.settings.latent_dim)
            kl = actions.new_zeros(())
        else:
            mean, log_variance = self.vae_encoder(observations[STATE], actions, valid)
            latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            kl = kl_divergence(mean, log_variance)
        l1 = masked_l1(self._predict(observations, latent), actions, valid)
        penalty = kl.clamp(min=self.settings.kl_free_nats)
        return l1 + self.settings.kl_weight * penalty, {"l1": l1.detach(), "kl": kl.detach()}

    @torch.no_grad()
    def act(self, observations: dict[str, Tensor]) -> Tensor:
        """The next n_action_steps actions, (B, n_action_steps, action_dim), in the environment's units.

        observations: key -> (B, 1, ...), images (B, 1, 3, H, W) in [0, 1].
        """
        latent = self._latent().to(self.latent_projection.weight.device)
        chunk = self.normalization.restore(ACTION, self._predict(self._now(observations), latent))
        return self.ensemble.add(chunk) if self.ensemble else chunk[:, : self.settings.n_action_steps]

    @property
    def draw_shape(self) -> tuple[int, ...] | None:
        """Of the standard normal draw that decides which chunk follows from an observation; None: nothing is drawn."""
        return None if self.vae_encoder is None else (self.settings.latent_dim,)

    def chunk(self, observations: dict[str, Tensor], draw: Tensor | None = None) -> Tensor:
        """The whole chunk, normalised, with the latents `draw` (B, latent_dim), or with 0, the mean of their prior.

        observations: as of `act`. Returns (B, chunk, action_dim).
        """
        latent = self._zeros(observations) if draw is None else draw.to(self.latent_projection.weight.device)
        return self._predict(self._now(observations), latent)

    def embedding(self, observations: dict[str, Tensor]) -> Tensor:
        """The mean of the encoder's output tokens, which the decoder reads, with latent 0: (B, dim_model)."""
        tokens, position = self._tokens(self._now(observations), self._zeros(observations))
        return self.encoder(tokens, position).mean(dim=1)

    @staticmethod
    def output_draws(n: int, generator: torch.Generator) -> dict[str, Tensor]:
        """What `output` needs beside a batch: nothing, as it draws nothing."""
        return {}

    def output(self, batch: dict[str, Tensor]) -> Tensor:
        """The mean square of the predicted, normalised actions that are not padding: (B,). batch: as of `loss`.

        The latent is its posterior mean given the observation and the chunk in the batch, or 0 without use_vae: so the
        output depends on what was done. It is the network's output, not its error: the error, and so its gradient, is
        zero where the actions are the policy's own.
        """
        observations = self._now(batch)
        valid = ~batch["action_is_pad"]
        latent = self._zeros(batch)
        if self.vae_encoder is not None:
            actions = self.normalization.normalize(ACTION, batch[ACTION])
            latent, _ = self.vae_encoder(observations[STATE], actions, valid)
        return mean_square(self._predict(observations, latent), valid)

    def _zeros(self, observations: dict[str, Tensor]) -> Tensor:
        first = next(observations[key] for key in self.settings.input_shapes)
        return self.token_position.new_zeros(len(first), self.settings.latent_dim)

    def _latent(self) -> Tensor:
        size = self.settings.latent_dim
        if not self.settings.sample_latent:
            return torch.zeros(len(self.generators), size)
        draws = [generator.standard_normal(size, dtype=np.float32) for generator in self.generators]
        return torch.from_numpy(np.stack(draws))

    def _now(self, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
        return {key: values[:, -1] for key, values in self.normalized(arrays).items()}

    def _predict(self, observations: dict[str, Tensor], latent: Tensor) -> Tensor:
        tokens, position = self._tokens(observations, latent)
        memory = self.encoder(tokens, position)
        queries = self.query_position.new_zeros(len(latent), *self.query_position.shape[1:])
        decoded = self.decoder(queries, self.query_position, memory, position)
        actions = self.action_head(decoded).float()  # mixed precision ends here
        return actions.unflatten(-1, (self.settings.actions_per_query, -1)).flatten(1, 2)

    def _tokens(self, observations: dict[str, Tensor], latent: Tensor) -> tuple[Tensor, Tensor]:
        """Latent, vectors, then each camera's feature map row by row, or its one token: (B, n, dim).

        And positions (1, n, dim).
        """
        inputs = zip(self.observation_projections, self.vector_sizes, strict=True)
        tokens = [self.latent_projection(latent), *(project(observations[key]) for project, key in inputs)]
        sequences, positions = [torch.stack(tokens, dim=1)], [self.token_position]
        for key in self.image_keys:
            features = self.image_projection(self.backbone(observations[key]))
            sequences.append(features.flatten(2).transpose(1, 2))
            positions.append(sinusoidal_positions_2d(*features.shape[-2:], features.shape[1], features.device))
        return torch.cat(sequences, dim=1), torch.cat(positions, dim=1)


class VAEEncoder(nn.Module):
    """Tokens [CLS, joint state, one per action group] -> mean and log variance of the latent."""

    def __init__(self, settings: DictConfig, state_dim: int, action_dim: int):
        super().__init__()
        dim, self.group = settings.dim_model, settings.actions_per_query
        self.cls = nn.Parameter(torch.randn(1, 1, dim))
        self.state_projection = nn.Linear(state_dim, dim)
        self.action_projection = nn.Linear(self.group * action_dim, dim)
        n_tokens = 2 + settings.chunk_size // self.group
        self.register_buffer("position", sinusoidal_positions(n_tokens, dim), persistent=False)
        self.encoder = Encoder(settings.n_vae_encoder_layers, **_layer(settings))
        self.latent = nn.Linear(dim, 2 * settings.latent_dim)

    def forward(self, state: Tensor, actions: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """state: (B, state_dim), actions: (B, chunk, action_dim), both normalised; valid: (B, chunk).

        Returns mean and log variance, (B, latent_dim) each.
        """
        groups = (actions * valid[..., None]).unflatten(1, (-1, self.group)).flatten(2)
        cls = self.cls.expand(len(actions), -1, -1)
        x = torch.cat([cls, self.state_projection(state)[:, None], self.action_projection(groups)], dim=1)
        group_valid = valid.unflatten(1, (-1, self.group)).any(dim=2)
        mask = F.pad(group_valid, (2, 0), value=True)[:, None, None, :]
        return self.latent(self.encoder(x, self.position, mask, n=1)[:, 0]).float().chunk(2, dim=1)


def _layer(settings: DictConfig) -> dict:
    return {
        "dim": settings.dim_model,
        "n_heads": settings.n_heads,
        "dim_feedforward": settings.dim_feedforward,
        "activation": settings.feedforward_activation,
        "dropout": settings.dropout,
        "pre_norm": settings.pre_norm,
    }
