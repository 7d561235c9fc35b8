"""What this library does on a GPU, in one table and ten minutes: tests, speed, drawing, a short training.

python3 tests/gpu/run.py [--out FILE]                          docs/gpu.md says how, on a machine with nothing but torch
python3 tests/gpu/run.py --plan more                           beside lerobot-train, other ways of a step, many at once
python3 tests/gpu/run.py --plan long                           a training of ten minutes
python3 tests/gpu/run.py --device cpu --quick --out FILE       every part in miniature; its numbers mean nothing
"""

import argparse
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(HERE), *(str(REPOSITORY / name) for name in ("workflow", "tests/helpers", "tests/bench"))]

from plan import FIRST, MACHINE, PLANS, Part
from table import Rows, Table

NO_CUDA = "no CUDA device: nothing measured; run this on a machine with a GPU, or try it with --device cpu --quick"
PATIENCE = 3600  # seconds for what is run in miniature, on a machine as busy as may be
SPARE = 20  # seconds, for what is between the parts
LEAST = 10  # seconds in which a part may still get something done
FORK = multiprocessing.get_context("fork")
LOG_LINES = 15  # of a part that failed


def main() -> int:
    arguments = parse()
    start = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ.setdefault("MUJOCO_GL", "egl")
    if arguments.commit:
        os.environ["COMMIT"] = arguments.commit
    preload("torch")
    table = Table((MACHINE, *arguments.parts), arguments.out)
    failed = run_part(MACHINE, arguments, table, MACHINE.seconds)
    card = table.measured("machine", "card")
    if card is None:
        print(failed or NO_CUDA, file=sys.stderr)
        return 1 if failed else 2
    name = re.sub(r"\W+", "_", " ".join([card, *(plan for plan in arguments.plan if plan != FIRST)]).lower())
    table.path = table.path or REPOSITORY / f"docs/gpu_{name}.md"
    preload("torchvision", "demo_score.training.loop")
    failures = [failed]
    for number, part in enumerate(arguments.parts):
        later = sum(other.seconds for other in arguments.parts[number + 1 :])
        left = arguments.seconds - (time.monotonic() - start)
        # What earlier parts have left over, all may use; what they have taken too much, the last ones lack.
        seconds = max(left - later, min(part.seconds, left))
        table.write()
        failures.append(run_part(part, arguments, table, seconds))
    table.write()
    print(table.markdown())
    print(f"{table.path}: written after {time.monotonic() - start:.0f} s")
    return 1 if any(failures) else 0


def preload(*modules: str) -> None:
    """Import once for all parts what touches neither CUDA nor OpenGL."""
    for module in modules:
        with suppress(ImportError):  # the parts that need it will say so
            import_module(module)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", nargs="+", choices=PLANS, default=[FIRST], help=f"what is measured ({FIRST})")
    parser.add_argument("--out", type=Path, help="the table (default: docs/gpu_<card>[_<plan>].md)")
    parser.add_argument("--seconds", type=int, help="after which everything has ended (default: of all parts)")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--commit", help="of a copy without .git")
    arguments = parser.parse_args()
    arguments.parts = [part for plan in arguments.plan for part in PLANS[plan]]
    needed = SPARE + sum(part.seconds for part in arguments.parts)
    arguments.seconds = PATIENCE if arguments.quick else arguments.seconds or needed
    return arguments


def run_part(part: Part, arguments: argparse.Namespace, table: Table, seconds: float) -> str:
    """Run a part in a process of its own, for so many seconds; returns what went wrong, in one line, or nothing."""
    if seconds < LEAST:
        table.end(part, 0, f"only {max(0, seconds):.0f} of {arguments.seconds} s were left")
        return f"{part.name}: no time left"
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"gpu-{part.name}-") as folder:
        reported, log = Path(folder) / "rows.jsonl", Path(folder) / "log"
        process = FORK.Process(target=child, args=(part, arguments, seconds, Path(folder)))
        process.start()
        try:
            while process.is_alive() and time.monotonic() - start < seconds:
                process.join(0.5)
                if table.take(part, reported):
                    table.write()
            reason = reason_of(process.exitcode, seconds, log)
        finally:  # also what it has started and left behind
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.join()
        table.take(part, reported)
        table.end(part, time.monotonic() - start, reason or "the part ended without it")
        if reason:
            print(f"{part.name}: {reason}", *last_lines(log), sep="\n    ", file=sys.stderr, flush=True)
        return reason and f"{part.name}: {reason}"


def child(part: Part, arguments: argparse.Namespace, seconds: float, folder: Path) -> None:
    """The process of a part: a session of its own, which ends with the one that started it."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=end_with_parent, daemon=True).start()
    with (folder / "log").open("wb") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    import_module(part.module).measure(Rows(folder / "rows.jsonl"), arguments.device, arguments.quick, seconds)


def end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os.killpg(0, signal.SIGKILL)


def reason_of(status: int | None, seconds: float, log: Path) -> str:
    """Why a part has not ended well; empty where it has."""
    if status is None:
        return f"stopped after its {seconds:.0f} s"
    if status < 0:
        return f"died of {signal.Signals(-status).name}"
    return (last_lines(log) or [f"exit status {status}"])[-1].strip() if status else ""


def last_lines(log: Path) -> list[str]:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return [line for line in lines if line.strip()][-LOG_LINES:]


if __name__ == "__main__":
    sys.exit(main())
