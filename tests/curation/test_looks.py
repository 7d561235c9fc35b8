"""What a person looks at of demonstrations: scores in time, paths, a kept and a dropped one drawn."""

import runpy
import sys
from pathlib import Path

import av
import mujoco
import numpy as np
import pandas as pd
import pytest
from conftest import one_line_error
from curation_runs import apply, command, folder
from demo_score.config.settings import compose_settings
from demo_score.curation.scoring import Scorer
from demo_score.curation.traces import POINTS, trace_scores
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.inputs import frames_of
from demo_score.demonstrations.collect import collect_demonstrations
from demo_score.demonstrations.inverse_kinematics import TwoArms
from demo_score.demonstrations.paths import write_paths
from demo_score.demonstrations.recording import record_demonstrations
from demo_score.envs import make_env
from demo_score.runtime.errors import UserError
from omegaconf import OmegaConf
from PIL import Image
from places import SCRIPTS
from synthetic_results import write_table

__all__ = ["folder"]  # the fixture

pytestmark = pytest.mark.slow

# Scores in time


@pytest.mark.parametrize("model_arch", ["small_stepwise", "small_transformer"])
def test_a_trace_ends_in_the_score_and_is_what_a_shorter_episode_would_get(folder, model_arch) -> None:
    classifier = folder / f"{model_arch}.yaml"
    files = [folder / "stepwise.safetensors", folder / "transformer.safetensors"]
    command("select_classifier", model_arch=model_arch, classifiers=files, out=classifier)
    scores = apply(folder, classifier)
    out = folder / f"out/{model_arch}.csv"
    command("trace_scores", classifier=classifier, scores=folder / "out/scores.csv", out=out)
    traces = pd.read_csv(out)
    keys = ["kind", "actor", "file", "episode"]
    last = traces.groupby(keys, dropna=False)["score"].last()
    lengths = scores.groupby(keys, dropna=False)["length"].last()
    longest = lengths == lengths.max()  # of the others, the last moment may lie before their end
    expected = scores.groupby(keys, dropna=False)["score"].last()
    np.testing.assert_allclose(last[longest], expected[longest], rtol=1e-5)
    assert len(last) == len(scores) and traces["step"].nunique() <= POINTS
    row = traces[(traces["kind"] == "demonstration") & (traces["episode"] == 7) & (traces["step"] <= 10)].iloc[-1]
    episode = read_episodes(folder / "demonstrations.hdf5", [7])[0]
    scorer = Scorer.chosen(classifier)
    frames = frames_of(episode, scorer.description.inputs, int(row["step"]), "here")
    assert scorer.scores([frames])[0] == pytest.approx(row["score"], rel=1e-5)


def test_scores_of_another_kind_are_refused(folder, tmp_path) -> None:
    (tmp_path / "scores.csv").write_text("kind,source\ndemonstration,a\n")
    with one_line_error("scores.csv", "has no column seed"):
        trace_scores(folder / "classifier.yaml", tmp_path / "scores.csv", tmp_path / "traces.csv")


# Paths


def settings(env: str, **changes) -> dict:
    return OmegaConf.to_container(compose_settings([f"env={env}"], complete=False)[0].env, resolve=False) | changes


def collect(path: Path, env: str, strategy: str, n: int, seed: int = 0) -> Path:
    env_settings = {**settings(env), "fps": 10 if env.startswith("pusht") else 50}
    episodes = collect_demonstrations(env_settings, strategy, n, seed, n_processes=1)
    write_episodes(path, episodes, {"env_name": env_settings["task"], **env_settings})
    return path


@pytest.fixture(scope="module")
def cubes(tmp_path_factory) -> list[Path]:
    """Two demonstrations of either strategy of the cube task."""
    place = tmp_path_factory.mktemp("cubes")
    return [collect(place / f"{name}.hdf5", "aloha_cube_state", name, 2) for name in ("reliable", "unreliable")]


def test_finger_tips_are_where_the_simulated_arms_are(cubes, tmp_path) -> None:
    write_paths(cubes, tmp_path / "paths.csv")
    table = pd.read_csv(tmp_path / "paths.csv")
    assert set(table["strategy"]) == {"reliable", "unreliable"} and set(table["effector"]) == {"left", "right"}
    assert set(table["step"] % 5) == {0}
    env = make_env({**settings("aloha_cube_state"), "fps": 50})
    episode = read_episodes(cubes[0])[1]
    env.reset(seed=episode.seed)
    arms = TwoArms(env.model)
    for action in episode.actions[:100]:
        env.step(action)
    arms.data.qpos[:] = env._env.physics.data.qpos
    mujoco.mj_kinematics(arms.model, arms.data)
    row = table[(table["strategy"] == "reliable") & (table["episode"] == 1) & (table["step"] == 100)]
    np.testing.assert_allclose(row[["x", "y", "z"]], arms.tips(), atol=2e-4)


