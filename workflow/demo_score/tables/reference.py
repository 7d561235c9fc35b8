"""Every column of every table as Markdown, for docs/tables.md."""

from demo_score.tables import TABLES
from demo_score.tables.schema import Table


def tables_reference() -> str:
    """A section for each table."""
    return "\n\n".join(_section(name, table) for name, table in TABLES.items())


def _section(name: str, table: Table) -> str:
    about = f"`{table.file}`, by `{table.made_by}`. A row is {table.row}; `{'`, `'.join(table.key)}` name it."
    rows = [
        f"| `{column}` | {declared.type}{' or empty' * declared.may_lack} | {declared.meaning} |"
        for column, declared in table.columns.items()
    ]
    heading = name.replace("_", " ").capitalize()
    return "\n".join([f"## {heading}", "", about, "", "| Column | Type | Meaning |", "|---|---|---|", *rows])
