"""Episode files: what is stored comes back, in robomimic's layout, and damage is reported in one line."""

import json
import pickle
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import RobomimicFile, write_episodes
from demo_score.data.frames import Frames

Change = Callable[[h5py.File], object]
ENV_ARGS = {"env_name": "AlohaTransferCube-v0", "fps": 50}


def assert_equal(first: Episode, second: Episode) -> None:
    assert first.observations.keys() == second.observations.keys()
    for key, values in first.observations.items():
        np.testing.assert_array_equal(values[:], second.observations[key][:], strict=True)
    np.testing.assert_array_equal(first.actions, second.actions, strict=True)
    np.testing.assert_array_equal(first.rewards, second.rewards, strict=True)
    for name in ("success", "seed", "strategy", "checkpoint"):
        assert getattr(first, name) == getattr(second, name)


@pytest.fixture
def episodes() -> list[Episode]:
    return [
        random_episode(5, seed=11, strategy="reliable"),
        random_episode(9, seed=12, success=False, checkpoint="003000"),
        random_episode(1, seed=13),
    ]


@pytest.fixture
def path(tmp_path: Path, episodes: list[Episode]) -> Path:
    write_episodes(tmp_path / "episodes.hdf5", episodes, ENV_ARGS)
    return tmp_path / "episodes.hdf5"


def test_written_episodes_come_back_with_all_their_attributes(path, episodes) -> None:
    for written, read in zip(episodes, read_episodes(path), strict=True):
        assert_equal(written, read)
    assert RobomimicFile(path).env_args() == ENV_ARGS
    assert RobomimicFile(path).numbers == [0, 1, 2]


def test_episodes_come_in_the_order_asked_for(path, episodes) -> None:
    last, first = read_episodes(path, [2, 0])
    assert_equal(last, episodes[2])
    assert_equal(first, episodes[0])
    assert read_episodes(path, []) == []


def test_more_than_ten_episodes_keep_their_numbers(tmp_path) -> None:
    write_episodes(tmp_path / "many.hdf5", [random_episode(2, seed=seed) for seed in range(12)], ENV_ARGS)
    assert [episode.seed for episode in read_episodes(tmp_path / "many.hdf5")] == list(range(12))


def test_layout_is_robomimics(path, episodes) -> None:
    with h5py.File(path) as file:
        data = file["data"]
        assert sorted(data) == ["demo_0", "demo_1", "demo_2"]
        assert data.attrs["total"] == 5 + 9 + 1
        assert json.loads(data.attrs["env_args"]) == ENV_ARGS
        demo = data["demo_1"]
        assert sorted(demo) == ["actions", "dones", "obs", "rewards"]
        assert sorted(demo["obs"]) == ["environment_state", "state"]
        assert demo.attrs["num_samples"] == 9
        assert demo["dones"][()].tolist() == [0] * 8 + [1]
        np.testing.assert_array_equal(demo["obs/state"], episodes[1].observations["observation.state"])


def test_same_episodes_make_the_same_bytes_at_another_time(path, episodes) -> None:
    before = path.read_bytes()
    time.sleep(1.1)  # HDF5's time stamps, if any, count seconds
    write_episodes(path, episodes, ENV_ARGS)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_truncated_file_is_reported(path, share) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with one_line_error(path, "truncated"):
        read_episodes(path)


def test_text_file_is_reported(tmp_path) -> None:
    path = tmp_path / "episodes.hdf5"
    path.write_text("not HDF5")
    with one_line_error(path, "not an HDF5 file"):
        RobomimicFile(path)


def test_missing_file_is_reported(tmp_path) -> None:
    with one_line_error(tmp_path / "gone.hdf5", "no such file"):
        RobomimicFile(tmp_path / "gone.hdf5")


@pytest.mark.parametrize("name", ["other", "data"])
def test_hdf5_file_of_another_kind_is_reported(tmp_path, name) -> None:
    path = tmp_path / "foreign.hdf5"
    with h5py.File(path, "w") as file:
        file[name] = np.arange(3)
    with one_line_error(path, "not an episode file"):
        read_episodes(path)


def test_missing_episode_is_reported(path) -> None:
    with one_line_error(path, "no episode 3", "holds 3 episodes"):
        read_episodes(path, [0, 3])
    with one_line_error(path, "no episode -1"):
        read_episodes(path, [-1])


