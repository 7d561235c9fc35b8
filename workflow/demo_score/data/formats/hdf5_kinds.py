"""What an array of an HDF5 file holds: numbers, images, or what is not read, and how that is named."""

from collections.abc import Collection, Iterator

import h5py
import numpy as np

from demo_score.data.frames import StoredFrames

CHANNELS = (1, 3, 4)  # of images, whatever their kind
SMALLEST_IMAGE = 8  # pixels: what has fewer rows or columns is a matrix of numbers

Item = h5py.Dataset | h5py.Group | None  # None: a link that leads nowhere


class ChannelsFirst(StoredFrames):
    """Images that the file holds as (T, 3, H, W)."""

    def _images(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        return (np.moveaxis(image, 0, -1) for image in super()._images(indices))


def is_channels_first(values: h5py.Dataset) -> bool:
    """Whether an array is images (T, 3, H, W), uint8, and cannot be (T, H, W, 3)."""
    return values.dtype == np.uint8 and values.ndim == 4 and values.shape[1] == 3 != values.shape[3]


def frame_shape(values: h5py.Dataset) -> tuple[int, ...]:
    """Shape of one frame as it is read: images are (H, W, 3)."""
    size = tuple(values.shape[1:])
    return (*size[1:], size[0]) if is_channels_first(values) else size


def why_unread(values: h5py.Dataset) -> str | None:
    """What an observation is that is not read: text, lists of any length, and images not of uint8 and 3 channels."""
    if values.dtype.kind in "OSU":
        return describe(values)
    if is_channels_first(values) or not _is_other_image(values.dtype, values.shape[1:]):
        return None
    return f"{describe(values)}: images are uint8 (height, width, 3)"


def describe(item: Item) -> str:
    """What lies under a name, in a few words, whatever the number of frames."""
    if item is None:
        return "a link that leads nowhere"
    if isinstance(item, h5py.Group):
        return "group"
    if h5py.check_string_dtype(item.dtype) is not None or item.dtype.kind in "SU":
        return "text"
    kind = "lists" if item.dtype.kind == "O" else str(item.dtype)
    return f"{kind} {tuple(item.shape[1:])}"


def others(group: h5py.Group, read: Collection[str]) -> dict[str, str]:
    """What lies in a group besides the names that are `read`: name -> what it is."""
    return {name: describe(group.get(name)) for name in group if name not in read}


def other_attributes(group: h5py.Group, read: Collection[str]) -> dict[str, str]:
    """A group's attributes besides those that are `read`."""
    return {name: "attribute" for name in group.attrs if name not in read}


def _is_other_image(dtype: np.dtype, size: tuple[int, ...]) -> bool:
    """Whether a frame is an image of a kind that is not read: grey, RGBA, float, or of other integers."""
    if dtype == np.uint8 and len(size) == 2:
        return min(size) >= SMALLEST_IMAGE
    if dtype.kind not in "uif" or len(size) != 3 or (dtype == np.uint8 and size[-1] == 3):
        return False
    last, first = size[-1] in CHANNELS and size[:2], size[0] in CHANNELS and size[1:]
    return any(pixels and min(pixels) >= SMALLEST_IMAGE for pixels in (last, first))
