"""Classifiers of success, M of them computed at once.

A member's parameters are those of an ordinary torch module (`module()`); M members are those parameters stacked
along a leading dimension, or flattened to (M, parameters). Architectures: Demo-SCORE, demo_score/models.py.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from demo_score.curation.attention import Attention
from demo_score.curation.perceptron import Perceptron

Parameters = dict[str, Tensor]  # name in the module -> (M, ...)
LAYER_NORM_EPSILON = 1e-5  # torch's


class Dropout:
    """Dropout at `rate` in which each member draws from its own stream, however many others there are."""

    def __init__(self, rate: float, generators: list[torch.Generator]) -> None:
        self.rate = rate
        self.generators = generators

    def __call__(self, values: Tensor) -> Tensor:
        """Zero elements of `values` (M, ...) and scale the others by 1 / (1 - rate)."""
        if self.rate == 0:
            return values
        return values * self._scales(self.generators, values[0].numel()).view(values.shape)

    def scales(self, member: int, *shape: int) -> Tensor | None:
        """What one member's values of this shape are multiplied by; None: they stay as they are."""
        if self.rate == 0:
            return None
        return self._scales(self.generators[member : member + 1], math.prod(shape)).view(shape)

    @property
    def gain(self) -> float:
        """What is kept is multiplied by this."""
        return 1 / (1 - self.rate)

    def kept(self, sizes: Sequence[int], n_samples: int) -> tuple[Tensor, ...] | None:
        """Of each layer of so many units, (M, units, samples): 1 for a unit that is kept, else 0; None: all are."""
        if self.rate == 0:
            return None
        drawn = self._draw(self.generators, sum(sizes) * n_samples).split([size * n_samples for size in sizes], dim=1)
        return tuple(part.unflatten(1, (size, n_samples)) for part, size in zip(drawn, sizes, strict=True))

    def _scales(self, generators: list[torch.Generator], count: int) -> Tensor:
        return self._draw(generators, count).mul_(self.gain)

    def _draw(self, generators: list[torch.Generator], count: int) -> Tensor:
        """(members, count): 1 for an element that is kept, else 0."""
        # Sixteen random bits an element, four elements a draw: ten times as fast as Tensor.bernoulli_.
        draws = torch.empty(len(generators), math.ceil(count / 4), dtype=torch.int64)
        for row, generator in zip(draws, generators, strict=True):
            row.random_(-(2**63), None, generator=generator)
        lowest_kept = round(self.rate * 2**16) - 2**15
        # Arithmetic on floats: comparisons, with their booleans, take several times as long here.
        return draws.view(torch.int16)[:, :count].float().sub_(lowest_kept - 1).clamp_(0, 1)


NO_DROPOUT = Dropout(0, [])  # when evaluating


@dataclass(frozen=True)
class Stepwise:
    """Multi-layer perceptron over single frames; each frame carries its episode's label."""

    hidden_sizes: list[int]
    dropout: float
    evaluation_batch = 2048  # frames: keeps the hidden units in cache

    def module(self, width: int) -> nn.Module:
        """One member for frames of `width` numbers."""
        sizes = [width, *self.hidden_sizes]
        layers: list[nn.Module] = []
        for n_in, n_out in itertools.pairwise(sizes):
            layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(self.dropout)]
        return nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def samples(self, episodes: list[Tensor]) -> tuple[Tensor, list[int]]:
        """All frames (samples, width) of the episodes (T, width), and the number of samples of each episode."""
        return torch.cat(episodes), [len(frames) for frames in episodes]

    def logits(self, parameters: Parameters, samples: Tensor, dropout: Dropout) -> Tensor:
        """Logits of success (M, samples) of each member's own samples (M, samples, width)."""
        numbers = [3 * layer for layer in range(len(self.hidden_sizes) + 1)]  # in the module
        layers = [parameters[f"{number}.{name}"] for number in numbers for name in ("weight", "bias")]
        kept = dropout.kept(self.hidden_sizes, samples.shape[1])
        return Perceptron.apply(samples.transpose(1, 2), kept, dropout.gain, *layers).squeeze(1)

    def published_threshold(self, training_scores: Tensor) -> Tensor:
        """Mean score (M,) of the training rollouts' scores (M, episodes)."""
        return training_scores.mean(1)


