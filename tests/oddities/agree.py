"""What is read, written and listed of a drawn data set, beside its truth."""

import hashlib
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
from demo_score.config.settings import compose_settings
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.lists import read_table, write_list
from demo_score.ingest.conversion import export_data, import_data
from demo_score.ingest.inspection import inspect
from demo_score.ingest.keep_lists import TABLE, export_keep_list
from demo_score.ingest.preparation import prepare_data
from demo_score.runtime.errors import UserError
from demo_score.training.loop import train
from draw import LOSSY
from policy_settings import TINY_ACT
from truth import CAMERA, STATE, DataSet, TrueEpisode
from writers import write

INSPECT = Path(__file__).parents[2] / "workflow/scripts/inspect_data.py"
EXPORTS = {"lerobot": "lerobot", "aloha": "aloha", "robomimic": "robomimic.hdf5"}


def steps_of(data: DataSet, folder: Path) -> dict[str, Callable[[Path], None]]:
    """Each thing that is done with a data set at a path, by its name: it agrees with the truth, or raises."""
    steps = {"inspect": lambda path: check_inspection(data, path)}
    steps["import"] = lambda path: check_import(data, path, folder / "imported.hdf5")
    for to, name in EXPORTS.items():
        steps[f"export to {to}"] = lambda path, to=to, name=name: check_export(data, path, folder / name, to)
    steps["lists"] = lambda path: check_lists(data, path, folder / "lists")
    return steps


def agree(data: DataSet, folder: Path, slow: bool = False) -> Counter:
    """Write a data set and do everything with it; (step, "agreed" or the line that refused) -> 1.

    `slow`: also train on it, and look at it by a command. Raises AssertionError where something disagrees with the
    truth, or a source was changed, and passes on every exception that is no UserError of one line.
    """
    path = write(data, folder)
    before = _digest(path.parent)
    steps = steps_of(data, folder.with_name(f"{folder.name} made"))
    if slow:
        steps["train"] = lambda path: check_training(data, path, folder.with_name(f"{folder.name} run"))
        steps["command"] = lambda path: check_command(data, path)
    found: Counter = Counter()
    for name, step in steps.items():
        try:
            step(path)
            found[name, "agreed"] += 1
        except UserError as error:
            assert "\n" not in str(error), f"{name}: a line of several: {error}"
            found[name, str(error).replace(str(folder), "…")] += 1
    assert _digest(path.parent) == before, "a source was changed"
    return found


def check_inspection(data: DataSet, path: Path) -> None:
    found = inspect(path)
    if found.problems:
        raise UserError(found.problems[0].what)
    assert found.episodes == len(data.episodes)
    assert found.frames.total == sum(map(len, data.episodes))
    outcomes = Counter(episode.success for episode in data.episodes)
    assert list(found.success.values()) == [outcomes[True], outcomes[False], outcomes[None]], found.success
    assert set(found.keys) == {*data.episodes[0].observations, "action"}, sorted(found.keys)
    assert found.checkpoints == _counted(episode.checkpoint for episode in data.episodes)
    assert all(any(name in line for line in found.not_read) for name in data.episodes[0].unread), found.not_read
    assert data.fps in (None, found.fps), found.fps


def _counted(values: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(value for value in values if value is not None).items()))


def check_import(data: DataSet, path: Path, out: Path) -> None:
    check_left_out(data, lambda: import_data(path, out))
    check_episodes(data, out, "robomimic")


def check_export(data: DataSet, path: Path, out: Path, to: str) -> None:
    fps = 10 if data.fps is None and to == "lerobot" else None
    check_left_out(data, lambda: export_data(path, out, to, fps=fps, images="image"))
    check_episodes(data, out, to)
    if to == "lerobot":
        assert open_dataset(out).fps == data.fps or fps


def check_left_out(data: DataSet, written: Callable[[], int]) -> None:
    """What is written is read, what cannot go along is named on standard error."""
    said = io.StringIO()
    with redirect_stderr(said):
        assert written() == len(data.episodes)
    assert all(name in said.getvalue() for name in data.episodes[0].unread), said.getvalue()


def check_episodes(data: DataSet, written: Path, to: str) -> None:
    """What was written holds the truth, episodes numbered from 0 in the order of their numbers."""
    dataset = open_dataset(written)
    assert dataset.episode_indices == list(range(len(data.episodes)))
    truths = sorted(data.episodes, key=lambda episode: episode.number)
    for truth, episode in zip(truths, dataset.read(), strict=True):
        check_episode(truth, episode, to, 8 if data.odd["camera"] in LOSSY else 0)


