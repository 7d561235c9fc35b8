"""Files that snakemake is asked to read and to make: configuration files, and targets by their paths."""

import argparse
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path, PurePath

from demo_score.errors import UserError
from demo_score.yaml_files import read_yaml

_TEMPLATE = "__use_yte__"  # Snakemake's own
_WILDCARD = re.compile(r"\{(\w+)(?:,[^{}]*)?\}")  # with what may stand there


def check_configfiles(paths: list[Path]) -> None:
    """Raise UserError for the first file that is there and is no mapping in YAML, or would run Python."""
    for path in filter(Path.exists, paths):
        values = read_yaml(path)
        if not isinstance(values, dict):
            raise UserError(f"{path}: holds no configuration; give run and experiments, as in config.yaml")
        if _TEMPLATE in values:
            raise UserError(f"{path}: {_TEMPLATE} lets a file run Python; remove it, and write values")


def check_options(options: list[str]) -> None:
    """Raise UserError for options of snakemake that end in its own traceback: --configfile and --config."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--configfile", "--configfiles", nargs="*", type=Path, action="extend", default=[])
    parser.add_argument("--config", "-C", nargs="*", action="extend", default=[])
    arguments, _ = parser.parse_known_args(options)
    for path in arguments.configfile:
        read_yaml(path)
    check_configfiles(arguments.configfile)
    for entry in arguments.config:
        if "=" not in entry:
            raise UserError(f"--config {entry}: has no value; write KEY=VALUE, such as --config 'run=[\"NAME\"]'")


def check_target(
    target: str, makers: list[Mapping[str, str]], patterns: list[str], places: Mapping[str, Mapping[str, list[str]]]
) -> None:
    """Raise UserError for a file that no rule makes, saying what could be asked for.

    makers    the wildcards of each rule that can make it: they must be of its own experiment
    patterns  what rules make, with wildcards
    places    experiment -> wildcard -> what may stand there
    """
    for wildcards in makers:
        _check_wildcards(target, wildcards, places)
    if makers:
        return
    parts = PurePath(target).parts
    if target in places:
        raise UserError(f"{target}: is an experiment; to make it, write --config 'run=[\"{target}\"]'")
    if parts[0] != "results" or len(parts) < 2:
        raise UserError(
            f"{target}: no rule makes this; ask for all, figures or videos, or for a file of an experiment, "
            f"results/{next(iter(places))}/tables/summary.md, say"
        )
    if parts[1] not in (*places, "overview"):
        raise UserError(f"{target}: there is no experiment {parts[1]}; there are {', '.join(places)}")
    shown = {_WILDCARD.sub(r"{\1}", pattern).replace("{experiment}", parts[1]) for pattern in patterns}
    own = sorted(pattern for pattern in shown if pattern.startswith(f"results/{parts[1]}/"))
    close = get_close_matches(target, own, n=3, cutoff=0.3) or own[:3]
    raise UserError(f"{target}: no rule makes this; there are {', '.join(close)} (results/README.md)")


def _check_wildcards(target: str, wildcards: Mapping[str, str], places: Mapping[str, Mapping[str, list[str]]]) -> None:
    experiment = wildcards.get("experiment")
    for name, value in wildcards.items():
        known = places.get(experiment, {}).get(name, [value])
        if value not in known:
            raise UserError(f"{target}: {experiment} has no {name} {value}; it has {', '.join(known)}")
