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
from demo_score.runtime.files import atomic_path, check_writable, write_text


def publish(experiment: Path, config: Path, command: str, out: Path, figures: bool = True) -> None:
    """Copy an experiment's tables and figures to `out`, with what tables are made of, configuration and settings.

    Those of its arena go along where that has a manifest.
    The manifest and run.json go along, and frame strips where they were recorded (`snakemake videos`); digests.json
    holds the digest of everything there. Without `figures`, neither these nor strips. Beside `out`, in a folder
    published/, the figure of all published experiments is drawn again. Raises UserError if the experiment is not
    finished, or a number in its tables does not follow.
    """
    check_writable(out, folder=True)
    for name in ("summary.md", "manifest.json", "run.json"):
        if not (experiment / "tables" / name).is_file():
            raise UserError(f"{experiment}: has no tables/{name}; run snakemake for this experiment first")
    if problems := verify_experiment(experiment)[0]:
        raise UserError(f"{problems[0]}; run snakemake for this experiment again")
    manifest = read_manifest(experiment / "tables/manifest.json")
    for path in _files(experiment, manifest, figures):
        with atomic_path(out / path.relative_to(experiment)) as temporary:
            shutil.copyfile(path, temporary)
    entry = read_yaml(config)["experiments"][experiment.name]
    write_text(out / "config.yaml", yaml.safe_dump(entry, sort_keys=False))
    run = json.loads((experiment / "tables/run.json").read_text(encoding="utf-8"))
    run = {"command": command, **run, "packages": manifest["packages"]}
    write_text(out / "run.yaml", yaml.safe_dump(run, sort_keys=False))
    write_digests_below(out, out / DIGESTS)
    tables = sorted(out.parent.glob("*/tables/differences.csv"))
    if tables and out.resolve().parent.name == PUBLISHED:
        with figure_style():
            save(overview(tables), [out.parent / f"differences.{suffix}" for suffix in ("png", "svg")])


def _files(experiment: Path, manifest: dict, figures: bool) -> list[Path]:
    """All that is published of an experiment: tables, what they are made of, settings, and pictures."""
    patterns = ["tables/*", "seed*/*/settings.yaml"]
    patterns += ["figures/*", "seed*/*/episodes.png", "seed*/*/demonstrations.png"] * figures
    inputs = inputs_of_tables(inputs_within(manifest, experiment))
    files = [path for pattern in patterns for path in sorted(experiment.glob(pattern))]
    return [*files, *(path for paths in inputs.values() for path in paths), *_files_of_arena(experiment, figures)]


def _files_of_arena(experiment: Path, figures: bool) -> list[Path]:
    """The same of its arena; nothing where there is none, or it is not finished."""
    path = experiment / ARENA / "tables/manifest.json"
    if not path.is_file():
        return []
    patterns = ["arena/summary.md", "arena/tables/*", "seed*/arena/*/*/settings.yaml", *["arena/figures/*"] * figures]
    inputs = inputs_of_arena(inputs_within(read_manifest(path), experiment))
    files = [path for pattern in patterns for path in sorted(experiment.glob(pattern))]
    return [*files, *(path for paths in inputs.values() for path in paths)]