def check_episode(truth: TrueEpisode, episode: Episode, to: str, image_loss: int) -> None:
    assert set(episode.observations) == set(truth.observations)
    for key, values in truth.observations.items():
        _check_values(values, episode.observations[key], key, image_loss if key == CAMERA else 0)
    _check_values(truth.actions, episode.actions, "action")
    assert episode.success == truth.success and type(episode.success) in (bool, type(None))
    if to != "aloha":  # which has no place for these
        assert (episode.rewards is None) == (truth.rewards is None)
        if truth.rewards is not None:
            _check_values(truth.rewards, episode.rewards, "rewards")
        assert episode.task == truth.task or (to == "lerobot" and truth.task is None), episode.task
    if to != "aloha" or truth.success is not None:
        assert episode.checkpoint == truth.checkpoint, episode.checkpoint


def _check_values(truth: np.ndarray, found: np.ndarray, key: str, loss: int = 0) -> None:
    """The same numbers, but for `loss`; one number a step may come back as a vector of one."""
    found = np.asarray(found[:])
    shapes = (truth.shape, (*truth.shape, 1)) if truth.ndim == 1 else (truth.shape,)
    assert found.shape in shapes, f"{key}: {found.shape} for {truth.shape}"
    np.testing.assert_allclose(found.reshape(truth.shape).astype(float), truth.astype(float), 0, loss, err_msg=key)


def check_lists(data: DataSet, path: Path, out: Path) -> None:
    """All are listed with what they tell; of a list of every other episode, keep-lists name just these."""
    prepare_data({"demonstrations": {"mine": {"path": str(path)}}}, out / "data")
    entries = read_table(out / "data/demonstrations/all.csv")
    said = {entry.episode: entry.success for entry in entries}
    assert said == {episode.number: episode.success for episode in data.episodes}, said
    kept = data.episode_indices[::2]
    write_list(out / "kept.txt", {path: kept})
    export_keep_list(out / "kept.txt", out / "export")
    rows = [line.rsplit(",", 2) for line in (out / "export" / TABLE).read_text().splitlines()[1:]]
    assert [int(number) for _, number, is_kept in rows if int(is_kept)] == kept
    _check_rollouts(data, path, out / "rollouts")


def _check_rollouts(data: DataSet, path: Path, out: Path) -> None:
    steps = sorted({episode.checkpoint for episode in data.episodes if episode.checkpoint})
    if not steps or any(None in (episode.success, episode.checkpoint) for episode in data.episodes):
        return
    prepare_data({"rollouts": {"eps": steps, "path": str(path)}}, out)
    for step in steps:
        said = {entry.episode: entry.success for entry in read_table(out / f"rollouts/{step}.csv")}
        assert said == {episode.number: episode.success for episode in data.episodes if episode.checkpoint == step}


def check_training(data: DataSet, path: Path, out: Path) -> None:
    """Two steps of a tiny policy: it ends with a checkpoint."""
    first = data.episodes[0]
    sizes = [f"env.state_dim={first.observations[STATE].shape[1]}", f"env.action_dim={first.actions.shape[1]}"]
    fixed = ["env=recorded", "policy=act_state", "device=cpu", "seed=0", "training.offline_steps=2"]
    fixed += ["training.eval_freq=0", "training.save_freq=2", "training.batch_size=2", "training.num_workers=0"]
    settings = compose_settings([*fixed, *TINY_ACT, *sizes, "+datasets_file=null"])[0]
    settings.datasets_file = str(path)
    train(settings, out)
    assert (out / "checkpoints/000002/model.safetensors").is_file()


def check_command(data: DataSet, path: Path) -> None:
    """inspect_data.py, as it is typed: it counts the episodes, with status 0, or says one line, with another."""
    command = [sys.executable, str(INSPECT), "--json", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode == 2:
        raise UserError(run.stderr.strip())
    found = json.loads(run.stdout)
    if found["problems"]:
        raise UserError(found["problems"][0]["what"])
    assert run.returncode == 0 and not run.stderr, run.stderr
    assert found["episodes"] == len(data.episodes) and found["frames"]["total"] == sum(map(len, data.episodes))


def _digest(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
