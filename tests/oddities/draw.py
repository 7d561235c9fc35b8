"""Draws data sets with odd but legal properties: gaps, orders, types, chunkings, names, images, files, links."""

import numpy as np
from hypothesis import strategies as st
from truth import CAMERA, STATE, DataSet, TrueEpisode

FORMATS = ("robomimic", "own", "aloha", "lerobot_v3.0", "lerobot_v2.1")
FLOATS = ("<f4", "<f8", ">f4", ">f8", "<f2")
INTEGERS = ("<i4", ">i4", "<i8", ">i2", "|i1", "|u1")
NAMES = ("environment_state", "effort", "tip force", "größe", "arm.left.pos", "0", "x" * 40, "action_prev", "image_age")
TASKS = ("put it away", "lift\u2028and hold", 'say "hi", then {go}', "물건을 옮긴다")
# How a format holds images, and which images are not read. Videos and JPEGs lose a little.
CAMERAS = {
    "robomimic": (None, None, "hwc", "chw", "grey", "rgba", "float"),
    "own": (None, None, "hwc", "chw"),
    "aloha": (None, None, "hwc", "chw", "jpeg", "rgba", "float"),
    "lerobot": (None, None, "png", "png chw", "video"),
}
UNREAD = ("grey", "rgba", "float")
LOSSY = ("jpeg", "video")
CHUNKS = (None, "rows", "whole", "gzip", "lzf", "shuffle")


@st.composite
def data_sets(draw: st.DrawFn) -> DataSet:
    """A data set of any format, with its truth."""
    format_ = draw(st.sampled_from(FORMATS))
    is_lerobot = format_.startswith("lerobot")
    n_episodes = draw(st.integers(1, 4))
    steps = draw(st.lists(st.integers(1, 9), min_size=n_episodes, max_size=n_episodes))
    gaps = format_ in ("robomimic", "aloha") or (is_lerobot and draw(st.integers(0, 4)) == 0)
    numbers = [int(number) for number in np.cumsum(steps) - 1] if gaps else list(range(n_episodes))
    odd = {
        "kind": draw(st.sampled_from(FLOATS if is_lerobot and draw(st.booleans()) else (*FLOATS, *INTEGERS))),
        "action_kind": draw(st.sampled_from(FLOATS)),
        "chunks": draw(st.sampled_from(CHUNKS)),
        "order": draw(st.permutations(range(n_episodes))),
        "group": draw(st.sampled_from(["demo", "rollout"])),
        "success_as": draw(st.sampled_from(["bool", "int", "uint8", "float", "enum", "text", "bytes", "array"])),
        "link": draw(st.sampled_from([None, None, "soft", "external"])),
        "extra": draw(st.booleans()),
        "padded": draw(st.booleans()),
        "hidden": draw(st.booleans()),
        "labels": draw(st.sampled_from(["header", "shuffled", "words", "plain"])),
        "per_file": draw(st.integers(1, 3)),
        "row_group": draw(st.integers(1, 9)),
        "lists": draw(st.sampled_from(["fixed", "variable", "large"])),
        "columns": draw(st.permutations(range(8))),
        "success_in": draw(st.sampled_from(["rows", "episodes"])),
        "camera": draw(st.sampled_from(CAMERAS[format_.partition("_")[0]])),
        "notes": draw(st.booleans()),
        "per_chunk": draw(st.integers(1, 3)),
        "env_args": draw(st.sampled_from([None, "{}", '{"env_name": "Lift", "env_kwargs": {}}'])),
    }
    keys = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))
    widths = {key: draw(st.integers(1, 3)) for key in [STATE, *(f"observation.{name}" for name in keys)]}
    flat = draw(st.booleans())  # vectors of one number as (T,)
    action_dim = draw(st.integers(1, 3))
    said = draw(st.sampled_from(["all", "none", "some"]))
    rewarded, acted = draw(st.booleans()), draw(st.booleans())
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    task = draw(st.sampled_from([None, *TASKS]))
    episodes = []
    for index, number in enumerate(numbers):
        length = draw(st.integers(2, 6))
        observations = {
            key: _values(generator, (length,) if flat and width == 1 and key != STATE else (length, width), odd["kind"])
            for key, width in widths.items()
        }
        images, unread = _images(generator, length, odd["camera"])
        if odd["notes"]:
            unread["note"] = np.array([f"at {step}" for step in range(length)], dtype=object)
        success = None if said == "none" or (said == "some" and index % 2) else draw(st.booleans())
        episodes.append(
            TrueEpisode(
                number,
                observations | images,
                _values(generator, (length, action_dim), odd["action_kind"]),
                _values(generator, (length,), "<f4") if rewarded and format_ != "aloha" else None,
                success,
                f"{1000 * (1 + index % 2):06d}" if acted and (format_ != "aloha" or success is not None) else None,
                None if format_ == "aloha" else (task or "a task") if is_lerobot else task,
                unread,
            )
        )
    if any(episode.success is None for episode in episodes):  # rows of one file tell it of all or of none
        odd["success_in"] = "episodes"
    fps = draw(st.integers(1, 120)) if is_lerobot or format_ == "own" else None
    return DataSet(format_, episodes, fps, odd)


def _images(
    generator: np.random.Generator, length: int, kind: str | None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Images of a camera that are read, and those that are not; one colour an image where storing them loses some."""
    if kind is None:
        return {}, {}
    channels = {"grey": 1, "rgba": 4}.get(kind, 3)
    size = (1, 1) if kind in LOSSY else (16, 24)
    images = generator.integers(0, 256, (length, *size, channels)).astype(np.uint8)
    images = np.ascontiguousarray(np.broadcast_to(images, (length, 16, 24, channels)))
    if kind == "float":
        return {}, {CAMERA: images / np.float32(255)}
    return ({}, {CAMERA: images}) if kind in UNREAD else ({CAMERA: images}, {})


def _values(generator: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Numbers that every type here holds exactly."""
    if np.dtype(kind).kind in "iu":
        low = 0 if np.dtype(kind).kind == "u" else -120
        return generator.integers(low, 121, shape).astype(kind)
    return (generator.integers(-400, 401, shape) / 8).astype(kind)
