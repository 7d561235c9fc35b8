"""SIGTERM ends a command in time, whatever it is about."""

import os
import signal
import subprocess
import sys

import pytest
from processes import WORKFLOW, wait_for

BUSY = """
import hashlib, os, sys, threading
from demo_score.runtime.errors import ignore_sigterm, run_command, sigterm_deferred

def busy():
    threading.Timer(1, lambda: print("busy", flush=True)).start()  # which by then runs beside
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # half an hour in one call

def deferred():
    with sigterm_deferred():
        while True:
            pass

def ignored():
    ignore_sigterm()
    print("busy", flush=True)
    while True:
        pass

def forks():
    if child := os.fork():
        os.kill(child, 15)
        os.waitpid(child, 0)
        print("busy", flush=True)
        sys.stdin.readline()
    else:
        while True:
            pass

print("busy", flush=True) if sys.argv[1] == "deferred" else None
run_command({"busy": busy, "deferred": deferred, "ignored": ignored, "forks": forks}[sys.argv[1]])
"""


def start(what: str, grace: str) -> subprocess.Popen:
    command = [sys.executable, "-c", BUSY, what]
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW), "DEMO_SCORE_GRACE": grace}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, env=environment, text=True, **pipes)
    assert process.stdout.readline() == "busy\n"
    return process


@pytest.mark.parametrize("what", ["busy", "ignored"])
def test_sigterm_ends_what_python_cannot_interrupt(what) -> None:
    process = start(what, "0.5")
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: process.poll() is not None)
    assert process.returncode == 143
    (message,) = process.stderr.read().splitlines()
    assert message.startswith("stopped: SIGTERM; what was at hand")


def test_what_defers_sigterm_is_ended_too() -> None:
    process = start("deferred", "0.5")

    def strike() -> bool:  # until the command heeds it
        process.send_signal(signal.SIGTERM)
        return process.poll() is not None

    wait_for(strike)
    assert process.returncode in (143, -signal.SIGTERM)


def test_a_signal_to_a_child_is_not_taken_for_ones_own() -> None:
    process = start("forks", "0")
    _, said = process.communicate("\n")
    assert (process.returncode, said) == (0, "")