@dataclass(frozen=True)
class Transformer:
    """Transformer encoder over a whole trajectory, mean-pooled; each trajectory carries one label.

    Layers: torch's nn.TransformerEncoderLayer with ReLU and normalisation last (Vaswani et al. 2017), dropout
    on the attention weights included.
    """

    dim_model: int
    dim_feedforward: int
    n_heads: int
    n_layers: int
    trajectory_steps: int  # frames of a trajectory that the classifier sees; not a number of training steps
    dropout: float
    evaluation_batch = 16  # trajectories: bounds the memory of the attention weights

    def module(self, width: int) -> nn.Module:
        """One member for frames of `width` numbers (a container; `logits` computes)."""
        layer = nn.TransformerEncoderLayer(
            self.dim_model, self.n_heads, self.dim_feedforward, self.dropout, batch_first=True
        )
        return nn.ModuleDict(
            {
                "embedding": nn.Linear(width, self.dim_model),
                "encoder": nn.TransformerEncoder(layer, self.n_layers, enable_nested_tensor=False),
                "head": nn.Linear(self.dim_model, 1),
            }
        )

    def samples(self, episodes: list[Tensor]) -> tuple[Tensor, list[int]]:
        """Trajectories (episodes, trajectory_steps, width + 1), and one sample for each episode.

        Longer episodes are thinned evenly, shorter ones padded; the last channel is 1 for a frame, 0 for padding.
        """
        samples = torch.zeros(len(episodes), self.trajectory_steps, episodes[0].shape[1] + 1)
        for sample, frames in zip(samples, episodes, strict=True):
            n_steps = min(len(frames), self.trajectory_steps)
            sample[:n_steps, :-1] = frames[torch.linspace(0, len(frames) - 1, n_steps).round().long()]
            sample[:n_steps, -1] = 1
        return samples, [1] * len(episodes)

    def logits(self, parameters: Parameters, samples: Tensor, dropout: Dropout) -> Tensor:
        """Logits of success (M, samples) of each member's own samples (M, samples, trajectory_steps, width + 1)."""
        frames, valid = samples[..., :-1].flatten(1, 2), samples[..., -1]
        hidden = _linear(parameters, "embedding.", frames.mT).unflatten(2, valid.shape[1:])
        hidden = (hidden + _positions(self.trajectory_steps, self.dim_model).T.unsqueeze(1)).flatten(2)
        biases = self._biases(valid)
        for layer in range(self.n_layers):
            hidden = self._layer(parameters, f"encoder.layers.{layer}", hidden, biases, dropout)
        pooled = (hidden.unflatten(2, valid.shape[1:]) * valid.unsqueeze(1)).sum(3) / valid.sum(2).unsqueeze(1)
        return _linear(parameters, "head.", pooled).squeeze(1)

    def _biases(self, valid: Tensor) -> Sequence[Tensor | None]:
        """Of each member's attention, (samples * heads, 1, steps): -inf for padding; None where nothing is padded."""
        if valid.all():
            return [None] * len(valid)
        bias = torch.zeros_like(valid).masked_fill_(valid == 0, -torch.inf)
        return bias.unsqueeze(2).repeat_interleave(self.n_heads, dim=1)

    def _layer(
        self, parameters: Parameters, name: str, hidden: Tensor, biases: Sequence[Tensor | None], dropout: Dropout
    ) -> Tensor:
        """hidden (M, dim, samples * steps) -> the same."""

        def dropped(values: Tensor) -> Tensor:
            return dropout(values.mT).mT

        attended = self._attention(parameters, f"{name}.self_attn", hidden, biases, dropout)
        hidden = _layer_norm(parameters, f"{name}.norm1", hidden + dropped(attended))
        inner = dropped(_linear(parameters, f"{name}.linear1.", hidden).relu())
        outer = dropped(_linear(parameters, f"{name}.linear2.", inner))
        return _layer_norm(parameters, f"{name}.norm2", hidden + outer)

    def _attention(
        self, parameters: Parameters, name: str, hidden: Tensor, biases: Sequence[Tensor | None], dropout: Dropout
    ) -> Tensor:
        """Self-attention over steps, as of `_layer`; one member after another, as weights of several fill the cache."""
        n_members, n_steps = len(hidden), self.trajectory_steps
        projected = _linear(parameters, f"{name}.in_proj_", hidden)
        heads = projected.view(n_members, 3, self.n_heads, self.dim_model // self.n_heads, -1, n_steps)
        heads = heads.permute(1, 0, 4, 2, 3, 5).flatten(2, 3)  # (3, M, samples * heads, width, steps)
        queries, keys, values = heads[0] / math.sqrt(heads.shape[3]), *heads[1:]
        scales = (dropout.scales(member, heads.shape[2], n_steps, n_steps) for member in range(n_members))
        of_members = zip(queries, keys, values, biases, scales, strict=True)
        attended = torch.stack([Attention.apply(*of_member) for of_member in of_members])
        joined = attended.unflatten(1, (-1, self.n_heads)).permute(0, 2, 3, 1, 4).reshape(hidden.shape)
        return _linear(parameters, f"{name}.out_proj.", joined)

    def published_threshold(self, training_scores: Tensor) -> Tensor:
        """0.5 for each member: (M,) for scores (M, episodes)."""
        return torch.full((len(training_scores),), 0.5)


def _linear(parameters: Parameters, prefix: str, inputs: Tensor) -> Tensor:
    """Of inputs (M, width, ...) and not (M, ..., width), which takes several times as long where widths are small."""
    return torch.baddbmm(parameters[f"{prefix}bias"].unsqueeze(2), parameters[f"{prefix}weight"], inputs)


def _layer_norm(parameters: Parameters, name: str, inputs: Tensor) -> Tensor:
    """Over the width of inputs (M, width, ...), likewise."""
    centred = inputs - inputs.mean(1, keepdim=True)
    normal = centred * (centred.square().mean(1, keepdim=True) + LAYER_NORM_EPSILON).rsqrt()
    return normal * parameters[f"{name}.weight"].unsqueeze(2) + parameters[f"{name}.bias"].unsqueeze(2)


def _positions(n_steps: int, dim_model: int) -> Tensor:
    """Sinusoidal position code (n_steps, dim_model), Vaswani et al. 2017, section 3.5."""
    rates = torch.exp(torch.arange(0, dim_model, 2) * (-math.log(10000) / dim_model))
    angles = torch.arange(n_steps).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim_model]


Architecture = Stepwise | Transformer


def build_architecture(description: dict) -> Architecture:
    """The architecture of a checked settings entry {type, ...sizes}, see config.models.classifiers."""
    kinds = {"stepwise": Stepwise, "transformer": Transformer}
    return kinds[description["type"]](**{key: value for key, value in description.items() if key != "type"})


def initial_parameters(architecture: Architecture, width: int, seeds: list[int]) -> Tensor:
    """Parameters (M, parameters) as torch initialises the module after each of `seeds`."""
    members = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            members.append(nn.utils.parameters_to_vector(architecture.module(width).parameters()).detach())
    return torch.stack(members)


def unflatten(architecture: Architecture, width: int) -> Callable[[Tensor], Parameters]:
    """A function from flat (M, parameters) to named parameters, as views."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in architecture.module(width).named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]

    def named(flat: Tensor) -> Parameters:
        pieces = zip(shapes.items(), flat.split(sizes, dim=1), strict=True)
        return {name: piece.unflatten(1, shape) for (name, shape), piece in pieces}

    return named
