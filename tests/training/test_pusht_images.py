"""PushT from images with Diffusion Policy in miniature: scripted demonstrations, training, rollouts, looks.

Nothing here hangs on what the policy does after four steps.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from demo_score.config.settings import compose_settings
from demo_score.curation.policy_features import PolicyFeatures
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.demonstrations.collect import collect_demonstrations
from demo_score.observations import FEATURES
from demo_score.rollout.runs import collect_rollouts
from demo_score.training.loop import train
from policy_settings import TINY_DIFFUSION, TINY_KEYPOINTS
from safetensors.torch import load_file

OVERRIDES = [
    *("env=pusht", "policy=diffusion", "seed=3", "device=cpu", "env.image_size=48", *TINY_DIFFUSION, *TINY_KEYPOINTS),
    *("policy.vision_backbone=small_cnn", "policy.num_inference_steps=2", "policy.noise_scheduler_type=DDIM"),
    *("training.offline_steps=4", "training.save_freq=2", "training.batch_size=4", "training.num_workers=0"),
    *("training.eval_freq=0", "training.drop_n_last_frames=0", "eval.n_episodes=2", "eval.batch_size=2"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two demonstrations, checkpoints of a policy that trained on them, and two rollouts of the last."""
    folder = tmp_path_factory.mktemp("pusht")
    env = compose_settings(OVERRIDES)[0].env
    write_episodes(folder / "demos.hdf5", collect_demonstrations(env, "reliable", 2, 5000, 1), {})
    train(compose_settings([*OVERRIDES, f"+datasets_file={folder / 'demos.hdf5'}"])[0], folder / "run")
    checkpoint = folder / "run/checkpoints/000004"
    collect_rollouts(
        checkpoint, ["seed=9000", "env.episode_length=12", "eval.record_images=looks"], folder / "rollouts"
    )
    return folder


def test_what_looks_at_images_and_what_acts_both_learn(folder: Path) -> None:
    before, after = (load_file(folder / f"run/checkpoints/{step}/model.safetensors") for step in ("000002", "000004"))
    for part in ("backbone.", "keypoints.", "unet."):
        assert any(not torch.equal(after[name], before[name]) for name in after if name.startswith(part))
    assert all(values.isfinite().all() for values in after.values())


def test_rollouts_hold_the_images_of_each_look(folder: Path) -> None:
    for episode in read_episodes(folder / "rollouts/000004.hdf5"):
        assert len(episode) == 12 and episode.success is False
        looks = [episode.observations["observation.image"][step] for step in range(0, 12, 4)]
        assert all(look.shape == (48, 48, 3) and np.std(look) > 10 for look in looks)


def test_classifiers_see_what_the_policy_makes_of_its_looks(folder: Path) -> None:
    features = PolicyFeatures(folder / "run/checkpoints/000004")
    for file in ("demos.hdf5", "rollouts/000004.hdf5"):
        for episode in read_episodes(folder / file):
            found = features.added(episode, file).observations[FEATURES]
            assert found.shape[0] == len(episode) and np.isfinite(found).all()
            assert (found[0] == found[3]).all() and (found[3] != found[4]).any()
