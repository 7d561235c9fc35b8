"""No setting is decoration: for every key of every settings file, another value leads to another behaviour.

A key without a line here fails, and so does one whose other value changes nothing that can be observed.
"""

from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
import torch
from conftest import TINY, random_episode
from demo_score.config.settings import compose_settings
from demo_score.data.formats.robomimic import write_episodes
from demo_score.policies import make_policy
from demo_score.policies.checkpoints import save_checkpoint
from demo_score.rollout import loop as rollout_loop
from demo_score.rollout import runs as rollout_runs
from demo_score.runtime.hardware import has_bfloat16
from demo_score.training.batches import Batches
from demo_score.training.loop import load_data, prepare_batch, start_run, train
from guide import SMALL_IMAGES, SMALL_POLICY, go_to_datasets
from lerobot_fixture import write_lerobot
from omegaconf import DictConfig
from setting_effects import assert_effective, composed_policy, digest, keys_of
from wandb_log import read_run

pytestmark = pytest.mark.slow

# default.yaml: what a training or a rollout does


def composed(*overrides: str) -> DictConfig:
    return compose_settings([*TINY, *overrides])[0]


def trained(*overrides: str) -> dict[str, str]:
    """The files of a training on low-dimensional episodes and their content, the settings that it notes aside."""
    write_episodes("data.hdf5", [random_episode(30 + n, n) for n in range(3)], {})
    settings = composed("+datasets_file=data.hdf5", *overrides)
    train(settings, folder := Path(digest(*overrides)))
    return {str(path.relative_to(folder)): digest(path.read_bytes()) for path in folder.rglob("*.[cs][sa][vf]*")}


def who_holds_images(*overrides: str) -> set[str]:
    """The kinds of images that a training from videos reads."""
    return {type(values).__name__ for values in load_data(on_images(*overrides)).images["observation.image"]}


def trained_in_a_precision(*overrides: str) -> object:
    """The files of a training, and what it says about its precision."""
    has_bfloat16.cache_clear()
    with redirect_stderr(StringIO()) as said:
        files = trained(*overrides)
    return files, [line for line in said.getvalue().splitlines() if "precision" in line]


def state_after_a_failure(*overrides: str) -> object:
    """What is left of a training that fails at its last step, and where the same training, fixed, begins."""
    write_episodes("data.hdf5", [random_episode(30)], {})
    folder = Path(digest(*overrides))
    settings = composed("+datasets_file=data.hdf5", "training.lr_warmup_steps=11", *overrides)
    first_step = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("demo_score.training.loop.take_step", fail_at(settings.training.offline_steps - 1))
        with pytest.raises(InterruptedError):
            train(settings, folder)
        patch.setattr("demo_score.training.loop.take_step", lambda run, *_: first_step.append(run.step) or stop())
        with pytest.raises(InterruptedError):
            train(settings, folder)
    return first_step


def fail_at(step: int) -> Callable:
    from demo_score.training.loop import take_step

    return lambda run, *arguments: take_step(run, *arguments) if run.step < step else stop()


def stop() -> None:
    raise InterruptedError


def on_images(*overrides: str) -> DictConfig:
    small = [*SMALL_IMAGES["pusht"].split(), *SMALL_POLICY["diffusion"].split(), "training.batch_size=3"]
    return compose_settings(["env=pusht", "policy=diffusion", *small, *overrides])[0]


def training_data(*overrides: str) -> str:
    """The content of a first batch, read from a data set with images."""
    settings = on_images(*overrides)
    batches = Batches(load_data(settings), 3, torch.Generator().manual_seed(0), 0, torch.device("cpu"))
    return digest(*next(batches).values())


def n_reading_processes(*overrides: str) -> int:
    settings = on_images("device=cpu", *overrides)
    run = start_run(settings, load_data(settings), torch.device("cpu"))
    next(run.batches)
    processes = len(torch.multiprocessing.active_children())
    run.batches.close()
    return processes


def compiles(*overrides: str) -> list[str]:
    """What a training hands to torch's compiler."""
    write_episodes("data.hdf5", [random_episode(30)], {})
    settings, asked = composed("+datasets_file=data.hdf5", *overrides), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("demo_score.training.loop.compiled", lambda function, _: asked.append(function.__name__))
        start_run(settings, load_data(settings), torch.device("cpu"))
    return asked


def augmented(*overrides: str) -> str:
    """A first batch as the policy gets it, image transforms on."""
    settings = on_images("training.image_transforms.enable=true", *overrides)
    run = start_run(settings, load_data(settings), torch.device("cpu"))
    return digest(*prepare_batch(next(run.batches), run.transforms, settings).values())


def rolled_out(*overrides: str) -> object:
    """Seeds of the episodes, and how many environments in how many processes a policy acts in at once."""
    settings = composed("env.episode_length=3", *overrides)
    sizes, vectors = [], []
    policy = make_policy(settings).eval()
    act = policy.act
    policy.act = lambda observations: sizes.append(len(observations["observation.state"])) or act(observations)
    with pytest.MonkeyPatch.context() as patch:
        original = rollout_loop.open_environments
        patch.setattr(rollout_loop, "open_environments", lambda *a, **k: vectors.append(a[-1]) or original(*a, **k))
        episodes = rollout_loop.rollout_settings(policy, settings, torch.device("cpu"))
    return [episode.seed for episode in episodes], sizes, vectors


