"""A video and a strip of frames of a demonstration that the filter kept, and one that it dropped."""

from pathlib import Path

from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.demonstrations.playback import commands
from demo_score.envs import make_env
from demo_score.envs.base import Environment
from demo_score.plots.episodes import Row, save_episodes, steps_between_drawings
from demo_score.runtime.errors import UserError
from demo_score.tables import SCORES, UNNAMED

VERDICTS = {1: "kept", 0: "dropped"}


def record_demonstrations(scores: Path, strip: Path, video: Path | None = None) -> None:
    """Carry out a typical kept and a typical dropped demonstration of a table of scores again, and draw them.

    Typical: of the middle score among those kept, and among those dropped. Their actions must end in success after the
    same number of steps, else a UserError is raised, as where the environment cannot be drawn.
    """
    table = SCORES.read(scores, ["kind", "file", "episode", "actor", "score", "kept"])
    table = table[table["kind"] == "demonstration"]
    rows, fps = [], 1.0
    for kept, verdict in VERDICTS.items():
        ordered = table[table["kept"] == kept].sort_values("score", kind="stable")
        if ordered.empty:
            rows.append(Row(f"no demonstration of {len(table)} was {verdict}", [], []))
            continue
        chosen = ordered.iloc[len(ordered) // 2].to_dict()
        row, fps = _row(verdict, chosen, scores.parent / chosen["file"])
        rows.append(row)
    save_episodes(rows, fps, strip, video)


def _row(verdict: str, chosen: dict, file: Path) -> tuple[Row, float]:
    dataset = open_dataset(file)
    settings = dataset.env_args()
    if "task" not in settings:
        raise UserError(f"{file}: does not tell of its environment; only collected demonstrations can be drawn")
    (episode,) = dataset.read([int(chosen["episode"])], [])
    fps = settings["fps"]
    drawings = _replay(make_env(settings, drawing=True), episode, steps_between_drawings(fps), file)
    score, seconds = f"score {chosen['score']:.2f}", f"{len(episode) / fps:.1f} s"
    title = f"{verdict}, {chosen['actor'] or UNNAMED} {chosen['episode']}, {score}, {seconds}"
    return Row(title, [step / fps for step in drawings], list(drawings.values())), fps


def _replay(env: Environment, episode: Episode, every: int, file: Path) -> dict:
    """Control steps taken so far -> drawing, the start and the end included."""
    env.reset(seed=episode.seed)
    drawings, succeeded = {0: env.draw()}, False
    for step, action in enumerate(commands(env, episode), start=1):
        _, reward, _, _, info = env.step(action)
        succeeded |= info["is_success"]
        if abs(reward - episode.rewards[step - 1]) > 1e-6:
            raise UserError(
                f"{file}: the demonstration from start {episode.seed} goes another way here from step {step} on; "
                "draw it on the machine that collected it"
            )
        if step % every == 0 or step == len(episode):
            drawings[step] = env.draw()
    if not succeeded:
        raise UserError(f"{file}: the demonstration from start {episode.seed} ends in no success here")
    return drawings
