"""What stands beside the code: README's length and drawing, citation, hooks, catalog, glossary."""

import re
import subprocess
import sys

import pytest
import yaml
from demo_score.config.settings import compose_settings
from places import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
MOST_LINES = 160
MOST_MEGABYTES = 40  # with wheels and all it has to fit through 64 MiB to a machine with a GPU (docs/gpu.md)


def read(name: str) -> dict:
    return yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))


def test_readme_can_be_read_to_its_end() -> None:
    assert len(README.splitlines()) <= MOST_LINES


def test_repository_stays_small_enough_to_be_carried() -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("a copy without git")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    sizes = {name: path.stat().st_size for name in listed.stdout.split("\0") if (path := REPOSITORY / name).is_file()}
    largest = sorted(sizes, key=sizes.get)[-3:]
    assert sum(sizes.values()) < MOST_MEGABYTES * 1e6, f"the largest: {', '.join(largest)}"


@pytest.fixture(scope="module")
def rules() -> list[str]:
    command = [sys.executable, "-m", "snakemake", "--list-rules"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_drawing_of_the_method_names_rules_and_what_they_make(rules) -> None:
    (drawing,) = re.findall(r"```mermaid\n(.*?)```", README, re.DOTALL)
    boxes = [box.split("<br/>") for box in re.findall(r'\["(.*?)"\]', drawing)]
    assert len(boxes) >= 8 and all(len(box) == 3 for box in boxes)
    outputs = "\n".join(path.read_text() for path in (REPOSITORY / "rules").glob("*.smk"))
    for _, rule, path in boxes:
        assert rule in rules or any(name.startswith(f"{rule}_") for name in rules), rule
        # Wildcards are in angle brackets here; where <condition>/ is one of them, base/ is made by the same rules.
        pattern = re.sub(r"&lt;(\w+)&gt;", r"{\1}", path)
        assert pattern in outputs or pattern.replace("base/", "{condition}/") in outputs, path


def test_citation_names_software_and_paper() -> None:
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "license", "version"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "Demo-SCORE reproducible workflow contributors"}]
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert f'version = "{citation["version"]}"' in project and f'license = "{citation["license"]}"' in project
    paper = citation["preferred-citation"]
    assert {"type", "title", "authors", "year"} <= paper.keys()
    (entry,) = re.findall(r"```bibtex\n(.*?)```", README, re.DOTALL)
    cited = dict(re.findall(r"(\w+) += {(.*)}", entry))
    names = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
    assert cited["author"].split(" and ") == names
    assert [cited[key] for key in ("title", "journal", "year")] == [
        paper["title"],
        paper["journal"],
        str(paper["year"]),
    ]


def test_hooks_run_the_linters_of_make_lint() -> None:
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    (hooks,) = read(".pre-commit-config.yaml")["repos"]
    assert hooks["repo"] == "local"
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    assert [hook["entry"] for hook in hooks["hooks"]] == commands
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in hooks["hooks"])
    assert "make lint\n" in (REPOSITORY / ".ci/run").read_text()


def test_catalog_says_what_is_there() -> None:
    usage = read(".snakemake-workflow-catalog.yml")["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    deployment = usage["software-stack-deployment"]
    assert any(deployment.values())
    rules = "\n".join(path.read_text() for path in (REPOSITORY / "rules").glob("*.smk"))
    assert deployment["conda"] == ("conda:" in rules) and deployment["apptainer"] == ("container:" in rules)
    assert usage["report"] == ("report(" in rules)


def test_shapes_of_the_glossary_are_those_of_the_default_experiment() -> None:
    text = (REPOSITORY / "docs/glossary.md").read_text(encoding="utf-8")
    rows = {row.split(" | ")[0].strip("| "): row.split(" | ")[-1].strip(" |") for row in text.splitlines()}
    settings, _ = compose_settings(["env=aloha_cube_state", "policy=act_state", "experiment=small_act", "seed=1"])
    env, policy, training = (settings[name] for name in ("env", "policy", "training"))
    assert rows["`observation.state`"] == f"float32 (T, {env['state_dim']})"
    assert rows["`observation.environment_state`"] == f"float32 (T, {env['environment_state_dim']})"
    assert rows["`action`"] == f"float32 (T, {env['action_dim']})"
    assert rows["frame, control step"] == f"{env['fps']} a second"
    assert rows["chunk"] == f"({policy['chunk_size']}, {env['action_dim']})"
    assert rows["`policy.n_action_steps`"] == str(policy["n_action_steps"])
    assert rows["training step"] == f"{training['offline_steps']:,} of them"
    experiment = read("config.yaml")["experiments"]["aloha_cube_state"]
    demonstrations = sum(strategy["n_episodes"] for strategy in experiment["demonstrations"].values())
    assert rows["demonstration"] == str(demonstrations)
    assert rows["rollout"] == f"{experiment['rollouts']['n_episodes']} a checkpoint"
    members = [len(experiment["classifiers"][key]) for key in ("seeds", "lr", "weight_decay")]
    assert rows["member"] == str(members[0] * members[1] * members[2])
