"""From any source of episodes to any format that is written: our own robomimic files, LeRobot, ALOHA."""

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from demo_score.data.choices import ACT, FORMATS, REFUSE
from demo_score.data.episodes import Episode
from demo_score.data.formats import LISTS, open_dataset
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.base import DataSet, say_notes
from demo_score.data.formats.lerobot_writer import write_lerobot
from demo_score.data.formats.robomimic import RobomimicFile, write_episodes
from demo_score.data.labels import Label, read_labels
from demo_score.data.lists import Entry, read_entries, read_entry_episodes, select
from demo_score.data.rates import agreed_rate
from demo_score.ingest.left_out import Seen, agreed_description, names_of, say_left_out
from demo_score.ingest.problems import Part, settle
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import check_writable
from demo_score.runtime.progress import progress_bar


def import_data(
    source: Path,
    out: Path,
    indices: list[int] | None = None,
    filter_key: str | None = None,
    labels: Path | None = None,
    keys: Collection[str] | None = None,
    problems: str = REFUSE,
    aloha_jpeg: str = ACT,
) -> int:
    """Write episodes of a source, dataset list or episode table to one of our files; returns how many.

    Of a single source: only the episodes `indices`, or those of a robomimic filter key; `labels`: a labels.csv, which
    holds where the source says otherwise. `keys`: observations. `problems` as in `settle`, `aloha_jpeg` as in
    `open_dataset`. Raises UserError, too, for an `out` that is the source.
    """
    check_writable(out)
    if (indices, filter_key, labels) != (None, None, None) and _is_list(source):
        raise UserError(
            f"{source}: a list says itself which episodes; choose episodes and give labels of a data set, or write an "
            "episode table"
        )
    if filter_key is not None:
        indices = masked_episodes(open_dataset(source), filter_key)
    entries, parts = _gather(source, out, indices, labels, keys, aloha_jpeg)
    env_args = _env_args(parts[0].dataset, agreed_rate([part.dataset for part in parts]))
    seen = _seen(entries)
    entries = _without_problems(entries, parts, problems, seen)
    say_left_out([part.dataset for part in parts], "robomimic", seen, ())
    write_episodes(out, _read(entries, keys, aloha_jpeg), env_args)
    return len(entries)


def export_data(
    source: Path,
    out: Path,
    to: str,
    fps: float | None = None,
    images: str = "video",
    codec: str = "libsvtav1",
    sim: bool = False,
    problems: str = REFUSE,
    aloha_jpeg: str = ACT,
) -> int:
    """Write all episodes of a source, dataset list or episode table in the format `to`; returns how many.

    `fps` (frames a second) is needed for LeRobot where no source tells, and holds where one tells otherwise; `images`
    and `codec` as in `write_lerobot`, `sim` as in `write_aloha`, `problems` as in `settle`,
    `aloha_jpeg` as in `open_dataset`. Raises UserError, too, for an `out` that is a source.
    """
    if to not in FORMATS:
        raise UserError(f"format {to}: unknown; choose one of: {', '.join(FORMATS)}")
    check_writable(out, folder=to != "robomimic")
    entries, parts = _gather(source, out, aloha_jpeg=aloha_jpeg)
    rate = agreed_rate([part.dataset for part in parts], fps)
    parts = [replace(part, fps=fps) for part in parts]
    if to == "lerobot" and rate is None:
        raise UserError(f"{source}: does not tell how many frames a second it has; give --fps N")
    seen, datasets = _seen(entries), [part.dataset for part in parts]
    entries = _without_problems(entries, parts, problems, seen)
    known = agreed_description(datasets) if to == "lerobot" else {}
    say_left_out(datasets, to, seen, known)
    episodes = _read(entries, aloha_jpeg=aloha_jpeg)
    if to == "lerobot":
        partly = _say_partly(out, seen.partly(entries))
        about = {"robot_type": known.get("robot_type"), "names": names_of(known), "without": partly}
        write_lerobot(out, episodes, rate, images=images, codec=codec, **about)
    elif to == "aloha":
        write_aloha(out, episodes, sim)
    else:
        write_episodes(out, episodes, _env_args(parts[0].dataset, rate))
    return len(entries)


