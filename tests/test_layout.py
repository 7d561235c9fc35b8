"""The house rules that a program can check."""

import re
from pathlib import Path
from typing import get_args

from demo_score.analysis.inputs import CONDITIONS as LABELS
from demo_score.config.models.sections import Condition
from demo_score.curation.conditions import CONDITIONS as CHOICES

REPOSITORY = Path(__file__).parents[1]
LIBRARY = REPOSITORY / "workflow/demo_score"


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_files_stay_short():
    assert lines(REPOSITORY / "Snakefile") <= 60
    assert {path.name for path in (REPOSITORY / "workflow/scripts").glob("*.py") if lines(path) > 40} == set()
    assert {
        str(path) for path in [*LIBRARY.rglob("*.py"), *REPOSITORY.glob("rules/*.smk")] if lines(path) > 400
    } == set()


def test_library_never_imports_snakemake():
    assert [path for path in LIBRARY.rglob("*.py") if re.search(r"(import|from) snakemake", path.read_text())] == []


def test_conditions_are_the_same_everywhere():
    conditions = list(get_args(Condition))
    assert set(conditions) == set(CHOICES)
    assert list(LABELS) == ["base", *conditions]


def test_every_rule_has_log_and_environment():
    for path in REPOSITORY.glob("rules/*.smk"):
        for rule in re.split(r"\n\s*rule ?", path.read_text())[1:]:
            if "shell:" in rule:
                assert "log:" in rule and "conda:" in rule and "../envs/demo_score.yaml" in rule, rule


def test_no_file_names_a_package_registry():
    tracked = [path for folder in ("envs", "workflow", "rules") for path in (REPOSITORY / folder).rglob("*")]
    for path in [*tracked, REPOSITORY / "Makefile", REPOSITORY / "pyproject.toml"]:
        if path.is_file() and path.suffix != ".pyc":
            assert not re.search(r"pypi\.|index-url [^-\n]*://|anaconda\.org", path.read_text()), path
