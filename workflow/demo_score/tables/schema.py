"""What a table is: its columns with their types and missing values; how it is written, read and checked.

Pandas is imported where a table is made or read: what is declared is asked for by commands that do neither, as --help.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo_score.runtime.errors import UserError
from demo_score.runtime.files import read_text, write_text

if TYPE_CHECKING:
    import pandas as pd

WHOLE, NUMBER, TEXT, FLAG = "a whole number", "a number", "a text", "0 or 1"  # types of columns
_LACKING = ("", "nan")


@dataclass(frozen=True)
class Column:
    """A column of a table. Its heading and how a value is shown are for the report alone."""

    type: str  # WHOLE, NUMBER, TEXT or FLAG
    meaning: str
    heading: str = ""  # empty: the column's name
    shown: str = ""  # percent, points, p, steps or checkpoint; empty: as it is
    may_lack: bool = False  # whether a cell may be empty


@dataclass(frozen=True)
class Table:
    """A kind of table; every writer and reader of it goes through here."""

    file: str  # where the workflow keeps it, below results/<experiment>/
    made_by: str  # the command
    row: str  # what a row is
    columns: Mapping[str, Column]
    key: tuple[str, ...]  # the columns that name a row
    float_format: str | None = "%.6g"  # None: all digits

    def frame(self, rows: Iterable[Mapping] | pd.DataFrame) -> pd.DataFrame:
        """The rows with all columns, in order; those that may lack are NaN where no row has them.

        Raises KeyError for a column that is not declared, and for one that is missing.
        """
        import pandas as pd

        table = pd.DataFrame(rows)
        lacking = {name for name, column in self.columns.items() if not column.may_lack} - {*table}
        if wrong := {*table} - {*self.columns} | (set() if table.empty else lacking):
            raise KeyError(f"{self.made_by}: {', '.join(sorted(wrong))}: not as demo_score.tables declares it")
        return table.reindex(columns=list(self.columns))

    def write(self, path: Path, rows: Iterable[Mapping] | pd.DataFrame) -> None:
        """Write the table atomically."""
        text = self.frame(rows).to_csv(index=False, float_format=self.float_format, lineterminator="\n")
        write_text(path, text)

    def read(self, path: Path, columns: Iterable[str] | None = None, empty: bool = False) -> pd.DataFrame:
        """The named columns (default: all) of the table at `path`: texts as they are written, numbers that lack as NaN.

        Raises UserError where the file, a column or (unless it may be `empty`) every row is missing, and for a cell
        that is not of its type.
        """
        import pandas as pd

        names = list(self.columns if columns is None else columns)
        table = self._parse(path)
        if missing := [name for name in names if name not in table]:
            raise UserError(f"{path}: has no column {missing[0]}; expected the columns {', '.join(names)}")
        if table.empty and not empty:
            raise UserError(
                f"{path}: holds no row; name another table, or make it again with the command that writes it"
            )
        return pd.DataFrame({name: self._values(path, name, table[name]) for name in names})

    def describes(self, path: Path) -> bool:
        """Whether the file at `path` has the columns that name a row of this table."""
        return path.is_file() and {*self.key} <= {*header(path)}

    def _parse(self, path: Path) -> pd.DataFrame:
        if not path.is_file():
            raise UserError(f"{path}: no such table; run the workflow step that writes it")
        import pandas as pd

        try:
            return pd.read_csv(io.StringIO(read_text(path)), dtype="str", keep_default_na=False)
        except (pd.errors.ParserError, pd.errors.EmptyDataError):
            raise UserError(
                f"{path}: not a CSV table; name one, or make it again with the command that writes it"
            ) from None

    def _values(self, path: Path, name: str, cells: pd.Series) -> pd.Series:
        """The cells of a column as its type has them."""
        column = self.columns[name]
        if column.type == TEXT:
            return cells
        lacking = cells.isin(_LACKING)
        values = cells.map(_number).astype("float64")
        wrong = (lacking & (not column.may_lack)) | ~(lacking | _is_of(column.type, values))
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise UserError(
                f"{path}: row {row + 1}: {name} must be {column.type}, not {cells[row]!r}; name another table, or make "
                f"it again with {self.made_by}"
            )
        return values if column.type == NUMBER or lacking.any() else values.astype("int64")


def header(path: Path) -> list[str]:
    """The names of the columns of the table at `path`."""
    return read_text(path).partition("\n")[0].strip().split(",")


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _is_of(kind: str, values: pd.Series) -> pd.Series:
    """Which values are of a type; NaN is of none."""
    if kind == FLAG:
        return values.isin([0, 1])
    return values == values.round() if kind == WHOLE else values.notna()
