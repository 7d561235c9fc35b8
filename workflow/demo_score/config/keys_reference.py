"""The table of config.yaml's keys for the documentation: what the models say of each, and its value as delivered."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_score.config.json_schema import Schema, schema_of
from demo_score.config.models.experiment import Config
from demo_score.config.yaml_files import read_yaml
from demo_score.runtime.errors import UserError

PLACE = re.compile(r"(<!-- keys -->)\n(?s:.*?)(<!-- end -->)")
NAMES = {
    "demonstrations": "<strategy>",
    "eps_dict": "<split>",
    "model_archs": "<name>",
    "external": "<name>",
}  # that a user chooses
MOST_SHOWN = 5  # entries of a list


@dataclass(frozen=True)
class Key:
    """A key of config.yaml in dots, those of an experiment without its name; <> around what a user chooses."""

    key: str
    meaning: str
    values: tuple[Any, ...]  # in an experiment, by what stands for <>; the default where there is none


def configuration_keys(values: dict[str, Any]) -> list[Key]:
    """Every key, with its values in the first experiment of `run`. Raises UserError for one without a meaning."""
    schema = schema_of(Config)
    parts = schema["properties"]
    keys = [Key("run", parts["run"]["description"], (values["run"],))]
    keys.append(Key("experiments", parts["experiments"]["description"], ()))
    experiment = schema["$defs"]["Experiment"]
    keys += _keys(experiment, schema["$defs"], "", [values["experiments"][values["run"][0]]])
    merged: dict[str, Key] = {}
    for key in keys:  # architectures have some in common, of which one says what they mean
        if not merged.setdefault(key.key, key).meaning:
            merged[key.key] = key
    if unexplained := [key.key for key in merged.values() if not key.meaning]:
        raise UserError(f"{unexplained[0]}: has no meaning; write it below the key in demo_score/config/models")
    return list(merged.values())


def _keys(schema: Schema, models: dict[str, Schema], key: str, values: list[Any]) -> Iterator[Key]:
    meaning = schema.get("description", "")
    schema = _resolved(schema, models)
    parts = [schema, *(_resolved(case["then"], models) for case in schema.get("allOf", []))]
    properties = [item for part in parts for item in part.get("properties", {}).items()]
    for name, part in properties:
        yield from _keys(part, models, f"{key}.{name}".lstrip("."), [value[name] for value in values if name in value])
    named = schema.get("additionalProperties")
    if isinstance(named, dict) and named.get("additionalProperties") is not True:  # what is free has no keys to name
        inner = [entry for value in values for entry in value.values()]
        yield from _keys(named, models, f"{key}.{NAMES[key.rpartition('.')[2]]}", inner)
    elif not properties:
        yield Key(key, meaning, tuple(values or ([schema["default"]] if "default" in schema else [])))


def _resolved(schema: Schema, models: dict[str, Schema]) -> Schema:
    return models[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def fill_keys(document: str, config: Path) -> str:
    """`document` with the lines between `<!-- keys -->` and `<!-- end -->` made anew; `config`: the delivered file.

    Raises UserError for a document without the place.
    """
    rows = [_row(key) for key in configuration_keys(read_yaml(config))]
    table = "\n".join(["| Key | Meaning | Default experiment |", "|---|---|---|", *rows])
    filled, n = PLACE.subn(lambda match: f"{match[1]}\n{table}\n{match[2]}", document)
    if n != 1:
        raise UserError("the document has no place for the keys of config.yaml; write <!-- keys --> and <!-- end -->")
    return filled


def _row(key: Key) -> str:
    shown = list(dict.fromkeys(f"`{_shown(value)}`" for value in key.values))
    return f"| `{key.key}` | {key.meaning} | {'; '.join(shown) or '–'} |"


def _shown(value: Any) -> str:
    """A value as config.yaml writes it, a long list without its middle."""
    if isinstance(value, list):
        items = [f'"{item}"' if isinstance(item, str) and item.isdigit() else _shown(item) for item in value]
        return f"[{', '.join(items if len(items) <= MOST_SHOWN else [*items[:2], '…', items[-1]])}]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
