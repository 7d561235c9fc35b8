"""SIGTERM ends a command where it asks, at once where nothing is at hand, and in time whatever it is about."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_score.runtime import stopping
from demo_score.runtime.errors import UserError, run_command
from demo_score.runtime.files import atomic_folder, atomic_path
from demo_score.runtime.stopping import STOPPED, StoppedError, check, ignore_sigterm, polled
from places import WORKFLOW
from processes import wait_for

pytestmark = pytest.mark.slow

COMMAND = """
import hashlib, os, sys, threading, time
from pathlib import Path
from demo_score.reporting.terminal import run
from demo_score.runtime.errors import run_command
from demo_score.runtime.files import atomic_path
from demo_score.runtime.stopping import check, ignore_sigterm, polled

def ready():
    print("ready", flush=True)

def one_call():
    threading.Timer(1, ready).start()  # which by then runs beside
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # half an hour

def a_loop():
    ready()
    try:
        while True:
            pass
    finally:
        print("an exception", flush=True)

def a_wait():
    ready()
    threading.Event().wait(1000)

def polled_without_check():
    with polled():
        a_wait()

def ignored():
    ignore_sigterm()
    a_loop()

def checks():
    with polled():
        try:
            ready()
            while True:
                check()
        finally:
            time.sleep(0.5)  # takes more time than the thread to end the process at once
            print("stored", flush=True)

def writes():
    with atomic_path("out.txt") as temporary:
        temporary.write_text("half")
        ready()
        time.sleep(0.5)
        temporary.write_text("whole")
    print("not reached", flush=True)

def runs():
    heeds = "signal.signal(15, lambda *_: sys.exit(print('said')))"
    program = f"import signal, sys; {heeds}; print('ready'); signal.pause()"
    run([sys.executable, "-u", "-c", program])

def forks():
    if child := os.fork():
        os.kill(child, 15)
        os.waitpid(child, 0)
        ready()
        sys.stdin.readline()
    else:
        while True:
            pass

run_command(globals()[sys.argv[1]])
"""


def start(what: str, grace: str, folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", COMMAND, what]
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW), "DEMO_SCORE_GRACE": grace}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, env=environment, text=True, cwd=folder, **pipes)
    assert process.stdout.readline() == "ready\n"
    return process


def stopped(what: str, grace: str, folder: Path) -> tuple[str, str]:
    """What it says after SIGTERM, on standard output and standard error."""
    process = start(what, grace, folder)
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: process.poll() is not None)
    assert process.returncode == 143
    return process.stdout.read(), process.stderr.read()


@pytest.mark.parametrize("what", ["one_call", "a_loop", "a_wait"])
def test_a_command_ends_at_once_without_an_exception(tmp_path, what) -> None:
    assert stopped(what, "100000", tmp_path) == ("", f"{STOPPED}\n")


@pytest.mark.parametrize("what", ["polled_without_check", "ignored"])
def test_a_block_that_goes_on_is_ended_in_time(tmp_path, what) -> None:
    said, message = stopped(what, "0.5", tmp_path)
    assert not said and message.startswith("stopped: SIGTERM; what was at hand") and message.count("\n") == 1


def test_a_loop_that_checks_has_time_to_store(tmp_path) -> None:
    assert stopped("checks", "100000", tmp_path) == ("stored\n", f"{STOPPED}\n")


def test_a_file_being_written_is_finished(tmp_path) -> None:
    assert stopped("writes", "100000", tmp_path) == ("", f"{STOPPED}\n")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"out.txt": "whole"}


def test_a_program_that_a_command_runs_is_told(tmp_path) -> None:
    assert stopped("runs", "100000", tmp_path) == ("said\n", f"{STOPPED}\n")


def test_a_signal_to_a_child_is_not_taken_for_ones_own(tmp_path) -> None:
    process = start("forks", "0", tmp_path)
    _, said = process.communicate("\n")
    assert (process.returncode, said) == (0, "")


# In this process, without the thread that would end it


@pytest.fixture
def handler() -> Iterator[None]:
    with stopping.sets_flag():
        yield


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_without_a_signal_nothing_is_raised(handler) -> None:
    with polled():
        check()


def test_signal_is_raised_where_it_is_asked_for_and_once(handler) -> None:
    done = []
    with pytest.raises(StoppedError), polled():
        terminate()
        done.append("goes on")
        try:
            check()
        finally:
            check()
            done.append("stores")
    check()
    terminate()
    with polled():
        check()
    assert done == ["goes on", "stores"]


def test_signal_is_raised_at_the_end_of_the_outermost_block(handler) -> None:
    done = []
    with pytest.raises(StoppedError), polled():
        with polled():
            terminate()
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]


def test_signal_is_not_raised_where_it_is_ignored(handler) -> None:
    ignore_sigterm()
    with polled():
        terminate()
        check()


def test_errors_of_a_block_are_told(handler) -> None:
    with pytest.raises(UserError), polled():
        terminate()
        raise UserError("bad input")


@pytest.mark.parametrize("writer", [atomic_path, atomic_folder])
def test_what_a_stopped_writer_has_made_is_removed(handler, tmp_path, writer) -> None:
    with pytest.raises(StoppedError), writer(tmp_path / "new") as temporary:
        file = temporary / "file" if temporary.is_dir() else temporary
        file.write_text("half")
        terminate()
        check()
    assert not list(tmp_path.iterdir())


def test_forked_process_just_ends(handler) -> None:
    child = os.fork()
    if not child:
        terminate()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 143


def test_command_that_is_stopped_says_so_in_one_line(handler, capsys) -> None:
    def main() -> None:
        with polled():
            terminate()

    with pytest.raises(SystemExit) as ended:
        run_command(main)
    assert ended.value.code == 143
    assert capsys.readouterr().err == f"{STOPPED}\n"
    assert signal.getsignal(signal.SIGTERM) is stopping._handle  # the test's own is back
