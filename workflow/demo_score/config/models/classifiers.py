"""The classifier sweep: what it varies, and the architectures that there are."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from demo_score.config.models.base import (
    ABSENT,
    AsWritten,
    Count,
    Name,
    Section,
    Seed,
    Size,
    Values,
    different,
    number,
    some,
    text,
)

Checkpoint = text("^[0-9]{6,}$", 'a step in six digits or more, in quotes ("003000")')
Checkpoints = different(Checkpoint)


Inputs = different(str)


class Stepwise(Section):
    """A classifier of single frames."""

    type: Literal["stepwise"]
    """`stepwise` or `transformer`"""
    hidden_sizes: Annotated[list[Size], Field(min_length=1)]
    """Step-wise: width of each hidden layer"""
    dropout: number(ge=0, lt=1)
    """Share of activations dropped in training"""
    inputs: Inputs = ABSENT
    """What this architecture sees in place of the sweep's `inputs` (optional)"""


class Transformer(Section):
    """A classifier of whole trajectories."""

    type: Literal["transformer"]
    dim_model: Size
    """Transformer: width"""
    dim_feedforward: Size
    """Transformer: width of the layers between attentions"""
    n_heads: Size
    """Transformer: heads of an attention; they divide `dim_model`"""
    n_layers: Size
    """Transformer: layers"""
    trajectory_steps: Size
    """Transformer: time steps of a trajectory that it sees (`steps` in the published sweep)"""
    dropout: number(ge=0, lt=1)
    inputs: Inputs = ABSENT

    def conflicts(self) -> Iterator[str]:
        if self.dim_model % self.n_heads:
            yield f"dim_model: {self.dim_model} is not a value, a multiple of {self.n_heads}"


Architecture = Annotated[Stepwise | Transformer, Field(discriminator="type")]


class Sweep(AsWritten):
    """One sweep: every architecture is trained once for each of seeds x lr x weight_decay."""

    model_archs: some(Architecture)
    inputs: Inputs
    """`observation.<key>`, `action`, or `policy.features` (what the base policy's last checkpoint makes of its looks),
    concatenated in this order"""
    tr_dataset_size: Count | None
    """Training rollouts in total, evenly from the checkpoints; null: all"""
    cross_val_dataset_size: Count | None
    """Held-out rollouts, likewise"""
    seeds: different(Seed)
    """Swept: one member for each combination with `lr` and `weight_decay`"""
    lr: different(number(gt=0))
    """Swept: learning rates"""
    weight_decay: different(number(ge=0))
    """Swept: weight decays"""
    epochs: Count
    """Length of training"""
    eval_every: Count = 1
    """Epochs between evaluations; the best epoch is one that was evaluated (optional)"""
    batch_size: Count
    """Frames (step-wise) or trajectories a batch"""
    max_frames: Count | None = ABSENT
    """Only the first so many frames of an episode count (optional; null: all)"""
    weighted_cross_val: bool = False
    """Whether the held-out loss weighs a success four times a failure, as training does (optional)"""

    def architecture(self, name: str) -> Values:
        """What is written of an architecture: type and sizes, see curation.classifiers.build_architecture."""
        return {key: value for key, value in self.written["model_archs"][name].items() if key != "inputs"}

    def inputs_of(self, name: str) -> list[str]:
        """What an architecture sees."""
        return self.model_archs[name].inputs or self.inputs

    def all_inputs(self) -> list[str]:
        """What any of them sees."""
        return list(dict.fromkeys(key for name in self.model_archs for key in self.inputs_of(name)))

    def conflicts(self) -> Iterator[str]:
        for name, architecture in self.model_archs.items():
            for problem in architecture.conflicts():
                yield f"model_archs.{name}: {problem}"


class Split(Section):
    """Which rollouts train a classifier, and which hold back."""

    train: Checkpoints
    """Checkpoints whose rollouts train a classifier; each split is a sweep"""
    cross_val: Checkpoints
    """Checkpoints whose rollouts choose among its epochs and settings"""


class Classifiers(Sweep):
    """The sweep, and the splits of the rollouts that it is done for."""

    eps_dict: some(Split, Name)
    model_archs: some(Architecture, Name)
