"""The workflow's tables as a person reads them: percent, words for column names, means over runs before single runs."""

import pandas as pd

from demo_score.analysis.inputs import ALL_RUNS, CONDITIONS

HEADINGS = {  # of the columns of all tables; others keep their names
    "condition": "Condition",
    "against": "Minus",
    "seed": "Run",
    "runs": "Runs",
    "kind": "Episodes",
    "source": "Source",
    "step": "Checkpoint",
    "successes": "Successes",
    "rate": "Success (%)",
    "difference": "Difference (points)",
    "kept": "Kept",
    "fraction": "Kept (%)",
    "mean_max_reward": "Mean largest reward",
    "sign_flip_p": "Sign-flip p",
    "holm_p": "Holm p",
    "sd_runs": "SD between runs",
    "sd_starts": "SD of starts",
    "only_condition": "Only this condition",
    "only_against": "Only the other",
    "mcnemar_p": "McNemar p",
    "median_length_kept": "Median length, kept",
    "mean_length_kept": "Mean length, kept",
    "median_length_dropped": "Median length, dropped",
    "mean_length_dropped": "Mean length, dropped",
    "positive": "Of these, for the oracle",
    "auc": "AUC of the score",
    "auc_within_length": "AUC among like lengths",
    "auc_of_length": "AUC of length alone",
    "model_arch": "Architecture",
    "member": "Member",
    "threshold": "Threshold",
    "cross_val_auc": "Held-out AUC",
    "cross_val_accuracy": "Held-out accuracy (%)",
    "cross_val_loss": "Held-out loss",
    "best_epoch": "Epoch",
}
PERCENT = {"rate", "difference", "fraction", "sd_runs", "sd_starts", "cross_val_accuracy"}
INTERVALS = {"low": ("high", "95% interval"), "bootstrap_low": ("bootstrap_high", "Bootstrap interval")}
KINDS = {"t over runs": ", t over runs", "wilson": ", Wilson", "newcombe": ", Newcombe"}
P_VALUES = {"sign_flip_p", "holm_p", "mcnemar_p"}
LENGTHS = {name for name in HEADINGS if "_length_" in name and not name.startswith("auc")}
TEXTS = {"Condition", "Minus", "Episodes", "Source", "Architecture"}  # headings of what is no number
MEANS, SINGLE_RUNS = "Means over runs", "Single runs"


def readable(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Parts of a table by title ("": all of it), as texts under HEADINGS; intervals are one column.

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
            columns[HEADINGS.get(name, name)] = [_text(name, value) for value in table[name]]
    return pd.DataFrame(columns)


def _interval(low: float, high: float) -> str:
    return "–" if pd.isna(low) else f"{100 * low:.1f} to {100 * high:.1f}"


def _text(name: str, value: object) -> str:
    """A cell; `name` is its column's."""
    if pd.isna(value):
        return "–"
    if name in ("condition", "against"):
        return CONDITIONS.get(value, str(value)).partition(" (" if name == "against" else "\n")[0]
    if name == "step":
        return f"{value:06d}"
    if not isinstance(value, float):
        return str(value)
    return _number(name, value)


def _number(name: str, value: float) -> str:
    if name in PERCENT:
        return f"{100 * value:+.1f}" if name == "difference" else f"{100 * value:.1f}"
    if name in P_VALUES:
        return f"{value:.2g}"
    if name in LENGTHS:
        return f"{value:.0f}"
    return f"{value:.3f}" if name in HEADINGS else f"{value:.4g}"
