"""Which source files a command depends on: itself and every module of this library that it imports, directly or not.

A digest of them is a parameter of the command's jobs, so that an edit makes stale exactly what it can change.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent


@cache
def source_files(script: Path) -> list[Path]:
    """`script` and the library files it imports (imports inside functions count too), in a fixed order."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return [script, *sorted(found - {script})]


def code_digest(script: Path) -> str:
    """A hash of the content of `source_files(script)`."""
    digest = hashlib.sha256()
    for path in source_files(script):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _imported(path: Path) -> list[Path]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return [file for name in sorted(names) for file in _library_files(name)]


@cache
def _library_files(module: str) -> list[Path]:
    """The file of a module and those of the packages it lies in; none for a module of another library."""
    package, *parts = module.split(".")
    if package != LIBRARY.name:
        return []
    base = LIBRARY.joinpath(*parts)
    files = [base.with_suffix(".py"), base / "__init__.py", *(parent / "__init__.py" for parent in base.parents)]
    return [file for file in files if file.is_relative_to(LIBRARY) and file.is_file()]
