"""Files that snakemake is asked to read and to make: configuration files, and targets by their paths."""

import argparse
import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path, PurePath

from demo_score.config.yaml_files import read_yaml
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import check_writable

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
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="*", type=Path, action="extend", default=[])
    parser.add_argument("--config", "-C", nargs="*", action="extend", default=[])
    arguments, _ = parser.parse_known_args(options)
    for path in arguments.configfile:
        read_yaml(path)
    check_configfiles(arguments.configfile)
    for entry in arguments.config:
        if "=" not in entry:
            raise UserError(f"--config {entry}: has no value; write KEY=VALUE, such as --config 'run=[\"NAME\"]'")


def check_cache() -> None:
    """Raise UserError where snakemake, which keeps its sources in the user's cache, cannot: it ends in a traceback."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    try:
        check_writable(caches / "snakemake", folder=True)
    except UserError as error:
        raise UserError(f"snakemake's cache: {error} (XDG_CACHE_HOME=FOLDER)") from None


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
    name = target if len(parts) == 1 else "/".join(parts[1:]) if parts[0] == "results" else ""
    if name in places:
        raise UserError(f"{target}: is an experiment; to make it, write --config 'run=[\"{name}\"]'")
    if parts[0] != "results" or len(parts) < 2:
        raise UserError(
            f"{target}: no rule makes this; ask for all, figures or videos, or for a file of an experiment, "
            f"results/{next(iter(places))}/tables/summary.md, say"
        )
    if parts[1] not in (*places, "overview"):
        raise UserError(f"{target}: there is no experiment {parts[1]}; there are {', '.join(places)}")
    if "arena" in parts[2:] and not places.get(parts[1], {}).get("entrant", [""]):
        raise UserError(f"{target}: {parts[1]} has no arena; add one to it in config.yaml (docs/arena.md)")
    for pattern in sorted(patterns, key=lambda pattern: len(_WILDCARD.findall(pattern))):
        _check_wildcards(target, _wildcards(pattern, target), places)
    shown = {_WILDCARD.sub(r"{\1}", pattern).replace("{experiment}", parts[1]) for pattern in patterns}
    own = sorted(pattern for pattern in shown if pattern.startswith(f"results/{parts[1]}/"))
    close = get_close_matches(target, own, n=3, cutoff=0.3) or own[:3]
    raise UserError(f"{target}: no rule makes this; there are {', '.join(close)} (results/README.md)")


def _wildcards(pattern: str, target: str) -> dict[str, str]:
    """What stands in `target` in the places of a pattern's wildcards, known or not; empty where the rest differs."""
    texts, names = _WILDCARD.split(pattern)[::2], _WILDCARD.findall(pattern)
    found = re.fullmatch("([^/]+)".join(map(re.escape, texts)), target)
    return dict(zip(names, found.groups(), strict=True)) if found else {}


def _check_wildcards(target: str, wildcards: Mapping[str, str], places: Mapping[str, Mapping[str, list[str]]]) -> None:
    experiment = wildcards.get("experiment")
    for name, value in wildcards.items():
        known = places.get(experiment, {}).get(name, [value])
        if value not in known:
            raise UserError(f"{target}: {experiment} has no {name} {value}; it has {', '.join(known)}")
