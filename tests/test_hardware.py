"""Devices, compilers and threads that are there, and those that are not."""

import pytest
import torch
from conftest import one_line_error
from demo_score.hardware import available_threads, compiled, select_device
from torch._inductor import config as inductor


def test_unknown_device_is_reported() -> None:
    with one_line_error("device=abacus", "cpu"):
        select_device("abacus")


def test_a_gpu_that_is_not_there_is_reported(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with one_line_error("device=cuda:7", "finds 2 here"):
        select_device("cuda:7")
    assert select_device("cuda:1") == torch.device("cuda:1")


def test_missing_compiler_is_reported_in_one_line() -> None:
    with inductor.patch({"cpp.cxx": ("no_such_compiler",)}), one_line_error("training.compile", "g++"):
        compiled(torch.sin, torch.device("cpu"))


@pytest.mark.parametrize(("value", "threads"), [(None, 1), ("", 1), ("3", 3)])
def test_threads_are_those_that_the_workflow_sets(monkeypatch, value, threads) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if value is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert available_threads() == threads
    assert available_threads(n_workers=2) == 1
