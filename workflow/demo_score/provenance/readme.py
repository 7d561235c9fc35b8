"""What `make docs` writes into documents: results from the published ones, and what the library itself tells."""

import re
from pathlib import Path

import pandas as pd

from demo_score.analysis.formatting import NONE, cells, estimate, heading
from demo_score.conditions import BASE, CONDITIONS, CONTROLS, RANDOM, markdown_table
from demo_score.methods.reference import methods_reference
from demo_score.provenance.readme_arenas import uplifts_of_arenas, verdicts_of_arenas
from demo_score.provenance.readme_tasks import (
    experts_table,
    playback_table,
    speed_table,
    strategies_table,
    tasks_table,
)
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import read_text
from demo_score.tables import ALL_RUNS, TABLES
from demo_score.tables.reference import tables_reference

PUBLISHED = "published"
EXPERIMENTS, ARITHMETICS = "experiments", "arithmetics"  # blocks, beside one of each published experiment's name
OF_ALL = {  # blocks of all published arenas, and of all tasks
    "arenas": uplifts_of_arenas,
    "arena_verdicts": verdicts_of_arenas,
    "tasks": tasks_table,
    "task_strategies": strategies_table,
    "task_experts": experts_table,
    "task_playback": playback_table,
    "task_speed": speed_table,
}
OF_AN_ARENA = "arena_"  # before a published experiment's name: the ranking of its arena
OF_A_SWEEP = "architectures_"  # likewise: its architectures of classifiers side by side
OF_THE_LIBRARY = {  # blocks that follow from no result
    "conditions": markdown_table,
    "tables": tables_reference,
    "methods": methods_reference,
}
BLOCK = re.compile(r"(<!-- begin (\w+): written by make docs -->\n)(.*?)(<!-- end \2 -->)", re.DOTALL)
MARKDOWN_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
NUMBER = r"[+-]?\d+\.\d"
INTERVAL = re.compile(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]")
VALUES = {"success": "rate", "differences": "difference", "checkpoints": "rate", "kept": "fraction"}
FIRST, *OTHER_CURATED = CONTROLS
HEADINGS = {  # of the table of experiments, beside the first two columns: condition, against
    "Base": (BASE, None),
    CONDITIONS[FIRST].label: (FIRST, None),
    "Minus base": (FIRST, BASE),
    "Minus random of equal size": (FIRST, RANDOM),
    **{f"{CONDITIONS[name].label} minus its control": (name, CONTROLS[name]) for name in OTHER_CURATED},
    "Oracle": ("oracle", None),
}


def published_folders(published: Path) -> list[Path]:
    """Every folder below results/published that holds an experiment: those beside it, then arithmetics/<name>/ ."""
    found = {path.parent for name in ("tables", "digests.json") for path in published.rglob(name)}
    found = {path for path in found if path.parent not in found}  # tables/ of an arena are its experiment's
    return sorted(found, key=lambda path: (len(path.parts), path))


def with_tables(text: str, published: Path) -> str:
    """A document with the tables between its markers written anew from results/published.

    `<!-- begin NAME: written by make docs -->` to `<!-- end NAME -->`; NAME: a published experiment, whose summary's
    table it is; `arena_` and its name, the ranking of its arena; `architectures_`, what the summary says of these;
    `experiments`, a row for each of them; `arithmetics`, the same of other CPUs' arithmetics; or one of OF_ALL or
    OF_THE_LIBRARY.
    """
    return BLOCK.sub(lambda match: f"{match[1]}\n{_table(match[2], published)}\n\n{match[4]}", text)


def check_document(document: Path, published: Path) -> tuple[list[str], int]:
    """Which numbers of a Markdown document are not the published ones, a line each; how many were compared.

    Compared are the tables between markers, and every `x [low, high]` elsewhere, which some published table must hold.
    Other numbers are not.
    """
    text = read_text(document)
    problems, n = [], 0
    for _, name, found, _ in BLOCK.findall(text):
        lines, wanted = found.strip().splitlines(), _table(name, published).splitlines()
        n += len(wanted)
        wrong = [line for line in lines if line not in wanted] or [line for line in wanted if line not in lines]
        problems += [f"{document}: table {name}: not what is published; run `make docs`: {line}" for line in wrong]
    known = {found for folder in published_folders(published) for found in _intervals(folder)}
    rest = re.sub(r"\s+", " ", BLOCK.sub("", text))
    others = [f"{value} [{low}, {high}]" for value, low, high in INTERVAL.findall(rest)]
    unknown = [found for found in others if _plain(found) not in known]
    return [*problems, *(f"{document}: {found} follows from no published table" for found in unknown)], n + len(others)


