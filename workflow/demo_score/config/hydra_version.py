"""Which versions of Hydra the settings can be composed with; asked before Hydra is imported."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from demo_score.runtime.errors import UserError

OLDEST, TOO_NEW = (1, 3, 8), (1, 4)  # as in envs/requirements.in: config.hydra_internals uses what is inside of Hydra
SUPPORTED = f"hydra-core>={'.'.join(map(str, OLDEST))},<{'.'.join(map(str, TOO_NEW))}"


@cache
def hydra_version() -> str:
    """The version of Hydra that is installed. Raises UserError for none, or one that is not supported."""
    try:
        installed = version("hydra-core")
    except PackageNotFoundError:
        raise UserError(f"hydra-core is not installed; type: pip install '{SUPPORTED}'") from None
    numbers = tuple(int(number) for number in re.findall(r"\d+", installed.partition("+")[0])[:3])
    if not OLDEST <= numbers < TOO_NEW:
        raise UserError(f"hydra-core {installed} is not supported; type: pip install '{SUPPORTED}'")
    return installed
