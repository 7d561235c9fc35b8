"""What a command does: the definitions that it reaches in its own file and in this library, without their wording.

A digest of them is a parameter of the command's jobs. Comments, docstrings, layout, and functions that it does not
reach are no part of it: an edit makes stale exactly what it can change. What names stand for is followed from where a
command begins, also attributes of modules and imports inside functions. What a module does when it is imported counts
for everything that imports it. Names are not followed through texts (getattr); where a module itself is handed on, all
of it counts.
"""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).resolve().parents[1]
ALL, ON_IMPORT = "*", ""  # beside names of definitions: everything in a file, and what importing it does

_IMPORTS = (ast.Import, ast.ImportFrom)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # fields of a statement that hold statements
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# Modules of this folder that say how a command ends or how far it is: they change nothing of what it makes.
WITHOUT_RESULTS = {"arguments", "code_store", "dependencies", "errors", "memory", "progress", "stopping"}
WITHOUT_RESULTS |= {"unexpected", "watching"}
_WORDING = {"type_comment", "kind", "ctx"}  # fields of the syntax tree that change nothing

Part = tuple[Path, str]  # a file and the name of a definition in it, ALL or ON_IMPORT


@cache
def source_files(script: Path) -> list[Path]:
    """`script` and the library files it imports (imports inside functions count too), in a fixed order."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported_files(path)
    return [script, *sorted(found - {script})]


@cache
def _imported_files(path: Path) -> set[Path]:
    return {file for module in _file(path).imported for file in _library_files(module)}


def code_digest(script: Path) -> str:
    """A hash of what `script` does, see above."""
    digest = hashlib.sha256()
    for path, name in sorted(_reached([(script, ALL), *((path, ON_IMPORT) for path in source_files(script))])):
        place = "" if path == script else _place(path)
        digest.update(f"{place} {name} {_digest((path, name))}\n".encode())
    return digest.hexdigest()


@cache
def _place(path: Path) -> str:
    return path.relative_to(LIBRARY).as_posix()


@cache
def _has_results(path: Path) -> bool:
    return path.parent != LIBRARY / "runtime" or path.stem not in WITHOUT_RESULTS


def _reached(waiting: list[Part]) -> set[Part]:
    found: set[Part] = set()
    while waiting:
        part = waiting.pop()
        if part not in found and _has_results(part[0]):
            found.add(part)
            waiting += _needs(part)
    return found


class _File:
    """A source file: what it defines, what its names stand for, and what importing it does."""

    def __init__(self, path: Path):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        self.parts: dict[str, list[ast.stmt]] = {ALL: tree.body, ON_IMPORT: []}
        for statement in tree.body:
            for name in _defined(statement) or [ON_IMPORT]:
                self.parts.setdefault(name, []).append(statement)
        imports = list(_imports(tree.body))
        self.imported = sorted({target for node in imports for target in _modules(node)})
        self.bindings: dict[str, set[str]] = defaultdict(set)  # name -> what it stands for, in dots
        for name, target in (binding for node in imports for binding in _bindings(node)):
            self.bindings[name].add(target)


@cache
def _file(path: Path) -> _File:
    return _File(path)


@cache
def _digest(part: Part) -> str:
    """Stands for what a part does, and for what its names stand for."""
    path, name = part
    content = _shape(_file(path).parts[name]), sorted(_targets(part))
    return hashlib.sha256(repr(content).encode()).hexdigest()


@cache
def _needs(part: Part) -> list[Part]:
    """The parts, in the same file and in the library, that a part names."""
    path, _ = part
    here = {dotted.partition(".")[0] for dotted in _names(part)} & _file(path).parts.keys()
    return [(path, first) for first in here] + [found for target in _targets(part) for found in _parts(target)]


@cache
def _targets(part: Part) -> set[str]:
    """What the imported names in a part stand for."""
    file = _file(part[0])
    used = [dotted.partition(".") for dotted in _names(part)]
    targets = {f"{target}{dot}{rest}" for first, dot, rest in used for target in file.bindings.get(first, ())}
    return targets | {f"{module}.{ALL}" for module in file.bindings.get(ALL, ())}


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a statement defines, where that is all it does."""
    if isinstance(statement, _DEFINITIONS):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        targets = [name for target in statement.targets for name in getattr(target, "elts", [target])]
    else:
        targets = [statement.target] if isinstance(statement, ast.AnnAssign | ast.AugAssign) else [None]
    return [name.id for name in targets] if all(isinstance(name, ast.Name) for name in targets) else []


def _imports(statements: list[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    """All imports in statements, those inside functions too; expressions hold none."""
    for statement in statements:
        if isinstance(statement, _IMPORTS):
            yield statement
        for part in _BLOCKS:
            yield from _imports(getattr(statement, part, []))


def _modules(node: ast.Import | ast.ImportFrom) -> set[str]:
    """All that may be a module in an import, in dots."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)} if node.module else set()


def _bindings(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Name and what an import makes it stand for; ALL and a module, where all names of it come."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            first = alias.name.partition(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (first, first)
        elif node.module:
            yield alias.asname or alias.name, node.module if alias.name == ALL else f"{node.module}.{alias.name}"


@cache
def _names(part: Part) -> set[str]:
    """Names that a part uses, with the attributes that are taken of them: `a`, `a.b.c`."""
    path, name = part
    nodes = [node for statement in _file(path).parts[name] for node in ast.walk(statement)]
    inner = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    return {name for node in nodes if id(node) not in inner and (name := _dotted(node))}


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute) and (name := _dotted(node.value)):
        return f"{name}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _shape(value: Any) -> Any:
    """A syntax tree without places, docstrings and imports, the same for all versions of Python."""
    if isinstance(value, list):
        return [_shape(item) for item in value if not isinstance(item, _IMPORTS) and not _is_text(item)]
    if not isinstance(value, ast.AST):
        return repr(value)
    fields = [(name, item) for name, item in ast.iter_fields(value) if name not in _WORDING and item not in (None, [])]
    return [type(value).__name__, *((name, _shape(item)) for name, item in fields)]


def _is_text(item: Any) -> bool:
    """Whether a statement is a text and nothing else: a docstring."""
    return isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant) and isinstance(item.value.value, str)


@cache
def _parts(target: str) -> list[Part]:
    """What a dotted name of this library stands for, through whichever modules hand it on."""
    package, *rest = target.split(".")
    if package != LIBRARY.name:
        return []
    folder, path = LIBRARY, LIBRARY / "__init__.py"
    while rest and (inner := _module_file(folder, rest[0])):
        folder, path, rest = folder / rest[0], inner, rest[1:]
    file = _file(path)
    if not rest or (rest[0] not in file.parts and rest[0] not in file.bindings):
        return [(path, ALL)]
    if rest[0] in file.parts:
        return [(path, rest[0])]
    return [part for handed in file.bindings[rest[0]] for part in _parts(".".join([handed, *rest[1:]]))]


def _module_file(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / f"{name}.py", folder / name / "__init__.py") if file.is_file()), None)


@cache
def _library_files(module: str) -> list[Path]:
    """The file of a module and those of the packages it lies in; none for a module of another library."""
    package, *parts = module.split(".")
    if package != LIBRARY.name:
        return []
    base = LIBRARY.joinpath(*parts)
    files = [base.with_suffix(".py"), base / "__init__.py", *(parent / "__init__.py" for parent in base.parents)]
    return [file for file in files if file.is_relative_to(LIBRARY) and file.is_file()]
