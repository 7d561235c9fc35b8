"""The manifest beside an experiment's tables: what they follow from, by digest.

manifest.json   the same for the same results, wherever they are made
run.json        what varies: commit, machine, times
"""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from demo_score.config.yaml_files import read_yaml
from demo_score.curation_methods import METHODS
from demo_score.ingest.user_data import user_files
from demo_score.methods.registry import method_file
from demo_score.runtime.code_store import code_digest
from demo_score.runtime.dependencies import LIBRARY
from demo_score.runtime.digests import settings_digest
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import write_text

LEARNING = ["torch", "torchvision", "safetensors", "diffusers", "numpy", "pandas", "scipy", "h5py", "pyarrow", "av"]
SIMULATORS = ["gymnasium", "mujoco", "dm-control", "gym-aloha", "pymunk", "gym-pusht"]
PACKAGES = ["snakemake", "hydra-core", "omegaconf", *LEARNING, *SIMULATORS]
SCRIPTS = [  # every command that a table depends on
    "prepare_data.py",
    "collect_demonstrations.py",
    "list_episodes.py",
    "compose_settings.py",
    "train.py",
    "take_checkpoint.py",
    "collect_rollouts.py",
    "list_outcomes.py",
    "train_classifiers.py",
    "select_classifier.py",
    "apply_filter.py",
    "compare_architectures.py",
    "choose_episodes.py",
    "eval.py",
    "make_tables.py",
]
ARENA_SCRIPTS = [  # those that a table of the arena depends on besides
    "compute_influence.py",
    "score_demonstrations.py",
    "take_external_scores.py",
    "keep_demonstrations.py",
    "gather_tables.py",
    "list_costs.py",
    "make_arena_tables.py",
]
ARENA = "arena"  # the folder of an experiment that holds the arena's tables/


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """The digest of each file by its path, sorted."""
    return {path.as_posix(): file_digest(path) for path in sorted(set(paths))}


def write_digests(paths: Iterable[Path], out: Path) -> None:
    """Write the digests of files, as JSON."""
    _write(out, digests(paths))


def write_digests_below(folder: Path, out: Path) -> None:
    """Write the digests of all files in a folder but `out` itself, by their paths in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != out)
    _write(out, {path.relative_to(folder).as_posix(): file_digest(path) for path in files})


def write_manifest(
    settings: dict, seed_inputs: list[Path], shared: list[Path], tables: list[Path], data: Path | None, out: Path
) -> None:
    """Write `out` (manifest.json) and run.json beside it; `out` is in tables/ of an experiment, or of its arena/.

    settings     what config.yaml says of the experiment
    seed_inputs  digests of each seed's files, by `write_digests`
    shared       files that all seeds share
    data         data.yaml of user-supplied data: its files are inputs, too
    """
    supplied = user_files(read_yaml(data)) if data else []
    inputs = digests([*shared, *supplied])
    for path in seed_inputs:
        inputs |= json.loads(path.read_text(encoding="utf-8"))
    manifest = {
        "settings": settings,
        "settings_digest": settings_digest(settings),
        "seeds": settings["seeds"],
        "code": code_digests(of_arena(out.parent)),
        "packages": package_versions(),
        "inputs": dict(sorted(inputs.items())),
        "tables": digests(tables),
    }
    folder = out.parents[2] if of_arena(out.parent) else out.parents[1]
    made = [path for path in map(Path, [*inputs, *manifest["tables"]]) if path.is_relative_to(folder)]
    _write(out, manifest)
    _write(out.with_name("run.json"), {**describe_machine(), "host": platform.node(), **_times(made)})


def read_manifest(path: Path) -> dict:
    """A manifest. Raises UserError if it is damaged."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if all(isinstance(manifest[key], dict) for key in ("inputs", "tables", "code")):
            return manifest
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{path}: not a manifest; remove it where the workflow made it, and run the workflow")


def locate(name: str, experiment: Path) -> Path:
    """Where a file that a manifest names lies now, wherever the command runs; `experiment`: results/<experiment>."""
    return experiment.resolve().parents[1] / name


def inputs_within(manifest: dict, experiment: Path) -> list[Path]:
    """The inputs that lie in the experiment's own folder, by their paths below `experiment`."""
    own = Path("results", experiment.resolve().name)
    paths = [Path(name) for name in manifest["inputs"]]
    return [experiment / path.relative_to(own) for path in paths if path.is_relative_to(own)]


def of_arena(tables: Path) -> bool:
    """Whether a folder tables/ is that of an arena: results/<experiment>/arena/tables."""
    return tables.parent.name == ARENA and tables.parents[1].name != "results"


def code_digests(arena: bool = False) -> dict[str, str]:
    """The digest of each command with all that it imports; of the arena also those of its methods."""
    digests = {name: code_digest(LIBRARY.parent / "scripts" / name) for name in SCRIPTS + ARENA_SCRIPTS * arena}
    methods = [method_file(name) for name in METHODS if arena]
    return digests | {f"methods/{path.name}": code_digest(path) for path in methods if path.is_file()}


def package_versions() -> dict[str, str | None]:
    """The installed version of each package that has a part in numbers; None: not installed."""
    return {name: _version(name) for name in PACKAGES}


def describe_machine() -> dict[str, str | None]:
    """Commit of the code, with "-dirty" where a file outside results/ differs from it; Python, machine, arithmetic.

    cpu_capability: the instructions that PyTorch computes with, which the last bits depend on; ATEN_CPU_CAPABILITY
    chooses others than the CPU's best.
    """
    from torch.backends.cpu import get_cpu_capability

    commit = _git("describe", "--always", "--abbrev=40", "--exclude=*") or "not under git"
    if _git("status", "--porcelain", "--untracked-files=no", "--", ":(top,exclude)results"):
        commit += "-dirty"
    return {
        "commit": commit,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "cpu_capability": get_cpu_capability(),
        "ATEN_CPU_CAPABILITY": os.environ.get("ATEN_CPU_CAPABILITY"),
    }


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _times(paths: list[Path]) -> dict:
    """When the first and the last file were written: pauses count, the work before the first file does not."""
    times = [path.stat().st_mtime for path in paths]
    first, last = (datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds") for time in (min(times), max(times)))
    return {"first_file": first, "last_file": last, "seconds_between": round(max(times) - min(times))}


def _write(path: Path, content: dict) -> None:
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
