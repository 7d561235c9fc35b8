"""What an experiment shows, and whether it agrees with a published one, in a sentence each: no other place says so.

A run, one whole pipeline, is the unit: an effect is shown where the 95% t interval over runs of the mean paired
difference leaves out 0.
"""

from typing import NamedTuple

import pandas as pd

from demo_score.analysis.formatting import count, limits, percent
from demo_score.conditions import BASE, CONDITIONS, CONTROLS
from demo_score.tables import ALL_RUNS

BETTER, WORSE, NOTHING = "better than", "worse than", "no effect shown against"
ONE_RUN = "one run gives no interval: no effect shown against"
JUDGED = ("success", "differences")  # tables whose means over runs the agreement goes by
LEVEL = 0.05  # of the chance that runs of one kind disagree
NOT_WITHIN = "NOT within"
AGREES, DISAGREES, UNDECIDED = "agrees with", "DISAGREES with", "cannot be judged against"
WORDS = {AGREES: "agree", DISAGREES: "DISAGREE", UNDECIDED: "cannot be judged"}


class Effect(NamedTuple):
    """What a curated condition's differences from the base and its control show, and their numbers; whole sentences."""

    finding: str
    numbers: str


class Agreement(NamedTuple):
    """Whether new runs agree with published ones; p of the number furthest off, all taken together; the reason."""

    word: str
    p: float
    reason: str

    @property
    def sentence(self) -> str:
        return f"{self.word} the published runs: {self.reason}."


def effects(differences: pd.DataFrame) -> list[Effect]:
    """The verdict on each curated condition of an experiment, from its table of differences."""
    present = set(differences["condition"])
    return [effect(condition, differences) for condition in CONTROLS if condition in present]


def effect(condition: str, differences: pd.DataFrame) -> Effect:
    """Whether a curated condition is shown to do better or worse than the base and than its control, whichever way."""
    others = (BASE, CONTROLS[condition])
    rows = {CONDITIONS[other].in_a_sentence: mean_difference(differences, condition, other) for other in others}
    found = {name: row for name, row in rows.items() if row}
    words: dict[str, list[str]] = {}
    for name, row in found.items():
        words.setdefault(_shown(row), []).append(name)
    findings = "; ".join(f"{word} {_joint(word).join(names)}" for word, names in words.items())
    numbers = _numbers(found)
    label = CONDITIONS[condition].label
    return Effect(f"{label}: {findings or 'nothing to compare with'}.", numbers[:1].upper() + numbers[1:])


def _shown(row: dict) -> str:
    """What the interval of a difference says of it; a limit of 0 belongs to the interval."""
    if pd.isna(row["low"]):
        return ONE_RUN
    return BETTER if row["low"] > 0 else WORSE if row["high"] < 0 else NOTHING


def _joint(word: str) -> str:
    return " and " if word in (BETTER, WORSE) else " or "


def _numbers(found: dict[str, dict]) -> str:
    """The differences in points, and how many runs and starts they are of: once, where they are of the same."""
    sizes = {name: f"{count(row['runs'], 'run')}, n = {row['n']} paired starts" for name, row in found.items()}
    alike = len({*sizes.values()}) == 1
    parts = [f"minus {name} {points(row)} points" + f" ({sizes[name]})" * (not alike) for name, row in found.items()]
    about = [*sizes.values()][:1] * alike
    about += ["95% t intervals over runs"] * any(not pd.isna(row["low"]) for row in found.values())
    text = ", ".join(parts) + f" ({'; '.join(about)})" * bool(about)
    return text and f"{text}."


def agreement(rows: pd.DataFrame, same_settings: bool = True) -> Agreement:
    """Whether new runs agree with published ones; `rows`: what `compare` gives.

    Judged are the means over runs of success and differences, all together (Bonferroni): by the one furthest off.
    """
    other = "" if same_settings else "with other settings than theirs, "
    judged = rows[rows["table"].isin(JUDGED)].dropna(subset="p")
    if judged.empty:
        return Agreement(UNDECIDED, 1.0, f"{other}a mean over runs needs two runs in both, of the same conditions")
    if (rows["difference"] == 0).all():
        return Agreement(AGREES, 1.0, f"{other}all {len(rows)} numbers, those of single runs included, are the same")
    worst = judged.loc[judged["p"].idxmin()]
    together = min(len(judged) * float(worst["p"]), 1.0)
    outside = int((judged["verdict"] == NOT_WITHIN).sum())
    reason = f"{other}{row_name(worst)} is furthest off, by {points(worst)} points, p = {together:.2g} for the most "
    reason += f"extreme of {len(judged)} (Bonferroni); {outside} of {len(judged)} outside their 95% intervals"
    return Agreement(AGREES if together > LEVEL else DISAGREES, together, reason)


def agreement_of_all(found: dict[str, Agreement]) -> str:
    """One line on several experiments that were compared, with the reason of the one furthest off."""
    worst = min(found, key=lambda name: found[name].p)
    words = [(word, [name for name, one in found.items() if one.word == word]) for word in WORDS]
    said = ", ".join(f"{WORDS[word]}: {len(names)} ({', '.join(names)})" for word, names in words if names)
    return f"Verdict on {len(found)} experiments: {said}; of all, {worst} is furthest off: {found[worst].reason}."


def mean_difference(differences: pd.DataFrame, condition: str, against: str) -> dict | None:
    """The row of the mean over runs of a condition's difference from another; None where they were not compared."""
    chosen = (
        (differences["condition"] == condition)
        & (differences["against"] == against)
        & (differences["seed"] == ALL_RUNS)
    )
    return next(iter(differences[chosen].to_dict("records")), None)


def points(row: dict | pd.Series) -> str:
    """A difference in points, with its interval where it has one."""
    return percent(row["difference"], "+") + limits(row["low"], row["high"], "+")


def row_name(row: dict | pd.Series) -> str:
    """What a row of a comparison tells of."""
    name = row["row"].removesuffix(f" {ALL_RUNS}")
    return f"{row['table']}: {name.replace(' ', ' minus ') if row['table'] == 'differences' else name}"
