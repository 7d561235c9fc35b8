"""Devices, compilers and threads that are there, and those that are not."""

import pytest
import torch
from conftest import one_line_error
from demo_score.hardware import available_threads, compiled, select_device
from torch._inductor import config as inductor


def test_unknown_device_is_reported() -> None:
    with one_line_error("device=abacus", "cpu"):
        select_device("abacus")


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
