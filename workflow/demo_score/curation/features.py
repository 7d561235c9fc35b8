"""What a classifier sees of an episode: the frames of its inputs, and which rollouts it learns from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from demo_score.curation.policy_features import PolicyFeatures
from demo_score.data.episodes import Episode
from demo_score.data.inputs import frames_of
from demo_score.data.lists import Entry, read_entries, read_entry_episodes
from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError


@dataclass
class Rollouts:
    """Rollouts as a classifier sees them."""

    frames: list[Tensor]  # one (T, width) float32 an episode
    success: Tensor  # (episodes,) bool


def read_frames(
    entries: list[Entry], inputs: list[str], max_frames: int | None, features: PolicyFeatures | None = None
) -> tuple[list[Episode], list[Tensor]]:
    """Read episodes and their frames, see `frames_of`. Widths must be the same.

    Nothing but `inputs` is read; of images what the policy of `features` looks at.
    """
    keys = None if features else [key for key in inputs if key != ACTION]
    episodes, frames = [], []
    for entry, episode in zip(entries, read_entry_episodes(entries, keys), strict=True):
        where = f"{entry.file} episode {entry.episode}"
        seen = features.added(episode, where) if features else episode
        episodes.append(episode)
        frames.append(frames_of(seen, inputs, max_frames, where))
    return episodes, frames


def read_rollouts(
    paths: list[Path],
    size: int | None,
    size_name: str,
    inputs: list[str],
    max_frames: int | None,
    features: PolicyFeatures | None = None,
) -> Rollouts:
    """Read `size` rollouts in total, as evenly from the files (lists, tables, data sets) as can be (None: all of them).

    Raises UserError when a file holds too few, an outcome is not known, or all rollouts have the same outcome.
    """
    listed = [read_entries(path) for path in paths]
    chosen = _choose(paths, [len(entries) for entries in listed], size, size_name)
    entries = [entries[index] for entries, indices in zip(listed, chosen, strict=True) for index in indices]
    episodes, frames = read_frames(entries, inputs, max_frames, features)
    check_outcomes_known(entries, episodes)
    success = torch.tensor([episode.success for episode in episodes])
    _check_outcomes(success, paths)
    return Rollouts(frames, success)


def check_outcomes_known(entries: list[Entry], episodes: list[Episode]) -> None:
    """Raise UserError for the first rollout that is neither success nor failure."""
    for entry, episode in zip(entries, episodes, strict=True):
        if episode.success is None:
            raise UserError(
                f"{entry.file} episode {entry.episode}: success or failure is not known; give a table with a column "
                "success (prepare_data.py makes it, from labels or success_reward)"
            )


def _choose(paths: list[Path], counts: list[int], size: int | None, size_name: str) -> list[list[int]]:
    """Positions in each list. The choice is a function of the numbers alone: all members share it."""
    if size is None:
        return [list(range(count)) for count in counts]
    shares = [size // len(paths) + (position < size % len(paths)) for position in range(len(paths))]
    for path, count, share in zip(paths, counts, shares, strict=True):
        if count < share:
            raise UserError(
                f"{path}: holds {count} rollouts but {size_name}={size} asks for {share} of each file; "
                f"set {size_name} to {min(counts) * len(paths)} or less, or collect more rollouts"
            )
    generator = np.random.default_rng(0)
    choices = [generator.choice(count, share, False) for count, share in zip(counts, shares, strict=True)]
    return [sorted(choice.tolist()) for choice in choices]


def _check_outcomes(success: Tensor, paths: list[Path]) -> None:
    names = ", ".join(str(path) for path in paths)
    if success.all():
        raise UserError(
            f"{names}: all {len(success)} rollouts used are successes, so a classifier cannot learn what fails; "
            "use an earlier checkpoint or more rollouts"
        )
    if not success.any():
        raise UserError(
            f"{names}: all {len(success)} rollouts used are failures, so a classifier cannot learn what succeeds; "
            "use a later checkpoint, train the base policy longer, or use more rollouts"
        )
