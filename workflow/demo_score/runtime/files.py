"""Files that appear whole or not at all."""

import errno
import gzip
import os
import shutil
import socket
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from demo_score.runtime.errors import UserError
from demo_score.runtime.stopping import polled
from demo_score.runtime.unreadable import unreadable

PACKED = ".gz"  # the suffix of what is packed
ABANDONED_AFTER = 24 * 3600  # seconds: another machine's unfinished file
_AGAIN = "run the same command again: it goes on where it was"
_ADVICE = {
    errno.ENOSPC: f"no space left on device; free some and {_AGAIN}",
    errno.EDQUOT: f"disk quota exceeded; free some space and {_AGAIN}",
    errno.EROFS: f"read-only file system; make it writable and {_AGAIN}",
}
_ELSEWHERE = "choose another place"


def check_file_name(name: str, option: str) -> None:
    """Raise UserError for a name that leads to another folder than the one it is put in."""
    if Path(name).name != name or name in ("", ".."):
        raise UserError(f"{option} {name}: no name of a file; give one without folders")


def check_writable(path: Path, folder: bool = False) -> None:
    """Raise UserError where no file, or no `folder`, can be written at `path`: before its content is computed."""
    place = path = Path(path).absolute()
    if path.exists() and path.is_dir() != folder:
        is_there, wanted = ("file", "folder") if folder else ("folder", "file")
        raise UserError(f"{path}: is a {is_there}, where a {wanted} is to be made; {_ELSEWHERE}")
    while not place.is_dir():
        if place.exists() and place != path:
            raise UserError(f"{path}: {place} is a file, so that nothing can be made below it; {_ELSEWHERE}")
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{path}: {place} cannot be written; make it writable (chmod, mount), or {_ELSEWHERE}")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it onto `path` if the block ends well, else remove it.

    SIGTERM waits for the block's end, see `polled`: one that is long calls `check`. What killed writers of `path` left
    behind goes as well. Raises UserError where the disk is full or read-only.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        with polled(), _write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
    finally:
        with suppress(OSError):  # of a read-only disk: there is nothing to remove
            temporary.unlink(missing_ok=True)
    _remove_leftovers(path)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`, which it becomes if the block ends well, else it is removed.

    Raises UserError where there is something already, and as `atomic_path` does.
    """
    if folder.exists():
        raise UserError(f"{folder}: exists already; remove it, or choose another folder")
    temporary = _temporary(folder)
    try:
        with polled(), _write_errors(folder):
            temporary.mkdir(parents=True)
            yield temporary
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _remove_leftovers(folder)


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8, without a byte-order mark; of a packed one (.gz), what is in it.

    Raises UserError where there is none to read.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == PACKED else content
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UserError(f"{path}: damaged, or not packed by gzip; take it again from where it came") from None
    except OSError as error:
        raise unreadable(path, error, f"cannot be read ({error.strerror})") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}: not in UTF-8 (line {line}); save it as UTF-8") from None


def check_outputs(outputs: Mapping[str, Path], inputs: Iterable[Path]) -> None:
    """Raise UserError for an output (option -> file) that cannot be written, or is another's file, or an input, too."""
    read = {path.resolve() for path in inputs}
    options: dict[Path, str] = {}
    for option, path in outputs.items():
        if (file := path.resolve()) in read:
            raise UserError(f"{option} {path}: is an input, which is never replaced; name another file")
        if file in options:
            raise UserError(f"{option} {path}: is the file of {options[file]} too; name another file")
        check_writable(path)
        options[file] = option


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_packed(path: Path, content: bytes) -> None:
    """Write `content`, packed, to `path` atomically; nothing in it tells when."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0))


def _temporary(path: Path) -> Path:
    """No other process has this name, on this machine or another."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    """Turn a disk that is full or read-only into one line. torch's own errors hide that one behind theirs."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause: BaseException | None = error
        while cause and getattr(cause, "errno", None) not in _ADVICE:
            cause = cause.__context__
        if cause is None:
            raise
        raise UserError(f"cannot write {path}: {_ADVICE[cause.errno]}") from None


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of `path` whose writers are dead, or, on other machines, have been silent for a day."""
    for leftover in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        host, _, process = leftover.name.removeprefix(f".{path.name}.").removesuffix(".tmp").rpartition(".")
        with suppress(OSError):  # somebody else may have removed it
            is_here = host == socket.gethostname() and process.isdigit()
            silent = time.time() - leftover.stat().st_mtime > ABANDONED_AFTER
            if not _lives(int(process)) if is_here else silent:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
