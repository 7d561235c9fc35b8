"""The random generators of a training."""

from collections.abc import Callable

import torch

States = dict[str, object]


def capture_generators(batches: torch.Tensor) -> States:
    """The state `batches` of the batches' generator, and those of torch's own (dropout, latents, transforms)."""
    states: States = {"batches": batches, "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_generators(states: States, generator: torch.Generator) -> None:
    """Set the generators as `capture_generators` found them."""
    setters: dict[str, Callable] = {"batches": generator.set_state, "torch": torch.set_rng_state}
    if torch.cuda.is_available():
        setters["cuda"] = torch.cuda.set_rng_state_all
    for name, set_state in setters.items():
        set_state(states[name])
