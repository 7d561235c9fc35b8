"""Draw one figure of an experiment from its tables."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from _library import run_command
from demo_score.runtime.arguments import Parser

FIGURES = {  # a module of demo_score.plots -> its functions that draw
    "figures": ("success", "checkpoints", "kept"),
    "classifier": ("classifier_curves", "scores"),
    "forest": ("differences", "overview"),
    "traces": ("traces", "paths"),
    "arena": ("arena_uplift", "arena_detection", "arena_cost"),
    "arena_grids": ("arena_curves", "arena_agreement"),
}


def main() -> str:
    parser = Parser(description=__doc__)
    commands = parser.add_subparsers(metavar="FIGURE", required=True)
    for module, names in FIGURES.items():
        for name in names:
            command = commands.add_parser(name)
            if name in sys.argv[1:2]:  # packages that draw take seconds to import
                add_tables(command, getattr(modules()[module], name))
    arguments = vars(parser.parse_args())
    from demo_score.plots.style import figure_style, save

    draw, out = arguments.pop("draw"), arguments.pop("out")
    with figure_style():
        save(draw(**arguments), out)
    return f"{', '.join(map(str, out))}: the figure {draw.__name__}"


def modules() -> dict[str, ModuleType]:
    """Those of FIGURES."""
    from demo_score.plots import arena, arena_grids, classifier, figures, forest, traces

    return {
        "figures": figures,
        "classifier": classifier,
        "forest": forest,
        "traces": traces,
        "arena": arena,
        "arena_grids": arena_grids,
    }


def add_tables(command: Parser, draw: Callable) -> None:
    """The options of a figure: what it is drawn of, as the parameters of its function are called."""
    command.description = draw.__doc__
    for name, parameter in inspect.signature(draw).parameters.items():
        nargs = None if parameter.annotation is Path else "+"
        command.add_argument(f"--{name}", nargs=nargs, type=Path, required=True)
    command.add_argument("--out", nargs="+", type=Path, required=True, help="files ending in .png or .svg")
    command.set_defaults(draw=draw)


if __name__ == "__main__":
    run_command(main)
