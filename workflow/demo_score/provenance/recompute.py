"""Tables made again from the files that they were made of, and compared row by row."""

import io
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import yaml

from demo_score.analysis.arena.tables import make_arena_tables
from demo_score.analysis.tables import make_tables
from demo_score.conditions import BASE
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import PACKED
from demo_score.runtime.stopping import polled
from demo_score.tables import ALL_RUNS, FROM_USER, TABLES

FILES = {  # what a row is made of
    "success": "seed{seed}/{condition}/evaluation.csv",
    "differences": "evaluation.csv of both conditions",
    "checkpoints": "seed{seed}/{where}.csv",
    "kept": "seed{seed}/demo_score/scores.csv",
    "classifiers": "seed{seed}/demo_score/classifier.yaml",
    "detection": "seed{seed}/demo_score/scores.csv",
    "architectures": "seed{seed}/demo_score/architectures.csv",
    "arena_uplift": "evaluation.csv of {entrant} and the random choices, seed{seed}/arena/{keep}",
    "arena_detection": "seed{seed}/arena/scores/{method}.csv",
    "arena_agreement": "{method}.csv and {other}.csv, seed{seed}/arena/scores",
    "arena_costs": "seed{seed}/arena/costs.csv",
}
_OF_ARENA = re.compile(r"/seed\d+/arena/")


def inputs_of_tables(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """The files among `paths` that tables are made of, by the argument of `make_tables` (`problems`: 0 or 1)."""
    paths = sorted(path for path in paths if not _OF_ARENA.search(path.as_posix()))
    return {
        "evaluations": [path for path in paths if path.name == "evaluation.csv"],
        "rollouts": [path for path in paths if "rollouts" in (path.stem, path.parent.name) and path.suffix == ".csv"],
        "scores": [path for path in paths if path.name == "scores.csv"],
        "classifiers": [path for path in paths if path.name == "classifier.yaml"],
        "architectures": [path for path in paths if path.parts[-2:] == ("demo_score", "architectures.csv")],
        "problems": [path for path in paths if path.name == "problems.csv"],
    }


def inputs_of_arena(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """The files among `paths` that an arena's tables are made of, by the argument of `make_arena_tables`."""
    paths = sorted(path for path in paths if _OF_ARENA.search(path.as_posix()))
    gathered = [path for path in paths if path.parent.name == "arena"]
    return {
        table: [path for path in gathered if path.name.removesuffix(PACKED) == f"{table}.csv"]
        for table in ("evaluations", "scores", "kept", "costs")
    }


def check_against_inputs(tables: Path, inputs: dict[str, list[Path]], settings: dict) -> list[str]:
    """What in the folder `tables` is not what its inputs give, a line each.

    settings: what config.yaml says of the experiment; the oracle's strategies are named there.
    """
    arguments = {**inputs, "problems": next(iter(inputs["problems"]), None), "oracle": _oracle(inputs, settings)}
    if not (inputs["architectures"] or (tables / "architectures.csv").is_file()):
        arguments["architectures"] = None  # made before there was such a table
    with _made_again(tables, lambda out: make_tables(**arguments, out=out)) as made:
        return made if isinstance(made, list) else _compare_all(made, tables, tables)


def check_arena(arena: Path, inputs: dict[str, list[Path]], settings: dict) -> list[str]:
    """The same of an experiment's folder arena/, with summary.md and tables/; inputs: see `inputs_of_arena`."""
    arguments = {**inputs, "oracle": _oracle(inputs, settings)}
    with _made_again(arena, lambda out: make_arena_tables(**arguments, out=out)) as made:
        return made if isinstance(made, list) else _compare_all(made, arena, arena / "tables")


def _oracle(inputs: dict[str, list[Path]], settings: dict) -> list[str] | None:
    return settings.get("final_policy", {}).get("oracle", []) if inputs["evaluations"] else None


@contextmanager
def _made_again(what: Path, make: Callable[[Path], object]) -> Iterator[Path | list[str]]:
    """A folder of what `make` writes to it, or why it cannot."""
    with polled(), tempfile.TemporaryDirectory() as folder:
        try:
            make(Path(folder))
            made: Path | list[str] = Path(folder)
        except (UserError, ValueError, KeyError, yaml.YAMLError) as error:
            made = [f"{what}: cannot be made again: {str(error).splitlines()[0]}"]
        yield made


def _compare_all(made: Path, summary: Path, tables: Path) -> list[str]:
    """What in the folder `tables`, and of summary.md in the folder `summary`, is not as in `made`."""
    problems = []
    for path in sorted(made.rglob("*.csv")):
        pattern = FILES[path.stem]
        problems += compare(tables / path.name, path.read_text(encoding="utf-8"), lambda row, p=pattern: _file(p, row))
    return problems + compare_summary(summary / "summary.md", (made / "summary.md").read_text("utf-8"))


def compare(path: Path, expected: str, basis: Callable[[dict], str]) -> list[str]:
    """The rows of the CSV file `path` that are not as in `expected`, a line each; `basis`: what a row follows from."""
    if not path.is_file():
        return [f"{path}: missing"]
    keys = list(TABLES[path.stem].key)
    rows, wanted = _rows(path.read_text(encoding="utf-8"), keys), _rows(expected, keys)
    problems = []
    for key, row in wanted.items():
        found = rows.get(key, {})
        wrong = [column for column, value in row.items() if found.get(column) != value]
        if not found:
            problems.append(f"{path}: row {' '.join(key)}: missing")
        elif wrong:
            what = ", ".join(f"{column} {found.get(column, '')}".strip() for column in wrong)
            values = ", ".join(row[column] for column in wrong)
            verb = "does" if len(wrong) == 1 else "do"
            problems.append(f"{path}: row {' '.join(key)}: {what} {verb} not follow from {basis(row)} ({values})")
    return problems + [f"{path}: row {' '.join(key)}: follows from nothing" for key in rows if key not in wanted]


def compare_summary(path: Path, expected: str) -> list[str]:
    """The first line of a summary that is not as expected."""
    if not path.is_file():
        return [f"{path}: missing"]
    found, lines = path.read_text(encoding="utf-8").splitlines(), expected.splitlines()
    for number, (line, value) in enumerate(zip(found, lines, strict=False), start=1):
        if line != value:
            return [f"{path}: line {number} does not follow from the tables, which give: {value}"]
    return [] if len(found) == len(lines) else [f"{path}: {len(found)} lines, where the tables give {len(lines)}"]


def _rows(text: str, keys: list[str]) -> dict[tuple[str, ...], dict[str, str]]:
    """The cells of a CSV table as text, by the columns that name a row."""
    table = pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False)
    return {tuple(row.get(key, "") for key in keys): row for row in table.to_dict("records")}


def _file(pattern: str, row: dict) -> str:
    row = {**row, "seed": "*" if row["seed"] == ALL_RUNS else row["seed"]}
    step = f"rollouts/{row.get('step', ''):0>6}"
    if row["seed"] == FROM_USER:
        return f"{step}.csv"
    row["where"] = "rollouts" if row.get("condition") == BASE else f"{row.get('condition')}/{step}"
    return pattern.format(**row)