@pytest.mark.parametrize("lost", ["actions", "obs"])
def test_episode_without_an_array_is_reported(path, lost) -> None:
    with h5py.File(path, "a") as file:
        del file["data/demo_1"][lost]
    with one_line_error(path, "demo_1", "incomplete or damaged"):
        read_episodes(path)
    assert len(read_episodes(path, [0, 2])) == 2


def test_episode_that_does_not_tell_its_length_is_as_long_as_its_arrays(path, episodes) -> None:
    with h5py.File(path, "a") as file:
        del file["data/demo_1"].attrs["num_samples"]
    assert_equal(read_episodes(path)[1], episodes[1])
    with h5py.File(path, "a") as file:
        del file["data/demo_1/rewards"]
        file["data/demo_1/rewards"] = np.zeros(4)
    with one_line_error(path, "demo_1", "[4, 9] steps"):
        read_episodes(path)


def test_what_robomimics_own_files_lack_is_unknown(path) -> None:
    with h5py.File(path, "a") as file:
        for name in ("success", "seed"):
            del file["data/demo_1"].attrs[name]
        del file["data/demo_1/rewards"], file["data"].attrs["env_args"], file["data"].attrs["total"]
    episode = read_episodes(path)[1]
    assert (episode.success, episode.seed, episode.rewards) == (None, 1, None)
    assert RobomimicFile(path).env_args() == {}


@pytest.mark.parametrize("name", ["actions", "rewards", "observation.state"])
def test_arrays_of_unequal_length_are_reported(tmp_path, name) -> None:
    episode = random_episode(6)
    if name in episode.observations:
        episode.observations[name] = episode.observations[name][:-1]
    else:
        episode = replace(episode, **{name: getattr(episode, name)[:-1]})
    write_episodes(tmp_path / "uneven.hdf5", [episode], ENV_ARGS)
    with one_line_error(tmp_path / "uneven.hdf5", "demo_0", "num_samples"):
        read_episodes(tmp_path / "uneven.hdf5")


def test_failing_write_leaves_the_previous_file_and_nothing_else(path, episodes) -> None:
    before = path.read_bytes()
    unwritable = replace(random_episode(3), rewards=np.array([object()] * 3))
    with pytest.raises(TypeError):
        write_episodes(path, [*episodes, unwritable], ENV_ARGS)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_failing_first_write_leaves_nothing(tmp_path) -> None:
    with pytest.raises(TypeError):
        write_episodes(tmp_path / "new.hdf5", [random_episode(3)], {"not JSON": object()})
    assert list(tmp_path.iterdir()) == []


IMAGES = {"observation.image": (4, 6), "observation.images.top": (8, 4)}


@pytest.fixture
def image_path(tmp_path: Path) -> Path:
    write_episodes(tmp_path / "images.hdf5", [image_episode(number) for number in range(2)], ENV_ARGS)
    return tmp_path / "images.hdf5"


def image_episode(number: int) -> Episode:
    episode = random_episode(20, seed=number)
    generator = np.random.default_rng(number)
    for key, size in IMAGES.items():
        episode.observations[key] = generator.integers(0, 256, (20, *size, 3), dtype=np.uint8)
    return episode


def test_images_come_back_frame_by_frame(image_path) -> None:
    for number, read in enumerate(read_episodes(image_path)):
        written = image_episode(number)
        assert_equal(written, read)
        for key in IMAGES:
            frames, images = read.observations[key], written.observations[key]
            assert isinstance(frames, Frames)
            assert (len(frames), frames.shape, frames.dtype) == (20, images.shape, np.uint8)
            for indices in ([7], [3, 0, 3, -1], np.array([], dtype=int), slice(2, 18, 5)):
                np.testing.assert_array_equal(frames[indices], images[indices], strict=True)
            with pytest.raises(IndexError):
                frames[[20]]


def test_images_are_stored_one_a_chunk_under_their_camera(image_path) -> None:
    with h5py.File(image_path) as file:
        stored = file["data/demo_1/obs/images/top"]
        assert stored.chunks == (1, 8, 4, 3) and stored.compression == "gzip" and stored.dtype == np.uint8
        assert "image" in file["data/demo_0/obs"]


