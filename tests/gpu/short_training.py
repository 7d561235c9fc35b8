"""From demonstrations to a success rate, from images, in minutes: the commands' own functions, one after another."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from demo_score.analysis.statistics import wilson_interval
from demo_score.data.formats.robomimic import write_episodes
from demo_score.demonstrations.collect import collect_demonstrations
from demo_score.envs import make_env
from demo_score.policies.checkpoints import WEIGHTS
from demo_score.rollout.runs import run_checkpoint
from demo_score.training.loop import train
from machine import cores
from omegaconf import DictConfig, OmegaConf
from synthetic import settings_for
from table import Rows
from trainers import own_rate

SEED = 1_000_000  # of demonstrations; the test's starts are others
SEED_TESTS = 42_000
MAX_PROCESSES = 16
STEPS_OF_A_DEMONSTRATION = 400
SMALL = [  # learns quickly; the speed of the guide's own size is another part's
    "env.render_quality=fast",
    "policy.pretrained_backbone_weights=null",
    "policy.use_vae=false",
    "policy.actions_per_query=10",
    "policy.dim_model=256",
    "policy.dim_feedforward=1024",
    "policy.n_encoder_layers=2",
    "policy.dropout=0",
    "training.lr=3e-4",
    "training.lr_backbone=3e-4",
    "training.lr_scheduler=cosine",
    "training.lr_final_fraction=0.03",
    "training.lr_warmup_steps=100",
    "training.log_freq=100",
]
SIZES = ["env.image_size=[240,320]", "training.batch_size=64", "use_amp=true", "eval.n_episodes=64"]
TINY_SIZES = ["env.image_size=[48,64]", "training.batch_size=4", "policy.dim_model=32", "policy.dim_feedforward=64"]
TINY_SIZES += ["eval.n_episodes=2", "policy.n_action_steps=50"]
COLLECTING = 0.2  # of the part's time, at most
PILOT = 20, 40  # steps to warm up, and to be timed


@dataclass(frozen=True)
class Recipe:
    """A training: its sizes, in miniature too, demonstrations at least and at most, and shares of the part's time."""

    sizes: list[str]
    tiny_sizes: list[str]
    episodes: tuple[int, int]
    training: float
    testing: float


RECIPE = Recipe(SIZES, TINY_SIZES, episodes=(16, 96), training=0.45, testing=0.25)


def measure(rows: Rows, device: str, quick: bool, seconds: float) -> None:
    run_recipe(rows, RECIPE, device, quick, seconds)


def run_recipe(rows: Rows, recipe: Recipe, device: str, quick: bool, seconds: float) -> None:
    end = time.perf_counter() + seconds
    processes = 1 if quick else min(cores(), MAX_PROCESSES)
    os.environ["OMP_NUM_THREADS"] = str(processes)  # what the workflow gives a job
    workers = 0 if quick else max(1, processes - 1)
    options = ["env=aloha_cube", "policy=act", f"training.num_workers={workers}", *SMALL]
    options += recipe.tiny_sizes if quick else recipe.sizes
    drawn = settings_for(device, *options)
    least, most = (1, 1) if quick else recipe.episodes
    n_episodes = least if least == most else affordable(drawn, seconds * COLLECTING, processes, least, most)
    data = training_data(rows, drawn, n_episodes, processes)
    settings = settings_for(device, *options, f"+datasets_file={data}")
    checkpoint = trained(rows, settings, quick, seconds * recipe.training, end - recipe.testing * seconds)
    evaluate(rows, checkpoint, quick, processes)


def training_data(rows: Rows, settings: DictConfig, n_episodes: int, processes: int) -> Path:
    """Collect demonstrations into a file."""
    env = OmegaConf.to_container(settings.env, resolve=True)
    start = time.perf_counter()
    episodes = collect_demonstrations(env, "reliable", n_episodes, SEED, processes)
    path = Path(mkdtemp()) / "demonstrations.hdf5"
    write_episodes(path, episodes, {"env_name": env["task"], **env})
    frames, taken = sum(map(len, episodes)), time.perf_counter() - start
    size = "x".join(map(str, env["image_size"]))
    remark = f"{frames} frames of {size}, {taken:.0f} s, {path.stat().st_size / 1e6:.0f} MB, {processes} processes"
    rows.add("demonstrations", str(n_episodes), remark)
    return path


def affordable(settings: DictConfig, seconds: float, processes: int, least: int, most: int) -> int:
    """How many demonstrations can be drawn in `seconds`, if half of the processes can draw at once."""
    simulator = make_env(OmegaConf.to_container(settings.env, resolve=True))
    simulator.reset(seed=0)
    simulator.images()
    start = time.perf_counter()
    for _ in range(20):
        simulator.images()
    one = (time.perf_counter() - start) / 20 * STEPS_OF_A_DEMONSTRATION + 0.5  # and planning, and packing
    return max(least, min(most, int(seconds / one * max(1, processes / 2))))


def trained(rows: Rows, settings: DictConfig, quick: bool, seconds: float, end: float) -> Path:
    """Train for about so many seconds, and not after `end`; the folder of the last checkpoint."""
    rate = 0.0 if quick else own_rate(settings, *PILOT)
    seconds = min(seconds, end - time.perf_counter())
    steps = 3 if quick else max(20, int(rate * seconds))
    settings.training.offline_steps = settings.training.resume_freq = steps
    settings.training.lr_warmup_steps = min(settings.training.lr_warmup_steps, steps // 3)
    folder = Path(mkdtemp())
    start = time.perf_counter()
    train(settings, folder)
    taken = time.perf_counter() - start
    loss = (folder / "metrics.csv").read_text().splitlines()[-1].split(",")[1]
    (weights,) = folder.glob(f"checkpoints/*/{WEIGHTS}")
    remark = f"batches of {settings.training.batch_size}, {steps / taken:.3g} steps/s, loss {loss} at the end"
    rows.add("steps", str(steps), remark)
    return weights.parent


def evaluate(rows: Rows, checkpoint: Path, quick: bool, processes: int) -> None:
    """Success of a checkpoint on starts that it has not seen."""
    options = ["env.episode_length=60"] if quick else [f"eval.batch_size={processes}", "eval.use_async_envs=true"]
    start = time.perf_counter()
    episodes, _ = run_checkpoint(checkpoint, [f"seed={SEED_TESTS}", *options])
    successes, n = sum(episode.success for episode in episodes), len(episodes)
    low, high = wilson_interval(successes, n)
    interval = f"{successes / n:.1%} [{low:.1%}, {high:.1%}]"
    seconds = f"{time.perf_counter() - start:.0f} s"
    rows.add("success", interval, f"{successes} of {n}, 95% Wilson interval over starts, one training; {seconds}")
