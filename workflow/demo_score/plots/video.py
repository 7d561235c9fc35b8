"""Video files that every browser plays."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path
from demo_score.runtime.stopping import check

# The first that PyAV has, with its options. One thread: the bytes depend on how many there are. No mbtree: on CPUs with
# AVX-512 its bits vary from call to call.
ENCODERS = {"libx264": {"crf": "23", "threads": "1", "mbtree": "0"}, "mpeg4": {"b": "4000000", "threads": "1"}}


def write_video(path: Path, images: Iterable[np.ndarray], rate: Fraction) -> None:
    """Write images, uint8 (H, W, 3) of one size, to an .mp4, `rate` a second: H.264, or MPEG-4 where it is missing.

    The same bytes each time. Raises UserError where PyAV has neither encoder.
    """
    images = iter(images)
    first = next(images)
    encoder = _encoder()
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as container:
        stream = container.add_stream(encoder, rate=rate, options=ENCODERS[encoder])
        stream.pix_fmt = "yuv420p"  # which asks for even sizes
        stream.height, stream.width = (side + side % 2 for side in first.shape[:2])
        for index, image in enumerate(chain([first], images)):
            padding = [(0, side % 2) for side in image.shape[:2]]
            frame = av.VideoFrame.from_ndarray(np.pad(image, [*padding, (0, 0)], "edge"), format="rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
            check()
        container.mux(stream.encode())


def _encoder() -> str:
    for name in ENCODERS:
        try:
            av.Codec(name, "w")
        except ValueError:  # PyAV's UnknownCodecError
            continue
        return name
    raise UserError(
        f"videos need an encoder: PyAV here has none of {', '.join(ENCODERS)}; draw the strip alone, without --video"
    )
