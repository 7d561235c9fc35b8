"""The conditions of the comparison: what each trains on, and how it is named, drawn and compared.

Besides the curated ones: for each of them as many episodes drawn at random from what it was chosen from, a subset
matched in length where lengths differ (many a curation metric only finds short episodes, arXiv 2606.10229), and the
oracle, which knows the strategies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # checking a configuration, which happens for every job on a cluster, needs neither
    import numpy as np
    import pandas as pd

BASE, RANDOM = "base", "random"  # what all others are compared with


@dataclass(frozen=True)
class Pool:
    """What a condition chooses from."""

    scores: pd.DataFrame  # a row an episode, as in scores.csv
    generator: np.random.Generator
    oracle: list[str]  # the strategies that the oracle keeps

    @property
    def demonstrations(self) -> pd.DataFrame:
        return self.scores[self.scores["kind"] == "demonstration"]


@dataclass(frozen=True)
class Condition:
    """One way to choose what a policy trains on. Tables, figures, configuration and documents read it from here."""

    label: str  # in tables and figures
    in_a_sentence: str
    colour: str  # of Okabe and Ito's palette, see plots.style
    trains_on: str
    controls_for: str
    choose: Callable[[Pool], pd.DataFrame] | None = None  # rows of Pool.scores; None: all demonstrations
    control: str | None = None  # of a curated condition: the one of equal size, at random from the same episodes
    dataset_list: str | None = None  # of a curated condition: the list of the filter that it trains on
    takes_rollouts: bool = False
    along_training: bool = False  # its checkpoints are rolled out at the steps of the base policy's


def kept_demonstrations(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of a scores table that the filter leaves of the demonstrations."""
    return scores[(scores["kind"] == "demonstration") & (scores["kept"] == 1)]


def kept_episodes(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows that it leaves of demonstrations and rollouts."""
    return scores[scores["kept"] == 1]


def _at_random(pool: Pool) -> pd.DataFrame:
    demonstrations = pool.demonstrations
    return demonstrations.iloc[pool.generator.permutation(len(demonstrations))[: demonstrations["kept"].sum()]]


def _rollouts_plus_demos_at_random(pool: Pool) -> pd.DataFrame:
    """Of all demonstrations and all successful rollouts, the failed ones left out as they are by the filter."""
    rows = pool.scores[(pool.scores["kind"] == "demonstration") | (pool.scores["success"] == 1)]
    return rows.iloc[pool.generator.permutation(len(rows))[: pool.scores["kept"].sum()]]


def _of_matched_length(pool: Pool) -> pd.DataFrame:
    """At random, but as many from each fifth of the lengths as the filter kept from it (fewer parts where they tie)."""
    import numpy as np
    import pandas as pd

    shuffled = pool.demonstrations.iloc[pool.generator.permutation(len(pool.demonstrations))]
    limits = np.unique(shuffled["length"].quantile([0.2, 0.4, 0.6, 0.8]))
    fifths = np.searchsorted(limits, shuffled["length"])
    return pd.concat([rows[: rows["kept"].sum()] for _, rows in shuffled.groupby(fifths)])


def _of_known_strategies(pool: Pool) -> pd.DataFrame:
    return pool.demonstrations[pool.demonstrations["actor"].isin(pool.oracle)]


CONDITIONS = {  # in the order of every table and figure
    BASE: Condition(
        label="Base policy (all demos)",
        in_a_sentence="base",
        colour="#000000",
        trains_on="All demonstrations",
        controls_for="The reference",
    ),
    "curated_demos": Condition(
        label="Curated (demos)",
        in_a_sentence="curated demos",
        colour="#0072B2",
        trains_on="Demonstrations that the filter keeps",
        controls_for="The method",
        choose=lambda pool: kept_demonstrations(pool.scores),
        control=RANDOM,
        dataset_list="demo_score_demos_only",
        along_training=True,
    ),
    "curated_rollouts_plus_demos": Condition(
        label="Curated (rollouts + demos)",
        in_a_sentence="curated rollouts + demos",
        colour="#56B4E9",
        trains_on="Those, and the successful rollouts that it keeps",
        controls_for="The method's second form",
        choose=lambda pool: kept_episodes(pool.scores),
        control="random_rollouts_plus_demos",
        dataset_list="demo_score_rollouts_plus_demos",
        takes_rollouts=True,
    ),
    RANDOM: Condition(
        label="Random subset, equal size",
        in_a_sentence="random of equal size",
        colour="#E69F00",
        trains_on="As many demonstrations as `curated_demos`, drawn at random",
        controls_for="Less data",
        choose=_at_random,
    ),
    "random_rollouts_plus_demos": Condition(
        label="Random, rollouts + demos",
        in_a_sentence="random rollouts + demos of equal size",
        colour="#CC79A7",
        trains_on="As many episodes as `curated_rollouts_plus_demos`, drawn at random from all demonstrations and all "
        "successful rollouts",
        controls_for="Successful rollouts as such",
        choose=_rollouts_plus_demos_at_random,
        takes_rollouts=True,
    ),
    "length_matched": Condition(
        label="Random subset, matched length",
        in_a_sentence="random of matched length",
        colour="#D55E00",
        trains_on="As many, at random, from each fifth of the lengths as the filter kept from it",
        controls_for="A filter that only prefers some lengths",
        choose=_of_matched_length,
    ),
    "oracle": Condition(
        label="Oracle (knows the strategies)",
        in_a_sentence="the oracle",
        colour="#009E73",
        trains_on="Demonstrations of the strategies in `final_policy.oracle`",
        controls_for="What perfect knowledge of the strategies gives",
        choose=_of_known_strategies,
    ),
}
FINAL = [name for name in CONDITIONS if name != BASE]  # those that final_policy.conditions may name
CONTROLS = {name: condition.control for name, condition in CONDITIONS.items() if condition.control}
# Of each list of the filter the condition that trains on it.
DATASET_LISTS = {condition.dataset_list: condition for condition in CONDITIONS.values() if condition.dataset_list}


def markdown_table() -> str:
    """What each condition trains on and controls for, for the documentation."""
    rows = [f"| `{name}` | {c.trains_on} | {c.controls_for} |" for name, c in CONDITIONS.items()]
    return "\n".join(["| Condition | Trains on | Controls for |", "|---|---|---|", *rows])
