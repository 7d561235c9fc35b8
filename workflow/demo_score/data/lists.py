"""Dataset-list files (`datasets_file=`): one line a source, `<path> <episode>,<episode>,...`.

A source is one of our episode files, or the folder of a LeRobot data set.
A path is looked for relative to the list's own folder, then to the working directory, then from the root:
the published lists leave out the leading slash. Paths may hold spaces: the episodes follow the last one.
Source: Demo-SCORE, common/datasets/factory.py.
"""

import os
from pathlib import Path

from demo_score.data.episodes import count_episodes
from demo_score.data.lerobot_folders import count_lerobot_episodes, is_lerobot
from demo_score.errors import UserError
from demo_score.files import write_text

Selection = dict[Path, list[int]]  # source -> episode numbers, in the order of the list


def write_list(path: str | Path, selection: Selection) -> None:
    """Write a list; sources of which nothing is selected are left out. Paths are stored relative to the list."""
    folder = Path(path).resolve().parent
    lines = [
        f"{Path(os.path.relpath(source.resolve(), folder)).as_posix()} {','.join(map(str, episodes))}\n"
        for source, episodes in selection.items()
        if episodes
    ]
    write_text(path, "".join(lines))


def all_episodes(paths: list[Path]) -> Selection:
    """Every episode of some sources."""
    return {path: list(range(_count(path))) for path in paths}


def _count(path: Path) -> int:
    return count_lerobot_episodes(path) if path.is_dir() else count_episodes(path)


def read_list(path: str | Path) -> Selection:
    """Read a list file, or take a source itself as the list of all of its episodes.

    Raises UserError for a missing or malformed list or a source that cannot be found.
    """
    path = Path(path)
    if not path.is_file() and not is_lerobot(path):
        raise UserError(f"{path}: no such dataset list; set +datasets_file=LIST.txt to an existing one")
    if path.suffix != ".txt" or path.is_dir():
        return all_episodes([path])
    selection: Selection = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            source, episodes = _parse_line(path, number, line)
            if source in selection:
                raise UserError(f"{path}:{number}: {source} is listed twice; put all its episodes on one line")
            selection[source] = episodes
    return selection


def _parse_line(path: Path, number: int, line: str) -> tuple[Path, list[int]]:
    name, _, numbers = line.strip().rpartition(" ")
    try:
        episodes = [int(text) for text in numbers.split(",")]
    except ValueError:
        episodes = []
    if not name or not episodes or min(episodes) < 0 or len(set(episodes)) < len(episodes):
        raise UserError(f"{path}:{number}: expected '<path> <episode>,<episode>,...' with distinct numbers from 0")
    for candidate in (path.parent / name, Path(name), Path("/") / name):
        if candidate.is_file() or is_lerobot(candidate):
            return Path(os.path.normpath(candidate)), episodes
    raise UserError(f"{path}:{number}: cannot find {name} beside the list, here, or from the root")
