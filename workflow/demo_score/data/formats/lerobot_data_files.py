"""The parquet files in which a LeRobot data set's rows are written."""

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from demo_score.data.formats.lerobot_videos import CHUNK_SIZE


class DataFiles:
    """The parquet files of the rows, each of at most `limit` bytes where it can be."""

    def __init__(self, folder: Path, template: str, limit: float):
        self.folder, self.template, self.limit = folder, template, limit
        self.file_number = -1
        self.path = folder
        self.writer: parquet.ParquetWriter | None = None
        self.n_rows = 0  # in the current file

    def add(self, table: pa.Table) -> dict[str, int]:
        """Write an episode's rows. Returns where they are, as meta/episodes tells it."""
        if self.writer is None or self._grown(len(table)) >= self.limit:
            self._open_next(table.schema)
        self.writer.write_table(table, row_group_size=len(table))
        self.n_rows += len(table)
        chunk_index, file_index = divmod(self.file_number, CHUNK_SIZE)
        return {"data/chunk_index": chunk_index, "data/file_index": file_index}

    def close(self) -> None:
        """Finish the current file."""
        self.writer.close()

    def _grown(self, n_rows: int) -> float:
        """Bytes of the current file with so many more rows like those it has."""
        size = self.path.stat().st_size
        return size + size / self.n_rows * n_rows

    def _open_next(self, schema: pa.Schema) -> None:
        if self.writer is not None:
            self.close()
        self.file_number += 1
        chunk_index, file_index = divmod(self.file_number, CHUNK_SIZE)
        self.path = self.folder / self.template.format(chunk_index=chunk_index, file_index=file_index)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.writer = parquet.ParquetWriter(self.path, schema)
        self.n_rows = 0
