"""How commands end: with one line for whatever goes wrong, soon after SIGTERM, and never by waiting without end."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import one_line_error
from demo_score.command_line import checkpoint_parser, rollout_arguments, settings_parser
from demo_score.config.seeds import count_argument
from demo_score.runtime.arguments import Parser
from places import COMMANDS, SCRIPTS, WORKFLOW
from processes import PATIENCE, is_running, wait_for

pytestmark = pytest.mark.slow

# A command whose main does what a test says; `before` runs first.
COMMAND = """
import multiprocessing, os, signal, sys, time
from demo_score.runtime import watching
from demo_score.runtime.errors import UserError, run_command
from demo_score.runtime.stopping import polled
watching.IDLE, watching.PACE = 1.5, 0.3
{before}
def main():
{main}
if __name__ == "__main__":
    run_command(main)
"""


def start(tmp_path: Path, main: str, before: str = "") -> subprocess.Popen:
    script = tmp_path / "command.py"
    indented = "".join(f"    {line}\n" for line in main.splitlines())
    script.write_text(COMMAND.format(before=before, main=indented))
    return subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(WORKFLOW)},
    )


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Its exit status and the one line that it says."""
    _, said = process.communicate(timeout=PATIENCE)
    assert said.count("\n") == 1, said
    return process.returncode, said


# What nobody foresaw


@pytest.mark.parametrize("main", ["1 / 0", "raise KeyError('a\\nb')", "[][1]", "raise RuntimeError", "assert False"])
def test_an_error_that_nobody_foresaw_is_one_line_and_a_log(tmp_path, main) -> None:
    status, said = ended(start(tmp_path, main))
    (log,) = (tmp_path / "logs/errors").iterdir()
    assert status == 1 and said.startswith("error: command.py ") and "please report it" in said and str(log) in said
    content = log.read_text()
    assert "Traceback" in content and sys.version in content and main.split("(")[0] in content


def test_what_breaks_while_a_failed_command_is_taken_apart_adds_no_line(tmp_path) -> None:
    before = "class Half:\n    def __del__(self): raise ValueError"
    status, said = ended(start(tmp_path, "half = Half()\nraise UserError('so and so')", before))
    assert (status, said) == (2, "error: so and so\n")


def test_a_log_that_cannot_be_written_here_is_written_elsewhere(tmp_path) -> None:
    (tmp_path / "logs").write_text("a file\n")
    status, said = ended(start(tmp_path, "1 / 0", f"import tempfile; tempfile.tempdir = {str(tmp_path / 'tmp')!r}"))
    (log,) = (tmp_path / "tmp/demo_score_errors").iterdir()
    assert status == 1 and str(log) in said


@pytest.mark.parametrize(
    ("main", "status", "words"),
    [
        ("raise UserError('so and so')", 2, "error: so and so"),
        ("open('/no/such/file')", 2, "/no/such/file"),
        ("raise MemoryError", 3, "out of memory"),
        ("import torch; torch.empty(10**15)", 3, "out of memory"),
        ("raise KeyboardInterrupt", 130, "interrupted"),
        ("raise OSError(28, 'No space left on device')", 2, "cannot read or write: no space left on device"),
        ("raise BrokenPipeError(32, 'Broken pipe')", 2, "broken pipe: whatever read the output"),
    ],
)
def test_errors_that_were_foreseen_leave_no_log(tmp_path, main, status, words) -> None:
    returned, said = ended(start(tmp_path, main))
    assert returned == status and words in said and not (tmp_path / "logs").exists()


def test_a_python_that_lacks_the_environment_is_named(tmp_path) -> None:
    """Every command, as its first import fails."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')  # without site-packages
    python.chmod(0o755)
    for script in COMMANDS:
        run = subprocess.run([python, script, "--help"], capture_output=True, text=True, cwd=tmp_path)
        assert run.returncode == 2 and run.stderr.count("\n") == 1, (script, run.stderr)
        assert "not the environment's Python" in run.stderr and ".venv/bin/python" in run.stderr


# What was made


@pytest.mark.parametrize("script", COMMANDS, ids=lambda path: path.name)
def test_every_command_says_what_it_made(script) -> None:
    """Its main returns the line, or prints it itself, as those do that answer a question."""
    (main,) = (part for part in ast.parse(script.read_text()).body if getattr(part, "name", "") == "main")
    returns = {part.value is not None for part in ast.walk(main) if isinstance(part, ast.Return)}
    prints = {part.func.id for part in ast.walk(main) if isinstance(part, ast.Call) and hasattr(part.func, "id")}
    assert returns == {True} or prints & {"print", "run_with_progress"}


def test_the_line_is_on_standard_output_in_whatever_it_can_show(tmp_path) -> None:
    process = start(tmp_path, "return 'made \u00fc'", "sys.stdout.reconfigure(encoding='ascii')")
    assert process.communicate(timeout=PATIENCE) == ("made \\xfc\n", "")
    assert process.returncode == 0


def test_demonstrations_are_reported(tmp_path) -> None:
    out = tmp_path / "a.hdf5"
    command = [sys.executable, SCRIPTS / "collect_demonstrations.py", "env=aloha_cube_state", "--strategy", "reliable"]
    run = subprocess.run(
        [*command, "--n-episodes", "2", "--seed", "5", "--out", out], capture_output=True, text=True, cwd=tmp_path
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{out}: 2 demonstrations of reliable\n", "")
    listed = subprocess.run(
        [sys.executable, SCRIPTS / "list_episodes.py", out, "--out", tmp_path / "a.txt"], capture_output=True, text=True
    )
    assert (listed.stdout, listed.stderr) == (f"{tmp_path / 'a.txt'}: 2 episodes of 1 data set\n", "")


# Waits


@pytest.mark.parametrize(
    ("main", "what"),
    [
        ("time.sleep(1000)", "a lock, a disk or the network"),
        ("import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()", "a lock"),
        ("import socket; a, b = socket.socketpair(); a.recv(1)", "network"),
        ("import fcntl; os.fork() or time.sleep(1000)\nos.wait()", "processes that it started"),
        ("multiprocessing.get_context('spawn').Pool(2).map(time.sleep, [1000, 1000])", "processes that it started"),
        ("with polled():\n    time.sleep(1000)", "a lock"),
        ("with watching.connections_count():\n    time.sleep(1000)", "a lock"),  # of another download
    ],
)
def test_a_wait_for_what_never_comes_ends_in_one_line(tmp_path, main, what) -> None:
    status, said = ended(start(tmp_path, main))
    (log,) = (tmp_path / "logs/errors").iterdir()
    assert status == 3 and what in said and str(log) in said and "report it" in said
    assert "command.py" in log.read_text()


def test_processes_that_were_waited_for_end_too(tmp_path) -> None:
    main = """
