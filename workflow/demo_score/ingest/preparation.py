"""Demonstrations and rollouts that somebody else recorded: from what config.yaml says of them to checked tables."""

import math
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from demo_score.config.models.user_data import UserData
from demo_score.config.yaml_files import read_yaml
from demo_score.data.choices import REFUSE
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.base import DataSet
from demo_score.data.formats.hub import download
from demo_score.data.formats.lerobot_folders import resolve_dataset
from demo_score.data.formats.robomimic import RobomimicFile
from demo_score.data.labels import read_labels
from demo_score.data.lists import Entry, write_table
from demo_score.ingest.conversion import masked_episodes
from demo_score.ingest.problems import Part, Problem, settle
from demo_score.ingest.user_data import PLACE, check_places
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import check_writable
from demo_score.tables import PROBLEMS

VALID = "valid"  # robomimic's filter key of the episodes on which it does not train


def read_data_settings(path: Path) -> dict:
    """The settings of user-supplied data in a YAML file. Raises UserError where it cannot be read."""
    return read_yaml(path)


def prepare_data(settings: dict, out: Path, where: str = "data", content: str | None = None) -> None:
    """Check user-supplied data and write tables of the episodes to use below `out`.

    demonstrations/all.csv, rollouts/<checkpoint>.csv, and problems.csv: what was wrong and is left out
    (`problems: skip`). `where` stands in errors for the settings; `content` as in `write_table`. Raises UserError for
    problems otherwise, for data that cannot be opened, and where no episode is left of a checkpoint.
    """
    check_writable(out, folder=True)
    UserData.checked(settings, where)
    check_places(settings, where)
    groups = [_demonstrations(name, source) for name, source in settings.get("demonstrations", {}).items()]
    for index, checkpoint in enumerate(settings.get("rollouts", {}).get("eps", [])):
        groups.append(_rollouts(checkpoint, settings["rollouts"], first=index == 0))
    known = [problem for group in groups for problem in group.problems]
    parts, problems = settle([group.part for group in groups], settings.get("problems", REFUSE), known)
    for table, entries in _tables(groups, parts).items():
        write_table(out / table, entries, content)
        print(f"{table}: {len(entries)} episodes, {_outcomes(entries)}")
    for dataset in {part.dataset.path: part.dataset for part in parts}.values():
        if not_read := dataset.not_read():
            print(f"{dataset.path}: not read: {', '.join(not_read)}")
    rows = [(problem.file, problem.episode, problem.what) for problem in problems]
    PROBLEMS.write(
        out / "problems.csv", pd.DataFrame(rows, columns=list(PROBLEMS.columns)).astype({"episode": "Int64"})
    )


@dataclass
class _Group:
    """Episodes of one data set that go into one table."""

    table: str
    part: Part
    entries: dict[int, Entry]
    problems: list[Problem]


def _tables(groups: list[_Group], parts: list[Part]) -> dict[str, list[Entry]]:
    """The entries of what passed, by the name of their table."""
    tables: dict[str, list[Entry]] = {}
    for group, part in zip(groups, parts, strict=True):
        if not part.episode_indices:
            raise UserError(f"{part.dataset.path}: no episode is left for {group.table}; see the problems above")
        tables.setdefault(group.table, []).extend(group.entries[number] for number in part.episode_indices)
    return tables


def _demonstrations(strategy: str, source: dict[str, Any]) -> _Group:
    part, episodes = _open(source, "demonstrations")
    entries = {
        number: Entry(part.dataset.path, number, _success(number, part, episode, None), strategy=strategy)
        for number, episode in episodes.items()
    }
    return _Group("demonstrations/all.csv", part, entries, [])


