"""Tables of all settings for the documentation, made from the comments in the settings files."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from demo_score.config.keys_reference import fill_keys
from demo_score.config.steps_reference import fill_steps
from demo_score.config.tree import CONFIGS, choices
from demo_score.runtime.errors import UserError

TITLE_LINES = 2  # of a file: `# @package _global_`, and what the file is for
Texts = dict[str, str | dict[str, str]]  # setting -> text, or where tables differ the text of each


@dataclass(frozen=True)
class Setting:
    """A key of a settings file, its value as written there, and the comment above it."""

    key: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Language:
    """The words of a document's tables: those of the first line, and what a setting means."""

    columns: tuple[str, str, str, str]  # setting, meaning, default, example
    meaning: Callable[[Setting, str], str]  # of a setting in a table


def read_settings_file(path: Path) -> Iterator[Setting]:
    """Every setting in `path`. Raises UserError for one without a comment directly above it."""
    text = path.read_text(encoding="utf-8")
    for key, key_node, value in _leaves(yaml.compose(text, yaml.SafeLoader)):
        meaning = _comment_above(text.splitlines(), key_node.start_mark.line)
        if not meaning:
            raise UserError(f"{path}: {key} has no comment; write what it means on the line above it")
        yield Setting(key, _source(value, text), meaning)


def _leaves(mapping: yaml.MappingNode, prefix: str = "") -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Dotted key, key and value of all settings, without Hydra's own list of the files to read."""
    for key_node, value in mapping.value:
        key = f"{prefix}{key_node.value}"
        if _is_section(value):
            yield from _leaves(value, f"{key}.")
        elif key != "defaults":
            yield key, key_node, value


def _is_section(value: yaml.Node) -> bool:
    """Whether its keys are settings. Keys with dots are not: they cannot be set one by one (key.name=value)."""
    return isinstance(value, yaml.MappingNode) and not any("." in key.value for key, _ in value.value)


def _source(value: yaml.Node, text: str) -> str:
    """A value as it is written, in one line."""
    if isinstance(value, yaml.MappingNode):
        return f"{{{', '.join(f'{key.value}: {_source(item, text)}' for key, item in value.value)}}}"
    return " ".join(text[value.start_mark.index : value.end_mark.index].split())


def _comment_above(lines: list[str], line: int) -> str:
    """The comment that ends on the line before `line`, without the title of the file."""
    start = line
    while start > 0 and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    start = max(start, TITLE_LINES) if lines[0].startswith("# @package") else start
    return " ".join(text.lstrip().removeprefix("#").strip() for text in lines[start:line])


def default_section(key: str) -> str:
    """The table of default.yaml that a key belongs to: general, or the name of its section."""
    if key.startswith("training.image_transforms."):
        return "image_transforms"
    return key.split(".")[0] if "." in key else "general"


def read_tables() -> dict[str, dict[str, list[Setting]]]:
    """Table -> column of defaults -> settings.

    The sections of default.yaml are tables of one column (its name empty). The files of env and policy are columns
    of the table of their family, the part of their names before the first underscore.
    """
    tables: dict[str, dict[str, list[Setting]]] = {}
    for setting in read_settings_file(CONFIGS / "default.yaml"):
        tables.setdefault(default_section(setting.key), {}).setdefault("", []).append(setting)
    for group in ("env", "policy"):
        for name in choices(group):
            table = tables.setdefault(f"{group} {name.split('_')[0]}", {})
            table[name] = list(read_settings_file(CONFIGS / group / f"{name}.yaml"))
    return tables


def text_for(texts: Texts, key: str, table: str) -> str:
    """What `texts` say about a setting in a table; the table `env pusht` is called pusht there."""
    text = texts[key]
    return text if isinstance(text, str) else text[table.split()[-1]]


def table_lines(table: str, columns: dict[str, list[Setting]], examples: Texts, language: Language) -> list[str]:
    """A table in Markdown: a row a setting, or several where files mean different things by it."""
    setting_word, meaning_word, default_word, example_word = language.columns
    names = [f"`{name}`" if name else default_word for name in columns]
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for name, settings in columns.items():
        for setting in settings:
            rows.setdefault((setting.key, language.meaning(setting, table)), {})[name] = setting.default
    lines = [_row([setting_word, meaning_word, *names, example_word]), "|---" * (len(names) + 3) + "|"]
    for (key, meaning), defaults in rows.items():
        cells = [_code(defaults[name]) if name in defaults else "–" for name in columns]
        lines.append(_row([_code(key), meaning, *cells, _code(typed(key, text_for(examples, key, table)))]))
    return lines


def typed(key: str, value: str) -> str:
    """An override as typed in a shell."""
    return shlex.quote(f"{key}={value}")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _code(text: str) -> str:
    return f"`{text}`"


def fill(document: str, examples: Texts, language: Language) -> str:
    """`document` with the lines between `<!-- settings: TABLE -->` and `<!-- end -->` made anew.

    Raises UserError for a table without a place, or a place without a table.
    """
    tables = read_tables()
    places = re.findall(r"<!-- settings: (.+) -->", document)
    if sorted(places) != sorted(tables):
        raise UserError(f"the document has places for {', '.join(places)}; there are tables {', '.join(tables)}")

    def place(match: re.Match) -> str:
        lines = table_lines(match[2], tables[match[2]], examples, language)
        return "\n".join([match[1], *lines, match[3]])

    return re.sub(r"(<!-- settings: (.+) -->)\n(?s:.*?)(<!-- end -->)", place, document)


def documents(docs: Path) -> dict[Path, str]:
    """The documents in `docs` that hold tables of settings, of keys or of published parameters -> what they should be.

    Examples are in examples.yaml, Korean meanings in meanings.ko.yaml; both are keyed by setting. Raises UserError
    for a setting that one of them lacks. The parameters are in steps.yaml.
    """
    examples, korean = read_texts(docs / "examples.yaml"), read_texts(docs / "meanings.ko.yaml")
    languages = {
        "settings.md": Language(("Setting", "Meaning", "Default", "Example"), lambda setting, table: setting.meaning),
        "guide.ko.md": Language(
            ("설정", "의미", "기본값", "예"), lambda setting, table: text_for(korean, setting.key, table)
        ),
    }
    texts = {docs / name: fill((docs / name).read_text("utf-8"), examples, words) for name, words in languages.items()}
    guide, tutorial = docs / "guide.ko.md", docs / "tutorial.md"
    texts[guide] = fill_steps(texts[guide], docs / "steps.yaml", "ko")
    texts[docs / "config.md"] = fill_keys((docs / "config.md").read_text("utf-8"), docs.parent / "config.yaml")
    texts[tutorial] = fill_steps(tutorial.read_text("utf-8"), docs / "steps.yaml", "en")
    return texts


def read_texts(path: Path) -> Texts:
    """Texts for all settings, each as written: 1e-5 stays 1e-5. Raises UserError for one too few or too many."""
    texts = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
    keys = {setting.key for table in read_tables().values() for column in table.values() for setting in column}
    if different := sorted(keys ^ texts.keys()):
        raise UserError(f"{path}: {different[0]} is {'missing' if different[0] in keys else 'no setting'}")
    return texts