def _say_partly(out: Path, partly: dict[str, str]) -> dict[str, str]:
    for column, what in partly.items():
        print(f"{out}: without the column {column}: {what}", file=sys.stderr)
    return partly


def masked_episodes(dataset: DataSet, filter_key: str) -> list[int]:
    """The episodes of a robomimic file's filter key. Raises UserError where there is none such."""
    if not isinstance(dataset, RobomimicFile):
        raise UserError(f"{dataset.path}: filter keys are robomimic's, and this is {dataset.format}; remove filter_key")
    return dataset.filtered(filter_key)


def _is_list(source: Path) -> bool:
    return source.suffix in LISTS and not source.is_dir()


def _gather(
    source: Path,
    out: Path,
    indices: list[int] | None = None,
    labels_file: Path | None = None,
    keys: Collection[str] | None = None,
    aloha_jpeg: str = ACT,
) -> tuple[list[Entry], list[Part]]:
    """The episodes of a source (`indices`: only these), with what `labels_file` tells, one by one and by data set."""
    entries = _entries(source, indices)
    parts = []
    for path, listed in select(entries).items():
        dataset = open_dataset(path, aloha_jpeg=aloha_jpeg)
        _check_out(out, path)
        _check_keys(dataset, keys)
        labels = read_labels(labels_file, dataset.episode_indices) if labels_file else None
        entries = [_labelled(entry, labels) for entry in entries]
        parts.append(Part(dataset, listed, labels, labels_file, keys))
    say_notes([part.dataset for part in parts])
    return entries, parts


def _entries(source: Path, indices: list[int] | None) -> list[Entry]:
    if _is_list(source):
        entries = read_entries(source)
    else:
        dataset = open_dataset(source)
        entries = [Entry(source, number) for number in (dataset.episode_indices if indices is None else indices)]
    if not entries:
        raise UserError(f"{source}: selects no episode, or holds none; there is nothing to write")
    return entries


def _check_out(out: Path, source: Path) -> None:
    if source.resolve() in (out.resolve(), *out.resolve().parents):
        raise UserError(f"{out}: lies where {source} is, which is not to be changed; choose another place")


def _check_keys(dataset: DataSet, keys: Collection[str] | None) -> None:
    have = dataset.features() if keys else {}
    if missing := [key for key in keys or () if key not in have]:
        raise UserError(f"{dataset.path}: has no {missing[0]}; choose from: {', '.join(sorted(have))}")


def _labelled(entry: Entry, labels: Mapping[int, Label] | None) -> Entry:
    label = (labels or {}).get(entry.episode)
    return replace(entry, success=label.success, checkpoint=label.checkpoint) if label else entry


def _seen(entries: Sequence[Entry]) -> Seen:
    return Seen({(entry.file, entry.episode): entry for entry in entries})


def _without_problems(entries: Sequence[Entry], parts: Sequence[Part], problems: str, seen: Seen) -> list[Entry]:
    settled = settle(parts, problems, visit=seen.visit)[0]
    kept = {(part.dataset.path, number) for part in settled for number in part.episode_indices}
    return [entry for entry in entries if (entry.file, entry.episode) in kept]


def _read(entries: Sequence[Entry], keys: Collection[str] | None = None, aloha_jpeg: str = ACT) -> Iterator[Episode]:
    """One episode at a time; their images stay where they are until they are read."""
    episodes = read_entry_episodes(entries, keys, aloha_jpeg=aloha_jpeg)
    with progress_bar(len(entries), "writing", "episode") as progress:
        for episode in episodes:
            yield episode
            progress.update()


def _env_args(dataset: DataSet, rate: float | None) -> dict:
    """What a robomimic file says of its environment, of others the name; and the rate where it is another."""
    if env_args := dataset.env_args():
        return env_args | ({"fps": rate} if rate != dataset.fps else {})
    path = dataset.path.resolve()
    return {"env_name": path.stem if path.is_file() else path.name} | ({"fps": rate} if rate else {})
