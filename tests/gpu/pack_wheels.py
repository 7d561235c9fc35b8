"""Pack the wheels that a machine with PyTorch but without this repository's other packages lacks for tests/gpu.

python tests/gpu/pack_wheels.py [--out .wheels] [--also NAME ...]      docs/gpu.md says what to do with them
"""

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LIMIT = 64  # MiB
PYTHON = "3.12"
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17)] + ["manylinux2014_x86_64"]
# What ours needs, at the versions of envs/requirements.lock.
OURS = ["antlr4-python3-runtime", "hydra-core", "omegaconf", "jsonschema", "jsonschema-specifications", "referencing"]
OURS += ["rpds-py", "diffusers", "mujoco", "dm-control", "dm-env", "dm-tree", "glfw", "pyopengl", "gymnasium"]
OURS += ["farama-notifications", "gym-aloha", "pydantic", "pydantic-core", "annotated-types", "typing-inspection"]
# What importing LeRobot's ACT needs beside that, at the versions of envs/peers.lock.
LEROBOTS = ["lerobot", "draccus", "mergedeep", "toml", "typing-inspect", "mypy-extensions"]
# Left out of a wheel: robots and figures of other tasks, 55 MB of them.
UNUSED = {
    "dm_control": ["locomotion", "suite/dog_assets", "mujoco/testing", "blender", "mjcf/test_assets", "third_party"],
    "diffusers": ["pipelines"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=REPOSITORY / ".wheels", help="folder, emptied first (.wheels)")
    parser.add_argument("--also", nargs="*", default=[], metavar="NAME", help="packages that the machine lacks, too")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for old in arguments.out.glob("*.whl"):
        old.unlink()
    try:
        for requirement in requirements(arguments.also):
            fetch(requirement, arguments.out)
    except (LookupError, subprocess.CalledProcessError) as error:
        print(f"error: {error.args[0] if isinstance(error, LookupError) else error.stderr.strip()}", file=sys.stderr)
        return 2
    for wheel in arguments.out.glob("*.whl"):
        slim(wheel)
    return report(arguments.out)


def requirements(also: list[str]) -> list[str]:
    """name==version of all packages. Raises LookupError for a name that no lock holds."""
    ours, peers = (pins(REPOSITORY / f"envs/{name}.lock") for name in ("requirements", "peers"))
    wanted = [(name, ours) for name in OURS] + [(name, peers) for name in LEROBOTS]
    wanted += [(name, {**peers, **ours}) for name in also]
    if missing := [name for name, lock in wanted if name not in lock]:
        raise LookupError(f"{', '.join(missing)}: in none of the locks in envs; choose names from there")
    return [f"{name}=={lock[name]}" for name, lock in wanted]


def pins(lock: Path) -> dict[str, str]:
    """Package -> version, as the lock has it for Python 3.12 on Linux."""
    found = re.findall(r"^([a-z0-9.-]+)==(\S+?)(?: ;([^\\\n]*))? \\?$", lock.read_text(), re.MULTILINE)
    return {name: version for name, version, marker in found if "< '3.12'" not in marker}


def fetch(requirement: str, folder: Path) -> None:
    """Download a wheel, or build the one of a package that comes as pure Python source."""
    common = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    target = ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp"]
    target += [f"--platform={platform}" for platform in PLATFORMS]
    download = [sys.executable, "-m", "pip", "download", *common, *target, "-d", str(folder), requirement]
    if subprocess.run(download, capture_output=True).returncode:
        build = [sys.executable, "-m", "pip", "wheel", *common, "-w", str(folder), requirement]
        subprocess.run(build, capture_output=True, text=True, check=True)


def slim(wheel: Path) -> None:
    """Take out of a wheel what UNUSED names, and out of its record."""
    package = wheel.name.partition("-")[0]
    unused = tuple(f"{package}/{folder}/" for folder in UNUSED.get(package, []))
    if not unused:
        return
    with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
        new = Path(folder) / wheel.name
        with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as kept:
            for entry in old.infolist():
                if entry.filename.startswith(unused):
                    continue
                content = old.read(entry)
                if entry.filename.endswith(".dist-info/RECORD"):
                    lines = content.decode().splitlines(keepends=True)
                    content = "".join(line for line in lines if not line.startswith(unused)).encode()
                kept.writestr(entry, content)
        new.replace(wheel)


def report(folder: Path) -> int:
    """Print what each wheel takes; 1 where all of them take too much, or one is for another Python."""
    wheels = sorted(folder.glob("*.whl"), key=lambda path: -path.stat().st_size)
    for wheel in wheels:
        print(f"{wheel.stat().st_size / 2**20:7.2f} MiB  {wheel.name}")
    total = sum(wheel.stat().st_size for wheel in wheels) / 2**20
    print(f"{total:7.2f} MiB  in {folder}; {', '.join(UNUSED)} without what is not used here")
    if strange := [wheel.name for wheel in wheels if not re.search("cp312|abi3|none", wheel.name)]:
        print(f"error: not for Python {PYTHON}: {', '.join(strange)}", file=sys.stderr)
        return 1
    if total > LIMIT:
        print(f"error: {total:.1f} MiB of wheels, more than {LIMIT}; take names out of --also", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
