"""The curation methods by their names, which demo_score.entrants lists."""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path

from demo_score.entrants import METHODS
from demo_score.methods.base import Method


@cache
def load(name: str) -> Method:
    """The method of that name: what its file calls METHOD."""
    return import_module(f"demo_score.methods.{name}").METHOD


def method_file(name: str) -> Path:
    """The file that a method is."""
    return Path(__file__).with_name(f"{name}.py")


def needs_of(methods: Iterable[str]) -> set[str]:
    """All that some methods need; scores that some other program made need nothing here."""
    return set(chain.from_iterable(load(name).needs for name in methods if name in METHODS))
