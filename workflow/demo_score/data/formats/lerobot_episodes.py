"""What a LeRobot data set tells of an episode besides its arrays, in columns of its frames or in the episode's row."""

from typing import Any

import pyarrow as pa

from demo_score.data.formats.lerobot_folders import NO_TASK
from demo_score.data.values import checkpoint_name, text, truth, whole_number

SUCCESS, CHECKPOINT = "next.success", "checkpoint"
OF_FRAMES = {SUCCESS: -1, CHECKPOINT: 0}  # columns, and the frame that counts
OF_EPISODES = (
    "tasks",
    "success",
    "seed",
    "strategy",
    CHECKPOINT,
)  # LeRobot's own, and what ours and others add to a row


def values_of(rows: pa.Table, location: dict[str, Any], place: str) -> dict[str, Any]:
    """success, seed (if none: the episode's number), strategy, checkpoint and task of an Episode.

    Raises UserError, `place` in front, for a value that is of another kind.
    """
    frames = {name: _of_frames(rows, name) for name in OF_FRAMES}
    success = truth(frames[SUCCESS], f"{place}: {SUCCESS}")
    checkpoint = checkpoint_name(frames[CHECKPOINT], f"{place}: {CHECKPOINT}")
    seed = whole_number(location.get("seed"), f"{place}: seed")
    task = text(next(iter(location.get("tasks") or []), None), f"{place}: tasks")
    return {
        "success": truth(location.get("success"), f"{place}: success") if success is None else success,
        "seed": location["episode_index"] if seed is None else seed,
        "strategy": text(location.get("strategy"), f"{place}: strategy"),
        "checkpoint": checkpoint or checkpoint_name(location.get(CHECKPOINT), f"{place}: {CHECKPOINT}"),
        "task": None if task == NO_TASK else task,
    }


def _of_frames(rows: pa.Table, name: str) -> Any:
    """What the frame that counts has under `name`, or None."""
    return rows[name][OF_FRAMES[name]].as_py() if name in rows.column_names and len(rows) else None
