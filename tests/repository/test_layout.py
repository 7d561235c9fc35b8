"""The house rules that a program can check."""

import re
from pathlib import Path

from places import REPOSITORY, TESTS

LIBRARY = REPOSITORY / "workflow/demo_score"


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_files_stay_short():
    assert lines(REPOSITORY / "Snakefile") <= 60
    assert {path.name for path in (REPOSITORY / "workflow/scripts").rglob("*.py") if lines(path) > 40} == set()
    assert {
        str(path) for path in [*LIBRARY.rglob("*.py"), *REPOSITORY.glob("rules/*.smk")] if lines(path) > 400
    } == set()
    assert {str(path) for path in TESTS.rglob("*.py") if lines(path) > 300} == set()


def test_what_tests_share_is_no_test_module():
    modules = list(TESTS.rglob("test_*.py"))
    names = "|".join(path.stem for path in modules)
    imports = re.compile(rf"^\s*(from|import) ({names})\b", re.MULTILINE)
    assert modules and [path for path in TESTS.rglob("*.py") if imports.search(path.read_text())] == []


def test_commands_of_both_folders_find_the_library_alike():
    first, second = (
        (REPOSITORY / "workflow/scripts" / folder / "_library.py").read_text() for folder in (".", "tools")
    )
    assert first == second


def test_what_rules_call_is_no_tool():
    rules = "".join(path.read_text() for path in REPOSITORY.glob("rules/*.smk"))
    called = set(re.findall(r"workflow/scripts/(\S+\.py)", rules))
    assert called and {name for name in called if name.startswith("tools/")} == set()


def test_library_never_imports_snakemake():
    assert [path for path in LIBRARY.rglob("*.py") if re.search(r"(import|from) snakemake", path.read_text())] == []


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
