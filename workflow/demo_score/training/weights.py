"""How often frames are drawn: by what a table says of their episodes, or of them (training.sample_weights)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from demo_score.runtime.errors import UserError
from demo_score.tables import WEIGHTS
from demo_score.tables.schema import header

FRAME = "frame"


def frame_weights(path: Path, episodes: Sequence[tuple[Path, int]], lengths: Sequence[int]) -> np.ndarray:
    """The weight of every frame of some episodes (data set, number), one after another.

    Episodes of the table that are not asked for count for nothing. Raises UserError for an episode, or a frame, without
    a weight or with two, for a weight below 0, and where nothing is above.
    """
    table = WEIGHTS.read(path, ["file", "episode", "weight", *([FRAME] if FRAME in header(path) else [])])
    with_frames = FRAME in table and bool(table[FRAME].notna().any())
    if (negative := table["weight"] < 0).any():
        raise UserError(f"{path}: row {int(negative.to_numpy().argmax()) + 1}: the weight is below 0; set 0 or more")
    places = {name: (path.parent / name).resolve() for name in table["file"].unique()}
    table["file"] = table["file"].map(places)
    of_episode = dict(iter(table.groupby(["file", "episode"], sort=False)))
    weights = [
        _of_episode(path, of_episode.get((file.resolve(), number)), file, number, length, with_frames)
        for (file, number), length in zip(episodes, lengths, strict=True)
    ]
    found = np.concatenate(weights)
    if not found.any():
        raise UserError(f"{path}: gives every frame the weight 0; there is nothing to train on")
    return found


def _of_episode(
    path: Path, rows: pd.DataFrame | None, file: Path, number: int, length: int, with_frames: bool
) -> np.ndarray:
    if rows is None:
        raise UserError(f"{path}: has no weight of {file} episode {number}; give each episode that is trained on one")
    if not with_frames:
        if len(rows) > 1:
            raise UserError(f"{path}: {file} episode {number} is there twice; remove one")
        return np.full(length, rows["weight"].iloc[0])
    if sorted(rows[FRAME]) != list(range(length)):
        raise UserError(
            f"{path}: {file} episode {number} has {length} frames; give each of them, from 0 on, one weight"
        )
    return rows.sort_values(FRAME)["weight"].to_numpy()
