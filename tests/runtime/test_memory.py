"""What cannot fit into memory ends in a message, not a kill."""

import resource
import subprocess
import sys

import pytest
import torch
from conftest import one_line_error
from demo_score import policies
from demo_score.config.settings import compose_settings
from demo_score.policies import check_memory, make_policy
from demo_score.runtime import memory
from places import WORKFLOW

GIB = 2**30


def test_more_than_there_is_cannot_be_reserved(monkeypatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    monkeypatch.setattr(memory, "_CUDA", WORKFLOW / "no_such_device")
    monkeypatch.setattr(memory, "available_memory", lambda: 8 * GIB)
    with memory.bounded_memory():
        bytearray(GIB)
        with pytest.raises(MemoryError):
            bytearray(9 * GIB)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_where_there_is_a_gpu_nothing_is_bounded(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(memory, "_CUDA", tmp_path)
    with memory.bounded_memory():
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY


def test_the_limit_of_a_container_counts(monkeypatch, tmp_path) -> None:
    machine = memory.available_memory()
    assert machine > 0
    for limit, expected in (("max\n", machine), (f"{GIB}\n", GIB + memory.SLACK)):
        (tmp_path / "memory.max").write_text(limit)
        monkeypatch.setattr(memory, "_limits", lambda: iter([tmp_path / "memory.max", tmp_path / "gone"]))
        assert memory.available_memory() == min(expected, machine)


@pytest.mark.parametrize("policy", [["policy=act_state"], ["policy=diffusion_state", "env=pusht_state"]])
def test_a_policy_that_cannot_be_trained_here_is_told_before_it_is_built(policy, monkeypatch) -> None:
    settings, _ = compose_settings(["env=aloha_cube_state", *policy, "seed=1"])
    n_weights = sum(weights.numel() for weights in make_policy(settings).parameters())
    monkeypatch.setattr(policies, "available_memory", lambda: 16 * n_weights)
    check_memory(settings, torch.device("cpu"))
    monkeypatch.setattr(policies, "available_memory", lambda: 16 * n_weights - 1)
    with one_line_error("out of memory", f"{n_weights:,} weights", "smaller sizes under policy"):
        check_memory(settings, torch.device("cpu"))


@pytest.mark.parametrize(
    "allocation", ["bytearray(10**15)", "import torch; torch.ones(10**13)", "import numpy; numpy.ones(10**13)"]
)
def test_a_command_that_asks_for_too_much_says_one_line(allocation, tmp_path) -> None:
    code = f"import sys; sys.path.insert(0, {str(WORKFLOW)!r})\nfrom demo_score.runtime.errors import run_command\n"
    code += f"def main():\n    {allocation}\nrun_command(main)\n"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (run.returncode, run.stderr.count("\n")) == (3, 1) and run.stderr.startswith("error: out of memory")