def _rollouts(checkpoint: str, source: dict[str, Any], first: bool) -> _Group:
    """The rollouts of one checkpoint: a data set of its own, or those of a common one that name it.

    What names none, or cannot be read, of a common one goes with the `first` checkpoint's, to be reported once.
    """
    own = any(PLACE in source.get(key, "") for key in ("path", "repo_id", "file", "filter_key"))
    part, episodes = _open({key: _filled(value, checkpoint) for key, value in source.items()}, "rollouts")
    path, problems, entries = part.dataset.path, [], {}
    acting = {number: checkpoint if own else _acting(number, part, episode) for number, episode in episodes.items()}
    if acting and not any(acting.values()):
        raise UserError(
            f"{path}: no rollout says which checkpoint acted; add {PLACE} to rollouts.path (a data set each), or a "
            "column or attribute checkpoint to the data or to labels"
        )
    for number in (number for number in acting if acting[number] == checkpoint):
        success = _success(number, part, episodes[number], source.get("success_reward"))
        entries[number] = Entry(path, number, success, checkpoint)
        if success is None:
            what = "success or failure is not known; give labels, or success_reward where rewards tell"
            problems.append(Problem(path, number, what))
    strays = [number for number in part.episode_indices if acting.get(number) is None]
    for number in (number for number in strays if number in acting):
        problems.append(Problem(path, number, "names no checkpoint (column or attribute checkpoint, or in labels)"))
    others = Counter(name for name in acting.values() if name not in (None, *source["eps"]))
    if not entries and not strays:
        there = ", ".join(sorted(set(acting.values())))
        raise UserError(
            f"{path}: holds no rollout of checkpoint {checkpoint} but of {there}; set rollouts.eps to these"
        )
    if others and first:
        print(f"{path}: {others.total()} rollouts of checkpoints not in rollouts.eps left aside: {', '.join(others)}")
    wanted = sorted({*entries, *(strays if own or first else [])})
    return _Group(f"rollouts/{checkpoint}.csv", replace(part, episode_indices=wanted), entries, problems)


def _acting(number: int, part: Part, episode: Episode) -> str | None:
    """The checkpoint that labels, or the data set, name."""
    label = (part.labels or {}).get(number)
    return (label and label.checkpoint) or episode.checkpoint


def _filled(value: Any, checkpoint: str) -> Any:
    return value.replace(PLACE, checkpoint) if isinstance(value, str) else value


def _open(source: dict[str, Any], kind: str) -> tuple[Part, dict[int, Episode]]:
    """A source's episodes; and without their observations those that can be read."""
    dataset = open_dataset(_found(source))
    indices = masked_episodes(dataset, source["filter_key"]) if "filter_key" in source else dataset.episode_indices
    _say_held_out(dataset, source.get("filter_key"), indices)
    file = Path(source["labels"]) if "labels" in source else None
    labels = read_labels(file, dataset.episode_indices) if file else None
    part = Part(dataset, indices, labels, file, kind=kind)
    episodes = {}
    for number in indices:
        with suppress(UserError):  # which looking for problems finds again
            episodes[number] = next(dataset.read([number], []))
    return part, episodes


def _say_held_out(dataset: DataSet, filter_key: str | None, indices: list[int]) -> None:
    """A line where episodes are taken that a robomimic file keeps for validation."""
    masks = dataset.filter_keys() if isinstance(dataset, RobomimicFile) else {}
    if held_out := set(indices) & set(masks.get(VALID, [])):
        train = f"{filter_key}_train" if filter_key else "train"
        instead = f"; filter_key: {train} leaves them out" if train in masks else ""
        print(f"{dataset.path}: {len(held_out)} of {len(indices)} episodes are in its mask {VALID}{instead}")


def _found(source: dict[str, Any]) -> str | Path:
    """Where the data of a source lie; downloaded, perhaps."""
    if "path" in source:
        return source["path"]
    if "file" in source:
        return download(source["repo_id"], "repo_id", source["file"])
    return resolve_dataset(source["repo_id"], "repo_id")


def _success(number: int, part: Part, episode: Episode, success_reward: float | None) -> bool | None:
    """By labels, else as the data set says, else where the last reward is at least `success_reward`."""
    if part.labels and number in part.labels:
        return part.labels[number].success
    if episode.success is not None or success_reward is None or not len(episode) or episode.rewards is None:
        return episode.success
    last = float(episode.rewards[-1])
    return None if math.isnan(last) else last >= success_reward


def _outcomes(entries: list[Entry]) -> str:
    counts = Counter(entry.success for entry in entries)
    return f"{counts[True]} successes, {counts[False]} failures, {counts[None]} unknown"
