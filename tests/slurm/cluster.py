"""A real SLURM on this machine: munged, slurmctld and two slurmd, as root, without systemd, all in one folder."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NODES = ("node1", "node2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
# ReturnToService: a node that was down comes back by itself. The GPUs are make-believe: any device file will do.
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
ReturnToService=2
JobRequeue=1
SlurmdTimeout=10
KillWait=5
SlurmdParameters=config_overrides
GresTypes=gpu,shard
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs={cpus} RealMemory=64000 Gres=gpu:1,shard:4
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs={cpus} RealMemory=64000 Gres=gpu:1,shard:4
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE
PartitionName=gpu Nodes=ALL MaxTime=INFINITE
"""
GRES = """\
Name=gpu File=/dev/null
Name=shard Count=4
"""


def missing_programs() -> list[str]:
    return [program for program in PROGRAMS if not shutil.which(program, path=_path())]


class Cluster:
    """The running daemons. `environment` is what SLURM's commands need to find them."""

    def __init__(self, folder: Path, cpus: int = 6):
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{folder}/bin:{_path()}"}
        self._daemons: dict[str, subprocess.Popen] = {}
        (folder / "state").mkdir(parents=True)
        ports = _free_ports(3)
        config = CONFIG.format(folder=folder, host=socket.gethostname().split(".")[0], ports=ports, cpus=cpus)
        (folder / "slurm.conf").write_text(config)
        (folder / "gres.conf").write_text(GRES)
        # Snakemake's jobs call srun with most of SLURM's variables removed; elsewhere the file is in /etc/slurm.
        (folder / "bin").mkdir()
        (folder / "bin/srun").write_text(
            f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
        )
        (folder / "bin/srun").chmod(0o755)

    def start(self) -> None:
        """Start all daemons and wait until every node is idle."""
        key, seed = self.folder / "munge.key", self.folder / "munge.seed"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        files = [f"--key-file={key}", f"--seed-file={seed}", f"--pid-file={self.folder}/munge.pid"]
        files += [f"--log-file={self.folder}/munge.log", f"--socket={self.folder}/munge.socket"]
        self._spawn("munged", "munged", "--foreground", "--force", *files)
        self._wait(lambda: (self.folder / "munge.socket").exists(), "munged")
        self._spawn("slurmctld", "slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
        self._wait(lambda: set(self.states().values()) == {"idle"}, "nodes to be idle")

    def start_node(self, node: str) -> None:
        self._spawn(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """Kill a node's daemon and everything that runs on it, as when its power fails."""
        daemon = self._daemons.pop(node)
        for pid in [*_steps(node, str(self.folder)), daemon.pid]:
            _kill_tree(pid)
        daemon.wait()

    def stop(self) -> None:
        """End every job and daemon."""
        for node in [node for node in NODES if node in self._daemons]:
            self.kill_node(node)
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def run(self, *command: str) -> str:
        """The output of one of SLURM's commands."""
        run = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=600, check=False)
        return run.stdout.strip()

    def states(self) -> dict[str, str]:
        """Node -> state (idle, mix, alloc, down, ...)."""
        lines = self.run("sinfo", "--noheader", "--Node", "--partition=cpu", "--format=%N %t").splitlines()
        return dict(line.split() for line in lines)

    def jobs(self) -> list[dict[str, str]]:
        """The running jobs: id, node, partition, generic resources (N/A: none), and rule with wildcards."""
        names = ("id", "node", "partition", "gres", "rule")
        lines = self.run("squeue", "--noheader", "--states=RUNNING", "--format=%i|%N|%P|%b|%k").splitlines()
        return [dict(zip(names, line.split("|"), strict=True)) for line in lines]

    def requeued(self) -> list[str]:
        """The jobs that were running on a node that died, and wait for their time to begin again."""
        lines = self.run("squeue", "--noheader", "--states=PENDING", "--format=%i|%r").splitlines()
        return [job for job, reason in (line.split("|") for line in lines) if reason == "BeginTime"]

    def _spawn(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            self._daemons[name] = subprocess.Popen(
                command, env=self.environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )

    def _wait(self, condition, what: str, seconds: float = 600) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                logs = "\n".join(path.read_text()[-500:] for path in self.folder.glob("*.out"))
                raise TimeoutError(f"waited {seconds:.0f} s for {what}\n{logs}")
            time.sleep(0.2)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster in an empty folder, for as long as the context lasts."""
    slurm = Cluster(folder)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


def _path() -> str:
    """Debian keeps the daemons in sbin, which a user's PATH may lack."""
    return os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _steps(node: str, folder: str) -> list[int]:
    """The slurmstepd processes of a node of the cluster in `folder`: the roots of all that its jobs run."""
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:
            continue
        ours = command.startswith(b"slurmstepd") and f"SLURM_CONF={folder}/".encode() in environment
        if ours and f"SLURMD_NODENAME={node}\0".encode() in _environment_of_children(int(path.name)):
            pids.append(int(path.name))
    return pids


def _environment_of_children(pid: int) -> bytes:
    environments = []
    for child in _children(pid):
        try:
            environments.append(Path(f"/proc/{child}/environ").read_bytes())
        except OSError:
            continue
    return b"\0".join([*environments, b""])


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for path in Path(f"/proc/{pid}/task").iterdir()
            for child in (path / "children").read_text().split()
        ]
    except OSError:
        return []


def _kill_tree(pid: int) -> None:
    """Kill a process and all that descend from it, parents first so that none is restarted."""
    children = _children(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for child in children:
        _kill_tree(child)