def _table(name: str, published: Path) -> str:
    """What is between the markers of this name. Raises UserError where nothing is published of it."""
    if name in OF_THE_LIBRARY:
        return OF_THE_LIBRARY[name]()
    folders = published_folders(published)
    beside = [folder for folder in folders if folder.parent == published]
    if name == EXPERIMENTS:
        return _table_of(beside, published)
    if name == ARITHMETICS:
        return _table_of([folder for folder in folders if folder.is_relative_to(published / ARITHMETICS)], published)
    if name in OF_ALL:
        return OF_ALL[name](published)
    if name.startswith(OF_AN_ARENA):
        return _tables_in(published / name.removeprefix(OF_AN_ARENA) / "arena/summary.md")[0]
    first, *others = _tables_in(published / name.removeprefix(OF_A_SWEEP) / "tables/summary.md")
    if not name.startswith(OF_A_SWEEP):
        return first
    if not others:
        raise UserError(f"{published}: has no {name}; publish it again, or take its markers out of the document")
    return others[0]


def _tables_in(summary: Path) -> list[str]:
    """The tables of an experiment's summary, or of its arena's."""
    if not summary.is_file():
        experiment = summary.parents[1]
        raise UserError(
            f"{experiment.parent}: has no {experiment.name} ({summary.name} in {summary.parent.name}/); publish it, "
            "or take its markers out of the document"
        )
    return [table.strip() for table in MARKDOWN_TABLE.findall(read_text(summary))]


def _table_of(folders: list[Path], published: Path) -> str:
    """A row for each published experiment in which policies were tested."""
    lines = heading(["Experiment", "Runs × starts", *HEADINGS])
    for folder in folders:
        success, differences = (_read(folder, name) for name in ("success", "differences"))
        if success is not None:
            found = [
                _cell(success if against is None else differences, condition, against)
                for condition, against in HEADINGS.values()
            ]
            lines.append(cells([_title(folder, published), _size(success), *found]))
    return "\n".join(lines)


def _title(folder: Path, published: Path) -> str:
    """The experiment's name, and that of the arithmetic where it is not beside the others."""
    *above, name = folder.relative_to(published).parts
    return ", ".join([f"`{name}`", *above[1:]])


def _size(success: pd.DataFrame) -> str:
    """Runs × starts of each."""
    runs = success[success["seed"] != ALL_RUNS]
    return f"{runs['seed'].nunique()} × {'–'.join(str(n) for n in sorted({runs['n'].min(), runs['n'].max()}))}"


def _read(folder: Path, name: str) -> pd.DataFrame | None:
    path, table = folder / f"tables/{name}.csv", TABLES[name]
    return table.read(path, [*table.key, "n", VALUES[name], "low", "high"]) if path.is_file() else None


def _cell(table: pd.DataFrame | None, condition: str, against: str | None) -> str:
    """The mean over runs of a condition's rate, or of its difference from another condition, with its interval."""
    if table is None:
        return NONE
    chosen = table[(table["condition"] == condition) & (table["seed"] == ALL_RUNS)]
    if against is None:
        return next((_interval(row, "rate", "") for row in chosen.to_dict("records")), NONE)
    rows = chosen[chosen["against"] == against].to_dict("records")
    return next((_interval(row, "difference", "+") for row in rows), NONE)


def _intervals(folder: Path) -> set[str]:
    """Every rate and difference of an experiment with its interval, in percent or points, and those of its summary."""
    texts = set()
    for name, value in VALUES.items():
        table = _read(folder, name)
        for row in () if table is None else table.to_dict("records"):
            texts.add(_plain(_interval(row, value, "+")))
    summaries = [path for path in (folder / "tables/summary.md", folder / "arena/summary.md") if path.is_file()]
    found = [numbers for path in summaries for numbers in INTERVAL.findall(path.read_text(encoding="utf-8"))]
    return texts | {_plain(f"{value} [{low}, {high}]") for value, low, high in found}


def _interval(row: dict, value: str, sign: str) -> str:
    """In percent or points; without brackets where one run gives no interval."""
    return estimate(row[value], row["low"], row["high"], sign)


def _plain(text: str) -> str:
    return text.replace("+", "")
