"""Which episodes: dataset lists, episode tables, or whole data sets.

A dataset list (`datasets_file=`, .txt) has one line a source, `<path> <episode>,<episode>,...`. An episode table
(.csv) has one row an episode, with what is known of it where the source itself does not tell: file, episode, success,
checkpoint, strategy. A source is anything that `open_dataset` opens. In a list, a path is looked for relative to the
list's own folder, then to the working directory, then from the root: the published lists leave out the leading slash.
Paths may hold spaces: the episodes follow the last one. Source: Demo-SCORE, common/datasets/factory.py.
"""

import csv
import io
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import groupby
from pathlib import Path

from demo_score.data.episodes import Episode
from demo_score.data.formats import is_dataset, open_dataset
from demo_score.data.values import checkpoint_name, text, truth, whole_number
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path, read_text, write_text
from demo_score.tables import EPISODES

Selection = dict[Path, list[int]]  # source -> episode numbers, in the order of the list


@dataclass(frozen=True)
class Entry:
    """An episode of a list or table, and what a table tells of it (None: what the source tells holds)."""

    file: Path
    episode: int
    success: bool | None = None
    checkpoint: str | None = None
    strategy: str | None = None

    def complete(self, episode: Episode) -> Episode:
        """The episode as read from its source, with what the table tells."""
        known = {name: getattr(self, name) for name in _KNOWN if getattr(self, name) is not None}
        return replace(episode, **known)


_COLUMNS = list(EPISODES.columns)
_KNOWN = [name for name in _COLUMNS if name not in EPISODES.key]
_READERS = {"episode": whole_number, "success": truth, "checkpoint": checkpoint_name, "strategy": text}
_NUMBER = "[0-9]{1,18}"
# A path, which may hold blanks, and numbers: as lists are written, and as people write them. The first that names a
# source holds, as a path may end in a number and a comma.
_FORMS = [
    re.compile(rf"(.*\S)\s+({_NUMBER}(?:,{_NUMBER})*)"),
    re.compile(rf"(.*?\S)\s+({_NUMBER}(?:\s*,\s*{_NUMBER})*)"),
]


def count_episodes(selection: Selection) -> str:
    """How many a list holds, in words."""
    n_sets = len(selection)
    return f"{sum(map(len, selection.values()))} episodes of {n_sets} data set{'' if n_sets == 1 else 's'}"


def write_list(path: str | Path, selection: Selection) -> None:
    """Write a list; sources of which nothing is selected are left out. Paths are stored relative to the list."""
    lines = [
        f"{_relative(source, Path(path))} {','.join(map(str, episodes))}\n"
        for source, episodes in selection.items()
        if episodes
    ]
    write_text(path, "".join(lines))


def write_table(path: str | Path, entries: Iterable[Entry], content: str | None = None) -> None:
    """Write an episode table; paths are stored relative to it.

    `content`: a last column, which stands for what the sources held: the table is another one where they are.
    """
    more = {} if content is None else {"content": content}
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_COLUMNS, *more])
        for entry in entries:
            success = None if entry.success is None else int(entry.success)
            row = astuple(replace(entry, file=_relative(entry.file, Path(path)), success=success))
            writer.writerow([*row, *more.values()])


def _relative(source: Path, path: Path) -> str:
    return Path(os.path.relpath(source.resolve(), path.resolve().parent)).as_posix()


def all_episodes(paths: list[Path]) -> Selection:
    """Every episode of some sources."""
    return {path: open_dataset(path).episode_indices for path in paths}


def read_list(path: str | Path) -> Selection:
    """Read a list or table, or take a source itself as the list of all of its episodes.

    Raises UserError for a missing or malformed list or a source that cannot be found.
    """
    path = Path(path)
    if path.suffix == ".csv":
        return select(read_table(path))
    if not is_dataset(path):
        raise UserError(f"{path}: no such dataset list; give an existing one (in training: +datasets_file=LIST.txt)")
    if path.suffix != ".txt" or path.is_dir():
        return all_episodes([path])
    selection: Selection = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            source, episodes = _parse_line(path, number, line)
            if source in selection:
                raise UserError(f"{path}:{number}: {source} is listed twice; put all its episodes on one line")
            selection[source] = episodes
    return selection