def images_are_stored(*overrides: str) -> list[bool]:
    """Whether collected rollouts are (tests/rollout looks at the files)."""
    settings, asked = composed("env.episode_length=1", *overrides), []
    checkpoint = Path(digest(*overrides)) / "000001"
    save_checkpoint(checkpoint, make_policy(settings), settings)
    with pytest.MonkeyPatch.context() as patch:
        original = rollout_runs.run_checkpoint
        patch.setattr(rollout_runs, "run_checkpoint", lambda *a, **k: asked.append(a[2]) or original(*a, **k))
        rollout_runs.collect_rollouts(checkpoint, [], Path("rollouts"))
    return asked


def logged(*overrides: str) -> object:
    """What Weights & Biases got from a training."""
    write_episodes("data.hdf5", [random_episode(30)], {})
    folder = Path(digest(*overrides))
    train(composed("+datasets_file=data.hdf5", "training.offline_steps=4", "training.save_freq=4", *overrides), folder)
    run = read_run(folder)
    return {key: run.get(key) for key in ("project", "name", "notes")}, sorted(run["history"])


def results_folder(*overrides: str) -> str:
    return str(compose_settings([*TINY, *overrides])[1]).split("_", 1)[-1]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder to work in, with the data sets of the guide and another one."""
    with pytest.MonkeyPatch.context() as patch:
        go_to_datasets(tmp_path_factory.mktemp("settings"), patch)
        write_lerobot(Path("other"), images={"observation.image": (48, 48)}, seed=1)
        yield


TRANSFORM = "training.image_transforms"
COSINE, STARTS, TRACKED = "training.lr_scheduler=cosine", "training.start_fraction=0.5", "wandb.enable=true"
# Probe, another value, and what the setting needs beside it to have an effect.
DEFAULT: dict[str, tuple] = {
    "hydra.run.dir": (results_folder, "a_b"),
    "hydra.job.name": (results_folder, "a"),
    "device": (trained, "cuda:99"),
    "use_amp": (trained_in_a_precision, "true"),
    "seed": (trained, 1),
    "resume": (state_after_a_failure, "false"),
    "dataset_repo_id": (training_data, "other"),
    "dataset_keys": (training_data, "{observation.state: [observation.image]}"),
    "video_backend": (training_data, "no_such"),
    "aloha_jpeg": (training_data, "no_such"),
    "training.init_from": (trained, "no_such"),
    "training.sample_weights": (trained, "no_such"),
    "training.image_store": (who_holds_images, "images"),
    "training.offline_steps": (trained, 11),
    "training.eval_freq": (trained, 12),
    "training.log_freq": (trained, 3),
    "training.save_freq": (trained, 4),
    "training.resume_freq": (state_after_a_failure, 5),
    "training.batch_size": (trained, 5),
    "training.num_workers": (n_reading_processes, 1, "training.num_workers=0"),
    "training.compile": (compiles, "true"),
    "training.lr": (trained, 2e-3),
    "training.weight_decay": (trained, 0.5),
    "training.adam_betas": (trained, "[0.8,0.999]"),
    "training.adam_eps": (trained, 1e-3),
    "training.grad_clip_norm": (trained, 0.1),
    "training.lr_scheduler": (trained, "cosine"),
    "training.lr_final_fraction": (trained, 0.5, COSINE),
    "training.lr_warmup_steps": (trained, 4),
    "training.ema_decay": (trained, 0.9),
    "training.drop_n_last_frames": (trained, 20),
    "training.start_fraction": (trained, 0.5),
    "training.start_frames": (trained, 1, STARTS),
    f"{TRANSFORM}.enable": (augmented, "false"),
    f"{TRANSFORM}.max_num_transforms": (augmented, 1),
    f"{TRANSFORM}.random_order": (augmented, "true"),
    "eval.n_episodes": (rolled_out, 3),
    "eval.batch_size": (rolled_out, 2, "eval.n_episodes=2"),
    "eval.use_async_envs": (rolled_out, "true"),
    "eval.record_images": (images_are_stored, "looks"),
    "wandb.enable": (logged, "true"),
    "wandb.project": (logged, "a", TRACKED),
    "wandb.name": (logged, "a", TRACKED),
    "wandb.notes": (logged, "two words", TRACKED),
}
CHANGES = ("brightness", "contrast", "saturation", "hue", "sharpness")
for name in CHANGES:  # alone, and always drawn
    alone = [f"{TRANSFORM}.{other}.weight={int(other == name)}" for other in CHANGES]
    DEFAULT[f"{TRANSFORM}.{name}.weight"] = (augmented, 0)
    DEFAULT[f"{TRANSFORM}.{name}.min_max"] = (augmented, "[0.3,0.3]", *alone)


def backbone_rate(*overrides: str) -> list[float]:
    settings = composed_policy("act", *overrides)
    return [group.get("lr") for group in make_policy(settings).parameter_groups(settings.training)]


DEFAULT["training.lr_backbone"] = (backbone_rate, 1e-4)


@pytest.mark.parametrize("key", sorted(keys_of("default.yaml") | set(DEFAULT)))
def test_default(datasets, key) -> None:
    probe, value, *needed = DEFAULT[key]
    assert_effective(partial(probe, *needed), (probe, *needed), f"{key}={value}")
