"""Recorded actions, carried out again: they end as recorded, or it is said."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import random_episode
from demo_score.config.settings import compose_settings, environment_of
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.demonstrations.collect import collect_demonstrations
from places import SCRIPTS

pytestmark = pytest.mark.slow


def environment(env: str) -> dict:
    return environment_of(compose_settings([f"env={env}"], complete=False)[0])


def collected(path: Path, env: str, strategy: str) -> Path:
    settings = environment(env)
    write_episodes(
        path, collect_demonstrations(settings, strategy, 2, 5, 1), {"env_name": settings["task"], **settings}
    )
    return path


def play_back(file: Path, *options: object) -> subprocess.CompletedProcess:
    command = [sys.executable, SCRIPTS / "play_back.py", file, "--out", file.parent / "playback.csv", *options]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("env", "strategy"),
    [
        ("aloha_cube_state", "unreliable"),
        ("aloha_cube_state", "measured_actions"),  # not what was commanded: the strategy acts again
        ("pusht_block", "reliable"),
        ("metaworld_assembly", "risky"),
    ],
)
def test_own_demonstrations_come_again_to_the_bit(tmp_path, env, strategy) -> None:
    run = play_back(collected(tmp_path / "mine.hdf5", env, strategy))
    assert run.returncode == 0, run.stderr
    assert "2 of 2 episodes end as recorded, 2 in success; observations differ by at most 0" in run.stdout
    table = pd.read_csv(tmp_path / "playback.csv")
    assert (table["success"] == 1).all() and (table["difference"] == 0).all()


def test_what_ends_otherwise_is_an_error_and_in_the_table(tmp_path) -> None:
    file = collected(tmp_path / "mine.hdf5", "pusht_block", "reliable")
    first, second = read_episodes(file)
    second.actions[:] = 0
    write_episodes(file, [first, second], {"env_name": "PushT-v0", **environment("pusht_block")})
    run = play_back(file)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("error: ") and "1 of 2 episodes end as recorded" in run.stderr
    table = pd.read_csv(tmp_path / "playback.csv")
    assert table["success"].tolist() == [1, 0] and table["difference"][1] > 1
    assert play_back(file, "--episodes", 1).returncode == 0


def test_a_file_that_names_no_environment_is_one_line(tmp_path) -> None:
    write_episodes(tmp_path / "mine.hdf5", [random_episode(3)], {})
    run = play_back(tmp_path / "mine.hdf5")
    assert run.returncode == 2
    assert run.stderr.startswith("error: ") and "does not tell which environment recorded it" in run.stderr
    assert not (tmp_path / "playback.csv").exists()
