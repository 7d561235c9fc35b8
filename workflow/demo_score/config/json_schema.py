"""The JSON schemas of models: what pydantic makes of a model, in fewer words and with lines of error in mind."""

from functools import cache
from typing import Any

from pydantic import BaseModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FIRST = ["$schema", "title", "description", "type", "additionalProperties", "required"]  # of a schema's keywords
_OF_NAMES = ("properties", "$defs")  # keywords that hold a schema for each name
_OF_ONE = ("additionalProperties", "propertyNames", "items", "if", "then", "else")
_OF_SEVERAL = ("anyOf", "allOf", "oneOf")
_UNUSED = ("title", "discriminator", "words")
Schema = dict[str, Any]


@cache
def schema_of(model: type[BaseModel]) -> Schema:
    """The JSON schema of a model, which workflow/schemas repeats.

    A `title` is what a line of error calls a value, see messages.describe. A choice between kinds is one `type` with
    several names; which of several models is meant follows from the key that tells them apart.
    """
    return _simplified({"$schema": DIALECT, **model.model_json_schema()})


def _simplified(schema: Schema) -> Schema:
    simple = {key: _simplified_part(key, part) for key, part in schema.items() if key not in _UNUSED}
    if "description" in schema:
        simple["description"] = schema["description"].partition("\n\n")[0].replace("\n", " ")
    if simple.get("default", "") is None:
        del simple["default"]
    if "words" in schema:
        simple["title"] = schema["words"]
    if "enum" in simple or "const" in simple:
        simple.pop("type", None)
    if "discriminator" in schema:
        simple |= _choice(**schema["discriminator"])
        del simple["oneOf"]
    simple |= _merged(simple.pop("anyOf", []))
    if "patternProperties" in simple:
        simple |= _named(simple.pop("patternProperties"), simple.get("propertyNames", {}))
    return {key: simple[key] for key in sorted(simple, key=_rank)}


def _simplified_part(keyword: str, part: Any) -> Any:
    if keyword in _OF_NAMES:
        return {name: _simplified(schema) for name, schema in part.items()}
    if keyword == "patternProperties":
        return {pattern: _simplified(schema) for pattern, schema in part.items()}
    if keyword in _OF_SEVERAL:
        return [_simplified(schema) for schema in part]
    return _simplified(part) if keyword in _OF_ONE and isinstance(part, dict) else part


def _rank(keyword: str) -> tuple[int, int]:
    return _FIRST.index(keyword) if keyword in _FIRST else len(_FIRST), keyword == "$defs"


def _merged(kinds: list[Schema]) -> Schema:
    """One schema of values of several kinds: what is said of numbers, say, says nothing of lists."""
    if not kinds:
        return {}
    return {key: part for kind in kinds for key, part in kind.items()} | {"type": [kind["type"] for kind in kinds]}


def _choice(propertyName: str, mapping: dict[str, str]) -> Schema:  # noqa: N803
    """The schema of one of several models, by the value of a key that all of them have."""
    models = [(name, {"$ref": reference}) for name, reference in mapping.items()]
    return {
        "type": "object",
        "required": [propertyName],
        "properties": {propertyName: {"enum": list(mapping)}},
        "allOf": [conditional(propertyName, name, model) for name, model in models],
    }


def conditional(key: str, value: str, schema: Schema) -> Schema:
    """Where `key` has a value, `schema` holds."""
    return {"if": {"required": [key], "properties": {key: {"const": value}}}, "then": schema}


def _named(patterns: dict[str, Schema], names: Schema) -> Schema:
    """The schema of a mapping whose names are of one pattern."""
    ((pattern, item),) = patterns.items()
    return {"propertyNames": {"title": names["title"], "pattern": pattern}, "additionalProperties": item}
