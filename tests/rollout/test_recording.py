"""Videos and frame strips of one success and one failure: which episodes, how they come again, what files hold."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from conftest import one_line_error, tiny_settings
from demo_score.envs import make_env
from demo_score.envs.base import Environment
from demo_score.plots import episodes, video
from demo_score.plots.episodes import Row, episode_strip, side_by_side
from demo_score.plots.style import figure_style
from demo_score.rollout import recording, runs
from demo_score.rollout.drawing import Drawing, DrawnEnvironmentMaker
from demo_score.rollout.environments import EnvironmentMaker
from demo_score.rollout.loop import RolloutOptions, rollout
from demo_score.rollout.recording import record
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor, nn

pytestmark = pytest.mark.slow

STEPS = 12
PUSHT = ["env=pusht_state", "policy.n_obs_steps=1", f"env.episode_length={STEPS}", "seed=5"]
PUSHT += ["eval.n_episodes=5", "eval.batch_size=2"]


class Walker(nn.Module):
    """Walks right; keeps how many observations it saw at once, and of which seeds."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.seeds = [], []

    def reset(self, seeds: list[int]) -> None:
        self.seeds.append(seeds)

    def act(self, observations: dict[str, Tensor]) -> Tensor:
        states = observations["observation.state"]
        self.seen.append(len(states))
        return states[:, -1:].repeat(1, 5, 1) + 20


@pytest.fixture
def walker(monkeypatch) -> Walker:
    """The policy of every checkpoint, in PushT; `succeed` says which starts count as successes."""
    policy, settings = Walker(), tiny_settings(*PUSHT)
    for module in (runs, recording):
        monkeypatch.setattr(module, "read_checkpoint_settings", lambda *_: settings.copy())
    monkeypatch.setattr(runs, "load_policy", lambda *_: policy)
    return policy


def succeed(monkeypatch: pytest.MonkeyPatch, *successes: int) -> None:
    def judged(*arguments):
        episodes = rollout(*arguments)
        for episode in episodes:
            episode.success = episode.seed in successes
        return episodes

    monkeypatch.setattr(recording, "rollout", judged)


def write_table(folder: Path, successes: list[int], length: int = STEPS) -> Path:
    table = pd.DataFrame({"start_seed": range(5, 5 + len(successes)), "success": successes, "length": length})
    table.to_csv(folder / "evaluation.csv", index=False)
    return folder / "evaluation.csv"


def recorded(folder: Path, evaluation: Path) -> tuple[Path, Path]:
    paths = folder / "episodes.png", folder / "episodes.mp4"
    record(Path("000001"), [], evaluation, *paths)
    return paths


def read_video(path: Path) -> tuple[np.ndarray, av.VideoStream]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]), stream


def test_first_success_and_first_failure_are_drawn_in_the_batches_that_evaluated_them(tmp_path, walker, monkeypatch):
    """Seeds 5..9 in batches of two: 5 and 6 fail, 9 succeeds alone in its batch."""
    succeed(monkeypatch, 9)
    strip, film = recorded(tmp_path, write_table(tmp_path, [0, 0, 0, 0, 1]))
    assert walker.seeds == [[5, 6], [9]]
    assert set(walker.seen[:3]) == {2} and set(walker.seen[3:]) == {1}
    images, stream = read_video(film)
    assert images.shape == (STEPS + 1, 384 + 32, 2 * 384 + 8, 3)  # 10 control steps a second: all are drawn
    assert (stream.average_rate, stream.codec_context.pix_fmt) == (Fraction(10), "yuv420p")
    assert not np.array_equal(images[0], images[-1])
    assert Image.open(strip).size[0] == 1360
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episodes.mp4", "episodes.png", "evaluation.csv"]


def test_same_files_come_again(tmp_path, walker, monkeypatch) -> None:
    succeed(monkeypatch, 6)
    evaluation = write_table(tmp_path, [0, 1, 0, 0, 0])
    first, second = ([path.read_bytes() for path in recorded(tmp_path / name, evaluation)] for name in "ab")
    assert first == second


