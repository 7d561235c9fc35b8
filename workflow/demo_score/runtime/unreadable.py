"""Why a file cannot be read: one place that tells what lies beside a file from damage in it.

Libraries say "cannot open" of a file that somebody else writes, that may not be read, or that is not there, just as of
one that is damaged; whoever follows such a line removes a good recording.
"""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from demo_score.runtime.errors import UserError

_UNLOCK = "set HDF5_USE_FILE_LOCKING=FALSE"
_REASONS = {
    (errno.EACCES, errno.EPERM): "may not be read (permission denied); ask for the right to read it (chmod, chown)",
    (errno.EAGAIN, errno.EWOULDBLOCK): "another program has it open and writes it (it is locked); wait until that is "
    f"closed, or, if nothing writes it, {_UNLOCK}",
    (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS): "lies on a file system that cannot lock files; "
    + _UNLOCK,
    (errno.ENOENT,): "no such file; correct the path, or copy it there",
    (errno.EISDIR,): "is a folder, where a file should be",
    (errno.ENOTDIR,): "no such file: what should be a folder on the way to it is a file; correct the path",
    (errno.ELOOP,): "is a link that leads in a circle; make the link again",
    (errno.ENAMETOOLONG,): "has too long a name; choose a shorter one",
    (errno.EMFILE, errno.ENFILE): "too many files are open; allow more (ulimit -n 4096)",
    (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENXIO): "its disk, or the network to it, does "
    "not answer; look after that, then try again",
}
_BY_NUMBER = {number: reason for numbers, reason in _REASONS.items() for number in numbers}
_IN_TEXT = re.compile(r"\berrno = (\d+)")  # HDF5 tells of it in words where it does not pass it on
_FILTER = re.compile(r"plugin|required filter", re.IGNORECASE)


def reason_unreadable(path: Path, error: BaseException | None = None) -> str:
    """What keeps a file from being read besides its content, and what helps; empty where nothing does.

    `error`: what reading it raised.
    """
    for number in (*_numbers(error), *_look(path)):
        if number in _BY_NUMBER:
            return lost_link(path) or _BY_NUMBER[number]
    if error is not None and _FILTER.search(str(error)):
        return (
            "is compressed by a filter that is not installed here; install hdf5plugin and set HDF5_PLUGIN_PATH to its "
            "PLUGIN_PATH, or write the file without the filter (h5repack -f NONE OLD NEW)"
        )
    return ""


def unreadable(path: Path, error: BaseException | None, otherwise: str) -> UserError:
    """The line for a file that could not be read: what keeps it from being read, or `otherwise` its damage."""
    return UserError(f"{path}: {reason_unreadable(path, error) or otherwise}")


def damaged_download(path: Path, reason: object, kind: str = "damaged") -> UserError:
    """The line for a part of a data set that can be downloaded again; `reason`: an error, or what is wrong in words."""
    cause = reason if isinstance(reason, BaseException) else None
    what = reason_unreadable(path, cause) if path.suffix else ""  # folders, as meta/episodes, have none
    if not what:
        words = next(iter(str(reason).splitlines()), type(reason).__name__)
        what = f"{kind} ({words}); download the data set again"
    elif not os.path.lexists(path):
        what = f"{what}; or download the data set again"
    return UserError(f"{path}: {what}")


def lost_link(path: Path) -> str:
    """Where a link leads that leads nowhere, in words; empty for what is none."""
    if not path.is_symlink() or path.exists():
        return ""
    return f"is a link to {path.readlink()}, where nothing lies; copy that there, or make the link again"


def _numbers(error: BaseException | None) -> Iterator[int]:
    """The system's numbers in an error."""
    if isinstance(error, OSError) and error.errno:
        yield error.errno
    yield from map(int, _IN_TEXT.findall("" if error is None else str(error)))


def _look(path: Path) -> Iterator[int]:
    """The system's numbers of what can be seen of a file itself."""
    try:
        if path.is_dir():
            yield errno.EISDIR
        with path.open("rb"):
            pass
    except OSError as error:
        yield error.errno or 0
