"""Copy a finished experiment to where git keeps it, with what made it."""

import json
import shutil
from pathlib import Path

import yaml

from demo_score.config.yaml_files import read_yaml
from demo_score.plots.forest import overview
from demo_score.plots.style import figure_style, save
from demo_score.provenance.manifest import ARENA, inputs_within, read_manifest, write_digests_below
from demo_score.provenance.readme import PUBLISHED
from demo_score.provenance.recompute import inputs_of_arena, inputs_of_tables
from demo_score.provenance.verify import DIGESTS, verify_experiment
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import PACKED, atomic_path, check_writable, write_packed, write_text

# What a finished experiment has, and a finished arena.
FINISHED = {
    "": ["tables/summary.md", "tables/manifest.json", "tables/run.json"],
    ARENA: ["arena/summary.md", "arena/tables/manifest.json", "arena/tables/run.json"],
}


def publish(experiment: Path, config: Path, command: str, out: Path, figures: bool = True) -> None:
    """Copy an experiment's tables and figures to `out`, with what tables are made of, configuration and settings.

    Its own, its arena's, or both: whichever have a manifest; of an experiment that was published before, the other
    stays as it is. The manifest and run.json go along, and frame strips where they were recorded (`snakemake videos`);
    digests.json holds the digest of everything there. Without `figures`, neither these nor strips. Beside `out`, in a
    folder published/, the figure of all published experiments is drawn again. Raises UserError if neither is finished,
    a number in the tables does not follow, or what stays is of other settings.
    """
    check_writable(out, folder=True)
    missing = {part: [name for name in names if not (experiment / name).is_file()] for part, names in FINISHED.items()}
    if all(missing.values()):
        nearest = min(missing.values(), key=len)
        raise UserError(f"{experiment}: has no {nearest[0]}; run snakemake for this experiment first")
    parts = [part for part, names in missing.items() if not names]
    if problems := verify_experiment(experiment)[0]:
        raise UserError(f"{problems[0]}; run snakemake for this experiment again")
    entry = read_yaml(config)["experiments"][experiment.name]
    _check_same_settings(out, entry, parts)
    for part in parts:
        _publish_part(experiment, part, command, out, figures)
    write_text(out / "config.yaml", yaml.safe_dump(entry, sort_keys=False))
    write_digests_below(out, out / DIGESTS)
    tables = sorted(out.parent.glob("*/tables/differences.csv"))
    if tables and out.resolve().parent.name == PUBLISHED:
        with figure_style():
            save(overview(tables), [out.parent / f"differences.{suffix}" for suffix in ("png", "svg")])


def _check_same_settings(out: Path, entry: dict, parts: list[str]) -> None:
    """Raise UserError where what stays in `out` was made by other settings than the experiment has now."""
    path = out / "config.yaml"
    if "" in parts or not path.is_file() or not (out / "tables").is_dir():
        return
    ours, theirs = ({key: value for key, value in e.items() if key != ARENA} for e in (entry, read_yaml(path)))
    if ours != theirs:
        raise UserError(f"{path}: was published with other settings than config.yaml has now; publish all of it again")


def _publish_part(experiment: Path, part: str, command: str, out: Path, figures: bool) -> None:
    """Copy what is published of an experiment itself, or of its arena, and say what made it."""
    tables = experiment / part / "tables"
    manifest = read_manifest(tables / "manifest.json")
    for path in (_files_of_arena if part else _files)(experiment, manifest, figures):
        _copy(path, out / path.relative_to(experiment))
    run = json.loads((tables / "run.json").read_text(encoding="utf-8"))
    run = {"command": command, **run, "packages": manifest["packages"]}
    write_text(out / part / "run.yaml", yaml.safe_dump(run, sort_keys=False))


def _copy(path: Path, out: Path) -> None:
    """Copy a file; what an arena's tables are made of, long and repetitive, is packed."""
    if out.parent.name == ARENA and out.suffix == ".csv":
        write_packed(out.with_name(out.name + PACKED), path.read_bytes())
        out.unlink(missing_ok=True)  # of an earlier version
        return
    with atomic_path(out) as temporary:
        shutil.copyfile(path, temporary)


def _files(experiment: Path, manifest: dict, figures: bool) -> list[Path]:
    """All that is published of an experiment: tables, what they are made of, settings, and pictures."""
    patterns = ["tables/*", "seed*/*/settings.yaml"]
    patterns += ["figures/*", "seed*/*/episodes.png", "seed*/*/demonstrations.png"] * figures
    inputs = inputs_of_tables(inputs_within(manifest, experiment))
    files = [path for pattern in patterns for path in sorted(experiment.glob(pattern))]
    return [*files, *(path for paths in inputs.values() for path in paths)]


def _files_of_arena(experiment: Path, manifest: dict, figures: bool) -> list[Path]:
    """The same of its arena."""
    patterns = [
        "arena/summary.md",
        "arena/tables/*",
        "seed*/arena/own/random_1/settings.yaml",
        *["arena/figures/*"] * figures,
    ]
    inputs = inputs_of_arena(inputs_within(manifest, experiment))
    files = [path for pattern in patterns for path in sorted(experiment.glob(pattern))]
    return [*files, *(path for paths in inputs.values() for path in paths)]
