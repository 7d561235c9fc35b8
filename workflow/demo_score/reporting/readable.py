"""The workflow's tables as a person reads them: percent, words for column names, means over runs before single runs."""

import pandas as pd

from demo_score.conditions import CONDITIONS
from demo_score.curation_methods import title
from demo_score.tables import ALL_RUNS, ARENA_TABLES, CHECKPOINTS, CLASSIFIERS, DETECTION, DIFFERENCES, KEPT, SUCCESS
from demo_score.tables.schema import TEXT

REPORTED = (SUCCESS, DIFFERENCES, CHECKPOINTS, KEPT, CLASSIFIERS, DETECTION, *ARENA_TABLES.values())
COLUMNS = {name: column for table in REPORTED for name, column in table.columns.items()}
INTERVALS = {
    "low": ("high", "95% interval"),
    "bootstrap_low": ("bootstrap_high", "Bootstrap interval"),
    "rate_low": ("rate_high", "Its 95% interval"),
    "minus_length_low": ("minus_length_high", "Its 95% interval over length"),
}
KINDS = {"t over runs": ", t over runs", "wilson": ", Wilson", "newcombe": ", Newcombe"}
TEXTS = {column.heading for column in COLUMNS.values() if column.type == TEXT} - {"", "Run"}
_NUMBERS = {"percent": "{:.1%}", "points": "{:+.1%}", "p": "{:.2g}", "steps": "{:.0f}", "digits": "{:.3f}"}
MEANS, SINGLE_RUNS = "Means over runs", "Single runs"


def readable(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Parts of a table by title ("": all of it), as texts under their headings; intervals are one column.

    A column that says nothing in a part is left out there.
    """
    if "seed" not in table or not {ALL_RUNS} < {*table["seed"]}:
        return {"": _texts(table)}
    over_runs = table["seed"] == ALL_RUNS
    return {
        MEANS: _texts(table[over_runs].drop(columns="seed")),
        SINGLE_RUNS: _texts(table[~over_runs].drop(columns="runs", errors="ignore")),
    }


def _texts(table: pd.DataFrame) -> pd.DataFrame:
    table = table.dropna(axis="columns", how="all")
    kinds = {*table.get("interval", [])}
    columns = {}
    for name in table:
        if name in INTERVALS and INTERVALS[name][0] in table:
            high, heading = INTERVALS[name]
            kind = KINDS.get(next(iter(kinds)), "") if name == "low" and len(kinds) == 1 else ""
            columns[heading + kind] = [_interval(*both) for both in zip(table[name], table[high], strict=True)]
        elif name not in {"interval", *(high for high, _ in INTERVALS.values())}:
            columns[_heading(name)] = [_text(name, value) for value in table[name]]
    return pd.DataFrame(columns)


def _interval(low: float, high: float) -> str:
    return "–" if pd.isna(low) else f"{100 * low:.1f} to {100 * high:.1f}"


def _heading(name: str) -> str:
    return (name in COLUMNS and COLUMNS[name].heading) or name


def _text(name: str, value: object) -> str:
    """A cell; `name` is its column's."""
    if pd.isna(value) or value == "":
        return "–"
    if name in ("condition", "against"):
        label = CONDITIONS[value].label if value in CONDITIONS else str(value)
        return label.partition(" (")[0] if name == "against" else label
    if name in ("entrant", "method", "other"):
        return title(str(value))
    shown = COLUMNS[name].shown if name in COLUMNS else ""
    if shown == "checkpoint":
        return f"{value:06d}"
    return _NUMBERS.get(shown, "{:.4g}").format(value).rstrip("%") if isinstance(value, float) else str(value)
