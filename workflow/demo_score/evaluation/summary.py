"""The result of an experiment as one short Markdown page."""

import pandas as pd

from demo_score.evaluation.inputs import ARMS, POOLED

NOTE = (
    "Intervals are 95%: Wilson for rates, Newcombe's paired method 10 for differences (points); p is McNemar's exact "
    "test. They speak of the evaluation starts of these training runs, not of new training seeds: compare the seeds."
)


def summarise(success: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Markdown: a row an arm, in percent and points, then the verdict on the curated demonstrations."""
    seeds = [seed for seed in dict.fromkeys(success["seed"]) if seed != POOLED]
    header = f"| Arm | Success, pooled (%) | n | Seed {', '.join(seeds)} (%) | Minus base (points) | p |"
    against_base = differences[differences["against"] == "base"] if len(differences) else differences
    lines = [header, "|---|---|---|---|---|---|"]
    for arm, rows in success.groupby("arm", sort=False):
        lines.append(_arm_line(arm, rows.set_index("seed"), seeds, _pooled(against_base, arm)))
    return "\n".join([*lines, "", _verdict(differences), "", NOTE, ""])


def _arm_line(arm: str, rows: pd.DataFrame, seeds: list[str], difference: dict | None) -> str:
    pooled = rows.loc[POOLED]
    by_seed = ", ".join(_percent(rows["rate"].get(seed)) for seed in seeds)
    rate = f"{_percent(pooled['rate'])} [{_percent(pooled['low'])}, {_percent(pooled['high'])}]"
    cells = (ARMS[arm], rate, pooled["n"], by_seed, *_difference_cells(difference))
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _verdict(differences: pd.DataFrame) -> str:
    """One sentence on the arm curated_demos against each reference, in numbers, whichever way they point."""
    parts = []
    for against, rows in differences.groupby("against", sort=False) if len(differences) else ():
        if pooled := _pooled(rows, "curated_demos"):
            points, p = _difference_cells(pooled)
            parts.append(f"{points} points against {ARMS[against]} (n = {pooled['n']} paired episodes, p = {p})")
    return f"{ARMS['curated_demos']}: {'; '.join(parts) or 'nothing to compare with'}."


def _pooled(differences: pd.DataFrame, arm: str) -> dict | None:
    if differences.empty:
        return None
    rows = differences[(differences["arm"] == arm) & (differences["seed"] == POOLED)]
    return None if rows.empty else rows.iloc[0].to_dict()


def _difference_cells(difference: dict | None) -> tuple[str, str]:
    if difference is None:
        return "–", "–"
    points, low, high = (f"{100 * difference[key]:+.1f}" for key in ("difference", "low", "high"))
    return f"{points} [{low}, {high}]", f"{difference['mcnemar_p']:.2g}"


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.1f}"
