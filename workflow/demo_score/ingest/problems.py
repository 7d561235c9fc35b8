"""What is wrong with recorded episodes, found before anything is learnt from them, one episode in memory at a time."""

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from demo_score.data.choices import CHOICES, REFUSE, SKIP
from demo_score.data.episodes import Episode
from demo_score.data.formats.aloha import LABELS, AlohaFolder
from demo_score.data.formats.base import DataSet
from demo_score.data.frames import Frames
from demo_score.data.labels import Label
from demo_score.data.rates import Stamps, judge, look_at
from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError
from demo_score.runtime.progress import progress_bar
from demo_score.runtime.stopping import check, polled

Visit = Callable[[int, Episode], None]
Shapes = dict[str, tuple[int, ...]]  # observation keys and "action" -> shape of one frame


@dataclass(frozen=True)
class Problem:
    """Something wrong, in one line."""

    file: Path  # of the data set, or of labels
    episode: int | None  # None: of the whole
    what: str

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.what}" if self.episode is None else f"{self.file} episode {self.episode}: {self.what}"
        )


@dataclass(frozen=True)
class Part:
    """Episodes of one data set, those of its observations that are used, and labels from outside."""

    dataset: DataSet
    episode_indices: Sequence[int]
    labels: Mapping[int, Label] | None = None
    labels_file: Path | None = None
    keys: Collection[str] | None = None  # None: all
    kind: str = ""  # episodes of one kind are of the same widths
    fps: float | None = None  # frames a second where the user says it, whatever the data set says


@dataclass
class _Look:
    """What was seen of one episode."""

    file: Path
    number: int
    wrong: list[str] = field(default_factory=list)
    shapes: Shapes = field(default_factory=dict)  # empty: not even these could be read
    digest: str = ""
    stamps: Stamps = field(default_factory=Stamps)


def settle(
    parts: Sequence[Part], choice: str, known: Sequence[Problem] = (), visit: Visit | None = None
) -> tuple[list[Part], list[Problem]]:
    """Look for problems and refuse the episodes that have any, or leave them out, telling of each on stderr.

    `known` problems, which the caller found, count too; `visit` as in `find_problems`. Returns as many parts, without
    the bad episodes, and the problems. Raises UserError where `choice` is "refuse" and there is a problem, and where
    "skip" leaves no episode at all.
    """
    if choice not in CHOICES:
        raise UserError(f"problems={choice}: unknown; choose one of: {', '.join(CHOICES)}")
    problems = list(dict.fromkeys([*find_problems(parts, visit=visit), *known]))
    for problem in problems:
        skipped = "skipped: " if problem.episode is not None else "ignored: "
        print(f"{skipped if choice == SKIP else ''}{problem}", file=sys.stderr)
    if problems and choice == REFUSE:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError(
            f"{count} in the data, listed above; fix the data, or leave them out (problems: skip, or --problems skip)"
        )
    kept = usable(parts, problems)
    if problems and not any(part.episode_indices for part in kept):
        raise UserError("every episode has a problem, listed above, so that none is left; fix the data")
    return kept, problems


def usable(parts: Sequence[Part], problems: Sequence[Problem]) -> list[Part]:
    """The parts without the episodes that have problems; a part may be left without any."""
    bad = {(problem.file, problem.episode) for problem in problems}
    return [
        replace(
            part, episode_indices=[number for number in part.episode_indices if (part.dataset.path, number) not in bad]
        )
        for part in parts
    ]


def find_problems(parts: Sequence[Part], images: bool = True, visit: Visit | None = None) -> list[Problem]:
    """All problems of some episodes, in their order.

    An episode is looked at whole, but for its images, of which the first and the last are read (not `images`: none).
    Its widths are compared with those of most episodes of its kind, and where it is the same as an earlier one it is
    the later that is named. `visit` is called with each episode that can be read, and its number. Raises UserError
    for an episode that is listed twice.
    """
    _check_given_once(parts)
    looks: list[list[_Look]] = []
    with polled(), progress_bar(sum(len(part.episode_indices) for part in parts), "checking", "episode") as progress:
        for part in parts:
            looks.append([])
            for number in part.episode_indices:
                looks[-1].append(_look(part, number, images, visit))
                progress.update()
                check()
    usual = {
        part.kind: _usual_shapes(
            [look for other, group in zip(parts, looks, strict=True) if other.kind == part.kind for look in group]
        )
        for part in parts
    }
    first: dict[str, _Look] = {}
    problems: list[Problem] = []
    for part, group in zip(parts, looks, strict=True):
        problems += [*_of_data_set(part), *_of_rates(part, group, parts)]
        for look in group:
            problems += [Problem(look.file, look.number, what) for what in _judge(look, usual[part.kind], first)]
    return list(dict.fromkeys(problems))  # parts may share a data set


def _check_given_once(parts: Sequence[Part]) -> None:
    seen: set[tuple[Path, int]] = set()
    for part in parts:
        path = part.dataset.path.resolve()
        for number in part.episode_indices:
            if (path, number) in seen:
                raise UserError(f"{part.dataset.path}: episode {number} is listed twice; list each episode once")
            seen.add((path, number))