def test_frames_can_be_handed_to_another_process(image_path) -> None:
    frames = read_episodes(image_path)[0].observations["observation.image"]
    before = frames[:]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(frames))[:], before)


def test_episodes_with_images_in_a_file_can_be_written_to_another(tmp_path, image_path) -> None:
    write_episodes(tmp_path / "copy.hdf5", (episode for episode in read_episodes(image_path)), ENV_ARGS)
    for number, read in enumerate(read_episodes(tmp_path / "copy.hdf5")):
        assert_equal(image_episode(number), read)


def test_file_that_changed_after_its_episodes_were_listed_is_reported(image_path) -> None:
    frames = read_episodes(image_path)[0].observations["observation.image"]
    write_episodes(image_path, [image_episode(5)], ENV_ARGS)
    with one_line_error(image_path, "changed"):
        frames[:1]


def test_damaged_image_is_reported(image_path) -> None:
    with h5py.File(image_path) as file:
        stored = file["data/demo_0/obs/images/top"].id.get_chunk_info(3)
    content = bytearray(image_path.read_bytes())
    content[stored.byte_offset : stored.byte_offset + stored.size] = bytes(stored.size)
    image_path.write_bytes(content)
    frames = read_episodes(image_path)[0].observations["observation.images.top"]
    assert frames[[2, 4]].shape == (2, 8, 4, 3)
    with one_line_error(image_path, "demo_0", "damaged"):
        frames[[3]]


def test_features_are_those_of_the_first_episode_that_can_be_read(path) -> None:
    expected = RobomimicFile(path).features()
    for number, lost in enumerate(["obs", "actions", "obs"]):
        with h5py.File(path, "a") as file:
            del file[f"data/demo_{number}/{lost}"]
        if number < 2:
            assert RobomimicFile(path).features() == expected != {}
    with one_line_error(path, "demo_0", "obs"):
        RobomimicFile(path).features()


def replace_by(name: str, value: object) -> Change:
    def change(file: h5py.File) -> None:
        file.pop(name, None)
        file[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (replace_by("data/demo_1/obs/temperature", 20.5), "obs/temperature is no array of steps"),
        (replace_by("data/demo_1/actions", 0.0), "actions is no array of steps"),
        (replace_by("data/demo_1/rewards", 0.0), "rewards is no array of steps"),
        (
            lambda file: (file.pop("data/demo_1/actions"), file.create_group("data/demo_1/actions")),
            "actions is no array",
        ),
        (replace_by("data/demo_1/obs", np.zeros(9)), "obs is no group"),
        (replace_by("data/demo_1", np.zeros(9)), "demo_1 is no group"),
        (replace_by("data/demo_1/obs/x", h5py.SoftLink("/nowhere")), "obs/x is a link that leads to no array"),
        (replace_by("data/demo_1/obs/x", h5py.ExternalLink("gone", "/x")), "obs/x is a link that leads to no array"),
        (replace_by("data/demo_1/obs/a.b", np.zeros(9)), None),
    ],
)
def test_episode_of_another_structure_is_reported(path, change, told) -> None:
    with h5py.File(path, "a") as file:
        file["data/demo_1/obs/a/b"] = np.zeros(9)
        change(file)
    with one_line_error(path, "demo_1", "incomplete", told or "two observations are of one name"):
        read_episodes(path)
    assert len(read_episodes(path, [0, 2])) == 2


@pytest.mark.parametrize("name", ["num_samples", "success", "seed"])
@pytest.mark.parametrize("value", ["many", 0.3, -1, [0, 1]])
def test_attribute_that_means_nothing_is_named(path, name, value) -> None:
    with h5py.File(path, "a") as file:
        file["data/demo_1"].attrs[name] = value
    with one_line_error(path, "demo_1", f"{name} "):
        read_episodes(path)
    assert len(read_episodes(path, [0, 2])) == 2


@pytest.mark.parametrize(
    ("value", "meaning"),
    [(1, True), (0.0, False), (np.nan, None), (b"True", True), ("false", False), ([True], True), ("", None)],
)
def test_success_is_true_false_or_unknown_however_it_is_stored(path, value, meaning) -> None:
    with h5py.File(path, "a") as file:
        file["data/demo_1"].attrs["success"] = value
    assert read_episodes(path)[1].success is meaning


