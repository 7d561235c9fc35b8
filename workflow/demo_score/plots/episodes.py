"""Episodes as a person sees them: as a strip of frames, or side by side in time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from demo_score.plots.style import WIDTH, figure_style, save
from demo_score.plots.video import write_video

DRAWINGS_A_SECOND = 15  # at most, of simulated time
COLUMNS = 6
LABEL_HEIGHT = 0.32  # inches, of the labels above a row of the strip
MIN_WIDTH = 320  # pixels, of one episode in a video: room for its title
TITLE_HEIGHT, MARGIN = 32, 8  # pixels
DPI = 100  # of titles in videos


@dataclass(frozen=True)
class Row:
    """One episode, or in words that there is none."""

    title: str
    times: list[float]  # seconds
    images: list[np.ndarray]  # at these times, uint8 (H, W, 3); none where there is no episode


def steps_between_drawings(fps: float) -> int:
    """Every how many control steps an episode is drawn that is to be saved by `save_episodes`."""
    return math.ceil(fps / DRAWINGS_A_SECOND)


def save_episodes(rows: list[Row], fps: float, strip: Path, video: Path | None) -> None:
    """Write the rows, drawn every `steps_between_drawings`, as a strip and as a video (.mp4, in real time).

    Raises UserError where there is no encoder for the video.
    """
    rate = Fraction(fps).limit_denominator(1000) / steps_between_drawings(fps)
    with figure_style():
        save(episode_strip(rows), [strip])
        if video is not None:
            write_video(video, side_by_side(rows), rate)


def episode_strip(rows: list[Row]) -> Figure:
    """A row an episode, COLUMNS frames evenly from start to end, the time above each."""
    height, width, _ = _shape(rows)
    frame_height = 2 * WIDTH / COLUMNS * height / width
    heights = [frame_height + LABEL_HEIGHT if row.images else LABEL_HEIGHT for row in rows]
    figure = Figure(figsize=(2 * WIDTH, sum(heights)))
    figure.get_layout_engine().set(w_pad=0.02, wspace=0)
    parts = figure.subfigures(len(rows), 1, squeeze=False, height_ratios=heights)[:, 0]
    for row, part in zip(rows, parts, strict=True):
        part.suptitle(row.title, x=0.003, ha="left", fontsize=7)
        if not row.images:
            continue
        shown = np.linspace(0, len(row.images) - 1, COLUMNS).round().astype(int)
        for axes, index in zip(part.subplots(1, COLUMNS), shown, strict=True):
            axes.imshow(row.images[index])
            axes.set_axis_off()
            axes.set_title(f"{row.times[index]:.1f} s", fontsize=6, pad=2)
    return figure


def side_by_side(rows: list[Row]) -> Iterator[np.ndarray]:
    """One image (H, W, 3), uint8, after another: the rows' episodes beside each other under their titles.

    The shorter one stands still at its end. Call within `figure_style()`.
    """
    height, width, _ = _shape(rows)
    scale = math.ceil(MIN_WIDTH / width)
    nothing = np.full((height, width, 3), 230, np.uint8)
    titles = [_title(row.title, scale * width) for row in rows]
    for index in range(max(len(row.images) for row in rows)):
        panels = []
        for title, row in zip(titles, rows, strict=True):
            image = row.images[min(index, len(row.images) - 1)] if row.images else nothing
            panel = np.concatenate([title, image.repeat(scale, axis=0).repeat(scale, axis=1)])
            panels += [panel, np.full((len(panel), MARGIN, 3), 255, np.uint8)]
        yield np.concatenate(panels[:-1], axis=1)


def _shape(rows: list[Row]) -> tuple[int, ...]:
    return next(image.shape for row in rows for image in row.images)


def _title(text: str, width: int) -> np.ndarray:
    """Words on white, (TITLE_HEIGHT, width, 3) uint8."""
    figure = Figure(figsize=(width / DPI, TITLE_HEIGHT / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=11)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
