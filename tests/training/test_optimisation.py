"""The learning rate, mixed precision and moving averages of a training."""

import math
import os
import subprocess
import sys

import pytest
import torch
from conftest import TINY, tiny_settings
from demo_score.runtime import hardware
from demo_score.training.loop import learning_rate_factor, load_data, start_run, take_step
from demo_score.training.optimizer import AdamW
from policy_settings import TINY_DIFFUSION
from training_runs import SAMPLED, SCRIPT, data, data_file, interrupt, one_thread, trained

__all__ = ["data", "data_file", "interrupt", "one_thread"]  # the fixtures


DIFFUSION = ["env=aloha_cube_state", "policy=diffusion_state", "device=cpu", "seed=0", "training.eval_freq=0"]
DIFFUSION += ["training.batch_size=4", *TINY_DIFFUSION]

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


# The optimiser


def test_it_takes_torch_s_steps_also_from_a_stored_state() -> None:
    ours, torchs = (torch.nn.Linear(5, 4) for _ in range(2))
    ours.load_state_dict(torchs.state_dict())
    options = {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.2, "fused": True}
    optimizer, expected = AdamW(ours.parameters(), **options), torch.optim.AdamW(torchs.parameters(), **options)
    for step in range(4):
        if step == 2:  # as after an interruption
            state = optimizer.state_dict()
            optimizer = AdamW(ours.parameters(), lr=1.0, fused=True)
            optimizer.load_state_dict(state)
        for module, one in ((ours, optimizer), (torchs, expected)):
            one.zero_grad()
            module(torch.arange(15.0).reshape(3, 5)).square().sum().backward()
            one.step()
        assert torch.equal(ours.weight, torchs.weight) and torch.equal(ours.bias, torchs.bias)
    assert ours.weight.requires_grad and not torch.equal(ours.weight, torch.nn.Linear(5, 4).weight)


def test_without_decay_it_is_adam() -> None:
    """Which the autoencoders of DemInf are trained by."""
    ours, adams = (torch.nn.Linear(5, 4) for _ in range(2))
    ours.load_state_dict(adams.state_dict())
    pairs = [(ours, AdamW(ours.parameters(), 0.1, weight_decay=0)), (adams, torch.optim.Adam(adams.parameters(), 0.1))]
    for _ in range(4):
        for module, optimizer in pairs:
            optimizer.zero_grad()
            module(torch.arange(15.0).reshape(3, 5)).square().sum().backward()
            optimizer.step()
    assert torch.equal(ours.weight, adams.weight) and torch.equal(ours.bias, adams.bias)


@pytest.mark.parametrize("policy", [[*TINY], DIFFUSION], ids=["act", "diffusion"])
def test_a_training_does_not_wait_for_torch_s_compiler(policy, data, tmp_path) -> None:
    overrides = [*policy, data, "training.offline_steps=2", f"hydra.run.dir={tmp_path / 'run'}"]
    program = (
        "import runpy, sys; sys.argv[0] = sys.argv[1]; del sys.argv[1]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally: print('compiler', 'torch._dynamo' in sys.modules, 'trained', 'torch.optim' in sys.modules)"
    )
    command = [sys.executable, "-c", program, SCRIPT, *overrides]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": SCRIPT.parent})
    assert "compiler False trained True" in result.stdout, result.stderr
