"""Checking values against JSON schemas, with one line for the first thing that is wrong."""

from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from demo_score.errors import UserError


def check_against(values: object, schema: dict | Path, where: str) -> None:
    """Raise UserError where `values` does not follow `schema` (a JSON schema, or a YAML file that holds one)."""
    validator = _read_validator(schema) if isinstance(schema, Path) else Draft202012Validator(schema)
    error = best_match(validator.iter_errors(values))
    if error is not None:
        keys = ".".join(str(key) for key in error.absolute_path)
        raise UserError(f"{where}: {keys}{': ' if keys else ''}{error.message}")


@cache
def _read_validator(schema: Path) -> Draft202012Validator:
    return Draft202012Validator(yaml.safe_load(schema.read_text(encoding="utf-8")))
