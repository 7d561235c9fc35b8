"""The workflow on a real SLURM, through profiles/slurm, with jobs killed and a node lost: the same bits as without it.

make test-slurm, or: python tests/slurm/run.py [--optional] [TARGET ...]. As root, on Debian or Ubuntu; some minutes.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from cluster import NODES, Cluster, cluster, missing_programs
from miniature import copy_repository

CONFIG = "tests/slurm/config.yaml"
RUN = "results/slurm/seed10000"
IMPATIENT = "tests/slurm/impatient_snakemake.py"
# This cluster has small nodes and answers at once. A final training shares a (make-believe) GPU.
SMALL = ["--set-threads", "collect_demonstrations=2", "--slurm-init-seconds-before-status-checks=2"]
SHARE = ["gres=shard:1", "slurm_partition=gpu"]
SMALL += ["--set-resources", *(f"train_final_policy_slurm:{resource}" for resource in SHARE)]
# What says where, when and how fast it was made, and so differs.
DIFFERENT = {"run.json", "run.html", "benchmarks"}
START = time.monotonic()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", help="files to make (default: all that the configuration asks for)")
    parser.add_argument("--optional", action="store_true", help="without SLURM say so in a line, and succeed")
    parser.add_argument("--timeout", type=int, default=3600, help="seconds after which the test fails (default 3600)")
    arguments = parser.parse_args()
    if reason := unavailable():
        print(f"SLURM test left out: {reason}" if arguments.optional else f"error: {reason}", file=sys.stderr)
        return 0 if arguments.optional else 2
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, leave)
    signal.alarm(arguments.timeout)
    with tempfile.TemporaryDirectory(prefix="slurm-test-") as folder:
        return test(Path(folder), arguments.targets)


def leave(number: int, _frame: object) -> None:
    say("timeout" if number == signal.SIGALRM else f"signal {number}")
    raise SystemExit(1)


def unavailable() -> str:
    """Why there can be no cluster here; empty where there can. Debian's packages are installed if need be."""
    if os.geteuid():
        return "only root can start SLURM's daemons"
    if missing_programs() and shutil.which("apt-get"):
        install = "(apt-get update && apt-get install -y --no-install-recommends slurm-wlm munge) >&2"
        subprocess.run(install, shell=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False)
    missing = missing_programs()
    return f"{', '.join(missing)} not found, and Debian's slurm-wlm and munge cannot be installed" if missing else ""


def say(text: str) -> None:
    print(f"{time.monotonic() - START:6.1f} s  {text}", flush=True)


def test(folder: Path, targets: list[str]) -> int:
    """Run with and without SLURM, at the same time, and compare."""
    for name in ("local", "slurm"):
        copy_repository(folder / name, "tests/slurm")
    started: list[subprocess.Popen] = []
    try:
        with cluster(folder / "daemons") as slurm:
            say(f"SLURM is up: {slurm.states()}")
            started.append(snakemake(folder / "local", dict(os.environ), *targets, "--cores", "2"))
            on_slurm = [*targets, "--profile=profiles/slurm", *SMALL]
            started.append(snakemake(folder / "slurm", slurm.environment, *on_slurm))
            faults = Faults(slurm, folder / "slurm")
            while started[1].poll() is None:
                faults.step()
                time.sleep(0.2)
            say(f"the run on SLURM ended with status {started[1].returncode}")
            started[0].wait()
            say(f"the run without ended with status {started[0].returncode}")
            print_logs(folder / "slurm")
        return verdict(folder, [run.returncode for run in started], faults)
    finally:
        for run in started:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)


