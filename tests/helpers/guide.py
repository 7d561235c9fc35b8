"""What the tests of the guide's command lines share: run a command in a folder of data sets, small enough to test."""

import runpy
import shlex
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest
import yaml
from demo_score.runtime.errors import UserError
from lerobot_fixture import write_lerobot
from places import SCRIPTS

DATASETS = {
    "lerobot/pusht": {"state_dim": 2, "action_dim": 2, "fps": 10, "images": {"observation.image": (48, 48)}},
    "lerobot/aloha_sim_insertion_human": {
        "state_dim": 14,
        "action_dim": 14,
        "fps": 50,
        "images": {"observation.images.top": (48, 64)},
    },
}
# Sizes at which a command of the guide takes seconds; what a guide's own values are stands before them.
TRAINING = "training.offline_steps=2 training.eval_freq=0 training.save_freq=2 training.log_freq=1"
SMALL = f"device=cpu training.batch_size=2 training.num_workers=0 {TRAINING}"
SMALL_IMAGES = {"pusht": "env.image_size=48", "aloha": "env.image_size=[48,64]"}
SMALL_POLICY = {
    "act": "policy.pretrained_backbone_weights=null policy.dim_model=16 policy.n_heads=2 policy.dim_feedforward=16"
    " policy.n_encoder_layers=1 policy.n_vae_encoder_layers=1 policy.chunk_size=10 policy.n_action_steps=10",
    "diffusion": "policy.down_dims=[16,32] policy.diffusion_step_embed_dim=16 policy.num_train_timesteps=4"
    " policy.num_inference_steps=2 policy.crop_shape=[40,40] policy.spatial_softmax_num_keypoints=4",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, where the guide's data sets are."""
    go_to_datasets(tmp_path, monkeypatch)
    return tmp_path


def go_to_datasets(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Make `folder` the working directory, and hold data sets by the names that the guide uses."""
    for name, content in DATASETS.items():
        write_lerobot(folder / "datasets" / name, version="v3.0", n_episodes=2, length=12, video=True, **content)
    patch.setenv("HF_LEROBOT_HOME", str(folder / "datasets"))
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("WANDB_MODE", "offline")
    patch.chdir(folder)


def shrink(env: str = "pusht", policy: str = "diffusion") -> str:
    """Overrides that make a run of these two small."""
    return f"{SMALL} {SMALL_IMAGES[env]} {SMALL_POLICY[policy]}"


def run(script: str, command: str, *more: str) -> None:
    """Run a script as the shell would; one that fails raises UserError with what it says after its progress."""
    arguments = [str(SCRIPTS / script), *shlex.split(command), *more]
    original, sys.argv = sys.argv, arguments
    try:
        with redirect_stderr(StringIO()) as said:
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as error:
        if error.code:
            raise UserError(said.getvalue().rpartition("error: ")[2].rstrip("\n")) from None
    finally:
        sys.argv = original


def results(folder: Path) -> Path:
    """The one run below `folder`, which has a checkpoint."""
    (checkpoint,) = folder.rglob("model.safetensors")
    return checkpoint.parents[2]


def settings_of(folder: Path) -> dict:
    """The settings stored with the run's checkpoint."""
    return yaml.safe_load(next(folder.rglob("settings.yaml")).read_text())


ALOHA = shlex.split(shrink("aloha", "act"))
STATE = "env=aloha_cube_state policy=act_state"
STATE_SIZES = shlex.split(
    "device=cpu training.batch_size=8 training.offline_steps=20 training.save_freq=10 training.eval_freq=0"
    " policy.dim_model=16 policy.n_heads=2 policy.dim_feedforward=16 policy.n_encoder_layers=1"
    " policy.n_vae_encoder_layers=1 policy.latent_dim=4 policy.actions_per_query=50"
)
