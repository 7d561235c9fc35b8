"""The numbers that a document reports, against the published tables."""

import re
from pathlib import Path

import pandas as pd

from demo_score.evaluation.inputs import POOLED

NUMBER = r"[+-]?\d+\.\d"
INTERVAL = re.compile(rf"({NUMBER}) \[({NUMBER}), ({NUMBER})\]")
RATES = {"Base": "base", "Curated (demos)": "curated_demos", "Oracle": "oracle"}  # headings of the table of experiments
DIFFERENCES = {"Minus base": "base", "Minus random of equal size": "random"}  # those of curated_demos

Tables = dict[str, dict[str, pd.DataFrame]]  # by experiment, then by name


def check_numbers(document: Path, experiments: Tables, summaries: dict[str, str]) -> tuple[list[str], int]:
    """Which numbers of a Markdown document are not the published ones, a line each; how many were compared.

    Compared are a summary's table that the document shows, the table of all experiments, and every `x [low, high]`
    elsewhere, which some published table must hold. Other numbers are not.
    """
    text = document.read_text(encoding="utf-8")
    problems, seen, rest = [], 0, text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
        if header[:2] == ["Arm", "Success, pooled (%)"]:
            problems += _check_summary(document, header, rows, summaries)
        elif header[0] == "Experiment" and "Minus base" in header:
            problems += _check_experiments(document, header, rows, experiments)
        else:
            continue
        seen, rest = seen + len(rows), rest.replace(block, "")
    known = {text for tables in experiments.values() for text in _intervals(tables)}
    found = [f"{value} [{low}, {high}]" for value, low, high in INTERVAL.findall(re.sub(r"\s+", " ", rest))]
    problems += [f"{document}: {text} follows from no published table" for text in found if _plain(text) not in known]
    return problems, seen + len(found)


def _check_summary(document: Path, header: list[str], rows: list[list[str]], summaries: dict[str, str]) -> list[str]:
    """A table of arms: the rows of the summary with the same heading, which names the seeds."""
    same = [text for text in summaries.values() if _line(header) in text]
    if not same:
        return [f"{document}: table '{header[3]}': no published summary has these seeds"]
    return [
        f"{document}: row '{row[0]}' of '{header[3]}' does not follow from the published summary"
        for row in rows
        if _line(row) not in same[0].splitlines()
    ]


def _check_experiments(document: Path, header: list[str], rows: list[list[str]], experiments: Tables) -> list[str]:
    problems = []
    for row in rows:
        name = (re.findall(r"`(\w+)`", row[0]) or [row[0]])[0]
        if name not in experiments:
            problems += [f"{document}: {name}: is not published"] * any(map(INTERVAL.search, row))
            continue
        for heading, found in zip(header, row, strict=False):
            expected = _cell(experiments[name], heading)
            if expected is not None and found != expected:
                where = f"{document}: {name}: {heading} {found}"
                problems.append(f"{where} does not follow from its published tables, which give {expected}")
    return problems


def _cell(tables: dict[str, pd.DataFrame], heading: str) -> str | None:
    """What the tables give for a column; None: they do not tell."""
    if "success" not in tables or heading not in {"n", *RATES, *DIFFERENCES}:
        return None
    success, differences = (tables[name][tables[name]["seed"] == POOLED] for name in ("success", "differences"))
    if heading == "n":
        return str(success["n"].iloc[0])
    if heading in RATES:
        rows, value, sign = success[success["arm"] == RATES[heading]], "rate", ""
    else:
        pair = (differences["arm"] == "curated_demos") & (differences["against"] == DIFFERENCES[heading])
        rows, value, sign = differences[pair], "difference", "+"
    texts = [_interval(row[value], row["low"], row["high"], sign) for row in rows.to_dict("records")]
    return texts[0] if texts else "nothing"


def _intervals(tables: dict[str, pd.DataFrame]) -> list[str]:
    """Every rate and difference of an experiment with its interval, in percent or points."""
    texts = []
    for name, value in (
        ("success", "rate"),
        ("checkpoints", "rate"),
        ("kept", "fraction"),
        ("differences", "difference"),
    ):
        for row in tables.get(name, pd.DataFrame()).to_dict("records"):
            texts.append(_plain(_interval(row[value], row["low"], row["high"], "+")))
    return texts


def _interval(value: float, low: float, high: float, sign: str) -> str:
    value, low, high = (f"{100 * number:{sign}.1f}" for number in (value, low, high))
    return f"{value} [{low}, {high}]"


def _plain(text: str) -> str:
    return text.replace("+", "")


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
