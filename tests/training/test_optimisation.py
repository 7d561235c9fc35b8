"""The learning rate, mixed precision and moving averages of a training."""

import math

import pytest
import torch
from conftest import tiny_settings
from demo_score.runtime import hardware
from demo_score.training.loop import learning_rate_factor, load_data, start_run, take_step
from training_runs import SAMPLED, data, data_file, interrupt, one_thread, trained

__all__ = ["data", "data_file", "interrupt", "one_thread"]  # the fixtures


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
