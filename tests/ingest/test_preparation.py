"""User-supplied demonstrations and rollouts: what is listed of them, and what is refused or left out."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.lists import read_entries, read_table
from demo_score.ingest.keep_lists import write_mask
from demo_score.ingest.preparation import prepare_data, read_data_settings
from demo_score.ingest.user_data import check_places, user_files
from lerobot_fixture import write_lerobot
from places import TESTS

STEPS = ["003000", "004000"]
DATA = TESTS / "data/bring_your_own"


def rollouts(path: Path | str, **options) -> dict:
    return {"rollouts": {"eps": STEPS, "path": str(path), **options}}


def listed(settings: dict, out: Path) -> dict[str, list[tuple]]:
    """Checkpoint -> (episode, success) of what is listed."""
    prepare_data(settings, out)
    entries = {step: read_table(out / f"rollouts/{step}.csv") for step in STEPS}
    return {step: [(entry.episode, entry.success) for entry in found] for step, found in entries.items()}


@pytest.fixture
def episodes() -> list:
    """Rollouts of two checkpoints in turn; every third succeeds, and its last reward is 4."""
    found = [random_episode(5 + seed, seed, success=None, checkpoint=STEPS[seed % 2]) for seed in range(8)]
    for number, episode in enumerate(found):
        episode.rewards[:] = np.linspace(0, 4 if number % 3 == 0 else 3, len(episode))
    return found


EXPECTED = {
    "003000": [(0, True), (2, False), (4, False), (6, True)],
    "004000": [(1, False), (3, True), (5, False), (7, False)],
}


def test_one_data_set_a_checkpoint(tmp_path) -> None:
    found = listed(rollouts(DATA / "rollouts_{checkpoint}"), tmp_path)
    assert {step: (len(rows), sum(success for _, success in rows)) for step, rows in found.items()} == {
        "003000": (30, 18),
        "004000": (30, 14),
    }


def test_a_common_data_set_with_checkpoints_and_rewards(tmp_path, episodes) -> None:
    write_episodes(tmp_path / "all of them.hdf5", episodes, {})
    assert listed(rollouts(tmp_path / "all of them.hdf5", success_reward=4), tmp_path / "out") == EXPECTED


def test_a_common_data_set_that_names_no_checkpoint_needs_a_place_for_it(tmp_path, episodes) -> None:
    for episode in episodes:
        episode.checkpoint = None
    write_episodes(tmp_path / "all.hdf5", episodes, {})
    for problems in ("refuse", "skip"):
        with one_line_error(tmp_path / "all.hdf5", "add {checkpoint} to rollouts.path"):
            listed({**rollouts(tmp_path / "all.hdf5"), "problems": problems}, tmp_path / "out")


def test_a_place_of_another_name_is_told(tmp_path) -> None:
    with one_line_error("rollouts.path", "rollouts_{step}", "a checkpoint's place is written {checkpoint}"):
        check_places(rollouts(tmp_path / "rollouts_{step}"), "data")


def test_labels_go_before_what_the_data_set_says(tmp_path, episodes) -> None:
    for episode in episodes:
        episode.success, episode.checkpoint = False, None
    write_episodes(tmp_path / "all.hdf5", episodes, {})
    rows = [(number, success, step) for step, found in EXPECTED.items() for number, success in found]
    table = pd.DataFrame(rows, columns=["episode", "success", "checkpoint"])
    table.to_csv(tmp_path / "labels.csv", index=False)
    settings = rollouts(tmp_path / "all.hdf5", labels=str(tmp_path / "labels.csv"))
    assert listed(settings, tmp_path / "out") == EXPECTED


def test_labels_may_write_checkpoints_as_numbers(tmp_path, episodes) -> None:
    """As spreadsheets leave 003000."""
    write_episodes(tmp_path / "all.hdf5", episodes, {})
    rows = [f"{number},{int(success)},{int(step)}\n" for step, found in EXPECTED.items() for number, success in found]
    (tmp_path / "labels.csv").write_text("episode,success,checkpoint\n" + "".join(rows))
    settings = rollouts(tmp_path / "all.hdf5", labels=str(tmp_path / "labels.csv"))
    assert listed(settings, tmp_path / "out") == EXPECTED


def test_a_filter_key_of_each_checkpoint(tmp_path, episodes) -> None:
    for episode in episodes:
        episode.checkpoint = None
    write_episodes(tmp_path / "all.hdf5", episodes, {})
    source = tmp_path / "all.hdf5"
    for step, found in EXPECTED.items():
        write_mask(source, [number for number, _ in found], f"tried_{step}", tmp_path / f"{step}.hdf5")
        source = tmp_path / f"{step}.hdf5"
    settings = rollouts(source, filter_key="tried_{checkpoint}", success_reward=4)
    assert listed(settings, tmp_path / "out") == EXPECTED


def test_labels_of_each_checkpoint(tmp_path, episodes) -> None:
    for step in STEPS:
        write_episodes(tmp_path / f"{step}.hdf5", [e for e in episodes if e.checkpoint == step], {})
        labels = [str(int(success)) for _, success in EXPECTED[step]]
        (tmp_path / f"labels_{step}.csv").write_text("\n".join(labels) + "\n")
    settings = rollouts(tmp_path / "{checkpoint}.hdf5", labels=str(tmp_path / "labels_{checkpoint}.csv"))
    found = listed(settings, tmp_path / "out")
    assert {step: [success for _, success in rows] for step, rows in found.items()} == {
        step: [success for _, success in rows] for step, rows in EXPECTED.items()
    }


def test_folders_of_aloha_bring_their_labels(tmp_path, episodes) -> None:
    for number, episode in enumerate(episodes):
        episode.success = number % 3 == 0
    write_aloha(tmp_path / "aloha", episodes)
    assert listed(rollouts(tmp_path / "aloha"), tmp_path / "out") == EXPECTED


def test_a_lerobot_column_names_the_checkpoint(tmp_path, episodes) -> None:
    from demo_score.data.formats.lerobot_writer import write_lerobot as write

    write(tmp_path / "set", episodes, fps=10)
    assert listed(rollouts(tmp_path / "set", success_reward=4), tmp_path / "out") == EXPECTED


def test_demonstrations_keep_the_names_of_their_sets(tmp_path, episodes) -> None:
    write_episodes(tmp_path / "a.hdf5", episodes[:3], {})
    write_episodes(tmp_path / "whole.hdf5", episodes[3:], {})
    write_mask(tmp_path / "whole.hdf5", [1, 4], "good", tmp_path / "b.hdf5")
    sets = {
        "expert": {"path": str(tmp_path / "b.hdf5"), "filter_key": "good"},
        "novice": {"path": str(tmp_path / "a.hdf5")},
    }
    prepare_data({"demonstrations": sets}, tmp_path / "out")
    entries = read_entries(tmp_path / "out/demonstrations/all.csv")
    assert [(e.strategy, e.file.name, e.episode, e.success) for e in entries] == [
        ("expert", "b.hdf5", 1, None),
        ("expert", "b.hdf5", 4, None),
        ("novice", "a.hdf5", 0, None),
        ("novice", "a.hdf5", 1, None),
        ("novice", "a.hdf5", 2, None),
    ]


def damage(episodes: list) -> None:
    """An unknown outcome, values that are not finite, an episode of one step, a copy, no checkpoint."""
    episodes[1].actions[2] = np.nan
    episodes[2] = random_episode(1, 2, success=True, checkpoint=STEPS[0])
    episodes[4].rewards = None
    episodes[7] = episodes[5]
    episodes[6].checkpoint = None


BAD = {
    1: "action holds NaN or infinite values",
    2: "has 1 frame: nothing to learn from",
    4: "success or failure is not known",
    6: "names no checkpoint",
    7: "is the same as episode 5",
}


def test_bad_episodes_are_refused_and_named(tmp_path, episodes, capsys) -> None:
    damage(episodes)
    write_episodes(tmp_path / "all.hdf5", episodes, {})
    with one_line_error("5 problems", "problems: skip"):
        prepare_data(rollouts(tmp_path / "all.hdf5", success_reward=4), tmp_path / "out")
    said = capsys.readouterr().err
    assert all(f"all.hdf5 episode {number}: {what}" in said for number, what in BAD.items())
    assert not (tmp_path / "out").exists()


def test_bad_episodes_are_left_out_where_that_is_wished(tmp_path, episodes) -> None:
    damage(episodes)
    write_episodes(tmp_path / "all.hdf5", episodes, {})
    settings = {**rollouts(tmp_path / "all.hdf5", success_reward=4), "problems": "skip"}
    assert listed(settings, tmp_path / "out") == {"003000": [(0, True)], "004000": [(3, True), (5, False)]}
    problems = pd.read_csv(tmp_path / "out/problems.csv").set_index("episode")["problem"]
    assert set(problems.index) == set(BAD)
    assert all(problems[number].startswith(what) for number, what in BAD.items())


def test_an_unreadable_episode_of_a_common_data_set_is_named_once(tmp_path) -> None:
    folder = write_lerobot(tmp_path / "set", "v2.1", n_episodes=4, images={})
    (folder / "data/chunk-000/episode_000003.parquet").unlink()
    labels = "".join(f"{number},1,{STEPS[number % 2]}\n" for number in range(4))
    (tmp_path / "labels.csv").write_text("episode,success,checkpoint\n" + labels)
    settings = {**rollouts(folder, labels=str(tmp_path / "labels.csv")), "problems": "skip"}
    assert listed(settings, tmp_path / "out") == {"003000": [(0, True), (2, True)], "004000": [(1, True)]}
    assert pd.read_csv(tmp_path / "out/problems.csv")["episode"].tolist() == [3]


def test_demonstrations_with_cameras_and_rollouts_without_go_together(tmp_path) -> None:
    write_lerobot(tmp_path / "demos", n_episodes=2)
    for step in STEPS:
        write_lerobot(tmp_path / step, n_episodes=3, images={}, seed=int(step))
    settings = {"demonstrations": {"mine": {"path": str(tmp_path / "demos")}}, **rollouts(tmp_path / "{checkpoint}")}
    assert [len(found) for found in listed(settings, tmp_path / "out").values()] == [3, 3]


@pytest.mark.parametrize("repeated", ["demos", "rollouts"])
def test_data_given_twice_are_refused(tmp_path, repeated) -> None:
    """Else the same rollouts could train a classifier and judge it."""
    write_lerobot(tmp_path / "003000", n_episodes=3, images={})
    if repeated == "rollouts":
        shutil.copytree(tmp_path / "003000", tmp_path / "004000")
        with one_line_error("3 problems"):
            prepare_data(rollouts(tmp_path / "{checkpoint}"), tmp_path / "out")
    else:
        source = {"path": str(tmp_path / "003000")}
        with one_line_error("listed twice"):
            prepare_data({"demonstrations": {"a": source, "b": source}}, tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"demonstrations": {"a": {"path": "no where"}}}, ["demonstrations.a.path", "nothing lies at no where"]),
        ({"demonstrations": {"a": {}}}, ["demonstrations.a", "path", "repo_id"]),
        ({"demonstrations": {"a": {"path": ".", "repo_id": "b/c"}}}, ["demonstrations.a", "either"]),
        ({"demonstrations": {"a": {"pth": "."}}}, ["demonstrations.a", "pth"]),
        (rollouts("{checkpoint}", labels="l.csv"), ["rollouts.path", "003000"]),
        (rollouts(".", problems="ignore"), ["rollouts", "problems"]),
        ({**rollouts("."), "problems": "ignore"}, ["problems", "ignore"]),
        (rollouts(DATA / "demonstrations"), ["add {checkpoint} to rollouts.path"]),
    ],
)
def test_settings_that_cannot_work_are_named(settings, parts, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with one_line_error(*parts):
        prepare_data(settings, tmp_path / "out")


def test_a_checkpoint_that_no_rollout_names_is_reported(tmp_path, episodes) -> None:
    write_episodes(tmp_path / "all.hdf5", episodes, {})
    settings = rollouts(tmp_path / "all.hdf5", success_reward=4)
    settings["rollouts"]["eps"] = ["003000", "009000"]
    with one_line_error("no rollout of checkpoint 009000", "rollouts.eps"):
        prepare_data(settings, tmp_path / "out")


def test_rollouts_of_other_checkpoints_are_left_aside_and_told(tmp_path, episodes, capsys) -> None:
    for episode in episodes[5:]:
        episode.checkpoint = "009000"
    write_episodes(tmp_path / "all.hdf5", episodes, {})
    assert len(listed(rollouts(tmp_path / "all.hdf5", success_reward=4), tmp_path / "out")["003000"]) == 3
    assert "3 rollouts of checkpoints not in rollouts.eps left aside: 009000" in capsys.readouterr().out


def test_all_files_of_given_data_are_inputs(tmp_path) -> None:
    folder = write_lerobot(tmp_path / "003000", n_episodes=2)
    (tmp_path / "l.csv").write_text("1\n1\n")
    settings = {
        "demonstrations": {"a": {"path": str(folder), "labels": str(tmp_path / "l.csv")}, "b": {"repo_id": "x/y"}}
    }
    files = {path.suffix for path in user_files(settings)}
    assert files == {".json", ".parquet", ".mp4", ".csv"}


def test_settings_that_are_no_yaml_are_reported(tmp_path) -> None:
    (tmp_path / "data.yaml").write_text("a: [")
    with one_line_error("data.yaml, line 1: not YAML"):
        read_data_settings(tmp_path / "data.yaml")


def test_last_reward_that_is_not_known_tells_no_outcome(tmp_path, episodes) -> None:
    for episode in episodes[::3]:
        episode.rewards[-1] = np.nan
    write_episodes(tmp_path / "all.hdf5", episodes, {})
    with one_line_error("problem"):
        listed(rollouts(tmp_path / "all.hdf5", success_reward=4), tmp_path / "refused")
    found = listed(rollouts(tmp_path / "all.hdf5", success_reward=4) | {"problems": "skip"}, tmp_path / "skipped")
    assert found == {"003000": [(2, False), (4, False)], "004000": [(1, False), (5, False), (7, False)]}


def test_episodes_that_robomimic_keeps_for_validation_are_counted(tmp_path, episodes, capsys) -> None:
    write_episodes(tmp_path / "mh.hdf5", episodes, {})
    with h5py.File(tmp_path / "mh.hdf5", "a") as file:
        for name, numbers in {"valid": [0, 5], "better": [0, 1, 2], "better_train": [1, 2]}.items():
            file[f"mask/{name}"] = np.array([f"demo_{number}" for number in numbers], dtype="S")

    def said(**source: str) -> str:
        prepare_data({"demonstrations": {"mine": {"path": str(tmp_path / "mh.hdf5"), **source}}}, tmp_path / "out")
        return next((line for line in capsys.readouterr().out.splitlines() if "mask valid" in line), "")

    assert said().endswith("2 of 8 episodes are in its mask valid")
    told = "1 of 3 episodes are in its mask valid; filter_key: better_train leaves them out"
    assert said(filter_key="better").endswith(told)
    assert said(filter_key="better_train") == ""
