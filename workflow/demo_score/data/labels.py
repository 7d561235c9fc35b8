"""labels.csv: which episodes succeeded, as who recorded them says, and of rollouts whose they are.

Two layouts. Demo-SCORE's own has no header and one line an episode, in the order of the set, whose first column is
1 or 0 (ClassifierDataset, format=aloha). With a header, the columns are episode, success and, if wished, checkpoint.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from demo_score.data.values import checkpoint_name, truth
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path, read_text

COLUMNS = ("episode", "success", "checkpoint")

Row = tuple[int, list[str]]  # number of the line, and its cells


@dataclass(frozen=True)
class Label:
    """What a line tells of an episode."""

    success: bool
    checkpoint: str | None = None  # such as "003000"


def read_labels(path: Path, indices: list[int]) -> dict[int, Label]:
    """Read the labels of a set with the episodes `indices`, by the episode's number.

    Labels of other episodes come too, where the file names episodes; episodes may lack one. Raises UserError for a
    malformed file, an episode labelled twice, and other than one line an episode where there is no header.
    """
    rows = _read_rows(path)
    if rows and not _is_value(rows[0][1][0]):
        return _named(path, rows)
    if len(rows) != len(indices):
        raise UserError(
            f"{path}: has {len(rows)} lines, but there are {len(indices)} episodes; give one line an episode, or the "
            "columns episode,success with a header"
        )
    return {
        number: Label(_parse_success(path, line, cells[0])) for number, (line, cells) in zip(indices, rows, strict=True)
    }


def write_labels(path: Path, labels: dict[int, Label]) -> None:
    """Write labels atomically, with a header; a column of checkpoints only where one is known."""
    columns = COLUMNS if any(label.checkpoint for label in labels.values()) else COLUMNS[:2]
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for number, label in labels.items():
            writer.writerow((number, int(label.success), label.checkpoint)[: len(columns)])


def _read_rows(path: Path) -> list[Row]:
    try:
        reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise UserError(f"{path}: not a table of labels ({error}); save it as CSV") from None
    return [(line, cells) for line, cells in rows if any(cells)]


def _is_value(text: str) -> bool:
    """Whether a cell is no column's name: a number, true, false or empty."""
    try:
        float(text)
    except ValueError:
        return text.lower() in ("true", "false", "")
    return True


def _named(path: Path, rows: list[Row]) -> dict[int, Label]:
    (first, header), *rows = rows
    if missing := [name for name in COLUMNS[:2] if name not in header]:
        raise UserError(f"{path}:{first}: has no column {missing[0]}; expected episode,success or that and checkpoint")
    labels: dict[int, Label] = {}
    for line, cells in rows:
        if len(cells) != len(header):
            raise UserError(f"{path}:{line}: has {len(cells)} values where the header has {len(header)} columns")
        row = dict(zip(header, cells, strict=True))
        number = row["episode"]
        if not (number.isascii() and number.isdigit()):
            raise UserError(f"{path}:{line}: episode '{number}' is no number from 0; give the episode's number")
        if int(number) in labels:
            raise UserError(f"{path}:{line}: episode {number} is labelled twice; keep one of the lines")
        labels[int(number)] = Label(_parse_success(path, line, row["success"]), _checkpoint(path, line, row))
    return labels


def _parse_success(path: Path, line: int, cell: str) -> bool:
    """1 and 0 as any program writes them (np.savetxt: 1.000e+00), or true and false."""
    success = truth(cell, f"{path}:{line}: success")
    if success is None:
        raise UserError(f"{path}:{line}: success is '{cell}'; give 1 (or true) or 0 (or false)")
    return success


def _checkpoint(path: Path, line: int, row: dict[str, str]) -> str | None:
    return checkpoint_name(row.get("checkpoint"), f"{path}:{line}: checkpoint")
