"""Whether a user's data are still what they were, whatever their files' times say: an older file counts as another.

The content decides. It is read once, and again only where size, time, inode or place of a file have changed; a small
file, the record, holds what was read. Of large files the beginning, the end and the time of change stand for the whole.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from demo_score.runtime.digests import digest
from demo_score.runtime.files import write_text

LARGE = 128 * 2**20  # bytes
END = 2**20  # bytes that are read at either end of a large file

Seen = dict[str, list]  # path -> size, time of change, inode, and then what was found


class Record:
    """What was found out of files, kept in the file `path`; without one, or where it cannot be written, it is lost."""

    def __init__(self, path: Path):
        self.path = path
        self.seen: Seen = {}
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text(encoding="utf-8"))
            self.seen = found if isinstance(found, dict) else {}
        self.is_new = False

    def digest(self, file: Path) -> str:
        """Stands for the content of a file; "missing" of what is none."""
        try:
            stat = file.stat()
            key, look = str(file.absolute()), [stat.st_size, stat.st_mtime_ns, stat.st_ino]
            known = self.seen.get(key)
            if not isinstance(known, list) or known[:3] != look:
                known, self.is_new = [*look, _read(file, stat)], True
                self.seen[key] = known
        except OSError as error:
            return f"missing {error.errno}"
        return known[3]

    def save(self) -> None:
        if self.is_new:
            with suppress(OSError):
                write_text(self.path, json.dumps(self.seen))


def content_digest(files: Iterable[Path], record: Path) -> str:
    """Stands for names and content of `files`; `record`: where to keep what was read of each."""
    known = Record(record)
    parts = [part for file in files for part in (file.as_posix(), known.digest(file))]
    known.save()
    return digest(*parts)


def _read(file: Path, stat: os.stat_result) -> str:
    content = hashlib.sha256()
    with file.open("rb") as stream:
        if stat.st_size <= LARGE:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        content.update(f"{stat.st_size} {stat.st_mtime_ns}".encode() + stream.read(END))
        stream.seek(-END, os.SEEK_END)
        content.update(stream.read(END))
    return content.hexdigest()