@pytest.mark.parametrize(("success", "missing"), [(1, "no failure in 5 episodes"), (0, "no success in 5 episodes")])
def test_an_outcome_that_never_came_is_said_in_words(tmp_path, walker, monkeypatch, success, missing) -> None:
    rows = []
    monkeypatch.setattr(episodes, "episode_strip", lambda drawn: rows.extend(drawn) or episode_strip(drawn))
    succeed(monkeypatch, *[5, 6, 7, 8, 9][: 5 * success])
    _, film = recorded(tmp_path, write_table(tmp_path, [success] * 5))
    titles = ["success, start 5, 1.2 s", missing] if success else [missing, "failure, start 5, 1.2 s"]
    assert [row.title for row in rows] == titles
    nothing = read_video(film)[0][:, 40:, 400:] if success else read_video(film)[0][:, 40:, :380]
    assert abs(nothing.astype(int) - 230).max() < 8


@pytest.mark.parametrize(
    ("successes", "length", "message"),
    [
        ([1, 0, 0, 0, 0], STEPS, "start 5 was a success of 12 steps, and is now a failure of 12"),
        ([0, 1, 0, 0, 0], STEPS - 1, "start 6 was a success of 11 steps, and is now a success of 12"),
        ([0, 1, 0, 0], STEPS, "seed=5 eval.n_episodes=5"),
    ],
)
def test_an_episode_that_ends_otherwise_is_reported(tmp_path, walker, monkeypatch, successes, length, message) -> None:
    succeed(monkeypatch, 6)
    evaluation = write_table(tmp_path, successes, length)
    with one_line_error(evaluation, message):
        recorded(tmp_path, evaluation)
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation.csv"]


