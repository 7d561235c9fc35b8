"""Tables made again, from the files that they were made of, or, where these are not at hand, from their own counts."""

import io
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from demo_score.errors import UserError
from demo_score.evaluation.inputs import POOLED, count_problems
from demo_score.evaluation.statistics import mcnemar_p, paired_difference, wilson_interval
from demo_score.evaluation.summary import summarise
from demo_score.evaluation.tables import make_tables

KEYS = {  # the columns that name a row
    "success": ["arm", "seed"],
    "differences": ["arm", "against", "seed"],
    "checkpoints": ["seed", "arm", "step"],
    "kept": ["seed", "kind", "source"],
    "classifiers": ["seed"],
}
FILES = {  # what a row is made of
    "success": "seed{seed}/{arm}/evaluation.csv",
    "differences": "evaluation.csv of both arms",
    "checkpoints": "seed{seed}/{tried}/{step:0>6}.csv",
    "kept": "seed{seed}/demo_score/scores.csv",
    "classifiers": "seed{seed}/demo_score/classifier.yaml",
}
COUNTS = {"success": ("successes", "rate"), "checkpoints": ("successes", "rate"), "kept": ("kept", "fraction")}
SUMS = {"success": ("seed", POOLED), "kept": ("source", "all")}  # the rows that sum up others


