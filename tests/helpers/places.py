"""Where what the tests look at lies: the repository, its commands, the tests themselves."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = REPOSITORY / "tests"
WORKFLOW = REPOSITORY / "workflow"
SCRIPTS = WORKFLOW / "scripts"
COMMANDS = sorted(SCRIPTS.rglob("[!_]*.py"))
