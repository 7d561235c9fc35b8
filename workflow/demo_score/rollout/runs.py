"""Rolling out a checkpoint, and what is kept of it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from demo_score.analysis.statistics import wilson_interval
from demo_score.config.checkpoint_names import checkpoint_name
from demo_score.config.settings import to_yaml
from demo_score.data.episodes import Episode
from demo_score.data.formats.robomimic import write_episodes
from demo_score.policies.checkpoints import checkpoint_files, load_policy, read_checkpoint_settings
from demo_score.rollout.chunk_env import Recorded
from demo_score.rollout.finished import FinishedBatches
from demo_score.rollout.loop import rollout_settings
from demo_score.rollout.observers import Observer, RolloutProgress
from demo_score.rollout.outcomes import write_outcomes
from demo_score.run_options import BY_HAND, OfRun
from demo_score.runtime.code_store import code_digest
from demo_score.runtime.digests import digest
from demo_score.runtime.files import check_writable
from demo_score.runtime.hardware import select_device
from demo_score.runtime.resume import ResumeFolder


def collect_rollouts(checkpoint: Path, overrides: list[str], out_dir: Path) -> Path:
    """Store eval.n_episodes rollouts from environment seed `seed` on: <out_dir>/<checkpoint>.hdf5, which is returned.

    What the environment observes is stored at every step, so that policies can be trained on it; of images, which take
    long to draw, what eval.record_images says.
    """
    check_writable(out_dir, folder=True)
    name = checkpoint_name(checkpoint)
    finished = finished_batches(checkpoint, overrides, out_dir, name)
    images = read_checkpoint_settings(checkpoint, overrides).eval.get("record_images", True)  # older settings lack it
    episodes, env_settings = run_checkpoint(checkpoint, overrides, images, observers=[finished])
    report(episodes)
    for episode in episodes:
        episode.checkpoint = name
    path = out_dir / f"{name}.hdf5"
    write_episodes(path, episodes, {"env_name": env_settings["task"], **env_settings})
    finished.remove()
    return path


def evaluate(
    checkpoint: Path,
    overrides: list[str],
    out_dir: Path,
    name: str = "evaluation",
    of_run: OfRun = BY_HAND,
) -> None:
    """Store the outcome of eval.n_episodes episodes from environment seed `seed` on: <out_dir>/<name>.csv."""
    check_writable(out_dir, folder=True)
    finished = finished_batches(checkpoint, overrides, out_dir, name)
    episodes, _ = run_checkpoint(checkpoint, overrides, observers=[finished])
    report(episodes)
    write_outcomes(out_dir / f"{name}.csv", episodes, checkpoint_name(checkpoint), of_run)
    finished.remove()


def finished_batches(checkpoint: Path, overrides: list[str], out_dir: Path, name: str) -> FinishedBatches:
    """Where the job `name` stores its batches in `out_dir`: of the same checkpoint, settings, device and code only."""
    settings = read_checkpoint_settings(checkpoint, overrides)
    files = [path.read_bytes() for path in checkpoint_files(checkpoint)]
    device = select_device(settings.device).type
    made_with = digest(to_yaml(settings), *files, device, code_digest(Path(__file__)))
    only = settings.eval.n_episodes <= settings.eval.batch_size
    return FinishedBatches(ResumeFolder(out_dir, name, made_with), only)


def run_checkpoint(
    checkpoint: Path, overrides: list[str], record_images: Recorded = False, observers: Sequence[Observer] = ()
) -> tuple[list[Episode], dict]:
    """Roll out a checkpoint with its own settings changed by `overrides`. Returns episodes and env settings."""
    policy, settings, device = open_checkpoint(checkpoint, overrides)
    progress = RolloutProgress(settings.eval.n_episodes, settings.env.episode_length)
    episodes = rollout_settings(policy, settings, device, record_images, [progress, *observers])
    return episodes, OmegaConf.to_container(settings.env)


def open_checkpoint(checkpoint: Path, overrides: list[str]) -> tuple[nn.Module, DictConfig, torch.device]:
    """A checkpoint's policy, its settings changed by `overrides`, and its device; from then on torch has one thread."""
    torch.set_num_threads(1)  # environments run in parallel, not the policy: its bits then never depend on threads
    settings = read_checkpoint_settings(checkpoint, overrides)
    device = select_device(settings.device)
    return load_policy(checkpoint, settings, device), settings, device


def report(episodes: list[Episode]) -> None:
    """Print successes, n and the 95% Wilson interval."""
    successes = sum(episode.success for episode in episodes)
    low, high = wilson_interval(successes, len(episodes))
    rate = successes / len(episodes)
    print(f"success {rate:.1%} [{low:.1%}, {high:.1%}] ({successes} of {len(episodes)} episodes)")
