"""The documents in docs/: tables up to date, every setting, key and command named, every command line valid."""

import argparse
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import one_line_error
from demo_score.config import tree as settings_tree
from demo_score.config.keys_reference import configuration_keys
from demo_score.config.models.classifiers import Sweep
from demo_score.config.models.experiment import Config
from demo_score.config.models.given import GivenData
from demo_score.config.reference import read_settings_file, read_tables, read_texts, text_for, typed
from demo_score.config.settings import compose_settings, save
from demo_score.config.steps_reference import fill_steps
from demo_score.config.tree import CONFIGS
from demo_score.data.formats import read_episodes
from demo_score.data.formats.lerobot_folders import resolve_dataset
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.lists import read_list
from demo_score.envs.base import no_opengl
from demo_score.experiments.checks import check_experiment
from demo_score.runtime.errors import UserError
from demo_score.runtime.hardware import memory_advice, select_device
from demo_score.training import loop, tracking
from demo_score.training.sources import training_episodes
from places import COMMANDS, REPOSITORY, SCRIPTS

pytestmark = pytest.mark.slow

DOCS = REPOSITORY / "docs"
ALL_DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *DOCS.glob("*.md")])
GUIDE = DOCS / "guide.ko.md"  # says all of it in Korean; in English each fact has one place
TUTORIAL = DOCS / "tutorial.md"
WITH_SETTINGS = [DOCS / "settings.md", GUIDE]
WITH_ERRORS = [DOCS / "troubleshooting.md", GUIDE]


def in_each(*names: str) -> pytest.MarkDecorator:
    """A test of each of these documents of docs/, and of the Korean guide."""
    return pytest.mark.parametrize("document", [*(DOCS / name for name in names), GUIDE], ids=lambda path: path.name)


TREES = {
    "env aloha": [["env=aloha", "policy=act"], ["env=aloha_cube_state", "policy=act_state"]],
    "env pusht": [["env=pusht", "policy=diffusion"], ["env=pusht_state", "policy=diffusion_state"]],
    "env recorded": [["env=recorded", "policy=act_state", "env.state_dim=4", "env.action_dim=2"]],
    "policy act": [["env=aloha", "policy=act"]],
    "policy diffusion": [["env=pusht", "policy=diffusion"]],
}
# What goes with the examples of a table: with pixels alone there is no state, and small images are not cropped.
FITTING = {"env aloha": ["policy.use_vae=false"], "env pusht": ["policy.crop_shape=null"]}


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


class ParsedError(Exception):
    """Raised in place of running a command, with what its parser read."""


