"""Everything a killed run needs to go on to the same bits, kept outside its results until it is done.

The folder's name holds a digest of the settings, the data and this library's code: a run that differs in
any of them starts afresh.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import torch

from demo_score.files import atomic_path

State = dict[str, object]


class ResumeFolder:
    """`<run_dir>/.unfinished_<digest>`: the training state, and the results made so far."""

    def __init__(self, run_dir: Path, digest: str):
        self.run_dir = run_dir
        self.path = run_dir / f".unfinished_{digest}"
        self.state_file = self.path / "state.pt"
        self.results = self.path / "results"

    def load(self) -> State | None:
        """The last state stored, if there is one that can be read."""
        try:
            return torch.load(self.state_file, weights_only=True)
        except (FileNotFoundError, RuntimeError, EOFError, UnpicklingError):
            return None

    def save(self, state: State) -> None:
        """Store a state in place of the one before."""
        with atomic_path(self.state_file) as temporary:
            torch.save(state, temporary)

    def publish(self) -> None:
        """Copy the results to where they belong, then remove this folder and those of other attempts.

        A kill at any moment leaves either the state and all results, or no state.
        """
        for source in sorted(self.results.rglob("[!.]*.*")):  # without what a kill left half-written
            with atomic_path(self.run_dir / source.relative_to(self.results)) as temporary:
                shutil.copyfile(source, temporary)
        for folder in self.run_dir.glob(".unfinished_*"):
            (folder / self.state_file.name).unlink(missing_ok=True)
            shutil.rmtree(folder)


def capture_generators(batches: torch.Tensor) -> State:
    """The state `batches` of the batches' generator, and those of torch's own (dropout, latents, transforms)."""
    state: State = {"batches": batches, "torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_generators(state: State, generator: torch.Generator) -> None:
    """Set the generators as `capture_generators` found them."""
    setters: dict[str, Callable] = {"batches": generator.set_state, "torch": torch.set_rng_state}
    if torch.cuda.is_available():
        setters["cuda"] = torch.cuda.set_rng_state_all
    for name, set_state in setters.items():
        set_state(state[name])
