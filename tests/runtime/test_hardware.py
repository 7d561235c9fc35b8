"""Devices, compilers and threads that are there, and those that are not."""

import os

import pytest
import torch
from conftest import one_line_error
from demo_score.runtime.cores import available_threads
from demo_score.runtime.hardware import compiled, select_device
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


@pytest.mark.parametrize(
    ("value", "threads"), [(None, 1), ("", 1), (" ", 1), ("3", 3), ("4,2", 4), (" 2 , 1", 2), ("100000", 4)]
)
def test_threads_are_those_that_the_workflow_sets(monkeypatch, value, threads) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    if value is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert available_threads() == threads
    assert available_threads(n_workers=2) == max(1, threads - 2)


@pytest.mark.parametrize("value", ["abc", "0", "-1", "2.0", "max", ",2"])
def test_threads_that_are_no_number_are_reported(monkeypatch, value) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    with one_line_error(f"OMP_NUM_THREADS={value}", "from 1"):
        available_threads()


@pytest.mark.parametrize("name", ["meta", "mps", "xla", "gpu", "hpu:1", ""])
def test_devices_that_are_not_meant_or_not_there_are_reported(monkeypatch, name) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with one_line_error(f"device={name}: ", "cpu"):
        select_device(name)
