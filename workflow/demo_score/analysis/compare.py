"""A new experiment beside a published one: each number, the difference over runs with its interval, and a verdict."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from demo_score.analysis.formatting import percent
from demo_score.analysis.verdict import JUDGED, NOT_WITHIN, Agreement, agreement, agreement_of_all, points, row_name
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import read_text
from demo_score.tables import ALL_RUNS, COMPARISON, TABLES

ESTIMATES = {"success": "rate", "differences": "difference", "checkpoints": "rate", "kept": "fraction"}
WITHIN, NO_INTERVAL = "within interval", "one run: no interval"
MISSING, ADDED, NOT_JUDGED = "not in the new run", "not published", "a single run"


def compare(new: Path, published: Path) -> pd.DataFrame:
    """Each published estimate of an experiment beside the new one, as COMPARISON says; fractions.

    The means over runs are judged: low and high are those of Welch's t interval of the difference between the means
    of the new and of the published runs, taken as independent. With the same demonstrations and starts they are not,
    and the interval is rather too wide. A row agrees when the limits enclose 0: one in twenty does not by chance alone.
    p is that of Welch's test. Single runs are listed, not judged: training is chaotic, and a seed's number elsewhere is
    another draw.
    """
    rows = []
    for name in ESTIMATES:
        paths = [folder / f"tables/{name}.csv" for folder in (published, new)]
        if all(path.is_file() for path in paths):
            old, current = (_read(path, name) for path in paths)
            rows += [{"table": name, **row} for row in _rows(old, current)]
    if not rows:
        raise UserError(f"{new}: has no table that {published} has, too; run snakemake for this experiment first")
    return COMPARISON.frame(rows)


def _read(path: Path, name: str) -> dict[tuple[str, str], float]:
    """The estimates of a table by what they tell of and by seed."""
    keys, estimate = [key for key in TABLES[name].key if key != "seed"], ESTIMATES[name]
    table = TABLES[name].read(path, [*keys, "seed", estimate])
    names = table[keys].astype("str").agg(" ".join, axis=1)
    return dict(zip(zip(names, table["seed"].astype("str"), strict=True), table[estimate], strict=True))


def _rows(published: dict, new: dict) -> Iterator[dict]:
    for name, seed in dict.fromkeys([*published, *new]):
        old, now = (table.get((name, seed)) for table in (published, new))
        row = {"row": f"{name} {seed}", "published": old, "new": now}
        if old is None or now is None:
            yield {**row, "verdict": MISSING if now is None else ADDED}
        elif seed == ALL_RUNS:
            welch = welch_test(_runs(new, name), _runs(published, name))
            verdict = NO_INTERVAL if welch is None else WITHIN if welch["low"] <= 0 <= welch["high"] else NOT_WITHIN
            yield {**row, "difference": now - old, **(welch or {}), "verdict": verdict}
        else:
            yield {**row, "difference": now - old, "verdict": NOT_JUDGED}


def _runs(table: dict, name: str) -> list[float]:
    """What single runs give for an estimate."""
    return [value for (other, seed), value in table.items() if other == name and seed != ALL_RUNS]


def welch_test(a: list[float], b: list[float]) -> dict[str, float] | None:
    """95% limits (low, high) of the difference of the means of two independent samples, a - b, and its p value.

    None where one of them holds a single value; without any spread in both, the limits are the difference itself.
    Source: B. L. Welch, Biometrika 34 (1947) 28-35.
    """
    from scipy.stats import ttest_ind

    if min(len(a), len(b)) < 2:
        return None
    if len({*a}) == len({*b}) == 1:
        return {"low": a[0] - b[0], "high": a[0] - b[0], "p": float(a[0] == b[0])}
    test = ttest_ind(a, b, equal_var=False)
    limits = test.confidence_interval(0.95)
    return {"low": float(limits.low), "high": float(limits.high), "p": float(test.pvalue)}


def agreement_with(new: Path, published: Path, rows: pd.DataFrame) -> Agreement:
    """Whether a new experiment agrees with the published one; `rows`: what `compare` gives of the two."""
    settings = [_settings_digest(folder / "tables/manifest.json") for folder in (new, published)]
    return agreement(rows, same_settings=None in settings or settings[0] == settings[1])


def _settings_digest(manifest: Path) -> str | None:
    """Of the settings that an experiment ran with; None where no manifest tells them."""
    return json.loads(read_text(manifest)).get("settings_digest") if manifest.is_file() else None


def describe(rows: pd.DataFrame, experiment: str, found: Agreement) -> str:
    """Markdown: the means over runs in percent and points, how many numbers are the same, and the verdict."""
    lines = [f"### {experiment}", "", "| Mean of the runs | Published (%) | New (%) | Difference (points) | |"]
    is_mean = rows["row"].str.endswith(f" {ALL_RUNS}")
    main = rows[is_mean & rows["table"].isin(JUDGED)]
    lines += ["|---|---|---|---|---|", *(_line(row) for row in main.to_dict("records"))]
    others = rows[is_mean & ~rows["table"].isin(JUDGED)]
    lines += [_line(row) for row in others[others["verdict"] != WITHIN].to_dict("records")]
    same, within = int((rows["difference"] == 0).sum()), int((others["verdict"] == WITHIN).sum())
    lines += ["", f"Checkpoints and shares kept: {within} of {len(others)} within their intervals."]
    lines += [
        f"Of all {len(rows)} numbers, those of single runs included, {same} are exactly the same (all are on one "
        "kind of CPU with the same number of threads; elsewhere training takes another course)."
    ]
    return "\n".join([*lines, "", f"Verdict: {found.sentence}"])


def _line(row: dict) -> str:
    published, new = ("–" if pd.isna(row[key]) else percent(row[key]) for key in ("published", "new"))
    found = "–" if pd.isna(row["difference"]) else points(row)
    return f"| {row_name(row)} | {published} | {new} | {found} | {row['verdict']} |"


def compare_all(results: Path, published: Path) -> str:
    """Compare every experiment below `results` with its published self; write results/<experiment>/comparison.csv.

    Returns Markdown, whose last line is the verdict, on all of them where they are several, with its reason. Raises
    UserError where there is nothing to compare.
    """
    names = sorted(path.name for path in published.glob("*") if (path / "tables").is_dir())
    shown, found = [], {}
    for name in names:
        if (results / name / "tables/kept.csv").is_file():
            rows = compare(results / name, published / name)
            COMPARISON.write(results / name / "comparison.csv", rows)
            found[name] = agreement_with(results / name, published / name, rows)
            shown.append(describe(rows, name, found[name]))
    if not shown:
        raise UserError(f"{results}: none of the published experiments is there ({', '.join(names)}); run make first")
    return "\n\n".join([*shown, *[agreement_of_all(found)] * (len(found) > 1)])
