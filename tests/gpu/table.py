"""The table: rows that a part reports one by one, and the file that holds all of them at any time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plan import Part

SECONDS = "seconds"  # the last row of each part
NOT_RUN = "not run: "


class Rows:
    """What a part reports, line by line, so that nothing is lost where it is killed."""

    def __init__(self, path: Path):
        self.path = path

    def add(self, what: str, measured: str, remark: str = "") -> None:
        """Report a row; a second one of the same name takes the place of the first."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([what, measured, remark]) + "\n")

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Let the part go on where this row cannot be measured; the row then says why."""
        try:
            yield
        except Exception as error:  # of any kind: a package that is missing, memory, a driver
            self.add(what, NOT_RUN + first_line(error))


class Table:
    """All rows of all parts, in their order."""

    def __init__(self, parts: tuple[Part, ...], path: Path | None):
        self.path = path
        empty = (NOT_RUN + "its turn has not come", "")
        self.rows = {(part.name, what): empty for part in parts for what in (*part.rows, SECONDS)}

    def take(self, part: Part, reported: Path) -> bool:
        """Take over what a part has reported so far; whether anything is new."""
        before = dict(self.rows)
        lines = reported.read_text(encoding="utf-8").splitlines(keepends=True) if reported.exists() else []
        for line in lines:
            if line.endswith("\n"):  # the last one may be on its way
                what, measured, remark = json.loads(line)
                self.rows[part.name, what] = measured, remark
        return self.rows != before

    def end(self, part: Part, seconds: float, reason: str) -> None:
        """Note how long a part took, and `reason` in the rows that it left empty."""
        for what in part.rows:
            if self.rows[part.name, what][0].startswith(NOT_RUN + "its turn"):
                self.rows[part.name, what] = NOT_RUN + reason, ""
        self.rows[part.name, SECONDS] = f"{seconds:.0f}", ""

    def measured(self, part: str, what: str) -> str | None:
        """What was measured; None where nothing was."""
        value, _ = self.rows.get((part, what), (NOT_RUN, ""))
        return None if value.startswith(NOT_RUN) else value

    def markdown(self) -> str:
        title = f"# Measured on: {self.measured('machine', 'card')}"
        lines = [title, "", "Made by `tests/gpu/run.py`; [gpu.md](gpu.md) says what the rows mean.", ""]
        lines += ["| Part | What | Measured | Remark |", "|---|---|---|---|"]
        for (part, what), (measured, remark) in self.rows.items():
            cells = (part, what, measured, remark)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        return "\n".join(lines) + "\n"

    def write(self) -> None:
        """Put the table in its place, whole or not at all."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        temporary.write_text(self.markdown(), encoding="utf-8")
        temporary.replace(self.path)


def first_line(error: object) -> str:
    """What an error says, in one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
