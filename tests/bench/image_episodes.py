"""Size of episodes with images, and milliseconds to read random frames of them, beside other ways to store them.

python tests/bench/image_episodes.py [--episodes 5]

Demonstrations of ALOHA's cube transfer with the images that the experiment aloha_cube has, 480x640. The limit of the
same run: images as they are, which np.load maps into memory. The files were just written: what is measured is
decoding, not a disk.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("SVT_LOG", "1")  # the video encoder tells of errors only

import av
import h5py
import numpy as np
from demo_score.config.settings import compose_settings
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.demonstrations.collect import collect_demonstrations
from omegaconf import OmegaConf

KEY = "observation.images.top"
BATCH = 8
LIMIT = 2.0  # GB for 100 episodes
Read = Callable[[int, int], np.ndarray]  # number of an episode, frame -> image (H, W, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=5)
    n_episodes = parser.parse_args().episodes
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    env = OmegaConf.to_container(compose_settings(["env=aloha_cube"], complete=False)[0].env, resolve=True)
    start = time.perf_counter()
    episodes = collect_demonstrations(env, "reliable", n_episodes, 90_000_000, n_processes=1)
    lengths = [len(episode) for episode in episodes]
    print(f"{n_episodes} episodes, {sum(lengths)} frames, drawn in {time.perf_counter() - start:.0f} s")
    print(f"{'':34} MB an episode   GB for 100    ms a frame   ms a batch of {BATCH}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, store in STORES.items():
            path = Path(folder) / name.replace(" ", "_")
            read = store(path, episodes)
            print_row(name, size(path) / n_episodes, read, lengths)
    print(f"at 400 steps, a failed rollout's length, ours is {400 / np.mean(lengths):.2f} times as large")


def print_row(name: str, size_of_one: float, read: Read, lengths: list[int]) -> None:
    generator = np.random.default_rng(0)

    def batch(n: int) -> None:
        for number in generator.integers(len(lengths), size=n):
            read(number, generator.integers(lengths[number]))

    one, eight = milliseconds(lambda: batch(1)), milliseconds(lambda: batch(BATCH))
    gigabytes = size_of_one * 100 / 1e9
    verdict = "" if name != "ours" else f"   ({'within' if gigabytes <= LIMIT else 'ABOVE'} the limit, {LIMIT:g} GB)"
    print(f"{name:34} {size_of_one / 1e6:13.1f} {gigabytes:12.2f} {one:13.2f} {eight:17.2f}{verdict}", flush=True)


def milliseconds(work: Callable[[], None], seconds: float = 2.0) -> float:
    """The mean over so many seconds, after one to warm up."""
    work()
    start, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds or count < 3:
        work()
        count += 1
    return passed / count * 1e3


def size(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir()))


def ours(path: Path, episodes: list[Episode]) -> Read:
    write_episodes(path, episodes, {})
    stored = read_episodes(path)
    return lambda number, frame: stored[number].observations[KEY][[frame]][0]


def hdf5(**options: object) -> Callable[[Path, list[Episode]], Read]:
    """A data set an episode; options `chunks="episode"`: all its frames in one chunk."""

    def store(path: Path, episodes: list[Episode]) -> Read:
        with h5py.File(path, "w") as file:
            for number, episode in enumerate(episodes):
                images = episode.observations[KEY][:]
                chunks = {"chunks": images.shape} if options.get("chunks") == "episode" else {}
                file.create_dataset(str(number), data=images, **{**options, **chunks})
        opened = h5py.File(path)
        return lambda number, frame: opened[str(number)][frame]

    return store


def mp4(path: Path, episodes: list[Episode]) -> Read:
    """A video an episode as LeRobot writes them (AV1, a key frame every other frame), read by PyAV."""
    path.mkdir()
    for number, episode in enumerate(episodes):
        with av.open(str(path / f"{number}.mp4"), "w") as container:
            stream = container.add_stream("libsvtav1", 50, options={"g": "2", "crf": "30", "preset": "12"})
            stream.height, stream.width = episode.observations[KEY].shape[1:3]
            stream.pix_fmt = "yuv420p"
            for index in range(len(episode)):
                image = av.VideoFrame.from_ndarray(episode.observations[KEY][[index]][0], format="rgb24")
                container.mux(stream.encode(image))
            container.mux(stream.encode())
    containers = [av.open(str(path / f"{number}.mp4")) for number in range(len(episodes))]

    def read(number: int, frame: int) -> np.ndarray:
        stream = containers[number].streams.video[0]
        wanted = round(frame / 50 / stream.time_base)
        containers[number].seek(wanted, stream=stream)
        return next(f for f in containers[number].decode(stream) if f.pts >= wanted).to_ndarray(format="rgb24")

    return read


def raw(path: Path, episodes: list[Episode]) -> Read:
    path.mkdir()
    for number, episode in enumerate(episodes):
        np.save(path / f"{number}.npy", episode.observations[KEY][:])
    mapped = [np.load(path / f"{number}.npy", mmap_mode="r") for number in range(len(episodes))]
    return lambda number, frame: np.array(mapped[number][frame])


STORES: dict[str, Callable[[Path, list[Episode]], Read]] = {
    "limit: raw, np.load": raw,
    "HDF5, uncompressed": hdf5(),
    "ours": ours,
    "HDF5 gzip, one chunk an episode": hdf5(chunks="episode", compression="gzip", compression_opts=1),
    "mp4 (AV1), lossy, by PyAV": mp4,
}


if __name__ == "__main__":
    main()
