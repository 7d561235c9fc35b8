"""Short hashes that name what belongs together."""

import hashlib
import json

LENGTH = 16


def digest(*parts: str | bytes) -> str:
    """LENGTH hexadecimal digits that stand for exactly these parts, in this order."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        whole.update(len(content).to_bytes(8, "big") + content)
    return whole.hexdigest()[:LENGTH]


def settings_digest(settings: dict) -> str:
    """Stands for what config.yaml says of an experiment, in whatever order."""
    return digest(json.dumps(settings, sort_keys=True))
