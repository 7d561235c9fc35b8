"""What config.yaml says of user-supplied data, checked without opening them: it is read whenever Snakemake starts."""

import os
from collections.abc import Iterator
from pathlib import Path

from demo_score.config.models.user_data import Source, UserData
from demo_score.runtime.errors import UserError

HDF5 = (".hdf5", ".h5", ".hdf")
PLACE = "{checkpoint}"  # in a path of rollouts: one data set a checkpoint


def check_places(settings: dict, where: str) -> None:
    """Raise UserError for the first path where nothing lies."""
    for name, source in UserData.read(settings, where).sources().items():
        for key in ("path", "labels"):
            for path in _places(source, key):
                if not path.exists():
                    place = f"; a checkpoint's place is written {PLACE}" if "{" in str(path) else ""
                    raise UserError(f"{where}: {name}.{key}: nothing lies at {path}; correct the path{place}")


def user_files(settings: dict) -> list[Path]:
    """All files that a user's data consist of, as far as they lie at paths, those that HDF5 files link to with them.

    Links are followed; what begins with a point (.DS_Store, ._NAME, .cache) is none of the data.
    """
    from demo_score.data.formats.hdf5_links import other_files  # takes half a second to import

    sources = UserData.read(settings, "user-supplied data").sources().values()
    paths = {path for source in sources for key in ("path", "labels") for path in _places(source, key)}
    files = {file for path in paths for file in (_files_below(path) if path.is_dir() else [path])}
    linked = {other for file in files if file in paths or file.suffix in HDF5 for other in other_files(file)}
    return sorted(file for file in files | linked if file.is_file())


def _files_below(folder: Path) -> Iterator[Path]:
    """All files below a folder, of linked folders too, each of them once."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = [name for name in folders if os.path.realpath(Path(place, name)) not in seen]
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _places(source: Source, key: str) -> list[Path]:
    """The paths that an entry stands for: one for each checkpoint where it has a place for that."""
    if (path := getattr(source, key)) is None:
        return []
    return sorted({Path(path.replace(PLACE, checkpoint)) for checkpoint in getattr(source, "eps", [""])})
