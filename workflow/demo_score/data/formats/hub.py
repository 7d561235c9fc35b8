"""What comes from the Hugging Face hub: whole data sets, or one file of them, through the hub's own cache."""

import os
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from demo_score.data.frames import first_line
from demo_score.runtime.errors import UserError
from demo_score.runtime.watching import connections_count

PATIENCE = 8.0  # seconds that one answer of the hub may take to come


def lerobot_home() -> Path:
    """Where LeRobot looks for data sets: $HF_LEROBOT_HOME, by default ~/.cache/huggingface/lerobot."""
    return Path(os.environ.get("HF_LEROBOT_HOME") or Path(constants.HF_HOME) / "lerobot")


def download(repo_id: str, setting: str, file: str | None = None) -> Path:
    """The folder of the data set `repo_id`, or its one `file`, downloaded where the cache has it not.

    HF_HUB_OFFLINE=1 applies. Raises UserError, naming `setting`, where there is no such data set, or no network.
    """
    # Most commands download nothing, and it takes a second to import what does.
    from huggingface_hub import get_session, hf_hub_download, snapshot_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    if _limit_waits not in (hooks := get_session().event_hooks["request"]):
        hooks.append(_limit_waits)
    try:
        with connections_count():
            if file is None:
                return Path(snapshot_download(repo_id, repo_type="dataset"))
            return Path(hf_hub_download(repo_id, file, repo_type="dataset"))
    except Exception as error:  # of any kind: the hub's, and its HTTP library's, which is not always the same
        if isinstance(error, LocalEntryNotFoundError | OfflineModeIsEnabled) or _is_timeout(error):
            raise UserError(
                f"{setting}={repo_id}: lies neither here nor in the cache, and the hub cannot be reached "
                f"({first_line(error)}); check the network and HF_HUB_OFFLINE, or set {_elsewhere(setting, file)}"
            ) from None
        if isinstance(error, EntryNotFoundError):
            raise UserError(f"{setting}={repo_id}: has no file {file}; correct file, its path there") from None
        if not isinstance(error, OSError | HFValidationError):
            raise
        reason = f"{type(error).__name__}: {first_line(str(error).strip())}".rstrip(". ")
        raise UserError(
            f"{setting}={repo_id}: no such data set ({reason}); set {_elsewhere(setting, file)} or a hub "
            "name such as lerobot/pusht"
        ) from None


def _elsewhere(setting: str, file: str | None) -> str:
    return f"{setting}=FOLDER" if file is None else "path=FILE"


def _limit_waits(request: Any) -> None:
    """Let the hub's HTTP client wait for an answer no longer than PATIENCE; by itself it would without end."""
    request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), PATIENCE)


def _is_timeout(error: Exception) -> bool:
    return any(name in type(error).__name__ for name in ("Timeout", "ConnectError", "NetworkError"))