def test_hands_are_found_whatever_was_observed_of_the_task(cubes, tmp_path) -> None:
    """Of demonstrations from images, too, which know nothing of objects; nothing is drawn."""
    seen = settings("aloha_cube_small") | {"fps": 50}
    episodes = list(read_episodes(cubes[0], keys=["observation.state"]))
    write_episodes(tmp_path / "reliable.hdf5", episodes, {"env_name": seen["task"], **seen})
    write_paths([tmp_path / "reliable.hdf5"], tmp_path / "images.csv")
    write_paths([cubes[0]], tmp_path / "numbers.csv")
    assert (tmp_path / "images.csv").read_text() == (tmp_path / "numbers.csv").read_text()


def test_a_pusher_leaves_a_flat_path(tmp_path) -> None:
    file = collect(tmp_path / "reliable.hdf5", "pusht_block", "reliable", 1)
    write_paths([file], tmp_path / "paths.csv")
    table = pd.read_csv(tmp_path / "paths.csv")
    (episode,) = read_episodes(file)
    assert set(table["effector"]) == {"pusher"} and table["z"].isna().all()
    states = episode.observations["observation.state"]
    np.testing.assert_allclose(
        table[["x", "y"]], states[:: len(states) // (len(table) - 1) or 1][: len(table)], rtol=1e-3
    )


def test_data_without_a_known_simulator_have_no_paths(tmp_path) -> None:
    write_episodes(
        tmp_path / "supplied.hdf5", read_episodes(Path("tests/data/absent")) if False else [], {"name": "other"}
    )
    with one_line_error("supplied.hdf5", "was not recorded in aloha or pusht"):
        write_paths([tmp_path / "supplied.hdf5"], tmp_path / "paths.csv")


# A kept and a dropped demonstration


def scores_of(place: Path, kept: dict[str, int]) -> Path:
    rows = [
        {"kind": "demonstration", "file": f"{name}.hdf5", "episode": 1, "actor": name, "score": 0.5, "kept": value}
        for name, value in kept.items()
    ]
    rows.insert(0, {**rows[0], "kind": "rollout"})
    return write_table(place / "scores.csv", pd.DataFrame(rows))


@pytest.fixture(scope="module")
def pushes(tmp_path_factory) -> Path:
    """A folder with demonstrations of PushT, which draws without OpenGL."""
    place = tmp_path_factory.mktemp("pushes")
    for name in ("reliable", "unreliable"):
        collect(place / f"{name}.hdf5", "pusht_block", name, 2)
    return place


def test_the_first_kept_and_the_first_dropped_are_drawn(pushes, tmp_path, monkeypatch) -> None:
    scores = scores_of(pushes, {"reliable": 0, "unreliable": 1})
    strip, video = tmp_path / "a.png", tmp_path / "a.mp4"
    monkeypatch.setattr(sys, "argv", ["", "--scores", str(scores), "--strip", str(strip), "--video", str(video)])
    runpy.run_path(str(SCRIPTS / "record_demonstrations.py"), run_name="__main__")
    assert Image.open(strip).width > 1000
    longest = max(len(read_episodes(pushes / f"{name}.hdf5")[1]) for name in ("reliable", "unreliable"))
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == longest + 1


def test_where_nothing_was_dropped_that_is_said(pushes, tmp_path) -> None:
    scores = scores_of(pushes, {"reliable": 1})
    record_demonstrations(scores, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_a_demonstration_that_goes_another_way_is_not_shown(pushes, tmp_path) -> None:
    episodes = read_episodes(pushes / "reliable.hdf5")
    episodes[1].actions = episodes[1].actions + 20
    write_episodes(tmp_path / "reliable.hdf5", episodes, {**settings("pusht_block"), "fps": 10})
    with one_line_error("reliable.hdf5", "goes another way here from step"):
        record_demonstrations(scores_of(tmp_path, {"reliable": 1}), tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_given_demonstrations_cannot_be_drawn(tmp_path) -> None:
    write_episodes(tmp_path / "reliable.hdf5", [], {})
    with pytest.raises(UserError, match="only collected demonstrations can be drawn"):
        record_demonstrations(scores_of(tmp_path, {"reliable": 1}), tmp_path / "a.png")
