"""The models of config.yaml and the settings, and the JSON schemas made of them, take and refuse the same."""

import copy
from collections.abc import Iterator

import pytest
from configurations import delivered, first_experiment
from conftest import one_line_error
from demo_score.config.json_schema import schema_of
from demo_score.config.models.base import OpenSection, Section, number, some, text, whole
from demo_score.config.models.classifiers import Sweep
from demo_score.config.models.experiment import Config
from demo_score.config.models.settings import Settings
from demo_score.config.settings import compose_settings
from demo_score.runtime.errors import UserError
from omegaconf import OmegaConf
from pydantic import ValidationError

WRONG = [None, True, 0, -1, 1.5, 60.0, float("nan"), "", "abc", [], ["a b"], {}, {"a": 1}]


def leaves(values: object, place: tuple = ()) -> Iterator[tuple]:
    """The places of all values, of lists and mappings too."""
    if place:
        yield place
    inner = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in inner:
        yield from leaves(value, (*place, key))


def replaced(values: dict, place: tuple, value: object) -> dict:
    changed = copy.deepcopy(values)
    part = changed
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return changed


def settings() -> dict:
    return OmegaConf.to_container(compose_settings(["env=aloha", "policy=act", "seed=1"])[0])


def one_given() -> dict:
    values = delivered()
    return {"run": ["bring_your_own"], "experiments": {"bring_your_own": values["experiments"]["bring_your_own"]}}


@pytest.mark.parametrize(
    ("model", "values"), [(Config, first_experiment()), (Config, one_given()), (Settings, settings())]
)
def test_model_and_schema_take_and_refuse_the_same(model, values) -> None:
    model.read(values, "values")
    for place in leaves(values):
        for wrong in WRONG:
            assert refused(model, replaced(values, place, wrong)) in (set(), {"model", "schema"}), (place, wrong)


def refused(model: type[Section], values: dict) -> set[str]:
    """Who refuses the values: the schema, the model."""
    found = set()
    try:
        model.read(values, "values")
    except UserError:
        found.add("schema")
    try:
        model.model_validate(values)
    except ValidationError:
        found.add("model")
    return found


class Part(Section):
    """A part."""

    size: whole(1, 9) = None
    """How large.

    And why.
    """
    share: number(gt=0) | None
    word: text("^[ab]$", "a or b") = "a"


class Whole(OpenSection):
    """A whole."""

    parts: some(Part, text("^[a-z]$", "a letter"))


def test_a_schema_says_what_a_model_says_in_few_words() -> None:
    assert schema_of(Whole)["properties"]["parts"] == {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Part"},
        "minProperties": 1,
        "propertyNames": {"title": "a letter", "pattern": "^[a-z]$"},
    }
    assert schema_of(Whole)["$defs"]["Part"] == {
        "description": "A part.",
        "type": "object",
        "additionalProperties": False,
        "required": ["share"],
        "properties": {
            "size": {"description": "How large.", "type": "integer", "minimum": 1, "maximum": 9},
            "share": {"type": ["number", "null"], "exclusiveMinimum": 0},
            "word": {"title": "a or b", "type": "string", "pattern": "^[ab]$", "default": "a"},
        },
    }


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ({"size": None, "share": 1}, "parts.a.size: null is not a whole number, at least 1 and at most 9"),
        ({"share": 0}, "parts.a.share: 0 is not a number, above 0, or null"),
        ({"share": 10**400}, "parts.a.share: Input should be a valid number"),
        ({"share": 1, "word": "c"}, "parts.a.word: 'c' is not a or b"),
        ({"share": 1, "other": 1}, "parts.a: there is no key other; there are size, share, word"),
        ({}, "parts.a: share is required; add it"),
    ],
)
def test_a_line_says_what_a_model_wants(part, line) -> None:
    with one_line_error(f"here: {line}" if line.startswith("parts") else line):
        Whole.read({"parts": {"a": part}}, "here")


def test_numbers_and_their_order_stay_as_they_are_written() -> None:
    """What is stored with classifiers is what was written."""
    written = next(iter(first_experiment()["experiments"].values()))["classifiers"]
    written["weight_decay"] = [0, 0.5]
    written["model_archs"] = {"mine": {"dropout": 0, "type": "stepwise", "hidden_sizes": [4]}}
    del written["eps_dict"]
    sweep = Sweep.read(written, "sweep")
    assert [type(value) for value in sweep.weight_decay] == [int, float]
    assert list(sweep.architecture("mine").items()) == [("dropout", 0), ("type", "stepwise"), ("hidden_sizes", [4])]
