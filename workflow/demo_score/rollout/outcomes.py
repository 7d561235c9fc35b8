"""The outcomes of episodes as a table; those of stored rollouts are read from their files, which alone hold them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.run_options import BY_HAND, OfRun
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import check_outputs
from demo_score.tables import OUTCOMES


def list_outcomes(rollouts: list[Path], out: Path, of_run: OfRun = BY_HAND) -> int:
    """Write the outcomes of stored rollouts to `out`, and return of how many. Raises UserError for other data."""
    check_outputs({"--out": out}, rollouts)
    rows = [row for path in rollouts for row in _rows_of(path, of_run)]
    OUTCOMES.write(out, rows)
    return len(rows)


def write_outcomes(out: Path, episodes: Iterable[Episode], checkpoint: str, of_run: OfRun = BY_HAND) -> None:
    """Write the outcomes of a checkpoint's episodes to `out`."""
    OUTCOMES.write(out, [_row(episode, checkpoint, of_run) for episode in episodes])


def _rows_of(path: Path, of_run: OfRun) -> Iterator[dict]:
    for number, episode in enumerate(open_dataset(path).read(keys=[])):
        if episode.success is None or episode.checkpoint is None:
            raise UserError(
                f"{path} episode {number}: does not say whether it succeeded, or which checkpoint acted; give rollouts "
                "of collect_rollouts.py"
            )
        yield _row(episode, episode.checkpoint, of_run)


def _row(episode: Episode, checkpoint: str, of_run: OfRun) -> dict:
    return {
        **of_run._asdict(),
        "step": int(checkpoint) if checkpoint.isdigit() else None,
        "start_seed": episode.seed,
        "success": int(episode.success),
        "length": len(episode),
        "max_reward": None if episode.rewards is None else float(episode.rewards.max()),
    }
