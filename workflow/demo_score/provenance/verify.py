"""Do the numbers still follow from what they were made of?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from demo_score.config.yaml_files import read_yaml
from demo_score.provenance.manifest import ARENA, code_digests, file_digest, inputs_within, locate, read_manifest
from demo_score.provenance.readme import PUBLISHED, check_document, published_folders
from demo_score.provenance.recompute import check_against_inputs, check_arena, inputs_of_arena, inputs_of_tables
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import PACKED

DIGESTS = "digests.json"  # of everything in a published folder
# Parts of a run that all conditions need.
BEFORE_CONDITIONS = ("base", "rollouts", "classifiers", "demo_score", "demo_score_datasets")


def verify(results: Path, documents: list[Path]) -> tuple[list[str], list[str]]:
    """What no longer follows, a line each, and what was looked at; see `verify_experiment`, `verify_published`.

    results     a folder results/, or a single experiment's
    documents   Markdown that reports numbers of results/published
    """
    if not results.is_dir():
        raise UserError(f"{results}: no such folder; give results or results/<experiment>")
    if (results / "tables").is_dir():
        is_published = PUBLISHED in [parent.name for parent in results.resolve().parents[:3]]
        return verify_published(results) if is_published else verify_experiment(results)
    own = sorted(path for path in results.iterdir() if path.is_dir() and path.name != PUBLISHED)
    published = published_folders(results / PUBLISHED)
    problems, notes = _joined([verify_published(folder) for folder in published])
    for document in documents if published and not problems else []:
        if document.is_file():
            wrong, n = check_document(document, results / PUBLISHED)
            problems += wrong
            notes.append(f"{document}: {n} rows and intervals compared")
    return _joined([*(verify_experiment(folder) for folder in own), (problems, notes)])


def verify_experiment(folder: Path) -> tuple[list[str], list[str]]:
    """Check the digests in an experiment's manifest, then make its tables again and compare them row by row.

    The arena, where there is one, has tables and a manifest of its own.
    """
    parts = [part for part in ("", ARENA) if (folder / part / "tables").is_dir()]
    return _joined([_verify_tables(folder, part) for part in parts or [""]])


def _verify_tables(folder: Path, part: str) -> tuple[list[str], list[str]]:
    """The tables of an experiment, or of its `part`, a folder in it."""
    own, path = folder / part, folder / part / "tables/manifest.json"
    if not path.is_file():
        return [], [f"{own}: not checked: no tables/manifest.json (unfinished, or made before there were manifests)"]
    try:
        manifest = read_manifest(path)
    except UserError as error:
        return [str(error)], []
    tables, inputs = manifest["tables"], manifest["inputs"]
    places = {name: locate(name, folder) for name in [*tables, *inputs]}
    problems = [f"{name}: {what} since its manifest was written" for name, what in _changed(tables, places)]
    for name, what in _changed(inputs, places):
        problems.append(f"{name}: {what} since the tables were made; {_affected(name)}")
    problems += _made_again(folder, part, inputs_within(manifest, folder), manifest["settings"])
    notes = [f"{own}: {len(inputs)} inputs, {len(tables)} tables"]
    code = code_digests(arena=bool(part))
    if edited := [name for name, digest in code.items() if manifest["code"].get(name) != digest]:
        notes.append(f"{own}: made by other versions of {', '.join(edited)}")
    return problems, notes


def _made_again(folder: Path, part: str, inputs: list[Path], settings: dict) -> list[str]:
    """What in the tables is not what their inputs give, where all of these are there."""
    direct = inputs_of_arena(inputs) if part else inputs_of_tables(inputs)
    if not all(path.is_file() for paths in direct.values() for path in paths):
        return []
    if part:
        return check_arena(folder / part, direct, settings)
    return check_against_inputs(folder / "tables", direct, settings)


def verify_published(folder: Path) -> tuple[list[str], list[str]]:
    """Check a published folder: its digests, and its tables from what they were made of."""
    try:
        published = dict(json.loads((folder / DIGESTS).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return [f"{folder / DIGESTS}: missing or damaged; take it back from git"], []
    changed = _changed(published, {name: folder / name for name in published})
    problems = [f"{folder / name}: {what} since it was published" for name, what in changed]
    config = folder / "config.yaml"
    if config.is_file():
        inputs = [path for name in ("*.csv", f"*.csv{PACKED}", "classifier.yaml") for path in folder.rglob(name)]
        for part in [part for part in ("", ARENA) if (folder / part / "tables").is_dir()]:
            problems += _made_again(folder, part, inputs, read_yaml(config))
    return problems, [f"{folder}: {len(published)} files"]


def _changed(digests: dict[str, str], places: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """The names of files that are not what they were."""
    for name, digest in digests.items():
        if not places[name].is_file():
            yield name, "missing"
        elif file_digest(places[name]) != digest:
            yield name, "changed"


def _affected(name: str) -> str:
    """Which numbers follow from an input."""
    run = re.search(r"/seed(\d+)/([a-z_]+)[/.]", name)
    if not run:
        return "no number of the experiment follows any more"
    seed, part = run.groups()
    if part == ARENA:
        return f"of run {seed} and over runs, the arena's numbers no longer follow"
    if name.endswith("/evaluation.csv") or part not in BEFORE_CONDITIONS:
        return f"of run {seed} and over runs, success and differences of {part} no longer follow"
    return f"the numbers of run {seed}, and those over runs, no longer follow"


def _joined(found: list[tuple[list[str], list[str]]]) -> tuple[list[str], list[str]]:
    return [line for problems, _ in found for line in problems], [line for _, notes in found for line in notes]
