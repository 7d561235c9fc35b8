"""Frames a second: what data sets say, what their time stamps show, and which of them holds."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from demo_score.data.formats.base import DataSet
from demo_score.runtime.errors import UserError

TOLERANCE = 0.02  # of a rate: 29.97 is 30, and stamps in whole milliseconds will do
GAP = 1.5  # usual steps: at twice the step one frame is missing
OTHERWISE = "correct what is wrong, or export with the right rate (export_data.py --fps)"


@dataclass(frozen=True)
class Stamps:
    """What the time stamps of an episode show."""

    step: float | None = None  # seconds between two frames, gaps left out; None where they tell none
    wrong: str = ""


def look_at(times: np.ndarray | None, indices: np.ndarray | None = None) -> Stamps:
    """What time stamps `times` (T,), in seconds, show; nothing where a format has none, or of a single one.

    `indices` (T,): the frames' numbers, which rise; a leap in them is wrong where time shows none.
    """
    if times is None or len(times) < 2:
        return Stamps(wrong=_leap(indices))
    if not np.isfinite(times).all():
        return Stamps(wrong="time stamps hold NaN or infinite values")
    steps = np.diff(times.astype(np.float64))
    if not steps.any():
        return Stamps(wrong=f"time stamps are all {times[0]:g}, so that they tell no rate")
    if (steps <= 0).any():
        return Stamps(wrong=f"time stamps do not rise after frame {np.argmax(steps <= 0)}")
    usual = float(steps[steps <= GAP * np.median(steps)].mean())
    if (gaps := steps > GAP * usual).any():
        first = int(np.argmax(gaps))
        return Stamps(
            usual, f"time stamps leap by {steps[first]:.3g} s after frame {first}, where {usual:.3g} s is usual"
        )
    return Stamps(usual, _leap(indices))


def _leap(indices: np.ndarray | None) -> str:
    if indices is None or not (leaps := np.flatnonzero(np.diff(indices) > 1)).size:
        return ""
    before, after = indices[leaps[0] : leaps[0] + 2]
    return f"frame_index leaps from {before} to {after}, where no time stamp does; make the data set again"


def contradicts(step: float | None, fps: float | None) -> bool:
    """Whether frames `step` seconds apart are not `fps` frames a second; unknown ones contradict nothing."""
    return None not in (step, fps) and abs(step * fps - 1) > TOLERANCE


def judge(stamps: Mapping[int, Stamps], fps: float | None) -> Iterator[tuple[int | None, str]]:
    """What is wrong with the time stamps of episodes, by number, or once (None) where it is so with each of several.

    `fps`: what the data set says.
    """
    said = {number: [found.wrong] if found.wrong else [] for number, found in stamps.items()}
    steps = {number: found.step for number, found in stamps.items() if contradicts(found.step, fps)}
    if len(steps) == len(stamps) > 1:
        yield None, describe(median(steps.values()), fps)
    else:
        for number, step in steps.items():
            said[number].append(describe(step, fps))
    common = {tuple(lines) for lines in said.values()}
    if len(stamps) > 1 and len(common) == 1:
        yield from ((None, f"in every episode, {line}") for line in common.pop())
        return
    yield from ((number, line) for number, lines in said.items() for line in lines)


def describe(step: float, fps: float) -> str:
    """The contradiction between a step of time stamps, in seconds, and what the data set says, in words."""
    return f"time stamps are {step:.3g} s apart, but it says {fps:g} frames a second ({1 / fps:.3g} s); {OTHERWISE}"


def agreed_rate(datasets: Sequence[DataSet], asked: float | None = None) -> float | None:
    """Frames a second of some data sets: `asked`, with a note where one says otherwise; else what all say.

    None where nobody tells. Raises UserError for a rate asked for that is none, and where data sets differ.
    """
    known = {dataset.path: dataset.fps for dataset in datasets if dataset.fps}
    if asked is not None:
        if not 0 < asked < math.inf:
            raise UserError(f"fps={asked:g}: no rate; give frames a second, such as 30")
        asked = int(asked) if asked == int(asked) else asked
        for path, fps in known.items():
            if fps != asked:
                print(
                    f"note: {path}: says {fps:g} frames a second; written as {asked:g}, as was asked", file=sys.stderr
                )
        return asked
    if len(rates := sorted(set(known.values()))) > 1:
        rest = "use sources of each rate by themselves, or export them with one rate (export_data.py --fps)"
        raise UserError(f"different rates: {' and '.join(f'{fps:g}' for fps in rates)} frames a second; {rest}")
    return rates[0] if rates else None
