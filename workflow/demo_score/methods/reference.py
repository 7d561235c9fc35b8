"""The arena's methods and controls as Markdown, for docs/arena.md."""

from demo_score.config.json_schema import schema_of
from demo_score.config.messages import describe
from demo_score.config.models.base import Section
from demo_score.curation_methods import METHODS
from demo_score.methods.base import NEEDS
from demo_score.methods.influence_settings import InfluenceSettings
from demo_score.methods.registry import load


def methods_reference() -> str:
    """A table of all methods, then what differs from each source, and the settings."""
    rows = [f"| `{name}` | {title} | {_needs(name)} | {load(name).source} |" for name, title in METHODS.items()]
    table = ["| Method | In tables | Needs beside demonstrations | Source |", "|---|---|---|---|", *rows]
    differences = [f"- `{name}`: {load(name).differs}" for name in METHODS if load(name).differs]
    settings = [line for name in METHODS for line in _settings(name, load(name).settings)]
    settings += _settings("influence", InfluenceSettings)
    heads = ["| Method | Setting | Meaning | Values | Default |", "|---|---|---|---|---|"]
    return "\n".join([*table, "", "### Where ours differ", "", *differences, "", "### Settings", "", *heads, *settings])


def _needs(name: str) -> str:
    return ", ".join(need for need in NEEDS if need in load(name).needs) or "–"


def _settings(name: str, section: type[Section]) -> list[str]:
    schema = schema_of(section)
    return [
        f"| `{name}` | `{key}` | {part.get('description', '')} | {describe(part)} | `{part.get('default')}` |"
        for key, part in schema.get("properties", {}).items()
    ]
