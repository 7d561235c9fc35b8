"""Checking values against JSON schemas, with one line for the first thing that is wrong.

Whole numbers are whole (60.0 is none), and numbers are finite: what a schema says of a range holds for all values.
"""

import math
import re
from functools import partial

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from demo_score.runtime.errors import UserError

_RANGE_WORDS = {"type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_RANGE_WORDS |= {"minItems", "maxItems", "minLength", "pattern"}
_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "array": "a list",
    "object": "a mapping (key: value)",
    "null": "null",
}
_LIMITS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_SHOWN = 60  # characters of a value


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: object) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number}),
)


def check_against(values: object, schema: dict, where: str) -> None:
    """Raise UserError where `values` does not follow a JSON schema.

    The line names the key, its value and the range that the schema gives it. Of a mistake that several parts share, as
    those do that inherit it, it names the first, which is the one to fix, and then the others.
    """
    errors = list(_Validator(schema).iter_errors(values))
    if (best := best_match(iter(errors))) is None:
        return
    same = sorted((error for error in errors if error.message == best.message), key=partial(_place, values))
    first = next((error for error in same if error is best or _parting(best, error)), best)
    others = list(filter(None, (_parting(first, error) for error in same)))
    keys = ".".join(str(key) for key in first.absolute_path)
    likewise = f" (likewise in {', '.join(others)})" if others else ""
    raise UserError(f"{where}: {keys}{': ' if keys else ''}{_problem(first)}{likewise}")


def _place(values: object, error: ValidationError) -> list[int]:
    """Where an error stands among `values`, for sorting: the number of each part in what it is part of."""
    numbers = []
    for key in error.absolute_path:
        numbers.append(list(values).index(key) if isinstance(values, dict) else key)
        values = values[key]
    return numbers


def _parting(one: ValidationError, other: ValidationError) -> str:
    """The key of `other`'s place that is not `one`'s; empty where it is the same, or parts in more, or in numbers."""
    ours, theirs = list(one.absolute_path), list(other.absolute_path)
    parting = [key for key, known in zip(theirs, ours, strict=False) if key != known]
    return parting[0] if len(ours) == len(theirs) and len(parting) == 1 and isinstance(parting[0], str) else ""


def _problem(error: ValidationError) -> str:
    """What is wrong with a value, and where there is a range, what it may be."""
    if error.validator == "uniqueItems":
        repeated = next(value for position, value in enumerate(error.instance) if value in error.instance[:position])
        return f"{_shown(repeated)} is there twice; remove one"
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(key for key in error.instance if key not in known)
        return f"there is no key {unknown}; there are {', '.join(known)}"
    if error.validator == "required":
        return f"{next(key for key in error.validator_value if key not in error.instance)} is required; add it"
    if error.validator not in _RANGE_WORDS:
        return error.message
    return f"{_shown(error.instance)} is not {describe(error.schema)}{_advice(error)}"


def _advice(error: ValidationError) -> str:
    """What to write instead of a number that YAML takes for another kind."""
    value = error.instance
    if error.validator == "type" and isinstance(value, float) and value.is_integer():
        return f"; write {int(value)}"
    if error.validator == "type" and isinstance(value, str) and _NUMBER.fullmatch(value):
        number = float(value)
        whole = number.is_integer() and "integer" in error.schema["type"]
        return f"; to YAML it is a text: write {int(number) if whole else number}, without quotes"
    return ""


def _shown(value: object) -> str:
    """A value as YAML writes it, of a length that can be read."""
    text = " ".join(yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("\n...\n").split())
    text = f"'{value}'" if isinstance(value, str) else text
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def describe(schema: dict) -> str:
    """What a value may be, in words: "a whole number, at least 1 and at most 10, or null"."""
    if "title" in schema:
        return schema["title"]
    if "const" in schema:
        return _shown(schema["const"]).strip("'")
    if "enum" in schema:
        return "one of " + ", ".join(_shown(value).strip("'") for value in schema["enum"])
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    words = [_TYPES[kind] for kind in types if kind != "null"] or ["a value"]
    text = " or ".join(words) + _bounds(schema)
    return f"{text}{',' if ',' in text else ''} or null" if "null" in types else text


def _bounds(schema: dict) -> str:
    """ ", at least 1 and at most 10"; empty where a schema bounds nothing."""
    limits = [f"{word} {schema[key]:.12g}" for key, word in _LIMITS.items() if key in schema]
    if "multipleOf" in schema:
        limits.append(f"a multiple of {schema['multipleOf']}")
    shortest, longest = schema.get("minItems", schema.get("minLength")), schema.get("maxItems")
    if shortest is not None and shortest == longest:
        limits.append(f"of length {shortest}")
    elif shortest:
        limits.append("not empty")
    if longest is not None and shortest != longest:
        limits.append(f"of length {longest} at most")
    return f", {' and '.join(limits)}" if limits else ""
