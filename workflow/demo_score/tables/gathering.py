"""Several tables of one kind as one."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from demo_score.tables.schema import Table


def gather(kind: Table, tables: Sequence[Path], out: Path) -> int:
    """Write the rows of all `tables` to `out`, and return how many; data sets are named relative to `out`."""
    frames = [_placed(kind.read(path), path.parent, out) for path in tables]
    table = pd.concat(frames, ignore_index=True)
    kind.write(out, table)
    return len(table)


def _placed(table: pd.DataFrame, folder: Path, out: Path) -> pd.DataFrame:
    if "file" not in table:
        return table
    places = {file: os.path.relpath((folder / file).resolve(), out.resolve().parent) for file in table["file"].unique()}
    return table.assign(file=table["file"].map(lambda file: Path(places[file]).as_posix()))
