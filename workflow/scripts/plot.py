"""Draw one figure of an experiment from its tables."""

import inspect
import sys
from pathlib import Path

from _library import run_command
from demo_score.plots.registry import NAMES, drawing
from demo_score.runtime.arguments import Parser


def main() -> str:
    parser = Parser(description=__doc__)
    commands = parser.add_subparsers(metavar="FIGURE", required=True)
    for name in NAMES:
        command = commands.add_parser(name)
        if name in sys.argv[1:2]:
            add_tables(command, name)
    arguments = vars(parser.parse_args())
    from demo_score.plots.style import figure_style, save

    draw, out = arguments.pop("draw"), arguments.pop("out")
    with figure_style():
        save(draw(**arguments), out)
    return f"{', '.join(map(str, out))}: the figure {draw.__name__}"


def add_tables(command: Parser, name: str) -> None:
    """The options of a figure: what it is drawn of."""
    draw = drawing(name)
    command.description = draw.__doc__
    for table, parameter in inspect.signature(draw).parameters.items():
        nargs = None if parameter.annotation is Path else "+"
        command.add_argument(f"--{table}", nargs=nargs, type=Path, required=True)
    command.add_argument("--out", nargs="+", type=Path, required=True, help="files ending in .png or .svg")
    command.set_defaults(draw=draw)


if __name__ == "__main__":
    run_command(main)