def read_entries(path: str | Path) -> list[Entry]:
    """The episodes of a list, table or source, one after another; errors as those of `read_list`."""
    path = Path(path)
    if path.suffix == ".csv":
        return read_table(path)
    return [Entry(file, episode) for file, episodes in read_list(path).items() for episode in episodes]


def read_table(path: Path) -> list[Entry]:
    """Read an episode table. Raises UserError naming the line that is wrong."""
    if not path.is_file():
        raise UserError(f"{path}: no such episode table; prepare_data.py makes some (docs/data.md)")
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        if missing := [name for name in ("file", "episode") if name not in (reader.fieldnames or [])]:
            raise UserError(f"{path}: has no column {missing[0]}; expected the columns {', '.join(_COLUMNS)}")
        entries = [_parse_row(path, number, row) for number, row in enumerate(reader, start=2)]
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not a CSV table ({error}); fix the quotes") from None
    seen: set[tuple[Path, int]] = set()
    for number, entry in enumerate(entries, start=2):
        if (entry.file, entry.episode) in seen:
            raise UserError(f"{path}:{number}: episode {entry.episode} of {entry.file} is listed twice")
        seen.add((entry.file, entry.episode))
    return entries


def select(entries: Iterable[Entry]) -> Selection:
    """The entries' episodes, by source."""
    selection: Selection = {}
    for entry in entries:
        selection.setdefault(entry.file, []).append(entry.episode)
    return selection


def read_entry_episodes(
    entries: Sequence[Entry], keys: Collection[str] | None = None, **options: str
) -> Iterator[Episode]:
    """The episodes of `entries`, with observations `keys` (None: all) and what the table tells of them.

    `options`: of `open_dataset`.
    """
    for file, group in groupby(entries, key=lambda entry: entry.file):
        listed = list(group)
        episodes = open_dataset(file, **options).read([entry.episode for entry in listed], keys)
        for entry, episode in zip(listed, episodes, strict=True):
            yield entry.complete(episode)


def check_distinct(entries: Iterable[Entry]) -> None:
    """Raise UserError for the first episode that comes twice, through whichever list, table or link."""
    seen: set[tuple[Path, int]] = set()
    for entry in entries:
        episode = entry.file.resolve(), entry.episode
        if episode in seen:
            raise UserError(f"{entry.file} episode {entry.episode}: is listed twice; list it once")
        seen.add(episode)


def _parse_row(path: Path, number: int, row: dict[str, str]) -> Entry:
    known = {name: read(row.get(name), f"{path}:{number}: {name}") for name, read in _READERS.items()}
    if known["episode"] is None or not row["file"]:
        raise UserError(f"{path}:{number}: expected a file and an episode's number from 0")
    return Entry(_find(path, number, row["file"]), **known)


def _parse_line(path: Path, number: int, line: str) -> tuple[Path, list[int]]:
    matches = [match for form in _FORMS if (match := form.fullmatch(line.strip()))]
    readings = [(match[1], [int(episode) for episode in match[2].split(",")]) for match in matches]
    if not readings or any(len(set(episodes)) < len(episodes) for _, episodes in readings):
        raise UserError(f"{path}:{number}: expected '<path> <episode>,<episode>,...' with distinct numbers from 0")
    for name, episodes in readings:
        if source := _place(path, name):
            return source, episodes
    return _find(path, number, readings[-1][0]), readings[-1][1]


def _find(path: Path, number: int, name: str) -> Path:
    if source := _place(path, name):
        return source
    raise UserError(f"{path}:{number}: cannot find {name} beside the list, here, or from the root")


def _place(path: Path, name: str) -> Path | None:
    candidates = (path.parent / name, Path(name), Path("/") / name)
    return next((Path(os.path.normpath(candidate)) for candidate in candidates if is_dataset(candidate)), None)
