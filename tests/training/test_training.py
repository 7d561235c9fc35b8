"""Training: same bits every time; one line for what cannot work."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import one_line_error, tiny_settings
from demo_score.runtime.hardware import select_device
from demo_score.training import loop
from demo_score.training.loop import load_data, start_run, train
from demo_score.training.metrics import MetricsTable
from processes import PATIENCE
from safetensors.torch import load_file
from training_runs import SAMPLED, data, data_file, interrupt, one_thread, script, steps_taken, trained

__all__ = ["data", "data_file", "interrupt", "one_thread", "steps_taken"]  # the fixtures

pytestmark = pytest.mark.slow


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


def test_unknown_schedule_is_reported_before_the_first_step(tmp_path, data, steps_taken) -> None:
    with one_line_error("training.lr_scheduler", "linear", "cosine"):
        train(tiny_settings(data, "training.lr_scheduler=linear", "training.lr_warmup_steps=5"), tmp_path)
    assert not steps_taken


@pytest.mark.parametrize("override", ["env.name=no_such", "policy.name=no_such"])
def test_unknown_environment_or_policy_is_reported_before_the_first_step(tmp_path, data, steps_taken, override) -> None:
    with one_line_error("no_such", "act" if "policy" in override else "aloha, pusht"):
        train(tiny_settings(data, "training.eval_freq=5", override), tmp_path)
    assert not steps_taken


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
