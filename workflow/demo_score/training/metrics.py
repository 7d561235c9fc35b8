"""Training metrics: means between two log rows, and evaluations, as one table."""

import csv
import io
from pathlib import Path

import torch
from torch import Tensor

from demo_score.runtime.files import write_text

Row = dict[str, float]


class MetricsTable:
    """Collects per-step scalars; `flush` turns their means into a row."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0
        self.rows: list[Row] = []

    def add(self, **values: Tensor) -> None:
        """Count one step's scalars (they stay on their device)."""
        self.count += 1
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value

    def flush(self, step: int, **exact: float) -> Row:
        """Append a row of means since the last one, and of `exact` values."""
        means = {name: float(total) / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return self._append({"step": step, **means, **exact})

    def add_evaluation(self, step: int, results: dict[str, float]) -> Row:
        """Append a row of evaluation results."""
        return self._append({"step": step, **results})

    def _append(self, row: Row) -> Row:
        self.rows.append(row)
        return row

    def write(self, path: Path) -> None:
        """Write all rows as CSV; what a row does not have stays empty."""
        table = io.StringIO()
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        writer = csv.DictWriter(table, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()}
            for row in self.rows
        )
        write_text(path, table.getvalue())

    def state_dict(self) -> dict:
        return {"sums": self.sums, "count": self.count, "rows": self.rows}

    def load_state_dict(self, state: dict) -> None:
        self.sums, self.count, self.rows = state["sums"], state["count"], state["rows"]
