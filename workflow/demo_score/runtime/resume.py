"""What a killed job needs to go on to the same bits, kept outside its results until it is done.

The folder's name holds a digest of the settings, the input data and this library's code: a job that differs in any
of them starts afresh.
"""

import shutil
from collections.abc import Iterable
from glob import escape
from pathlib import Path
from pickle import UnpicklingError

import torch

from demo_score.runtime.digests import LENGTH
from demo_score.runtime.files import atomic_path
from demo_score.runtime.stopping import ignore_sigterm

State = dict[str, object]  # tensors, numbers, texts, and dictionaries and lists of these

_UNREADABLE = (OSError, RuntimeError, EOFError, UnpicklingError, ValueError, KeyError)


class ResumeFolder:
    """`<folder>/.unfinished_<name>_<digest>`: states by their names, and the results made so far.

    Making one removes what other digests left under this `name`: no job will ask for it again.
    """

    def __init__(self, folder: Path, name: str, digest: str):
        self.folder = folder
        self.name = name
        self.path = folder / f".unfinished_{name}_{digest}"
        self.results = self.path / "results"
        self._remove(path for path in self._all() if path != self.path)

    def load(self, name: str = "state") -> State | None:
        """The state last saved under `name`, if there is one that can be read."""
        try:
            return torch.load(self._file(name), weights_only=True)
        except _UNREADABLE:
            return None

    def save(self, state: State, name: str = "state") -> None:
        """Store a state in place of the one before; SIGTERM waits for it."""
        with atomic_path(self._file(name)) as temporary, temporary.open("wb") as file:
            torch.save(state, file)

    def publish(self) -> None:
        """Copy the results to where they belong, then remove this folder.

        A kill at any moment leaves either the state and all results, or no state.
        """
        ignore_sigterm()
        for source in sorted(self.results.rglob("[!.]*.*")):  # without what a kill left half-written
            with atomic_path(self.folder / source.relative_to(self.results)) as temporary:
                shutil.copyfile(source, temporary)
        self.remove()

    def remove(self) -> None:
        """Remove this folder, when the job is done; the states first: results without a state are never used."""
        ignore_sigterm()
        self._remove(self._all())

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.pt"

    def _all(self) -> list[Path]:
        """The folders of this name, whatever their digest."""
        return sorted(self.folder.glob(f".unfinished_{escape(self.name)}_{'?' * LENGTH}"))

    @staticmethod
    def _remove(paths: Iterable[Path]) -> None:
        for path in paths:
            for state in path.glob("*.pt"):
                state.unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)
