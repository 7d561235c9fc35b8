"""The curation methods by their names, which demo_score.curation_methods lists."""

from functools import cache
from importlib import import_module
from pathlib import Path

from demo_score.methods.base import Method
from demo_score.runtime.errors import UserError


@cache
def load(name: str) -> Method:
    """The method of that name: what its file calls METHOD. Raises UserError where there is none."""
    if not method_file(name).is_file():
        raise UserError(f"{method_file(name)}: no such file; write the method (docs/arena.md), or ask for another")
    module = import_module(f"demo_score.methods.{name}")
    if not hasattr(module, "METHOD"):
        raise UserError(f"{method_file(name)}: has no METHOD; end it with METHOD = Method(...), see docs/arena.md")
    return module.METHOD


def method_file(name: str) -> Path:
    """The file that a method is."""
    return Path(__file__).with_name(f"{name}.py")
