"""Tables for the documentation: what each parameter of the five published scripts is here, in two languages."""

import re
from pathlib import Path

from demo_score.config.yaml_files import read_yaml
from demo_score.runtime.errors import UserError

COLUMNS = {  # language -> published name, name in config.yaml, name by hand
    "en": ("Published", "`config.yaml`", "By hand"),
    "ko": ("안내서", "`config.yaml`", "직접 실행"),
}
Cell = str | dict[str, str]  # one text, or one for each language
PLACE = re.compile(r"(<!-- parameters: (\w+) -->)\n(?s:.*?)(<!-- end -->)")


def fill_steps(document: str, source: Path, language: str) -> str:
    """`document` with the lines between `<!-- parameters: STEP -->` and `<!-- end -->` made anew from `source`.

    Raises UserError for a step without a place, or a place without a step.
    """
    steps = read_yaml(source)
    places = [step for _, step, _ in PLACE.findall(document)]
    if places != list(steps):
        raise UserError(f"the document has places for {', '.join(places)}; {source} has {', '.join(steps)}")
    return PLACE.sub(lambda match: "\n".join([match[1], *_lines(steps[match[2]], language), match[3]]), document)


def _lines(step: dict, language: str) -> list[str]:
    *columns, by_hand = COLUMNS[language]
    rows = [[_text(cell, language) for cell in row] for row in step["parameters"]]
    return [_row([*columns, f"{by_hand} ({step['by_hand']})"]), "|---|---|---|", *map(_row, rows)]


def _text(cell: Cell, language: str) -> str:
    return cell if isinstance(cell, str) else cell[language]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
