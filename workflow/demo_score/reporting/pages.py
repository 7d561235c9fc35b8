"""Tables, texts and videos as HTML pages: the report shows pages and images, and offers anything else as a download."""

import base64
import html
from pathlib import Path

import pandas as pd
from markdown_it import MarkdownIt

from demo_score.runtime.errors import UserError
from demo_score.runtime.files import write_text

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
:root {{ color-scheme: light; }}
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 1.5em; color: #1f2937; background: #fff; }}
table {{ border-collapse: collapse; margin-bottom: 1em; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25em .8em; border-bottom: 1px solid #d1d5db; text-align: right; white-space: nowrap; }}
th {{ border-bottom: 2px solid #6b7280; }}
th:first-child, td:first-child {{ text-align: left; }}
pre {{ font-size: 12px; }}
video {{ max-width: 100%; }}
</style></head><body>
{body}
</body></html>
"""


def write_pages(files: list[Path], out: Path) -> None:
    """Write <out>/<name>.html for each of `files`: .csv, .md, .json or .mp4. Raises UserError for another kind."""
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: no such file; run the workflow step that writes it")
        if file.suffix not in BODIES:
            raise UserError(f"{file}: cannot be shown as a page; give files that end in {', '.join(BODIES)}")
        write_text(out / f"{file.stem}.html", PAGE.format(title=html.escape(file.name), body=BODIES[file.suffix](file)))


def _table(file: Path) -> str:
    """All rows; fractions to four digits, as a person reads them."""
    try:
        table = pd.read_csv(file, dtype={"source": "str", "seed": "str", "episode": "str"})
    except pd.errors.EmptyDataError:
        return "<p>No row.</p>"
    return table.to_html(index=False, border=0, na_rep="–", float_format=lambda value: f"{value:.4g}")


def _text(file: Path) -> str:
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(file.read_text(encoding="utf-8"))


def _values(file: Path) -> str:
    return f"<pre>{html.escape(file.read_text(encoding='utf-8'))}</pre>"


def _video(file: Path) -> str:
    content = base64.b64encode(file.read_bytes()).decode()
    return f'<video controls autoplay loop muted playsinline src="data:video/mp4;base64,{content}"></video>'


BODIES = {".csv": _table, ".md": _text, ".json": _values, ".mp4": _video}
