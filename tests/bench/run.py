"""All benchmarks that docs/speed.md reports, one after another on an idle machine, and that document of what they say.

python tests/bench/run.py --out docs/speed.md [--only act_step,...]     (`make bench`; about forty minutes)

A section is written as soon as it is measured, and the others stay: so that a few can be measured again. Peers that
are LeRobot's need `make .venv-peers/.installed`, or LEROBOT_PYTHON; without it their sections are left as they are.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = REPOSITORY / ".venv-peers/bin/python"
HEAD = """# Speed

Measured by `make bench`, each beside a peer or a limit in the same run. Nothing else ran on the machine. How to make a
training faster: [settings.md](settings.md#speed-and-memory).
"""
PACKAGES = ("torch", "mujoco", "snakemake", "numpy")


@dataclass(frozen=True)
class Benchmark:
    """A section: what is measured by which file of this folder."""

    title: str
    text: str
    arguments: tuple[str, ...] = ()
    needs_lerobot: bool = False
    is_table: bool = True  # else lines of text


BENCHMARKS = {
    "act_step": Benchmark(
        "A training step of ACT",
        "LeRobot's configuration, on all cores: least of the rounds. Most of ours is matrix products. LeRobot's draws, "
        "for seven nanoseconds, a number for every element that dropout may drop, and computes all tokens of the "
        "variational encoder's last layer, of which one is used. The limit: the products and convolutions of our step "
        "alone, at the rate of one large product in the same run.",
        needs_lerobot=True,
    ),
    "video_batches": Benchmark(
        "Batches from a LeRobot folder with video",
        "AV1 as LeRobot records it, 480x640, two workers: most of the rounds. Decoded before: `training.image_store`.",
        needs_lerobot=True,
    ),
    "trainers": Benchmark(
        "Whole trainings from a LeRobot folder with video",
        "ACT with ResNet18 on 96x128 images (128 wide, otherwise LeRobot's configuration), batches of 8, two workers: "
        "steps of LeRobot's own trainer and of ours from the same folder, on all cores, most of the rounds. (The "
        "workflow gives a training one thread, so that its bits do not depend on how many cores there are.)",
        needs_lerobot=True,
    ),
    "lerobot_process": Benchmark(
        "Rollouts through LeRobot's process",
        "An ACT of ours, and the same one acting in a process of LeRobot's; one thread.",
        needs_lerobot=True,
    ),
    "classifiers": Benchmark(
        "An epoch of the classifier sweep",
        "At the published sizes, training and both evaluations, one thread. Members of a sweep are trained at once.",
    ),
    "environments": Benchmark(
        "Environments and rollouts", "Beside the stock environments, which draw at every step.", is_table=False
    ),
    "startup": Benchmark("Before the work begins", "Seconds, the least of the rounds."),
    "planning": Benchmark(
        "Planning many jobs",
        "A task of 20 seeds, beside nearly as many jobs that do nothing.",
        ("1", "20"),
        is_table=False,
    ),
}


def measured(name: str, benchmark: Benchmark) -> str:
    """The section, or where it cannot be measured, nothing."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    if benchmark.needs_lerobot:
        environment.setdefault("LEROBOT_PYTHON", str(PEERS))
        if not Path(environment["LEROBOT_PYTHON"]).is_file():
            print(f"{name}: needs LeRobot (make .venv-peers/.installed, or LEROBOT_PYTHON)", file=sys.stderr)
            return ""
    command = [sys.executable, f"tests/bench/{name}.py", *benchmark.arguments]
    print(" ".join(command), flush=True)
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if benchmark.is_table:
        table = "\n".join(line for line in lines if line.startswith("|"))
    else:
        table = "\n".join(["```text", *lines, "```"])
    source = f"[{name}.py](../tests/bench/{name}.py), {machine()}."
    return f"{benchmark.text}\n\n{table}\n\n{source}"


def machine() -> str:
    """Processor, cores, day, commit and versions."""
    found = Path("/proc/cpuinfo")
    processor = re.search(r"model name\s*:\s*(.+)", found.read_text() if found.is_file() else "")
    name = processor[1] if processor else platform.machine()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True)
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    today = datetime.now(UTC).date()
    return f"{name}, {len(os.sched_getaffinity(0))} cores, {today}, commit {commit.stdout.strip()}; {versions}"


def sections_of(document: Path) -> dict[str, str]:
    """Title -> what is below it."""
    parts = re.split(r"^## (.+)\n", document.read_text() if document.is_file() else "", flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="names of files, with commas between")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        if section := measured(name, BENCHMARKS[name]):
            sections = sections_of(arguments.out) | {BENCHMARKS[name].title: section}
            ordered = [b.title for b in BENCHMARKS.values() if b.title in sections]
            body = "\n\n".join(f"## {title}\n\n{sections[title]}" for title in ordered)
            arguments.out.write_text(f"{HEAD}\n{body}\n")


if __name__ == "__main__":
    main()
