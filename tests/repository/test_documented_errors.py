"""The error lines that documents show are those that are printed."""

import re
from pathlib import Path

import pytest
import torch
from demo_score.config.settings import compose_settings
from demo_score.data.formats.lerobot_folders import resolve_dataset
from demo_score.data.lists import read_list
from demo_score.envs import NO_ROBOSUITE
from demo_score.envs.base import no_opengl
from demo_score.runtime.errors import UserError
from demo_score.runtime.hardware import memory_advice, select_device
from demo_score.training import loop, tracking
from demo_score.training.sources import training_episodes
from documents import DOCS, GUIDE, TUTORIAL

WITH_ERRORS = [DOCS / "troubleshooting.md", GUIDE]


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
        assert len(errors) == len(MISTAKES | {"no GPU": None}) + 3
        assert {tracking.INSTALL, NO_ROBOSUITE} <= {*errors}
        line = "the loss is no longer finite at step {row['step']}; set a smaller training.lr"
        assert line.replace("{row['step']}", "120") in errors and line in Path(loop.__file__).read_text()
        assert line.replace("{row['step']}", "120") in TUTORIAL.read_text()
