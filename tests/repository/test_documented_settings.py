"""The documents in docs/ name every setting and key, with a text and an example that is accepted."""

import re
import shlex
from functools import cache

import pytest
import yaml
from conftest import one_line_error
from demo_score.config.keys_reference import configuration_keys
from demo_score.config.reference import read_settings_file, read_tables, read_texts, text_for, typed
from demo_score.config.settings import compose_settings
from demo_score.config.steps_reference import fill_steps
from demo_score.config.tree import CONFIGS
from documents import DOCS, cells_in_code, in_each
from places import REPOSITORY

TREES = {
    "env aloha": [["env=aloha", "policy=act"], ["env=aloha_cube_state", "policy=act_state"]],
    "env pusht": [
        ["env=pusht", "policy=diffusion"],
        ["env=pusht_state", "policy=diffusion_state"],
        ["env=pusht_small", "policy=diffusion", "policy.crop_shape=null"],
    ],
    "env metaworld": [["env=metaworld_assembly", "policy=act_state"]],
    "env robosuite": [["env=robosuite_lift", "policy=act_state"]],
    "env recorded": [["env=recorded", "policy=act_state", "env.state_dim=4", "env.action_dim=2"]],
    "policy act": [["env=aloha", "policy=act"]],
    "policy diffusion": [["env=pusht", "policy=diffusion"]],
}
# What goes with the examples of a table: with pixels alone there is no state, and small images are not cropped.
FITTING = {"env aloha": ["policy.use_vae=false"], "env pusht": ["policy.crop_shape=null"]}


def keys_of_tables() -> set[str]:
    return {setting.key for table in read_tables().values() for column in table.values() for setting in column}


@pytest.mark.parametrize(
    "text", ["a: 1\n", "# about b\n\nb: 1\n", "# @package _global_\n# what this file is for\nc: 1\n"]
)
def test_a_setting_without_a_comment_is_an_error(tmp_path, text) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with one_line_error(tmp_path / "mine.yaml", f"{text.splitlines()[-1][0]} has no comment"):
        list(read_settings_file(tmp_path / "mine.yaml"))


def test_settings_are_read_as_written(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "defaults: [x]\n# @package is no title here\nlr: 1e-5\npolicy:\n  # One,\n  # two.\n  sizes: [1,\n    2]\n"
        "  # Names.\n  modes:\n    # A part.\n    a.b: x\n"
    )
    read = [(setting.key, setting.default, setting.meaning) for setting in read_settings_file(tmp_path / "mine.yaml")]
    assert read == [
        ("lr", "1e-5", "@package is no title here"),
        ("policy.sizes", "[1, 2]", "One, two."),
        ("policy.modes", "{a.b: x}", "Names."),
    ]


@pytest.mark.parametrize("name", ["examples.yaml", "meanings.ko.yaml"])
def test_texts_are_complete_and_none_is_superfluous(tmp_path, name) -> None:
    assert read_texts(DOCS / name).keys() == keys_of_tables()
    texts = yaml.safe_load((DOCS / name).read_text())
    for changed, what in (({**texts, "no.such": "1"}, "no.such is no setting"), ({**texts}, "seed is missing")):
        if "no.such" not in changed:
            del changed["seed"]
        (tmp_path / name).write_text(yaml.safe_dump(changed, allow_unicode=True))
        with one_line_error(tmp_path / name, what):
            read_texts(tmp_path / name)


@pytest.mark.parametrize("table", list(read_tables()))
def test_examples_are_accepted(table) -> None:
    examples = read_texts(DOCS / "examples.yaml")
    keys = {setting.key for column in read_tables()[table].values() for setting in column}
    typed_examples = [shlex.split(typed(key, text_for(examples, key, table))) for key in keys]
    assert all(len(words) == 1 for words in typed_examples)
    overrides, left = [words[0] for words in typed_examples], set(keys)
    for tree in TREES.get(table, [["env=aloha", "policy=act"]]):
        known = {key for key in left if has(settings_of(*tree), key)}
        fitting = [o for o in FITTING.get(table, []) if has(settings_of(*tree), o.split("=")[0])]
        compose_settings([*tree, "seed=1", *fitting, *(o for o in overrides if o.split("=")[0] in known)])
        left -= known
    assert not left


@cache
def settings_of(*tree: str) -> dict:
    settings, _ = compose_settings([*tree, "seed=1"])
    return {**settings, "hydra": {"run": {"dir": ""}, "job": {"name": ""}}}


def has(settings: dict, key: str) -> bool:
    for part in key.split("."):
        if part not in settings:
            return False
        settings = settings[part]
    return True


def test_step_without_a_table_in_a_document_is_an_error() -> None:
    with one_line_error("the document has places for step1", "step5"):
        fill_steps("<!-- parameters: step1 -->\n<!-- end -->\n", DOCS / "steps.yaml", "en")


def all_configuration_keys() -> set[str]:
    """Dotted keys of config.yaml; <> stands for a name that the user chooses."""
    values = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    return {re.sub(r"<[^>]+>", "<>", key.key) for key in configuration_keys(values)}


def test_keys_of_config_are_found() -> None:
    keys = all_configuration_keys()
    assert {"run", "overrides", "demonstrations.<>.seed", "classifiers.eps_dict.<>.train"} <= keys
    assert {"classifiers.lr", "classifiers.model_archs.<>.n_heads", "evaluation.overrides"} <= keys


@in_each("config.md")
def test_every_key_of_config_is_named(document) -> None:
    named = {re.sub(r"<[^>]+>", "<>", text) for text in cells_in_code(document)}
    assert all_configuration_keys() - named == set()


@in_each("settings.md")
def test_every_setting_is_named(document) -> None:
    rows = set(re.findall(r"^\| `([\w.]+)` \|", document.read_text(encoding="utf-8"), re.MULTILINE))
    assert keys_of_tables() - rows == set()


@in_each("settings.md")
def test_every_settings_file_is_named(document) -> None:
    text = document.read_text(encoding="utf-8")
    assert [path for path in CONFIGS.rglob("*.yaml") if path.name not in text] == []
