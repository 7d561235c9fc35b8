"""YAML that people write, read strictly: what YAML would quietly take for something else is an error with its line."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from demo_score.runtime.errors import UserError
from demo_score.runtime.files import read_text

# Aliases let a few lines stand for any number of values: a bound on what a file stands for, and on its levels.
MOST_VALUES, MOST_LEVELS = 100_000, 100

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_KINDS = {f"{_TAG}{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")


def read_yaml(path: str | Path) -> Any:
    """What a YAML file says. Raises UserError for what `read_text` or `parse_yaml` refuses."""
    return parse_yaml(read_text(path), str(path))


def parse_yaml(text: str, where: str) -> Any:
    """What a YAML text says: dictionaries, lists, texts, numbers, booleans and None.

    Raises UserError, `where` and the line in front, for bad syntax, a repeated key, a key that is no text, a number
    that YAML reads in base 8 or 60, a date, a Python object or other tag, an alias that holds itself, and more than
    MOST_VALUES values or MOST_LEVELS levels.
    """
    try:
        return _construct(text, where)
    except yaml.MarkedYAMLError as error:
        raise UserError(_syntax_error(error, text, where)) from None
    except (yaml.YAMLError, ValueError, KeyError) as error:
        raise UserError(f"{where}: not YAML: {' '.join(str(error).split())[:200]}") from None


def _construct(text: str, where: str) -> Any:
    _check_characters(text, where)
    _check_levels(text, where)
    loader = _LOADER(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _Nodes(where).size(root)
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_characters(text: str, where: str) -> None:
    if bad := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise UserError(f"{where}, line {line}: U+{ord(bad[0]):04X} is no character that YAML allows; remove it")


def _check_levels(text: str, where: str) -> None:
    level = 0
    for event in yaml.parse(text, _LOADER):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > MOST_LEVELS:
            raise UserError(f"{_line(where, event)}: more than {MOST_LEVELS} levels; is a bracket missing?")


class _Nodes:
    """Checks of a tree of nodes, each node once however many aliases name it."""

    def __init__(self, where: str):
        self.where = where
        self.sizes: dict[int, int] = {}
        self.open: set[int] = set()

    def size(self, node: yaml.Node) -> int:
        """How many values the node stands for, aliases written out. Raises UserError for what is refused."""
        if id(node) in self.open:
            raise UserError(f"{_line(self.where, node)}: holds itself, by an alias; name another anchor")
        if id(node) not in self.sizes:
            self._check(node)
            self.open.add(id(node))
            self.sizes[id(node)] = 1 + sum(self.size(child) for child in _children(node))
            self.open.remove(id(node))
        if self.sizes[id(node)] > MOST_VALUES:
            raise UserError(f"{_line(self.where, node)}: aliases make more than {MOST_VALUES} values; use fewer")
        return self.sizes[id(node)]

    def _check(self, node: yaml.Node) -> None:
        if node.tag == f"{_TAG}timestamp":
            raise UserError(f"{_line(self.where, node)}: {node.value} is a date in YAML; put it in quotes")
        if node.tag not in _KINDS:
            raise UserError(f"{_line(self.where, node)}: the tag {node.tag} is not read; remove it")
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
        elif node.tag in (f"{_TAG}int", f"{_TAG}float"):
            self._check_base(node)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag not in (f"{_TAG}str", f"{_TAG}merge"):
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise UserError(f"{_line(self.where, key)}: the key {shown} is no text in YAML; put it in quotes")
            if key.value in lines:
                first = f"first in line {lines[key.value]}"
                raise UserError(f"{_line(self.where, key)}: {key.value} is repeated, {first}; remove one")
            lines[key.value] = key.start_mark.line + 1

    def _check_base(self, node: yaml.ScalarNode) -> None:
        base = 8 if _LEADING_ZERO.fullmatch(node.value) else 60 if ":" in node.value else None
        if base:
            raise UserError(
                f"{_line(self.where, node)}: YAML reads {node.value} in base {base}; "
                f'write a number without {"leading 0" if base == 8 else "colons"}, or "{node.value}" for a text'
            )


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _line(where: str, part: yaml.Node | yaml.Event) -> str:
    return f"{where}, line {part.start_mark.line + 1}"


def _syntax_error(error: yaml.MarkedYAMLError, text: str, where: str) -> str:
    """One line: where, what, and the line's text."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{where}: not YAML: {error.problem or error.context}"
    lines = text.splitlines() or [""]
    number = min(mark.line, len(lines) - 1)  # what is missing is found to be so after the end
    shown = lines[number]
    cause = f"{error.problem}; check indentation, brackets and quotes"
    if "\t" in shown[: len(shown) - len(shown.lstrip())]:
        cause = "a tab; indent with spaces"
    elif "alias" in error.problem:
        cause = "no anchor (&name) of this name stands above it"
    return f"{where}, line {number + 1}: not YAML: {cause} ({shown.strip()[:60]})"
