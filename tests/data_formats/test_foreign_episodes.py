"""Episode files that others wrote: what their layout and attributes can mean is read, anything else is named."""

from collections.abc import Callable

import h5py
import numpy as np
import pytest
from conftest import one_line_error
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import RobomimicFile
from episode_files import assert_equal, episodes, path

__all__ = ["episodes", "path"]  # the fixtures

Change = Callable[[h5py.File], object]


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
    ("change", "said"),
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
def test_episode_of_another_structure_is_reported(path, change, said) -> None:
    with h5py.File(path, "a") as file:
        file["data/demo_1/obs/a/b"] = np.zeros(9)
        change(file)
    with one_line_error(path, "demo_1", "incomplete", said or "two observations are of one name"):
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
