"""What every command imports first, as Python finds it in the command's own folder: it makes demo_score importable.

The same file is in scripts/ and scripts/tools/, so that no installation and no PYTHONPATH is needed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(next(folder for folder in Path(__file__).resolve().parents if (folder / "demo_score").is_dir())))

from demo_score.runtime.errors import run_command

__all__ = ["run_command"]
