"""The documents, and what stands in them."""

import re
from pathlib import Path

import pytest
from places import REPOSITORY

DOCS = REPOSITORY / "docs"
ALL_DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *DOCS.glob("*.md")])
GUIDE = DOCS / "guide.ko.md"  # says all of it in Korean; in English each fact has one place
TUTORIAL = DOCS / "tutorial.md"


def in_each(*names: str) -> pytest.MarkDecorator:
    """A test of each of these documents of docs/, and of the Korean guide."""
    return pytest.mark.parametrize("document", [*(DOCS / name for name in names), GUIDE], ids=lambda path: path.name)


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)


def command_lines(document: Path) -> list[str]:
    """The command lines of scripts, joined where they go on in the next line, or with their output (console)."""
    text = "\n".join([*blocks(document, "bash"), *blocks(document, "console")]).replace("\\\n", " ")
    lines = (line.removeprefix("$ ").strip() for line in text.splitlines())
    return [line for line in lines if line.startswith("python workflow/scripts/")]


def cells_in_code(document: Path) -> set[str]:
    """Everything between backticks, code blocks aside."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    return set(re.findall(r"`([^`]+)`", text))