def inputs_of_tables(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """The files among `paths` that tables are made of, by the argument of `make_tables` (`problems`: 0 or 1)."""
    paths = sorted(paths)
    return {
        "evaluations": [path for path in paths if path.name == "evaluation.csv"],
        "rollouts": [path for path in paths if path.parent.name == "rollouts" and path.suffix == ".csv"],
        "scores": [path for path in paths if path.name == "scores.csv"],
        "classifiers": [path for path in paths if path.name == "classifier.yaml"],
        "problems": [path for path in paths if path.name == "problems.csv"],
    }


def check_against_inputs(tables: Path, inputs: dict[str, list[Path]]) -> list[str]:
    """What in the folder `tables` is not what its inputs give, a line each."""
    arguments = {**inputs, "problems": next(iter(inputs["problems"]), None)}
    with tempfile.TemporaryDirectory() as folder:
        try:
            make_tables(**arguments, out=Path(folder))
        except (UserError, ValueError, KeyError, yaml.YAMLError) as error:
            return [f"{tables}: cannot be made again: {str(error).splitlines()[0]}"]
        problems = []
        for path in sorted(Path(folder).glob("*.csv")):
            pattern = FILES[path.stem]
            problems += compare(
                tables / path.name, path.read_text(encoding="utf-8"), lambda row, p=pattern: _file(p, row)
            )
        return problems + compare_summary(tables / "summary.md", (Path(folder) / "summary.md").read_text("utf-8"))


def check_against_counts(tables: Path) -> list[str]:
    """What in the folder `tables` does not follow from the counts in it, a line each."""
    found, problems = {}, []
    for name in KEYS:
        if (tables / f"{name}.csv").is_file():
            try:
                found[name] = read_table(tables / f"{name}.csv")
            except UserError as error:
                problems.append(str(error))
    try:
        expected = from_counts(found)
    except (KeyError, ValueError, TypeError) as error:
        return [*problems, f"{tables}: cannot be computed again: something is missing or no count: {error}"]
    for name, table in expected.items():
        problems += compare(tables / f"{name}.csv", as_csv(table), lambda row, n=name: _counts(n, row))
    given = tables.parent / "problems.csv"
    if {"kept", "checkpoints", "classifiers"} <= expected.keys():
        text = summarise(expected, count_problems(given if given.is_file() else None))
        problems += compare_summary(tables / "summary.md", text)
    return problems


def read_table(path: Path) -> pd.DataFrame:
    """A table as it was before it was written, but for the digits that were cut. Raises UserError if it is damaged."""
    try:
        return pd.read_csv(path, dtype={"source": "str", "arm": "str", "against": "str"})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        raise UserError(f"{path}: not a CSV table") from None


def from_counts(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables with everything that follows from counts computed again, in full precision."""
    again = {name: table.copy() for name, table in tables.items()}
    for name, (total, value) in SUMS.items():
        if name in again:
            again[name] = _summed(again[name], name, total, value)
    for name, (count, rate) in COUNTS.items():
        if name in again:
            limits = [_limits(k, n) for k, n in zip(again[name][count], again[name]["n"], strict=True)]
            again[name][rate] = again[name][count] / again[name]["n"]
            again[name]["low"], again[name]["high"] = zip(*limits, strict=True)
    if "differences" in again and len(again["differences"]):
        again["differences"] = _differences(again["differences"], again["success"])
    return again


def _summed(table: pd.DataFrame, name: str, total: str, value: str) -> pd.DataFrame:
    """The table with the counts of its total rows computed from the other rows."""
    others = [key for key in KEYS[name] if key != total]
    columns = ["n", COUNTS[name][0]]
    is_total = table[total] == value
    sums = table[~is_total].groupby(others)[columns].sum()
    for index, row in table[is_total].iterrows():
        table.loc[index, columns] = sums.loc[row[others[0]] if len(others) == 1 else tuple(row[others])]
    return table


def _differences(table: pd.DataFrame, success: pd.DataFrame) -> pd.DataFrame:
    """The differences from success.csv and the numbers of starts that one arm alone solves.

    These two numbers themselves cannot be had from the tables; `only_against` follows from `only_arm`.
    """
    rates = success.astype({"seed": "str"}).set_index(["arm", "seed"])[["n", "successes"]]
    rows, sums = [], {}
    for row in table.to_dict("records"):
        pair, seed = (row["arm"], row["against"]), str(row["seed"])
        if seed == POOLED:
            n, solved_arm, solved_against, only_arm = sums[pair]
        else:
            n, solved_arm = rates.loc[(row["arm"], seed)]
            solved_against, only_arm = rates.loc[(row["against"], seed), "successes"], row["only_arm"]
            sums[pair] = np.add(sums.get(pair, 0), (n, solved_arm, solved_against, only_arm))
        rows.append({**row, **_difference(int(n), int(solved_arm), int(solved_against), int(only_arm))})
    return pd.DataFrame(rows)


_limits = cache(wilson_interval)


@cache
def _difference(n: int, solved_arm: int, solved_against: int, only_arm: int) -> dict:
    both = solved_arm - only_arm
    only_against = solved_against - both
    pairs = np.repeat(
        [[1, 1], [1, 0], [0, 1], [0, 0]], [both, only_arm, only_against, n - solved_arm - only_against], 0
    )
    interval = paired_difference(pairs[:, 0], pairs[:, 1])._asdict()
    p = mcnemar_p(only_arm, only_against)
    return {"n": n, **interval, "only_arm": only_arm, "only_against": only_against, "mcnemar_p": p}


def compare(path: Path, expected: str, basis: Callable[[dict], str]) -> list[str]:
    """The rows of the CSV file `path` that are not as in `expected`, a line each; `basis`: what a row follows from."""
    if not path.is_file():
        return [f"{path}: missing"]
    keys = KEYS[path.stem]
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


def as_csv(table: pd.DataFrame) -> str:
    """A table as the workflow writes it."""
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def _rows(text: str, keys: list[str]) -> dict[tuple[str, ...], dict[str, str]]:
    """The cells of a CSV table as text, by the columns that name a row."""
    table = pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False)
    return {tuple(row.get(key, "") for key in keys): row for row in table.to_dict("records")}


def _file(pattern: str, row: dict) -> str:
    row = {**row, "seed": "*" if row["seed"] == POOLED else row["seed"]}
    row["tried"] = "rollouts" if row.get("arm") == "base" else f"{row.get('arm')}/rollouts"
    return pattern.format(**row).replace("seedgiven/", "")


def _counts(name: str, row: dict) -> str:
    if name == "differences":
        return f"success.csv and the {row['only_arm']} starts that only {row['arm']} solves"
    if name not in COUNTS:
        return "itself"
    total, value = SUMS.get(name, ("", ""))
    return f"{row[COUNTS[name][0]]} of {row['n']}" + " in all" * (row.get(total) == value)
