"""Tables, texts and videos as HTML pages: the report shows pages and images, and offers anything else as a download."""

import base64
import html
import re
from pathlib import Path

import pandas as pd
from markdown_it import MarkdownIt

from demo_score.reporting.readable import TEXTS, readable
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import read_text, write_text
from demo_score.tables import TABLES

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
:root {{ color-scheme: light; }}
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 1.2em; color: #1f2937; background: #fff; }}
h1 {{ font-size: 1.4em; margin: 0 0 .5em; }}
h2 {{ font-size: 1.15em; margin: 1em 0 .5em; }}
table {{ border-collapse: collapse; margin-bottom: 1em; font-size: 13px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3em .4em; border-bottom: 1px solid #d1d5db; text-align: right; }}
th {{ border-bottom: 2px solid #6b7280; vertical-align: bottom; font-size: 12px; }}
th:first-child, td:first-child, .text {{ text-align: left; }}
@media (min-width: 840px) {{ .number {{ white-space: nowrap; }} }}
ul {{ padding-left: 1.3em; }}
pre {{ font-size: 12px; white-space: pre-wrap; overflow-wrap: anywhere; }}
video {{ max-width: 100%; }}
</style></head><body>
{body}
</body></html>
"""
INTERVAL = re.compile(r"\[[+-]?\d+\.\d, [+-]?\d+\.\d\]")


def write_pages(files: list[Path], out: Path) -> None:
    """Write <out>/<name>.html for each of `files`: .csv, .md, .json or .mp4. Raises UserError for another kind."""
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: no such file; run the workflow step that writes it")
        if file.suffix not in BODIES:
            raise UserError(f"{file}: cannot be shown as a page; give files that end in {', '.join(BODIES)}")
        write_text(out / f"{file.stem}.html", page(file.name, BODIES[file.suffix](file)))


def page(title: str, body: str) -> str:
    """A whole HTML page; `body` is HTML."""
    return PAGE.format(title=html.escape(title), body=body)


def markdown(text: str) -> str:
    """Markdown as HTML; HTML in it is shown, not obeyed. Intervals stay on one line."""
    text = INTERVAL.sub(lambda match: match[0].replace(" ", "\u00a0"), text)
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def _table(file: Path) -> str:
    """All rows, as a person reads them."""
    if not read_text(file).strip():
        return "<p>No row.</p>"
    table = TABLES[file.stem].read(file, empty=True) if file.stem in TABLES else pd.read_csv(file)
    parts = readable(table).items()
    return "\n".join(f"<h2>{title}</h2>\n" * bool(title) + _rows(part) for title, part in parts)


def _rows(table: pd.DataFrame) -> str:
    """A table of texts as HTML; numbers are broken only on a narrow screen, words before."""
    kinds = ["text" if heading in TEXTS else "number" for heading in table]
    aligned = [' class="text"' * (kind == "text") for kind in kinds]
    lines = ["".join(f"<th{how}>{html.escape(heading)}</th>" for how, heading in zip(aligned, table, strict=True))]
    for row in table.itertuples(index=False):
        cells = zip(kinds, row, strict=True)
        lines.append("".join(f'<td class="{kind}">{html.escape(cell)}</td>' for kind, cell in cells))
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _text(file: Path) -> str:
    return markdown(file.read_text(encoding="utf-8"))


def _values(file: Path) -> str:
    return f"<pre>{html.escape(file.read_text(encoding='utf-8'))}</pre>"


def _video(file: Path) -> str:
    content = base64.b64encode(file.read_bytes()).decode()
    return f'<video controls autoplay loop muted playsinline src="data:video/mp4;base64,{content}"></video>'


BODIES = {".csv": _table, ".md": _text, ".json": _values, ".mp4": _video}
