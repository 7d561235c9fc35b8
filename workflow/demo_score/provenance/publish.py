"""Copy a finished experiment to where git keeps it, with what made it."""

import shutil
from pathlib import Path

import yaml

from demo_score.errors import UserError
from demo_score.files import atomic_path, write_text
from demo_score.plots.forest import overview
from demo_score.plots.style import figure_style, save
from demo_score.provenance.manifest import (
    describe_machine,
    inputs_within,
    package_versions,
    read_manifest,
    write_digests_below,
)
from demo_score.provenance.recompute import inputs_of_tables
from demo_score.provenance.verify import DIGESTS, verify_experiment


def publish(experiment: Path, config: Path, command: str, out: Path) -> None:
    """Copy an experiment's tables and figures to `out`, with what tables are made of, configuration and settings.

    The manifest and run.json go along, and frame strips where they were recorded (`snakemake videos`); digests.json
    holds the digest of everything there. Beside `out`, the figure of all published experiments is drawn again. Raises
    UserError if the experiment is not finished, or a number in its tables does not follow.
    """
    for name in ("summary.md", "manifest.json"):
        if not (experiment / "tables" / name).is_file():
            raise UserError(f"{experiment}: has no tables/{name}; run snakemake for this experiment first")
    if problems := verify_experiment(experiment)[0]:
        raise UserError(f"{problems[0]}; run snakemake for this experiment again")
    entry = yaml.safe_load(config.read_text(encoding="utf-8"))["experiments"][experiment.name]
    files = [path for folder in ("tables", "figures") for path in sorted((experiment / folder).iterdir())]
    for name in ("settings.yaml", "episodes.png", "demonstrations.png"):
        files += sorted(experiment.glob(f"seed*/*/{name}"))
    inputs = inputs_within(read_manifest(experiment / "tables/manifest.json"), experiment)
    for paths in inputs_of_tables(inputs).values():
        files += paths
    for path in files:
        with atomic_path(out / path.relative_to(experiment)) as temporary:
            shutil.copyfile(path, temporary)
    write_text(out / "config.yaml", yaml.safe_dump(entry, sort_keys=False))
    run = {"command": command, **describe_machine(), "packages": package_versions()}
    write_text(out / "run.yaml", yaml.safe_dump(run, sort_keys=False))
    write_digests_below(out, out / DIGESTS)
    tables = sorted(out.parent.glob("*/tables/differences.csv"))
    if tables:
        with figure_style():
            save(overview(tables), [out.parent / f"differences.{suffix}" for suffix in ("png", "svg")])
