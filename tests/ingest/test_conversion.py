"""Import and export: what goes round through another format comes back bit for bit; what the commands answer."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset, read_episodes
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.robomimic import RobomimicFile, write_episodes
from demo_score.data.lists import Entry, write_list, write_table
from demo_score.ingest.conversion import export_data, import_data
from demo_score.runtime.errors import run_command
from lerobot_fixture import write_lerobot
from scripts import export_data as export_command
from scripts import import_data as import_command

STATE, CAMERA = "observation.state", "observation.images.top"
ENV_ARGS = {"env_name": "Lift", "env_kwargs": {"control_freq": 20}}
FIELDS = ("success", "seed", "strategy", "checkpoint", "task")


def episodes(n_episodes: int = 3) -> list[Episode]:
    found = []
    for number in range(n_episodes):
        episode = random_episode(4 + number, 30 + number, success=number != 1, task="lift", checkpoint=f"00{number}000")
        images = np.random.default_rng(number).integers(0, 256, (4 + number, 16, 24, 3), dtype=np.uint8)
        found.append(replace(episode, observations={**episode.observations, CAMERA: images}))
    return found


@pytest.fixture
def robomimic(tmp_path: Path) -> Path:
    path = tmp_path / "my rollouts.hdf5"
    write_episodes(path, episodes(), ENV_ARGS)
    with h5py.File(path, "r+") as file:
        file["mask/good"] = np.array([b"demo_2", b"demo_0"])
    return path


@pytest.fixture
def lerobot(tmp_path: Path) -> Path:
    return write_lerobot(tmp_path / "my set", n_episodes=3, images={CAMERA: (16, 24)}, video=False)


@pytest.fixture
def aloha(tmp_path: Path) -> Path:
    write_aloha(tmp_path / "my aloha", episodes())
    return tmp_path / "my aloha"


def assert_same(first: Path, second: Path, fields: tuple[str, ...] = FIELDS) -> None:
    """The same episodes to the bit, and the same of `fields`."""
    pairs = list(zip(read_episodes(first), read_episodes(second), strict=True))
    assert pairs
    for one, other in pairs:
        assert one.observations.keys() == other.observations.keys()
        for key, values in one.observations.items():
            np.testing.assert_array_equal(values[:], other.observations[key][:], strict=True)
        np.testing.assert_array_equal(one.actions, other.actions, strict=True)
        assert {name: getattr(one, name) for name in fields} == {name: getattr(other, name) for name in fields}


def assert_same_rewards(first: Path, second: Path) -> None:
    for one, other in zip(read_episodes(first), read_episodes(second), strict=True):
        np.testing.assert_array_equal(one.rewards, other.rewards, strict=True)


def test_ours_comes_back_from_lerobot(robomimic, tmp_path) -> None:
    assert export_data(robomimic, tmp_path / "set v1.0", "lerobot", images="image") == 3
    assert import_data(tmp_path / "set v1.0", tmp_path / "back.hdf5") == 3
    assert_same(robomimic, tmp_path / "back.hdf5")
    assert_same_rewards(robomimic, tmp_path / "back.hdf5")
    assert open_dataset(tmp_path / "set v1.0").fps == 20
    assert RobomimicFile(tmp_path / "back.hdf5").env_args() == {"env_name": "set v1.0", "fps": 20}


def test_lerobot_comes_back_from_ours(lerobot, tmp_path) -> None:
    import_data(lerobot, tmp_path / "ours.hdf5")
    export_data(tmp_path / "ours.hdf5", tmp_path / "back", "lerobot", images="image")
    assert_same(lerobot, tmp_path / "back")
    assert_same_rewards(lerobot, tmp_path / "back")
    assert open_dataset(tmp_path / "back").fps == open_dataset(lerobot).fps


def test_aloha_comes_back_from_ours(aloha, tmp_path) -> None:
    import_data(aloha, tmp_path / "ours.hdf5")
    export_data(tmp_path / "ours.hdf5", tmp_path / "back", "aloha")
    assert_same(aloha, tmp_path / "back")


def test_aloha_comes_back_from_lerobot(aloha, tmp_path) -> None:
    export_data(aloha, tmp_path / "set", "lerobot", fps=50, images="image")
    export_data(tmp_path / "set", tmp_path / "back", "aloha")
    assert_same(aloha, tmp_path / "back")


def test_lerobot_comes_back_from_aloha(lerobot, tmp_path) -> None:
    export_data(lerobot, tmp_path / "aloha", "aloha")
    export_data(tmp_path / "aloha", tmp_path / "back", "lerobot", fps=10, images="image")
    assert_same(lerobot, tmp_path / "back", ("success", "seed"))


def test_ours_comes_back_from_aloha(robomimic, tmp_path) -> None:
    export_data(robomimic, tmp_path / "aloha", "aloha", sim=True)
    export_data(tmp_path / "aloha", tmp_path / "back.hdf5", "robomimic", fps=20)
    assert_same(robomimic, tmp_path / "back.hdf5", ("success", "checkpoint"))
    assert RobomimicFile(tmp_path / "back.hdf5").env_args() == {"env_name": "aloha", "fps": 20}
    with h5py.File(tmp_path / "aloha/episode_0.hdf5") as file:
        assert file.attrs["sim"]


def test_a_copy_of_a_robomimic_file_keeps_its_environment(robomimic, tmp_path) -> None:
    export_data(robomimic, tmp_path / "copy.hdf5", "robomimic")
    assert_same(robomimic, tmp_path / "copy.hdf5")
    assert RobomimicFile(tmp_path / "copy.hdf5").env_args() == ENV_ARGS


def test_videos_come_back_within_codec_loss(tmp_path) -> None:
    shade = np.linspace(40, 200, 8).astype(np.uint8)
    images = np.broadcast_to(shade[:, None, None, None], (8, 64, 64, 3)).copy()
    write_episodes(
        tmp_path / "a.hdf5", [replace(random_episode(8), observations={STATE: np.eye(8), CAMERA: images})], {}
    )
    export_data(tmp_path / "a.hdf5", tmp_path / "set", "lerobot", fps=10)
    (episode,) = read_episodes(tmp_path / "set")
    assert list((tmp_path / "set/videos").rglob("*.mp4"))
    assert np.abs(episode.observations[CAMERA][:].astype(int) - images).max() <= 6


def test_some_episodes_are_imported_in_the_order_asked_for(robomimic, tmp_path) -> None:
    import_data(robomimic, tmp_path / "a.hdf5", indices=[2, 0])
    assert [episode.seed for episode in read_episodes(tmp_path / "a.hdf5")] == [32, 30]


def test_episodes_of_a_filter_key_are_imported(robomimic, lerobot, tmp_path) -> None:
    import_data(robomimic, tmp_path / "a.hdf5", filter_key="good")
    assert [episode.seed for episode in read_episodes(tmp_path / "a.hdf5")] == [30, 32]
    for source, what in [(robomimic, "no filter key best; there are: good"), (lerobot, "are robomimic's")]:
        with one_line_error(source, what):
            import_data(source, tmp_path / "b.hdf5", filter_key="best")


def test_some_observations_are_imported(robomimic, tmp_path) -> None:
    import_data(robomimic, tmp_path / "a.hdf5", keys=[STATE])
    assert list(read_episodes(tmp_path / "a.hdf5")[0].observations) == [STATE]
    with one_line_error(robomimic, "no observation.force", STATE):
        import_data(robomimic, tmp_path / "b.hdf5", keys=[STATE, "observation.force"])


def test_labels_hold_where_they_tell(robomimic, tmp_path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("episode,success,checkpoint\n0,0,\n1,1,9000\n")
    import_data(robomimic, tmp_path / "a.hdf5", labels=labels)
    found = [(episode.success, episode.checkpoint) for episode in read_episodes(tmp_path / "a.hdf5")]
    assert found == [(False, "000000"), (True, "009000"), (True, "002000")]


def test_list_of_several_formats_is_imported(robomimic, aloha, tmp_path) -> None:
    with h5py.File(aloha / "episode_1.hdf5", "r+") as file:  # not the same as the first file's
        file["action"][0, 0] += 1
    write_list(tmp_path / "list.txt", {robomimic: [2, 0], aloha: [1]})
    assert import_data(tmp_path / "list.txt", tmp_path / "a.hdf5") == 3
    assert [episode.seed for episode in read_episodes(tmp_path / "a.hdf5")] == [32, 30, 1]


def test_what_a_table_tells_goes_along(robomimic, tmp_path) -> None:
    entries = [Entry(robomimic, number, success=False, strategy="slow") for number in (1, 0)]
    write_table(tmp_path / "table.csv", entries)
    export_data(tmp_path / "table.csv", tmp_path / "set", "lerobot", images="image")
    found = [(episode.seed, episode.success, episode.strategy) for episode in read_episodes(tmp_path / "set")]
    assert found == [(31, False, "slow"), (30, False, "slow")]


def test_episodes_and_labels_are_not_chosen_beside_a_list(robomimic, tmp_path) -> None:
    write_list(tmp_path / "list.txt", {robomimic: [2, 0]})
    for options in ({"indices": [0]}, {"filter_key": "good"}, {"labels": tmp_path / "labels.csv"}):
        with one_line_error("list.txt", "a list says itself"):
            import_data(tmp_path / "list.txt", tmp_path / "a.hdf5", **options)


def test_source_is_never_overwritten(robomimic, lerobot) -> None:
    for source, out in [(robomimic, robomimic), (lerobot, lerobot / "data" / "a.hdf5")]:
        with one_line_error(out, "not to be changed"):
            import_data(source, out)


def test_rate_must_be_known_and_the_same(robomimic, lerobot, aloha, tmp_path) -> None:
    with one_line_error(aloha, "--fps"):
        export_data(aloha, tmp_path / "set", "lerobot")
    write_list(tmp_path / "list.txt", {robomimic: [0], lerobot: [0]})
    with one_line_error("10 and 20 frames a second"):
        import_data(tmp_path / "list.txt", tmp_path / "a.hdf5")


@pytest.mark.parametrize("env_args", [{}, {"env_name": "Lift", "env_kwargs": None}])
def test_robomimic_file_that_tells_no_rate_needs_one(tmp_path, env_args) -> None:
    write_episodes(tmp_path / "a.hdf5", [random_episode(4)], env_args)
    with one_line_error("a.hdf5", "--fps"):
        export_data(tmp_path / "a.hdf5", tmp_path / "set", "lerobot")
    export_data(tmp_path / "a.hdf5", tmp_path / "b.hdf5", "robomimic", fps=5)
    assert RobomimicFile(tmp_path / "b.hdf5").env_args() == {"env_name": "a", "fps": 5} | env_args


def test_nothing_selected_is_an_error(robomimic, tmp_path) -> None:
    with one_line_error(robomimic, "no episode"):
        import_data(robomimic, tmp_path / "a.hdf5", indices=[])


def command(module, monkeypatch, capsys, *arguments: object) -> tuple[int, str, list[str]]:
    """Exit status, stdout, and the lines of stderr of a command."""
    monkeypatch.setattr(sys, "argv", [module.__file__, *map(str, arguments)])
    status = 0
    try:
        run_command(module.main)
    except SystemExit as end:
        status = end.code
    out, err = capsys.readouterr()
    return status, out, err.splitlines()


def spoil(path: Path) -> list[str]:
    """Two bad episodes, and the lines that tell of them."""
    with h5py.File(path, "r+") as file:
        file["data/demo_1/actions"][2, 0] = np.nan
        del file["data/demo_2/actions"]
        file["data/demo_2/actions"] = np.zeros((3, 14))
    what = "episode /data/demo_2 has arrays of [3, 6] steps; num_samples=6; record or copy it again"
    return [f"{path} episode 1: action holds NaN or infinite values", f"{path} episode 2: {what}"]


def test_import_command_refuses_bad_episodes_or_skips_them(robomimic, tmp_path, monkeypatch, capsys) -> None:
    lines, out = spoil(robomimic), tmp_path / "ours.hdf5"
    status, _, err = command(import_command, monkeypatch, capsys, robomimic, "--out", out)
    assert (status, err[:-1], out.exists()) == (2, lines, False)
    assert err[-1].startswith("error: 2 problems") and "--problems skip" in err[-1]
    options = ("--out", out, "--problems", "skip")
    status, text, err = command(import_command, monkeypatch, capsys, robomimic, *options)
    left_out = f"{robomimic}: left out: filter keys good"
    assert (status, text, err) == (0, f"{out}: 1 episodes\n", [*(f"skipped: {line}" for line in lines), left_out])
    assert [episode.seed for episode in read_episodes(out)] == [30]


@pytest.mark.parametrize("to", ["lerobot", "aloha", "robomimic"])
def test_export_command_refuses_bad_episodes_or_skips_them(robomimic, tmp_path, monkeypatch, capsys, to) -> None:
    lines, out = spoil(robomimic), tmp_path / "my export"
    arguments = (robomimic, "--to", to, "--out", out, "--images", "image")
    status, _, err = command(export_command, monkeypatch, capsys, *arguments)
    assert (status, err[:-1], out.exists()) == (2, lines, False)
    status, text, err = command(export_command, monkeypatch, capsys, *arguments, "--problems", "skip")
    lost = {"lerobot": ", env_args", "aloha": ", env_args", "robomimic": ""}[to]
    left_out = f"{robomimic}: left out: {'rewards, tasks, ' * (to == 'aloha')}filter keys good{lost}"
    assert (status, text, err) == (0, f"{out}: 1 episodes\n", [*(f"skipped: {line}" for line in lines), left_out])
    assert len(open_dataset(out).episode_indices) == 1


def test_import_command_takes_all_its_options(robomimic, tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "my labels.csv").write_text("episode,success\n2,0\n")
    options = ("--episodes", "2,0", "--labels", tmp_path / "my labels.csv", "--keys", STATE)
    out = tmp_path / "ours.hdf5"
    assert command(import_command, monkeypatch, capsys, robomimic, "--out", out, *options)[0] == 0
    found = [(episode.seed, episode.success, list(episode.observations)) for episode in read_episodes(out)]
    assert found == [(32, False, [STATE]), (30, True, [STATE])]


def test_commands_end_with_2_where_nothing_can_be_opened(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "set/meta").mkdir(parents=True)
    (tmp_path / "set/meta/info.json").write_text(json.dumps({"codebase_version": "v2.0"}))
    for source in (tmp_path / "missing", tmp_path / "set", tmp_path / "list.txt"):
        for module, options in [(import_command, ()), (export_command, ("--to", "aloha"))]:
            out = tmp_path / "out"
            status, _, err = command(module, monkeypatch, capsys, source, "--out", out, *options)
            assert (status, len(err), out.exists()) == (2, 1, False)
            assert err[0].startswith(f"error: {source}: ")
