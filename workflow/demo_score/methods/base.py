"""What a curation method is: the contract that each file of this folder keeps, and docs/arena.md explains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demo_score.config.models.base import Section
from demo_score.data.episodes import Episode

# What a method may ask for beside demonstrations.
ROLLOUTS = "rollouts"  # labelled rollouts of several checkpoints of the base policy
CHECKPOINT = "checkpoint"  # the base policy as its training ended
ENSEMBLE = "ensemble"  # the base policy at every checkpoint that was rolled out
INFLUENCE = "influence"  # of each demonstration's frames on each rollout's, see methods/influence.py
FILTER = "filter"  # the scores of Demo-SCORE's own filter
NEEDS = (ROLLOUTS, CHECKPOINT, ENSEMBLE, INFLUENCE, FILTER)

Score = float | np.ndarray  # of an episode, or (T,) of its frames; higher is better


@dataclass(frozen=True)
class Evidence:
    """What is known when demonstrations are scored. What a method does not ask for is empty."""

    demonstrations: list[Episode]  # in the order in which scores are returned
    fps: float  # control steps a second
    seed: int  # of all that a method draws
    rollouts: Sequence[Episode] = ()  # each with its success and its checkpoint
    checkpoints: Sequence[Path] = ()  # folders of the base policy, the last as its training ended
    influence: Path | None = None  # file
    filter_scores: Sequence[float] = ()
    # Positions (T, effectors, dimensions) of hands or pusher in an episode, where the simulator is known.
    effectors: Callable[[Episode], np.ndarray] | None = None


class NoSettings(Section):
    """Those of a method that has none."""


@dataclass(frozen=True)
class Method:
    """A way to score demonstrations.

    `score(evidence, settings)` returns a score for each demonstration, or an array (T,) of its frames' scores, which
    `aggregate` makes one of. The same evidence and settings give the same bits. Raises UserError where the evidence
    does not suffice.
    """

    source: str  # paper, equation, upstream file
    score: Callable[[Evidence, Any], list[Score]]
    needs: frozenset[str] = frozenset()  # of NEEDS
    settings: type[Section] = NoSettings  # a text below each says what it is
    differs: str = ""  # from the source, and why
    aggregate: Callable[[np.ndarray], float] = np.mean