def test_without_an_encoder_the_strip_remains(tmp_path, walker, monkeypatch) -> None:
    monkeypatch.setattr(video, "ENCODERS", {"no_such_encoder": {}})
    succeed(monkeypatch, 6)
    with one_line_error("no_such_encoder", "--video"):
        recorded(tmp_path, write_table(tmp_path, [0, 1, 0, 0, 0]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episodes.png", "evaluation.csv"]


def test_the_other_encoder_serves_where_the_first_is_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(video, "ENCODERS", {"no_such_encoder": {}, "mpeg4": video.ENCODERS["mpeg4"]})
    shown = [np.full((33, 65, 3), shade, np.uint8) for shade in (0, 100, 200)]
    video.write_video(tmp_path / "a.mp4", shown, Fraction(25, 2))
    images, stream = read_video(tmp_path / "a.mp4")
    assert (images.shape, stream.codec_context.name, stream.average_rate) == ((3, 34, 66, 3), "mpeg4", Fraction(25, 2))
    assert list(images.mean(axis=(1, 2, 3)).round(-1)) == [0, 100, 200]


def env_settings(*overrides: str) -> dict:
    return OmegaConf.to_container(tiny_settings(*overrides).env)


def test_drawing_changes_nothing_and_shows_start_and_end(walker) -> None:
    settings, drawing = env_settings(*PUSHT), Drawing(frozenset([4]), every=5)
    plain = rollout(walker, EnvironmentMaker(settings), [3, 4], RolloutOptions(2))
    for use_async_envs in (False, True):
        make = DrawnEnvironmentMaker(settings, drawing=drawing)
        drawn = rollout(walker, make, [3, 4], RolloutOptions(2, use_async_envs))
        assert type(drawn[0]) is type(plain[0])
        assert list(drawn[1].drawings) == [0, 5, 10, STEPS]
        for one, other in zip(plain, drawn, strict=True):
            np.testing.assert_array_equal(one.actions, other.actions)


def test_the_shorter_episode_stands_still_and_small_images_are_enlarged() -> None:
    short, long = ([np.full((4, 160, 3), shade, np.uint8) for shade in range(n)] for n in (2, 5))
    with figure_style():
        images = list(side_by_side([Row("short", [0, 1], short), Row("long", [0, 1, 2, 3, 4], long)]))
    assert [image.shape for image in images] == [(32 + 8, 320 + 8 + 320, 3)] * 5
    assert [(image[-1, 0, 0], image[-1, -1, 0]) for image in images] == [(0, 0), (1, 1), (1, 2), (1, 3), (1, 4)]


def test_strip_shows_moments_from_start_to_end_with_their_times() -> None:
    images = [np.full((4, 8, 3), shade, np.uint8) for shade in range(11)]
    with figure_style():
        figure = episode_strip([Row("success, start 3, 1.0 s", [n / 10 for n in range(11)], images)] * 2)
    titles = [axes.get_title() for part in figure.subfigs for axes in part.axes]
    assert titles == ["0.0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1.0 s"] * 2


def drawn_by(settings: dict) -> np.ndarray:
    env: Environment = make_env(settings, drawing=True)
    env.reset(seed=3)
    image = env.draw()
    assert image.dtype == np.uint8 and image.ndim == 3 and image.std() > 10
    env.step(np.ones(settings["action_dim"]))
    assert not np.array_equal(image, env.draw())
    return image


@pytest.mark.parametrize("file", ["pusht", "pusht_state"])
def test_pusht_is_drawn_whatever_it_observes(file) -> None:
    assert drawn_by(env_settings(f"env={file}")).shape == (384, 384, 3)


@pytest.mark.skipif(os.environ["MUJOCO_GL"] == "disable", reason="OpenGL does not work here")
@pytest.mark.parametrize("file", ["aloha_cube_state", "aloha_state", "aloha_cube"])
def test_aloha_is_drawn_whatever_it_observes(file) -> None:
    assert drawn_by(env_settings(f"env={file}")).shape == (336, 640, 3)


@pytest.mark.parametrize("variables", [{"MUJOCO_GL": "disable"}, {"MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "none"}])
def test_drawing_without_opengl_is_answered_with_the_packages_to_install(variables) -> None:
    code = f"from demo_score.envs import make_env; make_env({env_settings('env=aloha_cube_state')}, drawing=True)"
    environment = {**os.environ, "PYTHONPATH": "workflow", **variables}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    for part in ("runtime.errors.UserError", f"MUJOCO_GL={variables['MUJOCO_GL']}", "libegl1", "record no videos"):
        assert part in run.stderr.splitlines()[-1]


def write_package(folder: Path, monkeypatch: pytest.MonkeyPatch, modes: list[str], argument: str) -> dict:
    name = "drawn" if modes else "undrawn" + argument[:1]
    code = f"""
import gymnasium, numpy as np

class Task(gymnasium.Env):
    metadata = {{"render_modes": {modes}}}
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, {argument}):
        self.render_mode = {argument.partition("=")[0] or None}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return np.zeros(2, np.float32), {{}}

    def step(self, action):
        self.count += 1
        return np.zeros(2, np.float32), 0.0, False, False, {{"is_success": False}}

    def render(self):
        return np.arange(48, dtype=np.uint8).reshape(4, 4, 3) + self.count

gymnasium.register("gym_{name}/Task-v0", Task)
"""
    (folder / f"gym_{name}.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    return {"name": name, "task": "Task-v0", "state_dim": 2, "action_dim": 2, "fps": 25, "episode_length": 3}


def test_an_environment_of_a_package_draws_itself(tmp_path, monkeypatch) -> None:
    assert drawn_by(write_package(tmp_path, monkeypatch, ["rgb_array"], "render_mode=None")).shape == (4, 4, 3)


@pytest.mark.parametrize("argument", ["", "render_mode=None"])
def test_an_environment_that_cannot_be_drawn_is_reported(tmp_path, monkeypatch, argument) -> None:
    settings = write_package(tmp_path, monkeypatch, [], argument)
    make_env(settings).reset(seed=1)
    with one_line_error("Task-v0", "cannot be drawn", "rgb_array"):
        make_env(settings, drawing=True)
