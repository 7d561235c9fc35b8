"""A video and a strip of frames of an evaluation's first success and first failure."""

from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from demo_score.data.episodes import Episode
from demo_score.plots.episodes import Row, save_episodes, steps_between_drawings
from demo_score.policies.checkpoints import read_checkpoint_settings
from demo_score.rollout.drawing import Drawing, DrawnEnvironmentMaker, DrawnEpisode
from demo_score.rollout.loop import RolloutOptions, batches_of, rollout, seeds_of
from demo_score.rollout.observers import RolloutProgress
from demo_score.rollout.runs import open_checkpoint
from demo_score.runtime.errors import UserError
from demo_score.tables import OUTCOMES

KINDS = {1: "success", 0: "failure"}


def record(checkpoint: Path, overrides: list[str], evaluation: Path, strip: Path, video: Path | None = None) -> None:
    """Run the first success and the first failure of the table `evaluation` again, and draw them.

    `overrides` are those of the evaluation: the episodes must end as they did. Raises UserError where they do not,
    where the environment cannot be drawn, and where there is no encoder for `video` (.mp4, in real time).
    """
    settings = read_checkpoint_settings(checkpoint, overrides)
    table = _read_evaluation(evaluation, settings)
    chosen = {outcome: table[table["success"] == outcome].head(1) for outcome in KINDS}
    seeds = frozenset(int(seed) for row in chosen.values() for seed in row["start_seed"])
    drawn = _draw(checkpoint, overrides, Drawing(seeds, steps_between_drawings(settings.env.fps)))
    rows = [_row(outcome, row, drawn, len(table), settings.env.fps, evaluation) for outcome, row in chosen.items()]
    save_episodes(rows, settings.env.fps, strip, video)


def _draw(checkpoint: Path, overrides: list[str], drawing: Drawing) -> dict[int, DrawnEpisode]:
    """Environment seed -> episode of those that `drawing` names. Whole batches are run, but no others."""
    policy, settings, device = open_checkpoint(checkpoint, overrides)
    batches = batches_of(seeds_of(settings), settings.eval.batch_size)
    seeds = [seed for batch in batches if drawing.seeds & set(batch) for seed in batch]
    make = DrawnEnvironmentMaker.of(settings, drawing=drawing)
    progress = RolloutProgress(len(seeds), settings.env.episode_length)
    episodes = rollout(policy, make, seeds, RolloutOptions.of(settings, device), [progress])
    return {episode.seed: episode for episode in episodes if isinstance(episode, DrawnEpisode)}


def _read_evaluation(path: Path, settings: DictConfig) -> pd.DataFrame:
    table = OUTCOMES.read(path, ["start_seed", "success", "length"])
    if table["start_seed"].tolist() != seeds_of(settings):
        raise UserError(
            f"{path}: its episodes are not those of seed={settings.seed} eval.n_episodes={settings.eval.n_episodes}; "
            "give the overrides that it was made with"
        )
    return table


def _row(
    outcome: int, row: pd.DataFrame, drawn: dict[int, DrawnEpisode], n_episodes: int, fps: float, evaluation: Path
) -> Row:
    """What is shown of an outcome; `row` is its episode in the table, or empty."""
    if row.empty:
        return Row(f"no {KINDS[outcome]} in {n_episodes} episodes", [], [])
    seed, length = int(row["start_seed"].iloc[0]), int(row["length"].iloc[0])
    episode = drawn[seed]
    if (episode.success, len(episode)) != (bool(outcome), length):
        raise UserError(
            f"{evaluation}: the episode from start {seed} was a {KINDS[outcome]} of {length} steps, and is now "
            f"{_ended(episode)}; record with the overrides, device and machine that evaluated, or evaluate again"
        )
    times = [step / fps for step in episode.drawings]
    return Row(f"{KINDS[outcome]}, start {seed}, {length / fps:.1f} s", times, list(episode.drawings.values()))


def _ended(episode: Episode) -> str:
    return f"a {KINDS[int(episode.success)]} of {len(episode)}"
