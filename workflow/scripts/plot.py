"""Draw one figure of an experiment from its tables."""

import inspect
from pathlib import Path

from _library import run_command
from demo_score.plots import arena, arena_grids, classifier, figures, forest, traces
from demo_score.plots.style import figure_style, save
from demo_score.runtime.arguments import Parser

FIGURES = [figures.success, figures.checkpoints, figures.kept, classifier.classifier_curves, classifier.scores]
FIGURES += [forest.differences, forest.overview, traces.traces, traces.paths]
FIGURES += [arena.arena_uplift, arena.arena_detection, arena.arena_cost]
FIGURES += [arena_grids.arena_curves, arena_grids.arena_agreement]


def main() -> str:
    parser = Parser(description=__doc__)
    commands = parser.add_subparsers(metavar="FIGURE", required=True)
    for draw in FIGURES:
        command = commands.add_parser(draw.__name__, description=draw.__doc__)
        for name, parameter in inspect.signature(draw).parameters.items():
            nargs = None if parameter.annotation is Path else "+"
            command.add_argument(f"--{name}", nargs=nargs, type=Path, required=True)
        command.add_argument("--out", nargs="+", type=Path, required=True, help="files ending in .png or .svg")
        command.set_defaults(draw=draw)
    arguments = vars(parser.parse_args())
    draw, out = arguments.pop("draw"), arguments.pop("out")
    with figure_style():
        save(draw(**arguments), out)
    return f"{', '.join(map(str, out))}: the figure {draw.__name__}"


if __name__ == "__main__":
    run_command(main)
