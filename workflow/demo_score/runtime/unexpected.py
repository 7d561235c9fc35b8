"""What nobody foresaw: one line for the user, and a log with what is needed to find the cause.

Only the standard library, and no newer Python than the oldest that may meet it: it also speaks for what is missing.
"""

import platform
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

OLDEST_PYTHON = (3, 11)
_SHOWN = 200  # characters of a reason
_SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def is_command():
    """Whether this process runs one of the commands."""
    return _SCRIPTS in Path(sys.argv[0]).resolve().parents


def install():
    """In a command, turn what is raised while it still imports into one line, too."""
    if is_command():
        sys.excepthook = _report_import


def report_unexpected(error):
    """Print the line, write the log, and return the exit status 1."""
    log = write_log("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    reason = " ".join(str(error).split())[:_SHOWN]
    kind = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    say(f"error: {command_name()} met what nobody foresaw ({kind}); please report it, with {log}, which says where")
    return 1


def write_log(text):
    """Write what happened, with the command and the versions, to a file; its path, or where there is none, stderr."""
    about = f"{' '.join(sys.argv)}\nPython {sys.version}\n{platform.platform()}\nin {Path.cwd()}\n\n"
    name = f"{command_name()}_{time.strftime('%Y%m%d_%H%M%S')}_{time.perf_counter_ns() % 10**6:06d}.log"
    for folder in (Path.cwd() / "logs/errors", Path(tempfile.gettempdir()) / "demo_score_errors"):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(about + text, encoding="utf-8", errors="backslashreplace")
            return str(folder / name)
    sys.stderr.write(about + text)
    return "the lines above"


def command_name():
    """The command's file, without its folder."""
    return Path(sys.argv[0]).name or "Python"


def say(message, file=None):
    """One line on stderr, or on `file`, whatever characters it can show."""
    file = file or sys.stderr
    encoding = file.encoding or "utf-8"
    file.write(message.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    file.flush()


def _report_import(kind, error, trace):
    if sys.version_info < OLDEST_PYTHON or isinstance(error, ModuleNotFoundError):
        missing = f"it lacks {error.name}" if isinstance(error, ModuleNotFoundError) else "it is too old"
        say(
            f"error: {sys.executable} (Python {platform.python_version()}) is not the environment's Python: {missing}; "
            "use .venv/bin/python, which `make` installs"
        )
    else:
        report_unexpected(error.with_traceback(trace))
    raise SystemExit(2 if isinstance(error, ModuleNotFoundError) else 1)
