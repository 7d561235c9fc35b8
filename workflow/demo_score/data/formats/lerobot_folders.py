"""Finding LeRobot data sets, and what they say of themselves."""

import json
import math
from pathlib import Path
from typing import Any

from demo_score.data.formats.hub import download, lerobot_home
from demo_score.data.formats.lerobot_places import check_template
from demo_score.runtime.errors import UserError
from demo_score.runtime.unreadable import unreadable

INFO, OLD_INFO = "meta/info.json", "meta_data/info.json"
VERSIONS = ("v2.1", "v3.0")
_INFO_TYPES = {"features": dict, "fps": int | float, "total_episodes": int, "data_path": str}
NO_TASK = ""  # the task of episodes that have none


def is_lerobot(path: Path) -> bool:
    """Whether `path` is the folder of a data set, of whatever version."""
    return (path / INFO).is_file() or (path / OLD_INFO).is_file()


def resolve_dataset(dataset_repo_id: str, setting: str = "dataset_repo_id") -> Path:
    """The folder of a data set: `dataset_repo_id` itself, else below $HF_LEROBOT_HOME, else downloaded.

    $HF_LEROBOT_HOME defaults to LeRobot's ~/.cache/huggingface/lerobot. The hub's own cache and HF_HUB_OFFLINE=1
    apply. Raises UserError where there is no such data set, or no network.
    """
    for folder in (Path(dataset_repo_id), lerobot_home() / dataset_repo_id):
        if is_lerobot(folder):
            return folder
    return download(dataset_repo_id, setting)


def read_info(folder: Path) -> dict[str, Any]:
    """meta/info.json. Raises UserError where it is missing, damaged, or of a version that is not read."""
    path = folder / INFO if (folder / INFO).is_file() else folder / OLD_INFO
    if not path.is_file():
        raise UserError(f"{folder}: no LeRobot data set (no {INFO}); give one of version {' or '.join(VERSIONS)}")
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        version = info["codebase_version"]
        wrong = _what_is_wrong(info) if version in VERSIONS else ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unreadable(path, error, "damaged; download the data set again") from None
    if wrong:
        raise UserError(f"{path}: damaged ({wrong}); download the data set again")
    if version not in VERSIONS:
        raise UserError(
            f"{folder}: a LeRobot data set of version {version}, but {' and '.join(VERSIONS)} are read; convert it "
            "with LeRobot, or choose another"
        )
    return info


def _what_is_wrong(info: dict[str, Any]) -> str:
    """The first thing in meta/info.json that is not as LeRobot writes it; empty where all is."""
    for name, kind in _INFO_TYPES.items():
        if not isinstance(info.get(name), kind):
            return f"{name} is missing, or of another kind"
    if not 0 < info["fps"] < math.inf:
        return f"fps is {info['fps']}"
    templates = {name: info[name] for name in ("data_path", "video_path") if isinstance(info.get(name), str)}
    if wrong := next(filter(None, (check_template(name, template) for name, template in templates.items())), ""):
        return wrong
    for key, feature in info["features"].items():
        if not isinstance(feature, dict) or not isinstance(feature.get("dtype"), str):
            return f"feature {key} has no dtype"
        if not _is_shape(feature.get("shape"), of_images=feature["dtype"] in ("image", "video")):
            return f"feature {key} has no shape, or none that can be"
    return ""


def _is_shape(shape: object, of_images: bool) -> bool:
    sizes = shape if isinstance(shape, list) else [None]
    return all(is_count(size) for size in sizes) and (len(sizes) == 3 or not of_images)


def is_count(value: object) -> bool:
    """Whether a value is an integer from 0."""
    return type(value) is int and value >= 0
