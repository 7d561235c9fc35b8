"""Digests of code, kept in files beside Python's own caches: reading the library's syntax takes half a second.

They are of use until a file of the library changes; then those of before are removed.
"""

import shutil
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from demo_score.runtime import dependencies
from demo_score.runtime.dependencies import LIBRARY
from demo_score.runtime.digests import digest
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import write_text

STORE = LIBRARY / "__pycache__" / "code_digests"
LENGTH = 64  # hexadecimal digits of a digest


@cache
def code_digest(script: Path) -> str:
    """`dependencies.code_digest`, from the store if it has it; else it is put there."""
    place = script.relative_to(LIBRARY.parent) if script.is_relative_to(LIBRARY.parent) else script
    version = library_version()
    file = STORE / version / digest(str(place), script.read_bytes())
    with suppress(OSError, ValueError):
        if len(stored := file.read_text(encoding="ascii")) == LENGTH:
            return stored
    computed = dependencies.code_digest(script)
    if not sys.dont_write_bytecode:
        with suppress(UserError, OSError):  # a disk that is full or read-only: without the store, then
            write_text(file, computed)
        remove_other_versions(STORE, version)
    return computed


@cache
def library_version() -> str:
    """Stands for the library's files, and for the Python that reads them."""
    files = sorted(LIBRARY.rglob("*.py"))
    named = (part for file in files for part in (file.relative_to(LIBRARY).as_posix(), file.read_bytes()))
    return digest(sys.version, *named)


def remove_other_versions(store: Path, version: str) -> None:
    """Of a store that has a folder for each version of the code: all but one."""
    for folder in store.glob("*"):
        if folder.name != version:
            shutil.rmtree(folder, ignore_errors=True)
