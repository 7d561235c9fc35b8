"""Reading a big set of low-dimensional episodes in every format, beside a plain read of the same bytes.

Run: PYTHONPATH=workflow:tests/helpers python tests/bench/data_formats.py [episodes]
The limit, of the same run: numpy reads the numbers from one file. Memory is what a process of its own needed at most
beyond its imports (Linux). `checked`: looked at for problems, which reads and compares everything once.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.lerobot_writer import write_lerobot
from demo_score.data.formats.robomimic import write_episodes
from demo_score.ingest.problems import Part, find_problems

LENGTH, WIDTH = 400, 14


def episodes(n: int) -> Iterator[Episode]:
    generator = np.random.default_rng(0)
    for seed in range(n):
        numbers = generator.normal(size=(2, LENGTH, WIDTH)).astype(np.float32)
        yield Episode({"observation.state": numbers[0]}, numbers[1], None, True, seed)


WRITERS = {
    "robomimic": lambda path, n: write_episodes(path, episodes(n), {}),
    "LeRobot v3.0": lambda path, n: write_lerobot(path, episodes(n), fps=50),
    "ALOHA": lambda path, n: write_aloha(path, episodes(n)),
}


def measure(what: str, path: str) -> None:
    """Print seconds and MB, in a process of its own."""
    Path("/proc/self/clear_refs").write_text("5")  # begin the peak anew
    imported, start = peak(), time.perf_counter()
    if what == "numpy":
        np.load(path)
    elif what == "read":
        assert sum(len(episode) for episode in open_dataset(path).read())
    else:
        dataset = open_dataset(path)
        assert not find_problems([Part(dataset, dataset.episode_indices)])
    print(time.perf_counter() - start, peak() - imported)


def peak() -> float:
    """The most memory this process has held since the peak was begun, in MB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def measured(what: str, path: Path) -> str:
    command = [sys.executable, __file__, what, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, megabytes = (float(value) for value in output.split())
    return f"{what} {seconds:.2f} s, {megabytes:.0f} MB"


def main(n: int) -> None:
    print(f"{n} episodes of {LENGTH} frames, {2 * WIDTH} float32 a frame: {n * LENGTH * 2 * WIDTH * 4 / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name) / "numbers.npy"
        np.save(plain, np.stack([[e.observations["observation.state"], e.actions] for e in episodes(n)]))
        print(f"limit: {measured('numpy', plain)}")
        for kind, write in WRITERS.items():
            path = Path(name) / kind
            start = time.perf_counter()
            write(path, n)
            print(
                f"{kind}: written {time.perf_counter() - start:.2f} s; {measured('read', path)}; "
                f"{measured('checked', path)}"
            )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measure(sys.argv[1], sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