def _of_data_set(part: Part) -> Iterator[Problem]:
    dataset, labels, labels_file = part.dataset, part.labels, part.labels_file
    if not dataset.episode_indices:
        yield Problem(dataset.path, None, "holds no episode")
    for number, what in dataset.contradictions():
        if number is None or number in part.episode_indices:
            yield Problem(dataset.path, number, what)
    if labels is None and isinstance(dataset, AlohaFolder):
        labels, labels_file = dataset.labels, dataset.path / LABELS
    if strangers := sorted(set(labels or ()) - set(dataset.episode_indices)):
        listed = ", ".join(map(str, strangers))
        yield Problem(labels_file or dataset.path, None, f"labels episodes that {dataset.path} does not have: {listed}")


def _of_rates(part: Part, looks: Sequence[_Look], parts: Sequence[Part]) -> Iterator[Problem]:
    """What is wrong with the time stamps of a part's episodes, or with its rate beside that of others."""
    dataset, declared = part.dataset, None if part.fps else part.dataset.fps
    for number, what in judge({look.number: look.stamps for look in looks if look.shapes}, declared):
        yield Problem(dataset.path, number, what)
    first = next((other.dataset for other in parts if other.dataset.fps), dataset)
    if declared and declared != first.fps:
        what = f"has {declared:g} frames a second, but {first.path} {first.fps:g}; take sources of one rate"
        yield Problem(dataset.path, None, what)


def _look(part: Part, number: int, images: bool, visit: Visit | None) -> _Look:
    path = part.dataset.path
    look = _Look(path, number)
    try:
        episode = next(part.dataset.read([number], part.keys))
    except UserError as error:
        look.wrong.append(_below(path, error))
        return look
    if visit is not None:
        visit(number, episode)
    if len(episode) < 2:
        look.wrong.append(f"has {len(episode)} frame{'' if len(episode) == 1 else 's'}: nothing to learn from")
        return look
    arrays = {ACTION: episode.actions, **episode.observations}
    look.shapes = {key: tuple(values.shape[1:]) for key, values in arrays.items()}
    look.stamps = look_at(episode.times, episode.frame_indices)
    numeric = {key: values for key, values in arrays.items() if _is_number(values)}
    for key in (key for key in arrays if key not in numeric and isinstance(arrays[key], np.ndarray)):
        look.wrong.append(f"{key} holds {arrays[key].dtype}, which are no real numbers")
    if broken := [key for key, values in numeric.items() if not np.isfinite(values).all()]:
        look.wrong.append(f"{' and '.join(broken)} hold{'s' * (len(broken) == 1)} NaN or infinite values")
    try:
        ends = {key: values[[0, -1]] for key, values in arrays.items() if images and isinstance(values, Frames)}
    except UserError as error:
        look.wrong.append(_below(path, error))
        return look
    look.digest = _digest(numeric if len(numeric) > 1 else numeric | ends)
    return look


def _is_number(values: np.ndarray | Frames) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind in "biuf"


def _below(path: Path, error: UserError) -> str:
    """A message without the data set's path, which stands before it."""
    return str(error).removeprefix(f"{path}: ").removeprefix(f"{path}/")


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """The same for the same numbers, of whatever type: formats keep them differently."""
    digest = hashlib.sha256()
    for key in sorted(arrays):
        digest.update(f"{key} {arrays[key].shape} ".encode())
        digest.update(np.ascontiguousarray(arrays[key], np.float64).tobytes())
    return digest.hexdigest()


def _usual_shapes(looks: Sequence[_Look]) -> dict[str, tuple[int, ...] | None]:
    """What most episodes have under each key, or None where most lack it; of equally many, the earlier."""
    known = [look.shapes for look in looks if look.shapes]
    keys = dict.fromkeys(key for shapes in known for key in shapes)
    return {key: Counter(shapes.get(key) for shapes in known).most_common(1)[0][0] for key in keys}


def _judge(look: _Look, usual: Mapping[str, tuple[int, ...] | None], first: dict[str, _Look]) -> list[str]:
    """What is wrong with an episode, seen beside the others. `first`: digest -> the first such, which is added to."""
    differing = [key for key in usual if look.shapes and look.shapes.get(key) != usual[key]]
    wrong = look.wrong + [_difference(key, look.shapes.get(key), usual[key]) for key in differing]
    if not wrong:
        same = first.setdefault(look.digest, look)
        if same is not look:
            wrong = [f"is the same as episode {same.number} of {same.file}"]
    return wrong


def _difference(key: str, shape: tuple[int, ...] | None, usual: tuple[int, ...] | None) -> str:
    if shape is None:
        return f"has no {key}, which most episodes have"
    if usual is None:
        return f"has {key}, which most episodes have not"
    return f"{key} has {_width(shape)}, but {_width(usual)} in most episodes"


def _width(shape: tuple[int, ...]) -> str:
    return f"width {shape[0]}" if len(shape) == 1 else f"shape {shape}"
