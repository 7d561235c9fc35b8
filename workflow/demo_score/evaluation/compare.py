"""A new run beside a published one: each number, the difference with its interval, and whether they agree."""

from collections.abc import Iterator
from math import sqrt
from pathlib import Path

import pandas as pd

from demo_score.errors import UserError
from demo_score.evaluation.inputs import POOLED, read_columns
from demo_score.files import write_text

TABLES = {  # table -> the columns that name a row, and the estimate that has an interval in low and high
    "success": (["arm", "seed"], "rate"),
    "differences": (["arm", "against", "seed"], "difference"),
    "checkpoints": (["arm", "seed", "step"], "rate"),
    "kept": (["kind", "source", "seed"], "fraction"),
}
COLUMNS = ["table", "row", "published", "new", "difference", "low", "high", "verdict"]
WITHIN, NOT_WITHIN, MISSING, ADDED = "within interval", "NOT within", "not in the new run", "not published"


def compare(new: Path, published: Path) -> pd.DataFrame:
    """Each published estimate of an experiment beside the new one: COLUMNS, fractions; low and high bound 95%.

    Both are treated as independent: they are when the seeds differ, and with the same seeds the interval is too wide.
    The interval squares and adds the distances to the limits of the two (Newcombe, Statistics in Medicine 17 (1998)
    873-890, method 10; for differences, whose own intervals are combined likewise: Zou and Donner, Statistics in
    Medicine 27 (2008) 1693-1702). A row agrees when it covers 0: one in twenty does not by chance alone.
    """
    rows = []
    for name, (keys, estimate) in TABLES.items():
        paths = [folder / f"tables/{name}.csv" for folder in (published, new)]
        if all(path.is_file() for path in paths):
            old, current = (_read(path, keys, estimate) for path in paths)
            rows += [{"table": name, **row} for row in _rows(old, current, estimate)]
    if not rows:
        raise UserError(f"{new}: has no table that {published} has, too; run snakemake for this experiment first")
    return pd.DataFrame(rows, columns=COLUMNS)


def _read(path: Path, keys: list[str], estimate: str) -> pd.DataFrame:
    table = read_columns(path, [*keys, estimate, "low", "high"])
    return table.set_index(table[keys].astype("str").agg(" ".join, axis=1))


def _rows(published: pd.DataFrame, new: pd.DataFrame, estimate: str) -> Iterator[dict]:
    for name in dict.fromkeys([*published.index, *new.index]):
        old, now = (table.loc[name] if name in table.index else None for table in (published, new))
        row = {"row": name, "published": _value(old, estimate), "new": _value(now, estimate)}
        if old is None or now is None:
            yield {**row, "verdict": MISSING if now is None else ADDED}
            continue
        low, high = difference_interval(now[[estimate, "low", "high"]], old[[estimate, "low", "high"]])
        verdict = WITHIN if low <= 0 <= high else NOT_WITHIN
        yield {**row, "difference": now[estimate] - old[estimate], "low": low, "high": high, "verdict": verdict}


def _value(row: pd.Series | None, estimate: str) -> float | None:
    return None if row is None else row[estimate]


def difference_interval(a: pd.Series, b: pd.Series) -> tuple[float, float]:
    """Limits of the difference a - b of two independent estimates, each given as estimate, low, high."""
    (value_a, low_a, high_a), (value_b, low_b, high_b) = a, b
    difference = value_a - value_b
    below = sqrt((value_a - low_a) ** 2 + (high_b - value_b) ** 2)
    above = sqrt((high_a - value_a) ** 2 + (value_b - low_b) ** 2)
    return difference - below, difference + above


def describe(rows: pd.DataFrame, experiment: str) -> str:
    """Markdown: the pooled numbers in percent and points, one line on all others, and all that do not agree."""
    lines = [f"### {experiment}", "", "| | Published (%) | New (%) | Difference (points) | |", "|---|---|---|---|---|"]
    main = rows[rows["table"].isin(["success", "differences"]) & rows["row"].str.endswith(f" {POOLED}")]
    lines += [_line(row) for row in main.to_dict("records")]
    others = rows.drop(main.index)
    both = others[others["verdict"].isin([WITHIN, NOT_WITHIN])]
    same = int((rows["difference"] == 0).sum())
    lines += ["", f"Single seeds, checkpoints and what was kept: {(both['verdict'] == WITHIN).sum()} of {len(both)}"]
    lines[-1] += f" within their intervals. Of all {len(rows)} numbers, {same} are the same."
    lines += [_line(row) for row in others[others["verdict"] != WITHIN].to_dict("records")]
    return "\n".join([*lines, ""])


def _line(row: dict) -> str:
    published, new = ("–" if pd.isna(row[key]) else f"{100 * row[key]:.1f}" for key in ("published", "new"))
    found = (
        "–"
        if pd.isna(row["difference"])
        else "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * row[key] for key in ("difference", "low", "high")))
    )
    return f"| {row['table']}: {row['row']} | {published} | {new} | {found} | {row['verdict']} |"


def compare_all(results: Path, published: Path) -> str:
    """Compare every experiment below `results` with its published self; write results/<experiment>/comparison.csv.

    Returns Markdown. Raises UserError where there is nothing to compare.
    """
    names = sorted(path.name for path in published.glob("*") if (path / "tables").is_dir())
    shown = []
    for name in names:
        if (results / name / "tables/kept.csv").is_file():
            rows = compare(results / name, published / name)
            write_text(results / name / "comparison.csv", rows.to_csv(index=False, float_format="%.6g"))
            shown.append(describe(rows, name))
    if not shown:
        raise UserError(f"{results}: none of the published experiments is there ({', '.join(names)}); run make first")
    return "\n".join(shown)