def test_success_as_an_enumeration_of_hdf5(path) -> None:
    with h5py.File(path, "a") as file:
        attributes = file["data/demo_1"].attrs
        attributes.create("success", 1, dtype=h5py.enum_dtype({"NO": 0, "YES": 1}, basetype="i1"))
    assert read_episodes(path)[1].success is True


def test_numbers_of_another_order_of_bytes_are_the_same(path, episodes) -> None:
    with h5py.File(path, "a") as file:
        group = file["data/demo_1"]
        for name in ("actions", "rewards", "obs/state"):
            values = group[name][()]
            del group[name]
            group[name] = values.astype(values.dtype.newbyteorder(">"))
    assert_equal(read_episodes(path)[1], episodes[1])


def test_rewards_are_one_number_a_step(path, episodes) -> None:
    with h5py.File(path, "a") as file:
        del file["data/demo_1/rewards"]
        file["data/demo_1/rewards"] = np.zeros((9, 1))
    assert read_episodes(path)[1].rewards.shape == (9,)
    with h5py.File(path, "a") as file:
        del file["data/demo_1/rewards"]
        file["data/demo_1/rewards"] = np.zeros((9, 2))
    with one_line_error(path, "demo_1", "one number a step"):
        read_episodes(path)


def test_links_to_arrays_are_read(path, episodes) -> None:
    with h5py.File(path, "a") as file:
        file["data/demo_1/obs/soft"] = h5py.SoftLink("/data/demo_1/obs/state")
        file["data/demo_1/obs/hard"] = file["data/demo_1/obs/state"]
    (episode,) = read_episodes(path, [1])
    for name in ("soft", "hard"):
        np.testing.assert_array_equal(
            episode.observations[f"observation.{name}"], episodes[1].observations["observation.state"]
        )


def test_key_that_an_episode_lacks_is_reported(path) -> None:
    with h5py.File(path, "a") as file:
        del file["data/demo_1/obs/environment_state"]
    with one_line_error(path, "demo_1", "has no observation.environment_state, which other episodes have"):
        read_episodes(path, keys=["observation.environment_state"])
    with one_line_error(path, "has no observation.force", "choose from", "observation.state"):
        read_episodes(path, keys=["observation.force"])


@pytest.mark.parametrize("text", ["nope", "[1]", '{"env_kwargs": 3}', 3.0, np.array([1, 2])])
def test_description_of_the_environment_that_is_none_is_reported(path, text) -> None:
    with h5py.File(path, "a") as file:
        file["data"].attrs["env_args"] = text
    with one_line_error(path, "env_args"):
        RobomimicFile(path).env_args()
    assert len(read_episodes(path)) == 3


@pytest.mark.parametrize(
    ("names", "strange"),
    [
        ([b"demo_9"], "demo_9"),
        ([b"demo_0", b"x"], "x"),
        ([b"demo_00"], "demo_00"),
        ([b"\xff"], "\ufffd"),
        ([0, 1], "0"),
    ],
)
def test_mask_that_names_no_episode_is_reported_when_it_is_used(path, names, strange) -> None:
    with h5py.File(path, "a") as file:
        file["mask/train"], file["mask/valid"] = np.array(names), np.array([b"demo_2", b"demo_0"])
        file.create_group("mask/group")
    dataset = RobomimicFile(path)
    with one_line_error(path, "mask/train", f"names {strange},"):
        dataset.filtered("train")
    assert dataset.filtered("valid") == dataset.filter_keys()["valid"] == [0, 2]
    with one_line_error(path, "no filter key test", "train, valid"):
        dataset.filtered("test")


def test_images_of_an_episode_without_a_step_can_be_written(tmp_path) -> None:
    episode = replace(random_episode(0), observations={"observation.image": np.zeros((0, 4, 6, 3), np.uint8)})
    for name in ("empty.hdf5", "copy.hdf5"):  # from memory, then from a file
        write_episodes(tmp_path / name, [episode], ENV_ARGS)
        (episode,) = read_episodes(tmp_path / name)
        assert episode.observations["observation.image"][:].shape == (0, 4, 6, 3)
