"""Every policy trains from every format; the same numbers in another format train the same policy."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import one_line_error
from demo_score.config.settings import compose_settings
from demo_score.data.formats import read_episodes
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.robomimic import write_episodes
from demo_score.training.loop import train
from demo_score.training.sources import training_episodes
from fixture_content import CAMERA, FPS, small_episodes
from places import TESTS
from policy_settings import TINY_ACT, TINY_DIFFUSION, TINY_KEYPOINTS

pytestmark = pytest.mark.slow

STATE = "observation.state"
DATA = TESTS / "data"
LEROBOT = ["lerobot_v3.0", "lerobot_v2.1", "lerobot_v3.0_images"]
RECORDED = ["env=recorded", "env.state_dim=4", "env.action_dim=3", "device=cpu", "seed=0", "+datasets_file=null"]
SHORT = ["training.offline_steps=2", "training.eval_freq=0", "training.save_freq=2", "training.batch_size=2"]
SHORT += ["training.num_workers=0"]
IMAGES = ["env.obs_type=pixels_agent_pos", "env.cameras=[top]", "env.image_size=[64,64]"]
NO_WEIGHTS = "policy.pretrained_backbone_weights=null"
POLICIES = {
    "act": [*TINY_ACT, *IMAGES, NO_WEIGHTS],
    "act_state": TINY_ACT,
    "diffusion": [*TINY_DIFFUSION, *IMAGES, *TINY_KEYPOINTS, NO_WEIGHTS],
    "diffusion_state": TINY_DIFFUSION,
}
# A robomimic file's own names, and what the policy calls them.
NAMES = (
    "dataset_keys={observation.state: [observation.eef_pos, observation.gripper],"
    " observation.images.top: [observation.agentview_image]}"
)


def settings(*overrides: str):
    return compose_settings([*RECORDED, *SHORT, *overrides])[0]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same three episodes in every format; images of the first two are a video's."""
    folder = tmp_path_factory.mktemp("some data")
    found = {name: shutil.copytree(DATA / name, folder / name) for name in LEROBOT}
    episodes = read_episodes(found["lerobot_v3.0_images"])
    found |= {"own": folder / "own.hdf5", "aloha": folder / "aloha", "robomimic": folder / "robomimic.hdf5"}
    write_episodes(found["own"], episodes, {})
    write_aloha(found["aloha"], episodes)
    with h5py.File(found["robomimic"], "w") as file:
        for number, content in enumerate(small_episodes()):
            group = file.create_group(f"data/demo_{number}")
            group.attrs["num_samples"] = len(content.action)
            group["actions"] = content.action.astype(np.float64)
            group["obs/eef_pos"] = content.state[:, :3].astype(np.float64)
            group["obs/gripper"] = content.state[:, 3:].astype(np.float64)
            group["obs/agentview_image"] = content.images
    return found


def names(source: str, policy: str) -> list[str]:
    if source != "robomimic":
        return []
    return [NAMES if policy in ("act", "diffusion") else f"{NAMES.split(', observation.images')[0]}}}"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("source", [*LEROBOT, "own", "aloha", "robomimic"])
def test_every_policy_trains_from_every_format(sources, source, policy, tmp_path) -> None:
    overrides = [f"policy={policy}", *POLICIES[policy], *names(source, policy)]
    chosen = settings(*overrides)
    chosen.datasets_file = str(sources[source])
    train(chosen, tmp_path / "run")
    assert (tmp_path / "run/checkpoints/000002/model.safetensors").is_file()


@pytest.mark.parametrize("source", ["lerobot_v3.0", "lerobot_v2.1", "own", "aloha", "robomimic"])
def test_the_same_numbers_train_the_same_policy(sources, source, tmp_path) -> None:
    weights = {}
    for name in (source, "lerobot_v3.0_images"):
        chosen = settings("policy=act_state", *TINY_ACT, *names(name, "act_state"))
        chosen.datasets_file = str(sources[name])
        train(chosen, tmp_path / name)
        weights[name] = (tmp_path / name / "checkpoints/000002/model.safetensors").read_bytes()
    assert weights[source] == weights["lerobot_v3.0_images"]


def test_a_list_may_mix_formats(sources, tmp_path) -> None:
    lines = [
        f"{sources[name]} {numbers}\n" for name, numbers in (("lerobot_v3.0", "2"), ("own", "0,1"), ("aloha", "1"))
    ]
    (tmp_path / "list.txt").write_text("".join(lines))
    chosen = settings("policy=act", *POLICIES["act"])
    chosen.datasets_file = str(tmp_path / "list.txt")
    episodes = training_episodes(chosen)
    lengths = [len(content.action) for content in small_episodes()]
    assert [len(episode) for episode in episodes] == [lengths[2], lengths[0], lengths[1], lengths[1]]
    assert all(set(episode.observations) == {STATE, CAMERA} for episode in episodes)
    assert all(episode.actions.dtype == np.float32 for episode in episodes)


def test_any_format_is_what_dataset_repo_id_names(sources) -> None:
    chosen = settings("policy=act_state", *TINY_ACT)
    chosen.dataset_repo_id = str(sources["aloha"])
    assert len(training_episodes(chosen)) == 3


def test_vectors_are_joined_in_their_order(sources) -> None:
    chosen = settings("policy=act_state", *TINY_ACT, *names("robomimic", "act_state"))
    chosen.datasets_file = str(sources["robomimic"])
    for episode, content in zip(training_episodes(chosen), small_episodes(), strict=True):
        np.testing.assert_array_equal(episode.observations[STATE], content.state, strict=True)


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ([], ["has no observation.state", "observation.eef_pos", "dataset_keys"]),
        (["dataset_keys={observation.stat: [observation.eef_pos]}"], ["dataset_keys", "no observation.stat;"]),
        (["dataset_keys={observation.state: [observation.eef]}"], ["has no observation.eef;", "observation.eef_pos"]),
        (["dataset_keys={observation.state: [observation.eef_pos, observation.agentview_image]}"], ["no vectors"]),
    ],
)
def test_wrong_names_are_reported_with_those_there_are(sources, overrides, parts) -> None:
    chosen = settings("policy=act_state", *TINY_ACT, *overrides)
    chosen.datasets_file = str(sources["robomimic"])
    with one_line_error(*parts):
        training_episodes(chosen)


def test_other_widths_than_the_settings_are_reported(sources, tmp_path) -> None:
    chosen = settings("policy=act_state", *TINY_ACT, "env.state_dim=5")
    chosen.datasets_file = str(sources["own"])
    with one_line_error(STATE, "5", "4"):
        train(chosen, tmp_path)


def test_a_policy_cannot_be_tried_without_a_simulator(sources, tmp_path) -> None:
    chosen = settings("policy=act_state", *TINY_ACT, "training.eval_freq=1")
    chosen.datasets_file = str(sources["own"])
    with one_line_error("env.name=recorded", "training.eval_freq=0"):
        train(chosen, tmp_path)


def test_another_rate_than_the_settings_is_reported(sources) -> None:
    chosen = settings("policy=act_state", *TINY_ACT, "+env.fps=50")
    chosen.datasets_file = str(sources["lerobot_v3.0"])
    with one_line_error(f"{FPS} frames a second", "env.fps=50"):
        training_episodes(chosen)
