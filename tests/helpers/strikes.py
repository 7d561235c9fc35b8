"""Jobs in the test's own process that are killed or asked to stop where a test chooses."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demo_score.runtime import stopping
from demo_score.runtime.stopping import StoppedError


class Killed(BaseException):
    """In place of SIGKILL, where the process is the test's own: nothing may do anything about it."""


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """SIGTERM as commands heed it, but for the thread that would end the process."""
    with stopping.sets_flag():
        yield


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def kill() -> None:
    raise Killed


@pytest.fixture
def strike(monkeypatch) -> Callable:
    """Calls of a function are counted, and one of them is struck, before or after its work."""

    def prepare(owner: object, name: str, at: int | None = None, blow=terminate, after: bool = False) -> list[int]:
        function, calls = getattr(owner, name), []

        def struck(*arguments, **options):
            calls.append(len(calls) + 1)
            if calls[-1] == at and not after:
                blow()
            result = function(*arguments, **options)
            if calls[-1] == at and after:
                blow()
            return result

        monkeypatch.setattr(owner, name, struck)
        return calls

    return prepare


def contents(folder: Path) -> dict[str, bytes]:
    """All files, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def stop(function: Callable, *arguments: object, error: type[BaseException] = StoppedError) -> None:
    """Run what SIGTERM, or `error`, ends, as if in a process of its own."""
    with pytest.raises(error), stopping.sets_flag():
        function(*arguments)
