"""ACT, Action Chunking with Transformers (Zhao et al. 2023, arXiv 2304.13705), low-dimensional inputs.

A conditional VAE: an encoder compresses the demonstrated action chunk into a latent z, a transformer predicts
the chunk from the observation and z. At inference z = 0, the mean of its prior, or, with sample_latent, a draw
from it: then a policy trained on several strategies follows each now and then instead of one in between.
"""

import numpy as np
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from torch import Tensor, nn

from demo_score.errors import UserError
from demo_score.policies.normalization import Normalization
from demo_score.policies.transformer import Decoder, Encoder, sinusoidal_positions

ACTION = "action"
STATE = "observation.state"


class ACT(nn.Module):
    """The policy of `settings.policy`; sizes and options as named there (configs/policy/act_state.yaml)."""

    def __init__(self, settings: DictConfig):
        super().__init__()
        _check(settings)
        self.settings = settings
        self.observation_keys = list(settings.input_shapes)
        input_sizes = {key: int(shape[0]) for key, shape in settings.input_shapes.items()}
        action_dim = int(settings.output_shapes[ACTION][0])
        dim = settings.dim_model
        self.normalization = Normalization({**settings.input_shapes, **settings.output_shapes})
        self.vae_encoder = VAEEncoder(settings, input_sizes[STATE], action_dim) if settings.use_vae else None
        self.latent_projection = nn.Linear(settings.latent_dim, dim)
        self.observation_projections = nn.ModuleList(nn.Linear(size, dim) for size in input_sizes.values())
        self.token_position = nn.Parameter(torch.randn(1, 1 + len(input_sizes), dim))
        self.encoder = Encoder(settings.n_encoder_layers, **_layer(settings))
        n_queries = settings.chunk_size // settings.actions_per_query
        self.query_position = nn.Parameter(torch.randn(1, n_queries, dim))
        self.decoder = Decoder(settings.n_decoder_layers, **_layer(settings))
        self.action_head = nn.Linear(dim, settings.actions_per_query * action_dim)

    def reset(self, seeds: list[int]) -> None:
        """Begin a batch of episodes; `seeds` decide the latents that are drawn for each, with sample_latent."""
        self.generators = [np.random.default_rng(seed) for seed in seeds]

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean absolute error over the actions that are not padding, plus kl_weight times the KL divergence.

        batch: observation keys -> (B, features); action (B, chunk, action_dim); action_is_pad (B, chunk).
        The KL divergence to N(0, I) is summed over the latent and averaged over the batch.
        """
        observations = self._normalized(batch)
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
        return l1 + self.settings.kl_weight * kl, {"l1": l1.detach(), "kl": kl.detach()}

    @torch.no_grad()
    def act(self, observations: dict[str, Tensor]) -> Tensor:
        """The next n_action_steps actions, (B, n_action_steps, action_dim), in the environment's units."""
        normalized = self._normalized(observations)
        latent = self._latent().to(self.latent_projection.weight.device)
        actions = self.normalization.restore(ACTION, self._predict(normalized, latent))
        return actions[:, : self.settings.n_action_steps]

    def _latent(self) -> Tensor:
        size = self.settings.latent_dim
        if not self.settings.sample_latent:
            return torch.zeros(len(self.generators), size)
        draws = [generator.standard_normal(size, dtype=np.float32) for generator in self.generators]
        return torch.from_numpy(np.stack(draws))

    def _normalized(self, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
        return {key: self.normalization.normalize(key, arrays[key]) for key in self.observation_keys}

    def _predict(self, observations: dict[str, Tensor], latent: Tensor) -> Tensor:
        inputs = zip(self.observation_projections, observations.values(), strict=True)
        tokens = [self.latent_projection(latent), *(project(x) for project, x in inputs)]
        memory = self.encoder(torch.stack(tokens, dim=1), self.token_position)
        queries = self.query_position.new_zeros(len(latent), *self.query_position.shape[1:])
        decoded = self.decoder(queries, self.query_position, memory, self.token_position)
        return self.action_head(decoded).unflatten(-1, (self.settings.actions_per_query, -1)).flatten(1, 2)


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
        return self.latent(self.encoder(x, self.position, mask)[:, 0]).chunk(2, dim=1)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)), summed over the last dimension, averaged over the batch."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(-1).mean()


def masked_l1(predicted: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error over the entries of valid steps. predicted, target: (B, T, D); valid: (B, T)."""
    error = (predicted - target).abs() * valid[..., None]
    return error.sum() / (valid.sum() * predicted.shape[-1])


def _layer(settings: DictConfig) -> dict:
    return {
        "dim": settings.dim_model,
        "n_heads": settings.n_heads,
        "dim_feedforward": settings.dim_feedforward,
        "activation": settings.feedforward_activation,
        "dropout": settings.dropout,
        "pre_norm": settings.pre_norm,
    }


def _check(settings: DictConfig) -> None:
    if settings.chunk_size % settings.actions_per_query:
        raise UserError("policy.actions_per_query must divide policy.chunk_size")
    if not 1 <= settings.n_action_steps <= settings.chunk_size:
        raise UserError("policy.n_action_steps must lie between 1 and policy.chunk_size")
    if settings.use_vae and STATE not in settings.input_shapes:
        raise UserError(f"policy.use_vae needs {STATE} in policy.input_shapes; add it or set policy.use_vae=false")
    if settings.n_obs_steps != 1:
        raise UserError("policy.n_obs_steps: ACT looks at one observation; set 1")
    if settings.dim_model % settings.n_heads or settings.dim_model % 2:
        raise UserError("policy.dim_model must be even and a multiple of policy.n_heads")
    if settings.feedforward_activation not in ("relu", "gelu"):
        raise UserError("policy.feedforward_activation must be relu or gelu")
