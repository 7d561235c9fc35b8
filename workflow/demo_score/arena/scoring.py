"""Scores of all demonstrations, by a method or from a table that some other program made."""

import json
import math
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from demo_score.config.models.base import Section
from demo_score.data.episodes import Episode, place
from demo_score.data.formats import open_dataset
from demo_score.data.lists import Entry, check_distinct, read_entries, read_entry_episodes
from demo_score.data.rates import agreed_rate
from demo_score.methods.base import CHECKPOINT, ENSEMBLE, FILTER, INFLUENCE, ROLLOUTS, Evidence, Method, Score
from demo_score.methods.registry import load, method_file
from demo_score.runtime.cores import limit_threads
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import check_outputs
from demo_score.simulators import simulator, simulator_in
from demo_score.tables import ARENA_SCORES, SCORES


@dataclass(frozen=True)
class Sources:
    """The files that evidence is read from; what a method does not need may be missing."""

    demonstrations: Path  # list, table or data set
    rollouts: Sequence[Path] = ()
    checkpoints: Sequence[Path] = ()  # folders
    influence: Path | None = None
    filter_scores: Path | None = None


def score_demonstrations(method: str, settings: dict, sources: Sources, seed: int, out: Path) -> int:
    """Write the scores that a method gives all demonstrations, and return of how many.

    seed: of the run, from which all that is drawn follows. Raises UserError for files that the method needs and has
    not, unknown settings, and scores that are not finite.
    """
    check_outputs({"--out": out}, [sources.demonstrations, *sources.rollouts])
    limit_threads()
    chosen = load(method)
    parsed = chosen.settings.checked(settings, f"arena.settings.{method}")
    entries = read_demonstrations(sources.demonstrations)
    evidence = read_evidence(chosen, entries, sources, seed)
    scores = _scores(chosen, method, evidence, parsed)
    write_scores(out, method, seed, entries, evidence.demonstrations, scores)
    return len(scores)


def _scores(chosen: Method, name: str, evidence: Evidence, settings: Section) -> list[float]:
    """A score of each demonstration. Raises UserError, with the place, for what goes wrong in the method's own file."""
    with own_mistakes(method_file(name)):
        scores = chosen.score(evidence, settings)
    if len(scores) != (n := len(evidence.demonstrations)):
        raise UserError(
            f"{name}: returns {len(scores)} scores of {n} demonstrations; return one of each, in their order"
        )
    return [_of_episode(chosen, name, *pair) for pair in zip(scores, evidence.demonstrations, strict=True)]


@contextmanager
def own_mistakes(file: Path) -> Iterator[None]:
    """Name the line of `file` in which an error was raised that is no UserError: whoever wrote it can mend it."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
        if not lines:
            raise
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: line {lines[-1]}: {type(error).__name__}: {reason}; correct the method") from error


def read_demonstrations(path: Path) -> list[Entry]:
    """All demonstrations that are listed. Raises UserError where none is, or one is twice."""
    entries = read_entries(path)
    if not entries:
        raise UserError(f"{path}: lists no demonstration; there is nothing to score")
    check_distinct(entries)
    return entries


def read_evidence(method: Method, entries: list[Entry], sources: Sources, seed: int) -> Evidence:
    """What a method needs of what there is. Raises UserError for what it needs and is not named."""
    _check_named(method.needs, sources)
    rollouts = [episode for path in sources.rollouts for episode in read_entry_episodes(read_entries(path))]
    if unknown := [episode for episode in rollouts if episode.success is None]:
        raise UserError(f"{unknown[0].origin[0]} episode {unknown[0].origin[1]}: a rollout that does not say success")
    return Evidence(
        demonstrations=list(read_entry_episodes(entries)),
        fps=_rate(entries),
        seed=seed,
        rollouts=rollouts,
        checkpoints=list(sources.checkpoints),
        influence=sources.influence,
        filter_scores=_filter_scores(sources.filter_scores, entries),
        effectors=_effectors(entries),
    )


def write_scores(
    out: Path, method: str, seed: int, entries: list[Entry], episodes: list[Episode], scores: list[float]
) -> None:
    """Write a table of scores; data sets are named relative to it. Raises UserError for scores that are not finite."""
    rows = [
        {
            "seed": seed,
            "method": method,
            "file": Path(os.path.relpath(entry.file.resolve(), out.resolve().parent)).as_posix(),
            "episode": entry.episode,
            "length": len(episode),
            "actor": episode.strategy or "",
            "score": score,
        }
        for entry, episode, score in zip(entries, episodes, scores, strict=True)
    ]
    for row, entry in zip(rows, entries, strict=True):
        if not math.isfinite(row["score"]):
            raise UserError(f"{method}: the score of {entry.file} episode {entry.episode} is {row['score']}, no number")
    ARENA_SCORES.write(out, rows)


def _check_named(needs: frozenset[str], sources: Sources) -> None:
    options = {
        ROLLOUTS: ("--rollouts", sources.rollouts),
        CHECKPOINT: ("--checkpoints", sources.checkpoints),
        ENSEMBLE: ("--checkpoints", sources.checkpoints),
        INFLUENCE: ("--influence", sources.influence),
        FILTER: ("--filter-scores", sources.filter_scores),
    }
    for need in sorted(needs):
        option, given = options[need]
        if not given:
            raise UserError(f"the method needs the {need}; give {option}")


def _of_episode(method: Method, name: str, score: Score, episode: Episode) -> float:
    if not isinstance(score, np.ndarray):
        return float(score)
    if score.shape != (len(episode),):
        raise UserError(
            f"{name}: gives {place(episode)} scores of shape {score.shape}; return a number, or one of each of its "
            f"{len(episode)} frames"
        )
    return float(method.aggregate(score))


def _rate(entries: list[Entry]) -> float:
    datasets = [open_dataset(file) for file in dict.fromkeys(entry.file for entry in entries)]
    return agreed_rate(datasets)


def _filter_scores(path: Path | None, entries: list[Entry]) -> list[float]:
    """The filter's score of each entry. Raises UserError where it has none."""
    if path is None:
        return []
    table = SCORES.read(path, ["kind", "file", "episode", "score"])
    table = table[table["kind"] == "demonstration"]
    files = [(path.parent / file).resolve() for file in table["file"]]
    scores = dict(zip(zip(files, table["episode"], strict=True), table["score"], strict=True))
    keys = [(entry.file.resolve(), entry.episode) for entry in entries]
    if missing := [key for key in keys if key not in scores]:
        raise UserError(f"{path}: has no score of {missing[0][0]} episode {missing[0][1]}; apply the filter again")
    return [float(scores[key]) for key in keys]


def _effectors(entries: list[Entry]) -> Callable[[Episode], np.ndarray] | None:
    """Where hands or pusher are, where the demonstrations' simulator is known and the same for all."""
    settings = {json.dumps(open_dataset(file).env_args()) for file in dict.fromkeys(entry.file for entry in entries)}
    first = json.loads(settings.pop())
    if settings or not simulator(simulator_in(first)).effectors:
        return None

    @cache
    def positions() -> Callable[[Episode], np.ndarray]:
        from demo_score.demonstrations.paths import effector_positions  # the simulator, made only where it is asked for

        return effector_positions(first)

    return lambda episode: positions()(episode)
