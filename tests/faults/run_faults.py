"""Disturb small workflows in every way that clusters do, and write what happened as a table. Exit status 1: a failure.

    python tests/faults/run_faults.py --kills 50 --out docs/faults.md

Needs Linux and, for the cases with a disk of their own, root. The cases: kills and those in cases.py.
"""

import argparse
import hashlib
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cases import CASES
from context import Context, Row
from kills import kills
from workspace import REPOSITORY

TEMPLATE = (Path(__file__).parent / "faults.md.in").read_text(encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="how many (50)")
    parser.add_argument("--only", nargs="+", choices=["kills", *CASES], help="these cases (all)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the moments of kills (random)")
    parser.add_argument("--out", type=Path, help="Markdown file (printed)")
    parser.add_argument("--reference", type=Path, help="folder for the undisturbed runs, made where they are missing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults_") as place:
        reference = arguments.reference or Path(place, "reference")
        reference = reference.resolve() / f"{version()}_{digest_of_changes()}"
        reference.mkdir(parents=True, exist_ok=True)
        context = Context(Path(place).resolve(), reference, arguments.seed)
        context.tell(f"seed {context.seed}")
        context.prepare()
        rows = run_cases(context, arguments.only or ["kills", *CASES], arguments.kills)
    text = document(rows)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0 if all(row.passed for row in rows) else 1


def run_cases(context: Context, names: list[str], wanted: int) -> list[Row]:
    rows = []
    for name in names:
        began = time.monotonic()
        rows += kills(context, wanted) if name == "kills" else CASES[name](context)
        failed = [row.result for row in rows if not row.passed]
        context.tell(f"{name}: {time.monotonic() - began:.0f} s" + "".join(f"\n  {result}" for result in failed))
    return rows


def version() -> str:
    """The commit, and whether the working tree differs from it."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(describe, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


def digest_of_changes() -> str:
    """A hash of how the working tree differs from the commit."""
    changes = subprocess.run(
        ["git", "diff", "HEAD", "--", "workflow", "rules", "tests/tiny"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    return hashlib.sha256(changes.stdout).hexdigest()[:8]


def document(rows: list[Row]) -> str:
    """docs/faults.md."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    table = "\n".join(f"| {row.case} | {row.disturbance} | {row.result} |" for row in rows)
    now = datetime.now(UTC)
    return TEMPLATE.format(date=f"{now:%Y-%m-%d}", commit=version(), machine=machine, table=table)


if __name__ == "__main__":
    sys.exit(main())
