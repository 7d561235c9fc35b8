"""The workflow in miniature (tests/tiny): a copy of the repository to run it in, started, killed, and what it left."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from places import REPOSITORY
from processes import wait_for

TINY = "tests/tiny/config.yaml"
RUN = "results/tiny/seed10000"
# Rollouts step gym_tiny.py of the copy of the repository that they run in.
ENVIRONMENT = {**os.environ, "PYTHONPATH": "tests/tiny"}


def copy_repository(folder: Path, *more: str) -> Path:
    """What a run needs, and `more` of the repository's folders."""
    for name in ("rules", "workflow", "profiles", "envs", "tests/tiny", *more):
        shutil.copytree(REPOSITORY / name, folder / name, copy_function=_copy)
    for name in ("Snakefile", "config.yaml", "README.md"):
        shutil.copy(REPOSITORY / name, folder / name)
    # Composed settings are those of all copies: Hydra takes seconds for them.
    settings = REPOSITORY / ".snakemake/settings"
    settings.mkdir(parents=True, exist_ok=True)
    (folder / ".snakemake").mkdir()
    (folder / ".snakemake/settings").symlink_to(settings)
    return folder


def _copy(source: str, target: str) -> None:
    """With caches of compiled and digested code, seconds of a first start, in which files come and go."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


def snakemake(
    folder: Path, *arguments: str, cores: int = 2, configfile: str = TINY, **variables: str
) -> subprocess.CompletedProcess:
    command = snakemake_command(*arguments, cores=cores, configfile=configfile)
    environment = {**ENVIRONMENT, **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def snakemake_command(*arguments: str, cores: int, configfile: str = TINY) -> list[str]:
    command = [sys.executable, "-m", "snakemake", *arguments, "--cores", str(cores), "--configfile", configfile]
    command += ["--max-jobs-per-timespan", "1000/1s"]  # few jobs: do not wait as long at the end
    return [*command, "--set-threads", "collect_demonstrations=1"]  # two processes take longer to start than they save


def digests(folder: Path, *patterns: str) -> dict[str, bytes]:
    files = [path for pattern in patterns for path in (folder / "results").glob(pattern) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(files)}


def command(folder: Path, script: str, *arguments: str) -> None:
    parts = [sys.executable, f"workflow/scripts/{script}", *arguments]
    run = subprocess.run(parts, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]


def kill_when(folder: Path, target: str, script: str, sign: str) -> None:
    """Start making `target`; kill -9 the process that runs `script` once it runs and a path like `sign` exists."""
    command = snakemake_command(target, cores=1)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, **quiet) as process:
        found: list[int] = []

        def is_there() -> bool:
            assert process.poll() is None, "snakemake ended before there was anything to kill"
            found[:] = processes_running(script, folder) if any(folder.glob(sign)) else []
            return bool(found)

        wait_for(is_there)
        for number in found:
            os.kill(number, signal.SIGKILL)
        assert process.wait() != 0


def processes_running(script: str, folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if any(word.endswith(script.encode()) for word in command[:2]) and (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
        except OSError:
            continue
    return found
