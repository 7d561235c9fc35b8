"""The documents in docs/: what they show is valid, every command line, key and link; the tutorial is the guide's."""

import argparse
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from demo_score.config import tree as settings_tree
from demo_score.config.models.classifiers import Sweep
from demo_score.config.models.experiment import Config
from demo_score.config.models.user_data import UserData
from demo_score.config.settings import compose_settings, save
from demo_score.config.tree import CONFIGS
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.experiments.checks import check_experiment
from documents import ALL_DOCUMENTS, DOCS, GUIDE, TUTORIAL, blocks, cells_in_code, command_lines, in_each
from places import COMMANDS, REPOSITORY, SCRIPTS

pytestmark = pytest.mark.slow

WITH_SETTINGS = [DOCS / "settings.md", GUIDE]


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
        if {"checkpoint", "overrides"} <= arguments.keys():
            compose_settings(["env=aloha_cube_state", "policy=act_state", *arguments["overrides"]])
        elif "overrides" in arguments:
            folder = settings_tree.CONFIGS if arguments["config_path"] == CONFIGS else arguments["config_path"]
            compose_settings(arguments["overrides"], folder, arguments["config_name"], "--strategy" not in command)


@in_each("config.md", "data.md", "lerobot.md", "tutorial.md")
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
    UserData.checked(yaml.safe_load(shown[0]), document.name)


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


def test_both_chapters_with_lerobot_have_the_same_commands() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    (chapter,) = [part for part in re.split(r"^## ", text, flags=re.MULTILINE) if part.startswith("7. LeRobot")]
    in_english = [block for kind in ("console", "yaml") for block in blocks(DOCS / "lerobot.md", kind)]
    english = {line.strip() for line in "\n".join(in_english).splitlines()}
    shown = without_comments("\n".join(re.findall(r"```(?:console|yaml)\n(.*?)```", chapter, re.DOTALL)))
    lines = [line.strip() for line in shown.splitlines()]
    assert len(lines) > 15 and [line for line in lines if line not in english] == []


def test_tutorial_shows_the_commands_and_files_of_the_guide() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    sections = {section[:2]: section for section in re.split(r"^## ", text, flags=re.MULTILINE)}
    for language in ("bash", "yaml", "console"):
        of_guide = re.findall(rf"```{language}\n(.*?)```", sections["1."] + sections["5."], re.DOTALL)
        of_tutorial = "\n".join(without_comments(block) for block in blocks(TUTORIAL, language))
        assert of_guide and [block for block in of_guide if without_comments(block) not in of_tutorial] == []
    assert "(guide.ko.md)" in TUTORIAL.read_text(encoding="utf-8") and "(tutorial.md)" in text


@in_each("commands.md")
def test_every_script_is_named(document) -> None:
    assert {path.relative_to(SCRIPTS).as_posix() for path in COMMANDS} - cells_in_code(document) == set()


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
