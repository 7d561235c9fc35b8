"""Members of one architecture in training: batches, loss, optimiser, evaluation.

Published recipe: Demo-SCORE (arXiv 2503.03707), train_stepwise_classifier.py. As there, the training loss weighs
a success four times a failure, and the cross-validation loss weighs both alike unless it is asked to weigh them so
too. Weighed alike, it rates a classifier that learned the training's weights below one that learned nothing, unless
outcomes are easy to tell apart.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from demo_score.curation.classifiers import (
    NO_DROPOUT,
    Architecture,
    Dropout,
    Parameters,
    initial_parameters,
    unflatten,
)
from demo_score.curation.features import Rollouts
from demo_score.curation.metrics import episode_means
from demo_score.curation.storage import Variant
from demo_score.data.inputs import Standardization

FAILURE_WEIGHT = 1 / 3  # beside 1 + 1/3 for a success: four to one


class Samples:
    """Normalised samples of rollouts, as an architecture takes them."""

    def __init__(self, architecture: Architecture, rollouts: Rollouts, standardization: Standardization) -> None:
        self.inputs, self.counts = architecture.samples([standardization(frames) for frames in rollouts.frames])
        self.success = rollouts.success  # (episodes,)
        self.labels = rollouts.success.float().repeat_interleave(torch.tensor(self.counts))  # (samples,)


class AdamW:
    """AdamW (Loshchilov & Hutter 2019) over members (M, parameters), each with its own rate and decay."""

    def __init__(self, parameters: Tensor, variants: list[Variant]) -> None:
        self.parameters = parameters
        self.lr = torch.tensor([[variant.lr] for variant in variants])
        self.shrinkage = 1 - self.lr * torch.tensor([[variant.weight_decay] for variant in variants])
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)
        self.n_steps = 0

    def state_dict(self) -> dict:
        return {"mean": self.mean, "square": self.square, "n_steps": self.n_steps}

    def load_state_dict(self, state: dict) -> None:
        self.mean, self.square, self.n_steps = state["mean"], state["square"], state["n_steps"]

    @torch.no_grad()
    def step(self, gradient: Tensor, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        """Update the parameters in place with their gradient (M, parameters)."""
        self.n_steps += 1
        self.mean.lerp_(gradient, 1 - beta1)
        self.square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        scale = (self.square / (1 - beta2**self.n_steps)).sqrt_().add_(epsilon)
        rate = self.lr / (1 - beta1**self.n_steps)
        self.parameters.mul_(self.shrinkage).sub_(self.mean.div(scale).mul_(rate))


@torch.no_grad()
def evaluation_logits(architecture: Architecture, parameters: Parameters, samples: Tensor) -> Tensor:
    """Logits (M, samples) of the same samples for every member, dropout off."""
    n_members = len(next(iter(parameters.values())))
    batches = samples.split(architecture.evaluation_batch)
    shared = (batch.expand(n_members, *batch.shape) for batch in batches)
    return torch.cat([architecture.logits(parameters, batch, NO_DROPOUT) for batch in shared], dim=1)


@dataclass
class Evaluation:
    """How each of M members does, dropout off."""

    cross_val_loss: Tensor  # (M,)
    cross_val_scores: Tensor  # (M, episodes)
    training_scores: Tensor  # (M, episodes)
    thresholds: Tensor  # (M,) by the published rule


class Trainer:
    """M members of one architecture, trained at once; each is what it would be if trained alone."""

    def __init__(
        self,
        architecture: Architecture,
        width: int,
        variants: list[Variant],
        training: Samples,
        cross_val: Samples,
        weighted_cross_val: bool = False,
    ) -> None:
        self.architecture = architecture
        self.weighted_cross_val = weighted_cross_val
        self.training = training
        self.cross_val = cross_val
        streams = [np.random.SeedSequence(variant.seed).generate_state(3).tolist() for variant in variants]
        self.parameters = initial_parameters(architecture, width, [stream[0] for stream in streams])
        self.orders = [torch.Generator().manual_seed(stream[1]) for stream in streams]
        self.dropout = Dropout(architecture.dropout, [torch.Generator().manual_seed(stream[2]) for stream in streams])
        self.named = unflatten(architecture, width)
        self.optimiser = AdamW(self.parameters.requires_grad_(), variants)

    def state_dict(self) -> dict:
        """Everything that an epoch changes."""
        return {
            "parameters": self.parameters.detach(),
            "optimiser": self.optimiser.state_dict(),
            "generators": [generator.get_state() for generator in self._generators()],
        }

    def load_state_dict(self, state: dict) -> None:
        with torch.no_grad():
            self.parameters.copy_(state["parameters"])
        self.optimiser.load_state_dict(state["optimiser"])
        for generator, values in zip(self._generators(), state["generators"], strict=True):
            generator.set_state(values)

    def _generators(self) -> list[torch.Generator]:
        return [*self.orders, *self.dropout.generators]

    def train_epoch(self, batch_size: int) -> Tensor:
        """One pass over the training samples, each member in its own order; returns the mean loss (M,)."""
        n_samples = len(self.training.labels)
        order = torch.empty(len(self.orders), n_samples, dtype=torch.int64)
        for row, generator in zip(order, self.orders, strict=True):
            torch.randperm(n_samples, generator=generator, out=row)
        total = torch.zeros(len(order))
        for batch in order.split(batch_size, dim=1):
            total += self._train_step(batch) * batch.shape[1]
        return total / n_samples

    def _train_step(self, batch: Tensor) -> Tensor:
        """One step on samples numbered `batch` (M, batch size); returns the loss before it (M,)."""
        chosen = batch.reshape(-1)
        inputs = self.training.inputs.index_select(0, chosen).unflatten(0, batch.shape)
        labels = self.training.labels.index_select(0, chosen).view(batch.shape)
        logits = self.architecture.logits(self.named(self.parameters), inputs, self.dropout)
        losses = _cross_entropy(logits, labels, weighted=True)
        # Members share no parameter, so the gradient of the sum is each member's own.
        self.optimiser.step(torch.autograd.grad(losses.sum(), self.parameters)[0])
        return losses.detach()

    def evaluate(self, flat: Tensor) -> Evaluation:
        """Evaluate members with parameters `flat` (M, parameters) on the training and cross-validation rollouts."""
        parameters = self.named(flat.detach())
        training_logits = evaluation_logits(self.architecture, parameters, self.training.inputs)
        training_scores = episode_means(training_logits.sigmoid(), self.training.counts)
        logits = evaluation_logits(self.architecture, parameters, self.cross_val.inputs)
        labels = self.cross_val.labels.expand_as(logits)
        return Evaluation(
            cross_val_loss=_cross_entropy(logits, labels, self.weighted_cross_val),
            cross_val_scores=episode_means(logits.sigmoid(), self.cross_val.counts),
            training_scores=training_scores,
            thresholds=self.architecture.published_threshold(training_scores),
        )


def _cross_entropy(logits: Tensor, labels: Tensor, weighted: bool) -> Tensor:
    """Mean loss (M,) of logits and labels (M, samples); weighted: a success counts four times a failure."""
    weights = labels + FAILURE_WEIGHT if weighted else None
    return F.binary_cross_entropy_with_logits(logits, labels, weight=weights, reduction="none").mean(1)
