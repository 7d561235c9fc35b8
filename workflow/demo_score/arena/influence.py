"""Influence from files, made once a run for all methods that need it."""

from collections.abc import Sequence
from pathlib import Path

from demo_score.arena.scoring import read_demonstrations
from demo_score.data.lists import read_entries, read_entry_episodes
from demo_score.methods.base import INFLUENCE
from demo_score.methods.influence import compute_influence
from demo_score.methods.influence_settings import InfluenceSettings
from demo_score.runtime.files import check_outputs


def influence_of_files(
    demonstrations: Path, rollouts: Sequence[Path], checkpoint: Path, settings: dict, seed: int, out: Path
) -> None:
    """Write the influence of all demonstrations on all rollouts; see methods/influence.py for errors."""
    check_outputs({"--out": out}, [demonstrations, *rollouts])
    parsed = InfluenceSettings.checked(settings, f"arena.settings.{INFLUENCE}")
    listed = list(read_entry_episodes(read_demonstrations(demonstrations)))
    tried = [episode for path in rollouts for episode in read_entry_episodes(read_entries(path))]
    compute_influence(out, listed, tried, checkpoint, parsed, seed)
