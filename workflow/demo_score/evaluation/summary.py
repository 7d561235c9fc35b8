"""The result of an experiment as one short Markdown page."""

import pandas as pd

from demo_score.evaluation.inputs import ARMS, POOLED

NOTE = (
    "Intervals are 95%: Wilson for rates, Newcombe's paired method 10 for differences (points); p is McNemar's exact "
    "test. They speak of the evaluation starts of these training runs, not of new training seeds: compare the seeds."
)


# Beyond this, a filter may merely prefer short or long episodes (arXiv 2606.10229).
LENGTH_RATIO = 1.1


def summarise(tables: dict[str, pd.DataFrame], problems: int) -> str:
    """Markdown: how the arms compare, where policies were tested; what was kept of what; what was left out unseen."""
    kept = _kept_lines(tables["kept"], "success" in tables and "length_matched" not in set(tables["success"]["arm"]))
    if problems:
        kept.append(f"- {problems} episode{'s' * (problems > 1)} of the given data left out: see problems.csv.")
    if "success" not in tables:
        return "\n".join([*_rollout_lines(tables["checkpoints"], tables["classifiers"]), *kept, ""])
    compared = _comparison(tables["success"], tables["differences"])
    return "\n".join([*compared, "", *kept, "", NOTE, ""])


def _comparison(success: pd.DataFrame, differences: pd.DataFrame) -> list[str]:
    """A row an arm, in percent and points, and the verdict on the curated demonstrations."""
    seeds = [seed for seed in dict.fromkeys(success["seed"]) if seed != POOLED]
    header = f"| Arm | Success, pooled (%) | n | Seed {', '.join(seeds)} (%) | Minus base (points) | p |"
    against_base = differences[differences["against"] == "base"] if len(differences) else differences
    lines = [header, "|---|---|---|---|---|---|"]
    for arm, rows in success.groupby("arm", sort=False):
        lines.append(_arm_line(arm, rows.set_index("seed"), seeds, _pooled(against_base, arm)))
    return [*lines, "", _verdict(differences)]


def _rollout_lines(checkpoints: pd.DataFrame, classifiers: pd.DataFrame) -> list[str]:
    """Without a policy that is tested: how the rollouts ended, and how well the chosen classifiers tell that."""
    lines = ["| Checkpoint | Rollouts | Success (%) |", "|---|---|---|"]
    for row in checkpoints.itertuples():
        rate = f"{_percent(row.rate)} [{_percent(row.low)}, {_percent(row.high)}]"
        lines.append(f"| {row.step:06d} | {row.n} | {rate} |")
    chosen = [f"{row.model_arch} (seed {row.seed}): {row.cross_val_auc:.2f}" for row in classifiers.itertuples()]
    return [*lines, "", f"- Held-out AUC of the chosen classifier: {', '.join(chosen)}."]


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


def _kept_lines(kept: pd.DataFrame, advise: bool) -> list[str]:
    """What the filter kept of each strategy in each run, and how long those episodes are."""
    lines = []
    for seed, rows in kept[kept["kind"] == "demonstration"].groupby("seed"):
        total = rows[rows["source"] == "all"].iloc[0]
        counts = [f"{row.kept} of {row.n} {row.source}" for row in rows.itertuples() if row.source != "all"]
        lengths = total["mean_length_kept"], total["mean_length_dropped"]
        text = f"Kept demonstrations, seed {seed}: {', '.join(counts)}; mean length kept {lengths[0]:.0f}, "
        lines.append(f"- {text}dropped {lengths[1]:.0f} control steps.{_length_advice(*lengths) * advise}")
    return lines


def _length_advice(kept: float, dropped: float) -> str:
    if not max(kept, dropped) > LENGTH_RATIO * min(kept, dropped):
        return ""
    return " They differ by more than 10%: add length_matched to final_policy.arms."


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
