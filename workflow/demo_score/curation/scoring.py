"""Applying a classifier (step 4): score every demonstration and rollout, keep those above the threshold.

Published rule: Demo-SCORE (arXiv 2503.03707): an episode's score is the mean probability of success over its
frames; it is kept if the score is above the threshold; failed rollouts are never kept.
"""

import math
import os
import sys
from pathlib import Path
from typing import Self

import pandas as pd
import torch
from torch import Tensor

from demo_score.conditions import kept_demonstrations, kept_episodes
from demo_score.config.yaml_files import read_yaml
from demo_score.curation.choice import selection_of, trivial_choice
from demo_score.curation.classifiers import Architecture, Parameters
from demo_score.curation.features import check_outcomes_known, read_frames
from demo_score.curation.metrics import episode_means
from demo_score.curation.policy_features import open_features
from demo_score.curation.storage import load_description, load_member
from demo_score.curation.training import evaluation_logits
from demo_score.data.episodes import Episode
from demo_score.data.inputs import Standardization
from demo_score.data.lists import Entry, check_distinct, read_entries, write_list
from demo_score.observations import FEATURES
from demo_score.runtime.cores import available_threads
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import check_outputs
from demo_score.tables import SCORES

KEPT, BELOW, FAILED = "score above threshold", "score not above threshold", "failed rollout"


class Scorer:
    """One member of a sweep, and its threshold."""

    def __init__(self, path: Path, member: int, threshold: float, features_of: Path | None = None) -> None:
        self.threshold = threshold
        self.description = load_description(path)
        looks = FEATURES in self.description.inputs  # of several candidates it may be another that does
        self.features = open_features(self.description.inputs, features_of if looks else None)
        if self.features and self.features.digest != self.description.features_of:
            raise UserError(f"--features-of: {path} learned from another checkpoint's features than {features_of}'s")
        self.architecture: Architecture = self.description.build()
        self.parameters: Parameters
        self.standardization: Standardization
        self.parameters, self.standardization = load_member(path, member)

    @classmethod
    def chosen(cls, selection_path: Path, features_of: Path | None = None) -> Self:
        """The one that select_classifier.py chose."""
        return cls(*_read_selection(selection_path), features_of)

    def read(self, entries: list[Entry]) -> tuple[list[Episode], list[Tensor]]:
        """Episodes, and of each the frames (T, width) that the classifier sees."""
        return read_frames(entries, self.description.inputs, self.description.max_frames, self.features)

    def scores(self, frames: list[Tensor]) -> list[float]:
        """Mean probability of success of each episode's frames (T, width), dropout off."""
        samples, counts = self.architecture.samples([self.standardization(episode) for episode in frames])
        logits = evaluation_logits(self.architecture, self.parameters, samples)
        return episode_means(logits.sigmoid(), counts)[0].tolist()

    def rows(self, kind: str, entries: list[Entry]) -> list[dict]:
        """One row of the scores table for each of some episodes."""
        episodes, frames = self.read(entries)
        if kind == "rollout":
            check_outcomes_known(entries, episodes)
        self._check_widths(entries, frames)
        scored = zip(entries, episodes, self.scores(frames), strict=True)
        return [self._row(kind, entry, episode, score) for entry, episode, score in scored]

    def _check_widths(self, entries: list[Entry], frames: list[Tensor]) -> None:
        for entry, episode in zip(entries, frames, strict=True):
            if episode.shape[1] != len(self.standardization.mean):
                raise UserError(
                    f"{entry.file} episode {entry.episode}: {', '.join(self.description.inputs)} is "
                    f"{episode.shape[1]} wide but the classifier was trained on {len(self.standardization.mean)}; "
                    "score episodes of the task it was trained on"
                )

    def _row(self, kind: str, entry: Entry, episode: Episode, score: float) -> dict:
        reason = KEPT if score > self.threshold else BELOW
        if kind == "rollout" and not episode.success:
            reason = FAILED
        return {
            "kind": kind,
            "file": entry.file,
            "episode": entry.episode,
            "length": len(episode),
            "actor": (episode.strategy if kind == "demonstration" else episode.checkpoint) or "",
            "success": "" if episode.success is None else int(episode.success),
            "score": score,
            "kept": int(reason == KEPT),
            "reason": reason,
        }


def apply_filter(
    classifier: Path,
    demonstrations: Path,
    rollouts: list[Path],
    scores: Path,
    demos_only: Path,
    rollouts_plus_demos: Path,
    run_seed: int | None = None,
    must_choose: bool = False,
    features_of: Path | None = None,
) -> None:
    """Score all demonstrations and rollouts; write the scores table and both dataset lists.

    Demonstrations and rollouts are lists, episode tables or data sets. Prints how many of each strategy and
    checkpoint were kept, and warns when that is no demonstration, or every one: with `must_choose`, which is for lists
    that policies train on, nothing is written then. Raises UserError for that, and for bad files.
    `features_of`: the checkpoint that looks at the episodes, as in train_classifiers.
    """
    outputs = {"--scores": scores, "--demos-only": demos_only, "--rollouts-plus-demos": rollouts_plus_demos}
    check_outputs(outputs, [classifier, demonstrations, *rollouts])
    torch.set_num_threads(available_threads())
    scorer = Scorer.chosen(classifier, features_of)
    demonstration_entries = read_entries(demonstrations)
    if not demonstration_entries:
        raise UserError(f"{demonstrations}: lists no demonstration; there is nothing to filter")
    rollout_entries = [entry for path in rollouts for entry in read_entries(path)]
    check_distinct([*rollout_entries, *demonstration_entries])
    rows = scorer.rows("rollout", rollout_entries) + scorer.rows("demonstration", demonstration_entries)
    table = pd.DataFrame(rows).assign(seed=run_seed)
    _summarise(table, scorer.threshold, must_choose)
    write_list(demos_only, selection_of(kept_demonstrations(table)))
    write_list(rollouts_plus_demos, selection_of(kept_episodes(table)))
    _write_table(table, scores)


def _read_selection(path: Path) -> tuple[Path, int, float]:
    """File and number of the chosen member, and its threshold."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; select_classifier.py makes it")
    try:
        selection = read_yaml(path)
        file = Path(os.path.normpath(path.parent / selection["file"]))
        member, threshold = int(selection["member"]), float(selection["threshold"])
        if not math.isfinite(threshold):
            raise ValueError
        return file, member, threshold
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{path}: does not name a file, member and threshold; make it again with select_classifier.py"
        ) from None


def _write_table(table: pd.DataFrame, path: Path) -> None:
    folder = path.resolve().parent
    files = [Path(os.path.relpath(file.resolve(), folder)).as_posix() for file in table.file]
    SCORES.write(path, table.assign(file=files))


def _summarise(table: pd.DataFrame, threshold: float, must_choose: bool) -> None:
    for (kind, actor), rows in table.groupby(["kind", "actor"]):
        print(f"{kind} {actor or '(unnamed)'}: kept {rows.kept.sum()} of {len(rows)}")
    demonstrations = table[table.kind == "demonstration"]
    if problem := trivial_choice(demonstrations):
        low, high = demonstrations.score.min(), demonstrations.score.max()
        problem = f"{problem} (scores {low:.3f} to {high:.3f}, threshold {threshold:.3f})"
        if must_choose:
            raise UserError(problem)
        print(f"warning: {problem}", file=sys.stderr)
