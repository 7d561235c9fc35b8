"""A copy of the repository in which a small workflow runs, is disturbed, and runs again as a user would run it."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = ("rules", "workflow", "profiles", "envs", "tests/tiny", "tests/data", "Snakefile", "config.yaml", "README.md")
SMALL = "tests/faults.yaml"
VARYING = ("run.json", "run.html")  # say when and where they were made
TIMEOUT = 1200  # seconds that any one run may take

STAGES = {
    "collect_demonstrations": "demonstrations",
    "train base": "base training",
    "collect_rollouts": "rollouts",
    "train_classifiers": "sweep",
    "select_classifier": "filter",
    "apply_filter": "filter",
    "choose_episodes": "filter",
    "train condition": "conditions' training",
    "eval": "evaluation",
    "make_tables": "tables",
    "digest_inputs": "tables",
    "write_manifest": "tables",
    "plot": "figures",
}
ORDER = list(dict.fromkeys(STAGES.values()))


@dataclass(frozen=True)
class Job:
    """A command of the workflow that is running."""

    process: int
    stage: str


@dataclass(frozen=True)
class Stamp:
    """What a result file must keep."""

    digest: str
    modified: int


def small_config() -> dict:
    """tests/tiny/config.yaml with two conditions, and two batches in each evaluation."""
    config = yaml.safe_load((REPOSITORY / "tests/tiny/config.yaml").read_text(encoding="utf-8"))
    tiny = config["experiments"]["tiny"]
    tiny["final_policy"]["conditions"] = ["curated_demos", "random"]
    tiny["evaluation"]["overrides"] = ["eval.batch_size=3"]
    return config


class Workspace:
    """`folder` with the repository, its results, and Snakemake's notes; commands run in it as from a shell."""

    def __init__(self, folder: Path, config: str = SMALL):
        self.folder = folder.resolve()
        self.config = config
        self.running: subprocess.Popen | None = None

    @classmethod
    def new(cls, folder: Path, config: str = SMALL) -> "Workspace":
        for part in PARTS:
            source, target = REPOSITORY / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        (folder / SMALL).write_text(yaml.safe_dump(small_config()), encoding="utf-8")
        return cls(folder, config)

    def copy(self, folder: Path) -> "Workspace":
        """The same with its results, as old as they are here."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Workspace(folder, self.config)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self, *arguments: str, cores: int = 2) -> subprocess.Popen:
        """Start the workflow in a process group of its own; what it says is in said.txt."""
        command = [sys.executable, "-m", "snakemake", *arguments, "--cores", str(cores), "--configfile", self.config]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "MUJOCO_GL": "disable", "PYTHONPATH": "tests/tiny"}
        with (self.folder / "said.txt").open("w") as said:
            self.running = subprocess.Popen(
                command, cwd=self.folder, stdout=said, stderr=said, env=environment, start_new_session=True
            )
        return self.running

    def run(self, *arguments: str) -> int:
        """Run the workflow to its end; the exit status."""
        self.start(*arguments)
        return self.wait()

    def wait(self) -> int:
        """Wait for the run's end, and for the processes that it started."""
        status = self.running.wait(TIMEOUT)
        deadline = time.monotonic() + TIMEOUT
        while left := self.processes():
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"{len(left)} processes outlived the run")
            time.sleep(0.1)
        return status

    def said(self) -> str:
        return (self.folder / "said.txt").read_text(encoding="utf-8", errors="replace")

    def again(self) -> int:
        """Run once more as a user would: with `snakemake --unlock` before it where a killed run left its lock."""
        if list((self.folder / ".snakemake/locks").glob("*")):
            assert self.run("--unlock") == 0, self.said()[-500:]
        return self.run()

    def kill(self) -> None:
        """kill -9 to the run and everything that it started."""
        for process in self.processes():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.running.wait()

    def processes(self) -> list[int]:
        """The run's own and all that came of it, but for dead ones."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(session) == self.running.pid and state != "Z":
                found.append(int(entry.name))
        return found

    def jobs(self) -> list[Job]:
        """The commands that run now."""
        found = []
        for process in self.processes():
            try:
                command = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if len(command) > 1 and Path(command[1]).parent.name == "scripts":
                name = Path(command[1]).stem
                if name == "train":
                    name = "train base" if any(word.endswith("/base") for word in command) else "train condition"
                if name in STAGES:
                    found.append(Job(process, STAGES[name]))
        return found

    def stamps(self, finished_only: bool = True) -> dict[str, Stamp]:
        """The result files; only those that Snakemake has noted as finished."""
        found = {}
        for path in sorted(self.results.rglob("*")):
            name = str(path.relative_to(self.folder))
            if path.is_file() and (not finished_only or self._is_finished(name)):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[name] = Stamp(digest, path.stat().st_mtime_ns)
        return found

    def _is_finished(self, name: str) -> bool:
        note = urlsafe_b64encode(name.encode()).decode()
        notes = self.folder / ".snakemake"
        return (notes / "metadata" / note).is_file() and not (notes / "incomplete" / note).is_file()

    def logs(self) -> str:
        """What all commands said, the newest last."""
        logs = [path for path in (self.folder / "logs").rglob("*.log") if path.is_file()]
        return "\n".join(path.read_text(errors="replace") for path in sorted(logs, key=lambda log: log.stat().st_mtime))


def difference(made: dict[str, Stamp], expected: dict[str, Stamp]) -> str:
    """What is other than in the undisturbed run, in a few words; nothing where all is the same."""
    missing, strange = expected.keys() - made.keys(), made.keys() - expected.keys()
    common = [name for name in made.keys() & expected.keys() if Path(name).name not in VARYING]
    other = [name for name in common if made[name].digest != expected[name].digest]
    parts = {"missing": missing, "left over": strange, "other bits": other}
    return "; ".join(f"{what}: {sorted(names)[0]} ({len(names)})" for what, names in parts.items() if names)


def lost(before: dict[str, Stamp], after: dict[str, Stamp]) -> str:
    """Which finished files were made again or changed; nothing where all are as they were."""
    names = sorted(name for name, stamp in before.items() if after.get(name) != stamp)
    return f"finished and made again: {names[0]} ({len(names)})" if names else ""
