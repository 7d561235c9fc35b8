"""What a data set holds, for whoever has not seen it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.robomimic import RobomimicFile
from demo_score.data.frames import Frames
from demo_score.data.labels import read_labels
from demo_score.data.lists import Entry
from demo_score.data.videos import VideoFrames
from demo_score.ingest.problems import Part, Problem, find_problems
from demo_score.observations import ACTION

OUTCOMES = {True: "successes", False: "failures", None: "unknown"}


@dataclass(frozen=True)
class Frame:
    """One frame of what is stored under a key."""

    shape: tuple[int, ...]
    dtype: str  # of numbers; of cameras video or image


@dataclass(frozen=True)
class Lengths:
    """Frames of the episodes that can be read; all 0 where there is none."""

    total: int = 0
    shortest: int = 0
    median: float = 0
    longest: int = 0


@dataclass(frozen=True)
class Inspection:
    """What there is; what is known of episodes is counted in episodes."""

    path: Path
    format: str
    version: str | None
    fps: float | None  # frames a second
    env_name: str | None
    episodes: int
    frames: Lengths
    keys: dict[str, Frame]  # as most episodes have them
    success: dict[str, int]  # of OUTCOMES
    checkpoints: dict[str, int]
    strategies: dict[str, int]
    tasks: dict[str, int]
    filter_keys: dict[str, int]  # of robomimic files
    not_read: list[str]  # what there is besides, which is named, not read
    notes: list[str]  # what cannot be known, and the setting that decides
    problems: list[Problem]


@dataclass
class _Counts:
    """What the episodes tell, added up."""

    lengths: list[int] = field(default_factory=list)
    keys: dict[str, Counter[Frame]] = field(default_factory=lambda: defaultdict(Counter))
    known: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, episode: Episode) -> None:
        self.lengths.append(len(episode))
        for key, values in {**episode.observations, ACTION: episode.actions}.items():
            self.keys[key][_frame(values)] += 1
        for name in ("success", "checkpoint", "strategy"):
            self.known[name][getattr(episode, name)] += 1
        self.known["task"].update(episode.tasks)

    def counted(self, name: str) -> dict[str, int]:
        """Value -> episodes that tell it, in the order of values."""
        return dict(sorted((value, count) for value, count in self.known[name].items() if value is not None))


def inspect(path: Path, labels: Path | None = None, images: bool = True) -> Inspection:
    """Look at every episode of a data set, and into its images where `images`; `labels`: a labels.csv for it.

    Raises UserError for what cannot be opened at all.
    """
    dataset = open_dataset(path)
    known = read_labels(labels, dataset.episode_indices) if labels else None
    counts = _Counts()

    def add(number: int, episode: Episode) -> None:
        label = (known or {}).get(number)
        counts.add(Entry(path, number, label.success, label.checkpoint).complete(episode) if label else episode)

    problems = find_problems([Part(dataset, dataset.episode_indices, known, labels)], images, add)
    env_args = dataset.env_args()
    filter_keys = dataset.filter_keys() if isinstance(dataset, RobomimicFile) else {}
    return Inspection(
        path=path,
        format=dataset.format,
        version=dataset.version,
        fps=dataset.fps,
        env_name=env_args.get("env_name"),
        episodes=len(dataset.episode_indices),
        frames=_lengths(counts.lengths),
        keys={key: found.most_common(1)[0][0] for key, found in counts.keys.items()},
        success={name: counts.known["success"][value] for value, name in OUTCOMES.items()},
        checkpoints=counts.counted("checkpoint"),
        strategies=counts.counted("strategy"),
        tasks=counts.counted("task"),
        filter_keys={key: len(indices) for key, indices in filter_keys.items()},
        not_read=dataset.not_read(),
        notes=dataset.notes(),
        problems=problems,
    )


def report(inspection: Inspection) -> str:
    """An inspection to read in a terminal."""
    frames = inspection.frames
    lines = {
        "path": str(inspection.path),
        "format": " ".join(filter(None, [inspection.format, inspection.version])),
        "fps": str(inspection.fps or "not known"),
        "env_name": inspection.env_name or "",
        "episodes": str(inspection.episodes),
        "frames": f"{frames.total} (shortest episode {frames.shortest}, median {frames.median:g}, "
        f"longest {frames.longest})",
        "success": ", ".join(f"{name} {count}" for name, count in inspection.success.items()),
        "checkpoints": _list(inspection.checkpoints),
        "strategies": _list(inspection.strategies),
        "tasks": _list(inspection.tasks),
        "filter keys": _list(inspection.filter_keys),
        "not read": ", ".join(inspection.not_read),
        "note": "; ".join(inspection.notes),
    }
    known = [f"{name + ':':<13}{text}" for name, text in lines.items() if text]
    keys = _table([(key, str(frame.shape), frame.dtype) for key, frame in inspection.keys.items()])
    problems = [f"  {problem}" for problem in inspection.problems]
    return "\n".join([*known, "keys:", *keys, f"problems:    {len(problems) or 'none'}", *problems])


def _frame(values: np.ndarray | Frames) -> Frame:
    kind = "video" if isinstance(values, VideoFrames) else "image" if isinstance(values, Frames) else str(values.dtype)
    return Frame(tuple(values.shape[1:]), kind)


def _lengths(lengths: list[int]) -> Lengths:
    if not lengths:
        return Lengths()
    return Lengths(sum(lengths), min(lengths), float(np.median(lengths)), max(lengths))


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items())


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with their cells below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