def snakemake(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen:
    """Start it in a session of its own; what it prints goes to <folder>/run.log."""
    command = [sys.executable, IMPATIENT, *arguments, "--configfile", CONFIG]
    environment = {**environment, "MUJOCO_GL": "disable", "PYTHONPATH": "tests/tiny"}
    with (folder / "run.log").open("w") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


class Faults:
    """What goes wrong during the run, each thing once, when a job of its rule runs and has left its sign, a file."""

    def __init__(self, slurm: Cluster, folder: Path):
        self.slurm, self.folder = slurm, folder
        self.seen: set[str] = set()  # jobs
        self.jobs: set[str] = set()  # those whose start was reported
        self.requeued: set[str] = set()
        self.threads: dict[str, set[str]] = {}  # command -> OMP_NUM_THREADS of its jobs
        self.sharing = False  # whether a job ran on a part of a GPU
        self.waiting = {
            "rule_train_base_policy": (f"{RUN}/base/.unfinished_*/state.pt", self.cancel),
            "rule_collect_rollouts": ("logs/slurm/seed10000/rollouts/*.log", self.lose_node),
            "rule_train_classifiers": ("logs", self.cancel),
            "rule_train_final_policy": (f"{RUN}/curated_demos/.unfinished_*/state.pt", self.down_and_up),
        }
        self.lost = ""  # a node without power, until SLURM has noticed it

    def step(self) -> None:
        if self.lost and self.slurm.states().get(self.lost, "").startswith("down"):
            self.slurm.start_node(self.lost)
            self.slurm.run("scontrol", "update", f"NodeName={self.lost}", "State=RESUME")
            say(f"{self.lost} is up again")
            self.lost = ""
        for job in self.slurm.requeued():  # SLURM gives a node two minutes of rest; the test has no time for that
            if job not in self.requeued:
                say(f"SLURM has put job {job} into the queue again")
            self.requeued.add(job)
            self.jobs.discard(job)
            self.slurm.run("scontrol", "update", f"JobId={job}", "StartTime=now")
        for script, threads in running_scripts(self.folder):
            self.threads.setdefault(script, set()).add(threads)
        for job in self.slurm.jobs():
            if job["id"] not in self.jobs:
                self.jobs.add(job["id"])
                shard = f", {job['gres']} of {job['partition']}" if job["gres"] != "N/A" else ""
                say(f"job {job['id']} runs on {job['node']}{shard}: {job['rule']}")
                self.sharing |= bool(shard)
            self.seen.add(job["id"])
            for rule, (sign, fault) in list(self.waiting.items()):
                if job["rule"].startswith(rule) and any(self.folder.glob(sign)) and not self.lost:
                    del self.waiting[rule]
                    fault(job)
                    return

    def cancel(self, job: dict[str, str]) -> None:
        say(f"scancel {job['id']} ({job['rule']})")
        self.slurm.run("scancel", job["id"])

    def lose_node(self, job: dict[str, str]) -> None:
        say(f"{job['node']} loses power, under job {job['id']} ({job['rule']})")
        self.slurm.kill_node(job["node"])
        self.lost = job["node"]

    def down_and_up(self, job: dict[str, str]) -> None:
        say(f"scontrol update {job['node']} State=DOWN, under job {job['id']} ({job['rule']})")
        self.slurm.run("scontrol", "update", f"NodeName={job['node']}", "State=DOWN", "Reason=test")
        self.slurm.kill_node(job["node"])
        self.lost = job["node"]


def running_scripts(folder: Path) -> Iterator[tuple[str, str]]:
    """The commands of the workflow that run in `folder` now, each with its OMP_NUM_THREADS."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").readlink() != folder:
                continue
            command = (path / "cmdline").read_text().split("\0")
            environment = dict(entry.partition("=")[::2] for entry in (path / "environ").read_text().split("\0"))
        except OSError:
            continue
        if len(command) > 1 and command[1].startswith("workflow/scripts/"):
            yield Path(command[1]).name, environment.get("OMP_NUM_THREADS", "")


def print_logs(folder: Path) -> None:
    """What snakemake said, and what SLURM kept of jobs that failed."""
    for path in [folder / "run.log", *sorted((folder / ".snakemake/slurm_logs").rglob("*.log"))]:
        print(f"---- {path.name}")
        for line in path.read_text(errors="replace").splitlines()[-400:]:
            print(f"    {line[:300]}")
    print("----", flush=True)


def verdict(folder: Path, statuses: list[int], faults: Faults) -> int:
    files = [result_files(folder / name) for name in ("local", "slurm")]
    names = set(files[0]) | set(files[1])
    different = sorted(name for name in names if files[0].get(name) != files[1].get(name))
    for name in different:
        say(f"differs: {name}")
    for rule in faults.waiting:
        say(f"no job of {rule} was seen at work, to be killed")
    if not faults.sharing:
        say("no job got a part of a GPU")
    if not faults.requeued:
        say("SLURM started no job again")
    say(f"threads of jobs: {faults.threads}")
    as_rules_say = faults.threads.get("train.py") == {"1"} and faults.threads.get("collect_demonstrations.py") == {"2"}
    good = not any(statuses) and bool(names) and not different and as_rules_say
    good = good and not faults.waiting and faults.sharing and bool(faults.requeued)
    say(f"{len(names)} result files, {len(different)} differ, {len(faults.seen)} jobs on {len(NODES)} nodes")
    say("passed" if good else "FAILED")
    return 0 if good else 1


def result_files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in (folder / "results").rglob("*") if path.is_file() and not set(path.parts) & DIFFERENT]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


if __name__ == "__main__":
    sys.exit(main())
