"""Finding LeRobot data sets, and what they say of themselves."""

import json
import math
import os
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from demo_score.data.formats.lerobot_places import check_template
from demo_score.data.frames import first_line
from demo_score.runtime.errors import UserError
from demo_score.runtime.unreadable import unreadable
from demo_score.runtime.watching import connections_count

PATIENCE = 8.0  # seconds that one answer of the hub may take to come
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
    home = Path(os.environ.get("HF_LEROBOT_HOME") or Path(constants.HF_HOME) / "lerobot")
    for folder in (Path(dataset_repo_id), home / dataset_repo_id):
        if is_lerobot(folder):
            return folder
    return _download(dataset_repo_id, setting)


def _download(dataset_repo_id: str, setting: str) -> Path:
    # Most commands download nothing, and it takes a second to import what does.
    from huggingface_hub import get_session, snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    if _limit_waits not in (hooks := get_session().event_hooks["request"]):
        hooks.append(_limit_waits)
    try:
        with connections_count():
            return Path(snapshot_download(dataset_repo_id, repo_type="dataset"))
    except Exception as error:  # of any kind: the hub's, and its HTTP library's, which is not always the same
        if isinstance(error, LocalEntryNotFoundError | OfflineModeIsEnabled) or _is_timeout(error):
            raise UserError(
                f"{setting}={dataset_repo_id}: lies neither here nor in the cache, and the hub cannot be reached "
                f"({first_line(error)}); check the network and HF_HUB_OFFLINE, or set {setting}=FOLDER"
            ) from None
        if not isinstance(error, OSError | HFValidationError):
            raise
        reason = f"{type(error).__name__}: {first_line(str(error).strip())}".rstrip(". ")
        raise UserError(
            f"{setting}={dataset_repo_id}: no such data set ({reason}); set {setting}=FOLDER or a hub "
            "name such as lerobot/pusht"
        ) from None


def _limit_waits(request: Any) -> None:
    """Let the hub's HTTP client wait for an answer no longer than PATIENCE; by itself it would without end."""
    request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), PATIENCE)


def _is_timeout(error: Exception) -> bool:
    return any(name in type(error).__name__ for name in ("Timeout", "ConnectError", "NetworkError"))


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