child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(1000,))
child.start()
print(child.pid, flush=True)
time.sleep(0.5)
os.kill(child.pid, signal.SIGSTOP)
child.join()
"""
    process = start(tmp_path, main)
    child = int(process.stdout.readline())
    assert ended(process)[0] == 3
    wait_for(lambda: not is_running(child))


@pytest.mark.parametrize(
    "main",
    [
        "end = time.monotonic() + 4\nwhile time.monotonic() < end: pass",
        "import subprocess as s\ns.run([sys.executable, '-c', 'import time\\nwhile time.process_time() < 4: pass'])",
        "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname())\n"
        "with watching.connections_count():\n    time.sleep(4)",
        "for n in range(8):\n    time.sleep(0.5)\n    with open('a', 'wb') as file: file.write(bytes(10**6))",
    ],
)
def test_work_is_no_wait(tmp_path, main) -> None:
    process = start(tmp_path, main)
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 0


# Command lines


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--policy.type=act", ("KEY=VALUE", "policy=act")),
        ("--env.type=aloha", ("KEY=VALUE", "env=aloha")),
        ("--batch_size=8", ("training.batch_size=8",)),
        ("--dataset.repo_id=lerobot/pusht", ("dataset_repo_id=lerobot/pusht",)),
        ("--training.lr 1e-4", ("training.lr=VALUE",)),
        ("--polcy", ("--polcy", "no such option")),
    ],
)
def test_settings_in_dashes_are_told_how_to_be_written(typed, words) -> None:
    with one_line_error(*words):
        settings_parser("").parse_args(["env=aloha", *typed.split()])


def test_a_command_line_that_cannot_be_read_is_told_in_one_line() -> None:
    parser = Parser(prog="command.py")
    parser.add_argument("--n", type=count_argument, required=True)
    for typed, words in (("", "required: --n"), ("--n 0", "'0' is no number"), ("--n 1 x", "arguments: x")):
        with one_line_error(words, "command.py --help"):
            parser.parse_args(typed.split())


def test_settings_may_stand_between_options() -> None:
    arguments = settings_parser("").parse_args(["env=aloha", "--cfg", "job", "seed=1"])
    assert (arguments.overrides, arguments.cfg) == (["env=aloha", "seed=1"], "job")


def test_a_checkpoint_is_tried_on_the_seeds_that_were_asked_for(monkeypatch) -> None:
    """The training's seed is not the environment's."""
    command = ["eval.py", "-p", "here", "--out-dir", "there", "eval.n_episodes=3"]
    monkeypatch.setattr(sys, "argv", command)
    with one_line_error("missing settings", "seed=VALUE", "environment seed"):
        rollout_arguments(checkpoint_parser(""))
    monkeypatch.setattr(sys, "argv", [*command, "seed=5"])
    assert rollout_arguments(checkpoint_parser("")).overrides == ["eval.n_episodes=3", "seed=5"]


@pytest.mark.parametrize("script", ["train.py", "collect_demonstrations.py"])
def test_a_home_that_cannot_be_written_is_not_needed(tmp_path, script) -> None:
    home = tmp_path / "home"
    home.write_text("a file\n")
    environment = {key: value for key, value in os.environ.items() if key not in ("HF_HOME", "XDG_CACHE_HOME")}
    run = subprocess.run(
        [sys.executable, SCRIPTS / script, "--help"],
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert run.returncode == 0 and "Traceback" not in run.stderr


HEAVY = {"torch", "torchvision", "pandas", "scipy", "h5py", "pyarrow", "matplotlib", "mujoco", "gymnasium", "av"}
HELP = """
import runpy, sys
sys.path.insert(0, {scripts!r})
sys.argv = [{name!r}, "--help"]
try:
    runpy.run_path({path!r}, run_name="__main__")
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("script", COMMANDS, ids=lambda path: path.name)
def test_help_waits_for_no_package_that_does_the_work(script) -> None:
    code = HELP.format(scripts=str(script.parent), name=script.name, path=str(script))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0 and "usage" in run.stdout, run.stderr
    assert not HEAVY & {*run.stderr.split()}


@pytest.mark.parametrize("module", ["demonstrations.collect", "arena.scoring", "arena.external", "arena.keep"])
def test_work_that_may_not_need_torch_does_not_wait_for_it(module) -> None:
    code = f"import sys, demo_score.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=WORKFLOW, check=False).returncode == 0
