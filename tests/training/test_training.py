"""Training: same bits every time, also when killed; one line for what cannot work."""

import math
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import TINY, one_line_error, random_episode, tiny_settings
from demo_score.data.formats.robomimic import write_episodes
from demo_score.runtime import hardware
from demo_score.runtime.hardware import select_device
from demo_score.training import loop
from demo_score.training.loop import learning_rate_factor, load_data, start_run, take_step, train
from demo_score.training.metrics import MetricsTable
from places import SCRIPTS
from processes import PATIENCE, struck_training
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

SCRIPT = SCRIPTS / "train.py"
LONG = ["training.offline_steps=200", "training.save_freq=75", "training.log_freq=20", "training.resume_freq=25"]
SAMPLED = ["policy.sample_latent=true", "training.start_fraction=0.2"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def data_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "demos.hdf5"
    write_episodes(path, [random_episode(length, seed=length) for length in (12, 30, 25)], {})
    return path


@pytest.fixture
def data(data_file) -> str:
    """The override that names the training data."""
    return f"+datasets_file={data_file}"


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of all files in a folder, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trained(run_dir: Path, *overrides: str) -> dict[str, bytes]:
    train(tiny_settings(*overrides), run_dir)
    return files_of(run_dir)


class StoppedError(Exception):
    """In place of a kill, where the process is the test's own."""


@pytest.fixture
def steps_taken(monkeypatch) -> list[int]:
    """Records the gradient steps of `train`."""
    steps: list[int] = []

    def recorded(run, *arguments) -> None:
        take_step(run, *arguments)
        steps.append(run.step)

    monkeypatch.setattr(loop, "take_step", recorded)
    return steps


@pytest.fixture
def interrupt(monkeypatch) -> Callable:
    """Train and stop after some steps."""

    def interrupted_run(after: int, run_dir: Path, *overrides: str) -> None:
        def failing(run, *arguments) -> None:
            if run.step == after:
                raise StoppedError
            take_step(run, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "take_step", failing)
            with pytest.raises(StoppedError):
                train(tiny_settings(*overrides), run_dir)

    return interrupted_run


# Results


def test_two_runs_leave_the_same_bytes(tmp_path, data) -> None:
    first, second = (trained(tmp_path / name, data, *SAMPLED) for name in "ab")
    names = [f"checkpoints/{step}/{file}" for step in ("000005", "000010", "000012") for file in ("model", "settings")]
    assert sorted(first) == sorted(
        [f"{n}.{'yaml' if 'settings' in n else 'safetensors'}" for n in names] + ["metrics.csv"]
    )
    assert first == second


def test_a_folder_that_cannot_be_made_is_told_before_training(tmp_path, data) -> None:
    (tmp_path / "file").write_text("")
    for run_dir, words in ((tmp_path / "file", "is a file, where a folder"), (tmp_path / "file/run", "nothing can be")):
        with one_line_error(run_dir, words):
            train(tiny_settings(data), run_dir)


def test_another_seed_leaves_other_weights(tmp_path, data) -> None:
    first, second = (trained(tmp_path / seed, data, f"seed={seed}") for seed in "12")
    assert first["checkpoints/000012/model.safetensors"] != second["checkpoints/000012/model.safetensors"]


def test_metrics_have_a_row_every_log_freq(tmp_path, data) -> None:
    trained(tmp_path, data)
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert table["step"].tolist() == [4, 8, 12]
    assert set(table) == {"step", "loss", "grad_norm", "l1", "kl", "lr"}
    np.testing.assert_allclose(table["loss"], table["l1"] + 10 * table["kl"], rtol=1e-4)
    assert (table["lr"] == 1e-3).all()


def test_metrics_are_means_since_the_last_row() -> None:
    metrics = MetricsTable()
    for step, loss in enumerate([1.0, 3.0, 10.0, 20.0], start=1):
        metrics.add(loss=torch.tensor(loss))
        if step % 2 == 0:
            metrics.flush(step)
    assert metrics.rows == [{"step": 2, "loss": 2.0}, {"step": 4, "loss": 15.0}]


def test_loss_falls(tmp_path, data) -> None:
    steps = ["training.offline_steps=100", "training.log_freq=20", "training.lr=3e-3", "training.resume_freq=1000"]
    trained(tmp_path, data, *steps)
    losses = pd.read_csv(tmp_path / "metrics.csv")["loss"]
    assert losses.iloc[-1] < 0.8 * losses.iloc[0]


def test_normalisation_is_that_of_the_training_data(data) -> None:
    settings = tiny_settings(data, "policy.min_std=0.5")
    dataset = load_data(settings)
    run = start_run(settings, dataset, torch.device("cpu"))
    assert dataset.actions.mean(0).numpy() == pytest.approx(run.policy.normalization.action_mean.numpy(), abs=1e-6)
    assert run.policy.training


# The learning rate


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_schedule_follows_its_formula(final) -> None:
    training = tiny_settings(
        "training.lr_scheduler=cosine", "training.lr_warmup_steps=4", f"training.lr_final_fraction={final}"
    ).training
    warmup, total = 4, 12
    expected = [(step + 1) / warmup for step in range(warmup)]
    expected += [
        final + (1 - final) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2
        for step in range(warmup, total + 1)
    ]
    assert [learning_rate_factor(step, training) for step in range(total + 1)] == pytest.approx(expected)
    assert expected[-1] == pytest.approx(final)


def test_constant_schedule_stays_at_lr_after_warm_up() -> None:
    training = tiny_settings("training.lr_warmup_steps=2").training
    assert [learning_rate_factor(step, training) for step in range(5)] == [0.5, 1, 1, 1, 1]


def test_steps_are_taken_with_the_scheduled_learning_rate(data) -> None:
    settings = tiny_settings(data, "training.lr_scheduler=cosine", "training.lr_warmup_steps=3", "training.lr=1e-2")
    run = start_run(settings, load_data(settings), torch.device("cpu"))
    for step in range(6):
        rate = run.optimizer.param_groups[0]["lr"]
        assert rate == pytest.approx(1e-2 * learning_rate_factor(step, settings.training))
        before = run.policy.action_head.bias.detach().clone()
        take_step(run, settings, torch.device("cpu"))
        moved = float((run.policy.action_head.bias.detach() - before).abs().max())
        if step == 0:  # Adam's first step has the size of the learning rate
            assert moved == pytest.approx(rate, rel=0.01)


def test_unknown_schedule_is_reported_before_the_first_step(tmp_path, data, steps_taken) -> None:
    with one_line_error("training.lr_scheduler", "linear", "cosine"):
        train(tiny_settings(data, "training.lr_scheduler=linear", "training.lr_warmup_steps=5"), tmp_path)
    assert not steps_taken


@pytest.mark.parametrize("override", ["env.name=no_such", "policy.name=no_such"])
def test_unknown_environment_or_policy_is_reported_before_the_first_step(tmp_path, data, steps_taken, override) -> None:
    with one_line_error("no_such", "act" if "policy" in override else "aloha, pusht"):
        train(tiny_settings(data, "training.eval_freq=5", override), tmp_path)
    assert not steps_taken


# Mixed precision and moving averages


def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_in_full(data, monkeypatch) -> None:
    monkeypatch.setattr(hardware, "has_bfloat16", lambda device: True)
    settings = tiny_settings(data, "use_amp=true")
    run = start_run(settings, load_data(settings), torch.device("cpu"))
    seen = []
    run.policy.action_head.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    take_step(run, settings, torch.device("cpu"))
    assert seen == [torch.bfloat16]
    assert {parameter.dtype for parameter in run.policy.parameters()} == {torch.float32}


def test_mixed_precision_without_the_hardware_says_that_it_is_full_precision(data, monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    hardware.has_bfloat16.cache_clear()
    for _ in range(2):
        with hardware.autocast(torch.device("cpu"), use_amp=True):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert capsys.readouterr().err.count("full precision") == 1
    hardware.has_bfloat16.cache_clear()


def test_moving_average_follows_its_formula(data) -> None:
    settings = tiny_settings(data, "training.ema_decay=0.75")
    run = start_run(settings, load_data(settings), torch.device("cpu"))
    expected = None
    for _ in range(4):
        take_step(run, settings, torch.device("cpu"))
        weights = run.policy.action_head.weight.detach().clone()
        expected = weights if expected is None else 0.75 * expected + 0.25 * weights
    assert torch.allclose(run.result.action_head.weight, expected, atol=1e-7)
    assert not torch.equal(run.policy.action_head.weight, expected)


def test_moving_average_is_what_a_checkpoint_holds_also_after_a_kill(tmp_path, data, interrupt) -> None:
    average = "training.ema_decay=0.9"
    whole = trained(tmp_path / "whole", data, average, *SAMPLED)
    interrupt(8, tmp_path / "killed", data, average, *SAMPLED)
    assert trained(tmp_path / "killed", data, average, *SAMPLED) == whole
    assert whole["metrics.csv"] == trained(tmp_path / "plain", data, *SAMPLED)["metrics.csv"]


# Evaluation during training


def test_evaluation_changes_no_weight_and_adds_rows(tmp_path, data) -> None:
    plain = trained(tmp_path / "plain", data, *SAMPLED)
    evaluation = ["training.eval_freq=6", "eval.n_episodes=3", "eval.batch_size=2"]
    evaluated = trained(tmp_path / "evaluated", data, *SAMPLED, *evaluation)
    weights = [name for name in plain if name.endswith(".safetensors")]
    assert len(weights) == 3
    assert all(plain[name] == evaluated[name] for name in weights)
    table = pd.read_csv(tmp_path / "evaluated/metrics.csv")
    rows = table.dropna(subset="eval_n")
    assert rows["step"].tolist() == [6, 12] and (rows["eval_n"] == 3).all()
    assert (rows["eval_low"] <= rows["eval_success"]).all() and (rows["eval_success"] < rows["eval_high"]).all()
    losses = table.dropna(subset="loss").reset_index(drop=True)[["step", "loss", "l1", "kl"]]
    pd.testing.assert_frame_equal(losses, pd.read_csv(tmp_path / "plain/metrics.csv")[["step", "loss", "l1", "kl"]])


# Killed runs


def script(run_dir: Path, *overrides: str) -> subprocess.Popen:
    command = [sys.executable, SCRIPT, *TINY, *overrides, f"hydra.run.dir={run_dir}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, data_file) -> dict[str, bytes]:
    """What a run leaves that nothing interrupts."""
    return trained(tmp_path_factory.mktemp("uninterrupted"), f"+datasets_file={data_file}", *SAMPLED, *LONG)


def stored_step(run_dir: Path) -> int:
    """The step of the state that a run under way has stored."""
    states = list(run_dir.glob(".unfinished_*/state.pt"))
    return torch.load(states[0], weights_only=True)["step"] if states else 0


@pytest.mark.parametrize("kill_at", [30, 80])
def test_killed_run_ends_with_the_same_bytes(tmp_path, data, uninterrupted, steps_taken, kill_at) -> None:
    settings = [*TINY, data, *SAMPLED, *LONG, f"hydra.run.dir={tmp_path}"]
    process = struck_training(kill_at, signal.SIGKILL, *settings)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "metrics.csv").exists() and not (tmp_path / "checkpoints").exists()
    assert stored_step(tmp_path) == kill_at - 5
    assert trained(tmp_path, data, *SAMPLED, *LONG) == uninterrupted
    assert steps_taken == list(range(kill_at - 4, 201))
    assert not list(tmp_path.glob(".unfinished_*"))


def test_script_goes_on_where_it_was_stopped(tmp_path, data, uninterrupted, interrupt) -> None:
    interrupt(190, tmp_path, data, *SAMPLED, *LONG)
    assert stored_step(tmp_path) == 175
    process = script(tmp_path, data, *SAMPLED, *LONG)
    _, errors = process.communicate(timeout=PATIENCE)
    said = [line for line in errors.splitlines() if not re.match(r".+: +\d+% \d+ of 200 steps, ", line)]
    assert (process.returncode, said) == (0, [])  # nothing but progress, where it takes long
    assert files_of(tmp_path) == uninterrupted


def test_run_interrupted_while_it_publishes_ends_with_the_same_bytes(tmp_path, data, monkeypatch) -> None:
    copied = []

    def failing_copy(source: Path, target: Path) -> None:
        copied.append(target.write_bytes(source.read_bytes()))
        if len(copied) == 4:
            raise StoppedError

    with monkeypatch.context() as patch, pytest.raises(StoppedError):
        patch.setattr(shutil, "copyfile", failing_copy)
        train(tiny_settings(data), tmp_path / "b")
    assert (tmp_path / "b/checkpoints/000005/model.safetensors").exists()
    assert trained(tmp_path / "b", data) == trained(tmp_path / "a", data)


@pytest.mark.parametrize("override", ["training.lr=2e-3", "seed=1", "policy.n_action_steps=7"])
def test_state_of_other_settings_is_not_used(tmp_path, data, interrupt, steps_taken, override) -> None:
    interrupt(8, tmp_path / "a", data)
    assert stored_step(tmp_path / "a") == 6
    assert trained(tmp_path / "a", data, override) == trained(tmp_path / "b", data, override)
    assert steps_taken == [*range(1, 13)] * 2


def test_state_of_other_data_is_not_used(tmp_path, interrupt, steps_taken) -> None:
    path = tmp_path / "demos.hdf5"
    write_episodes(path, [random_episode(20, seed=0)], {})
    interrupt(8, tmp_path / "a", f"+datasets_file={path}")
    write_episodes(path, [random_episode(20, seed=1)], {})
    assert trained(tmp_path / "a", f"+datasets_file={path}") == trained(tmp_path / "b", f"+datasets_file={path}")
    assert steps_taken == [*range(1, 13)] * 2


def test_resume_can_be_switched_off(tmp_path, data, interrupt, steps_taken) -> None:
    interrupt(8, tmp_path, data, "resume=false")
    trained(tmp_path, data, "resume=false")
    assert steps_taken == [*range(1, 13)]


@pytest.mark.parametrize("content", [b"", b"no torch file", b"PK\x03\x04 no zip file"])
def test_state_that_cannot_be_read_is_not_used(tmp_path, data, interrupt, steps_taken, content) -> None:
    interrupt(8, tmp_path, data)
    next(tmp_path.glob(".unfinished_*/state.pt")).write_bytes(content)
    trained(tmp_path, data)
    assert steps_taken == [*range(1, 13)]


# What cannot work


def test_loss_that_is_not_finite_stops_the_script_with_one_line(tmp_path, data) -> None:
    process = script(tmp_path, data, "training.lr=1e30")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert errors.splitlines()[-1].startswith("error: the loss is no longer finite at step ")
    assert "Traceback" not in errors
    assert not (tmp_path / "checkpoints").exists() and not (tmp_path / "metrics.csv").exists()


def compile_without_code(function, *_):
    """What torch.compile does, but for writing and compiling code: that takes minutes."""
    return torch.compile(function, backend="aot_eager")


def test_compiled_loss_gives_the_same_checkpoints_and_goes_on_after_a_kill(tmp_path, data, interrupt) -> None:
    compiled_run, plain = tmp_path / "compiled", tmp_path / "plain"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "compiled", compile_without_code)
        interrupt(8, compiled_run, data, "training.compile=true")
        trained(compiled_run, data, "training.compile=true")
    trained(plain, data)
    for checkpoint in ("checkpoints/000005/model.safetensors", "checkpoints/000012/model.safetensors"):
        made, expected = (load_file(run / checkpoint) for run in (compiled_run, plain))
        assert made.keys() == expected.keys()
        assert all(torch.allclose(made[name], expected[name], atol=1e-5) for name in made)


def test_missing_data_says_what_to_type(tmp_path) -> None:
    with one_line_error("+datasets_file=LIST.txt"):
        train(tiny_settings(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_data_of_another_task_is_reported(tmp_path, data) -> None:
    with one_line_error("observation.environment_state", "(7,)", "(14,)"):
        train(tiny_settings(data, "env=aloha_state"), tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_gpu_that_is_not_there_is_reported(tmp_path, data) -> None:
    with one_line_error("device=cuda", "device=cpu"):
        train(tiny_settings(data, "device=cuda"), tmp_path)
    assert select_device("auto") == torch.device("cpu")