def parse(command: str, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """The arguments of a command line, read by the command's own parser."""
    _, script, *arguments = shlex.split(command, comments=True)
    original = argparse.ArgumentParser.parse_args

    def parse_args(self, *args, **kwargs) -> None:
        raise ParsedError(original(self, *args, **kwargs))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    main = runpy.run_path(str(REPOSITORY / script))["main"]
    with pytest.raises(ParsedError) as caught:
        main()
    return caught.value.args[0]


def shown_files(document: Path) -> dict[str, str]:
    """The settings files that a document tells its reader to write."""
    pattern = re.compile(r"# ((?:workflow/configs|my_configs)/\S+\.yaml)\n")
    return {match[1]: block for block in blocks(document, "yaml") if (match := pattern.match(block))}


@pytest.fixture
def reader(tmp_path, monkeypatch) -> Path:
    """The folder of a reader who wrote the files that the documents show."""
    assert shown_files(WITH_SETTINGS[0]) == shown_files(WITH_SETTINGS[1])
    shutil.copytree(CONFIGS, tmp_path / "workflow/configs")
    for name, content in shown_files(WITH_SETTINGS[0]).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    save(compose_settings(["env=aloha", "policy=act"])[0], tmp_path / "outputs/again/mine.yaml")
    monkeypatch.setattr(settings_tree, "CONFIGS", tmp_path / "workflow/configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_line_is_valid(reader, monkeypatch) -> None:
    """Those with the variable $O run in test_workflow.py; run_workflow.py takes what snakemake takes."""
    lines = [line for document in ALL_DOCUMENTS for line in command_lines(document)]
    commands = {re.split(" > | [|] ", line)[0] for line in lines}
    others = {"--help", "$O", "run_workflow.py"}
    for command in sorted(line for line in commands if not others & set(re.split(r"[\s/]", line))):
        arguments = vars(parse(command, monkeypatch))
        if "checkpoint" in arguments:
            compose_settings(["env=aloha_cube_state", "policy=act_state", *arguments["overrides"]])
        elif "overrides" in arguments:
            folder = settings_tree.CONFIGS if arguments["config_path"] == CONFIGS else arguments["config_path"]
            compose_settings(arguments["overrides"], folder, arguments["config_name"], "--strategy" not in command)


@in_each("config.md", "data.md", "tutorial.md")
def test_shown_configuration_is_valid(document) -> None:
    blocks_shown = [block for block in blocks(document, "yaml") if block.startswith("# config.yaml")]
    ours = (REPOSITORY / "config.yaml").read_text()
    experiments = Config.read(yaml.safe_load("\n".join([ours, *blocks_shown])), "config").experiments
    shown = experiments.keys() - yaml.safe_load(ours)["experiments"].keys()
    assert len(shown) >= len(blocks_shown) >= 1
    for name in shown:
        check_experiment(experiments[name])


@in_each("data.md", "tutorial.md")
def test_shown_settings_of_data_are_valid(document) -> None:
    shown = [block for block in blocks(document, "yaml") if block.startswith("# data.yaml")]
    assert len(shown) == 1
    GivenData.checked(yaml.safe_load(shown[0]), document.name)


@pytest.fixture
def bad_rollouts(tmp_path) -> Path:
    """A folder with the rollouts and labels whose problems docs/data.md shows."""
    found = read_episodes(REPOSITORY / "tests/data/bring_your_own/rollouts_003000")[:6]
    found[1].actions[3] = np.nan
    key = "observation.state"
    first = {key: found[2].observations[key][:1]}
    found[2] = replace(found[2], observations=first, actions=found[2].actions[:1], rewards=None)
    found[4].observations[key] = found[4].observations[key][:, :3]
    write_episodes(tmp_path / "rollouts.hdf5", [*found[:5], found[0]], {})
    (tmp_path / "labels.csv").write_text("episode,success\n0,1\n3,0\n9,1\n")
    for name in ("workflow", "tests"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    return tmp_path


@in_each("data.md", "tutorial.md")
def test_shown_inspections_are_what_is_printed(document, bad_rollouts) -> None:
    start = "$ python workflow/scripts/inspect_data.py "
    shown = [block for block in blocks(document, "console") if block.startswith(start)]
    assert shown
    for block in shown:
        command, _, output = block.removeprefix("$ python ").partition("\n")
        run = f"{shlex.quote(sys.executable)} {command}"
        printed = subprocess.run(run, shell=True, cwd=bad_rollouts, capture_output=True, text=True, check=False)
        assert printed.stdout == output


@in_each("tutorial.md")
def test_shown_sweep_is_valid(document) -> None:
    shown = [block for block in blocks(document, "yaml") if "sweep.yaml" in block.splitlines()[0]]
    for block in shown:
        Sweep.checked(yaml.safe_load(block), "sweep.yaml")
    assert len(shown) == 1


def without_comments(block: str) -> str:
    return "\n".join(re.sub(r" *#.*", "", line) for line in block.splitlines() if not line.lstrip().startswith("#"))


def test_tutorial_shows_the_commands_and_files_of_the_guide() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    sections = {section[:2]: section for section in re.split(r"^## ", text, flags=re.MULTILINE)}
    for language in ("bash", "yaml", "console"):
        of_guide = re.findall(rf"```{language}\n(.*?)```", sections["1."] + sections["5."], re.DOTALL)
        of_tutorial = "\n".join(without_comments(block) for block in blocks(TUTORIAL, language))
        assert of_guide and [block for block in of_guide if without_comments(block) not in of_tutorial] == []
    assert "(guide.ko.md)" in TUTORIAL.read_text(encoding="utf-8") and "(tutorial.md)" in text


def test_step_without_a_table_in_a_document_is_an_error() -> None:
    with one_line_error("the document has places for step1", "step5"):
        fill_steps("<!-- parameters: step1 -->\n<!-- end -->\n", DOCS / "steps.yaml", "en")


@in_each("commands.md")
def test_every_script_is_named(document) -> None:
    assert {path.relative_to(SCRIPTS).as_posix() for path in COMMANDS} - cells_in_code(document) == set()


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


def anchors(document: Path) -> set[str]:
    """What GitHub makes of headings."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", ALL_DOCUMENTS, ids=lambda path: path.name)
def test_every_internal_link_resolves(document) -> None:
    links = re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8"))
    assert links or document.name == "faults.md"
    for link in links:
        if not link.startswith("https://"):
            name, _, anchor = link.partition("#")
            target = (document.parent / name).resolve() if name else document
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def run_out_of_memory() -> None:
    with memory_advice("training.batch_size", 64):
        raise torch.OutOfMemoryError


def mistype_in_an_experiment() -> None:
    Path("mine.yaml").write_text("defaults: [{/env: aloha}, {/policy: act}, _self_]\npolicy: {dim_mode: 2}\n")
    compose_settings([], ".", "mine")


def render_without_opengl() -> None:
    raise no_opengl(OSError("..."))


STATE = ["env=aloha_cube_state", "policy=act_state"]
MISTAKES = {
    "a value is missing": lambda: compose_settings(STATE),
    "unknown key": lambda: compose_settings(["training.learning_rate=1"]),
    "unknown key in a file": mistype_in_an_experiment,
    "wrong kind": lambda: compose_settings(["training.batch_size=abc"]),
    "out of memory": run_out_of_memory,
    "no hub": lambda: resolve_dataset("lerobot/pushed"),
    "no data": lambda: training_episodes(compose_settings([*STATE, "seed=1"])[0]),
    "no such list": lambda: read_list("demos.txt"),
    "no OpenGL": render_without_opengl,
}
if not torch.cuda.is_available():
    MISTAKES["no GPU"] = lambda: select_device("cuda")


def shown_errors(document: Path) -> list[str]:
    return re.findall(r"^\| `+error: (.+?)`+ \|", document.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_shown_errors_are_what_is_printed(mistake, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError) as caught:
        MISTAKES[mistake]()
    for document in WITH_ERRORS:
        patterns = [re.escape(line).replace(r"\.\.\.", ".*") for line in shown_errors(document)]
        assert [pattern for pattern in patterns if re.fullmatch(pattern, str(caught.value))]


def test_other_shown_errors_are_in_the_code() -> None:
    for document in WITH_ERRORS:
        errors = shown_errors(document)
        assert len(errors) == len(MISTAKES | {"no GPU": None}) + 2
        assert tracking.INSTALL in errors
        line = "the loss is no longer finite at step {row['step']}; set a smaller training.lr"
        assert line.replace("{row['step']}", "120") in errors and line in Path(loop.__file__).read_text()
        assert line.replace("{row['step']}", "120") in TUTORIAL.read_text()
