"""Read the CSV and YAML files of an experiment; run seed and condition come from the path.

results/<experiment>/seed<seed>/<condition>/evaluation.csv
                                [<condition>/]rollouts/<step>.csv
                                demo_score/scores.csv, classifier.yaml
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from demo_score.config.yaml_files import read_yaml
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import read_text

CONDITIONS = {  # in the order of every table and figure
    "base": "Base policy (all demos)",
    "curated_demos": "Curated (demos)",
    "curated_rollouts_plus_demos": "Curated (rollouts + demos)",
    "random": "Random subset, equal size",
    "random_rollouts_plus_demos": "Random, rollouts + demos",
    "length_matched": "Random subset, matched length",
    "oracle": "Oracle (knows the strategies)",
}
# Of each curated condition the condition of equal size that is drawn at random from the same episodes.
CONTROLS = {"curated_demos": "random", "curated_rollouts_plus_demos": "random_rollouts_plus_demos"}
GIVEN = "given"  # in place of a seed: rollouts that are not this workflow's
ALL_RUNS = "all"  # in place of a seed: the mean over all runs (a run is one seed)
UNNAMED = "unnamed"  # in place of a source: demonstrations that name no strategy
CLASSIFIER_KEYS = ["model_arch", "member", "threshold", "cross_val_auc", "cross_val_accuracy", "cross_val_loss"]
CLASSIFIER_KEYS += ["best_epoch"]


def read_columns(
    path: Path, columns: list[str], optional: Sequence[str] = (), as_texts: Sequence[str] = ()
) -> pd.DataFrame:
    """The named columns of a CSV file; those of `optional` that it lacks are NaN. `as_texts` stay as they are written.

    Raises UserError when the file, a column or every row is missing.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such table; run the workflow step that writes it")
    types = dict.fromkeys(("source", "file", *as_texts), "str")
    unknown = {name: ["", "nan"] for name in columns if name not in as_texts}
    blanks = {"keep_default_na": False, "na_values": unknown} if as_texts else {}
    try:
        table = pd.read_csv(io.StringIO(read_text(path)), dtype=types, **blanks)
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        raise UserError(
            f"{path}: not a CSV table; name one, or make it again with the command that writes it"
        ) from None
    missing = [column for column in columns if column not in table]
    if missing:
        raise UserError(f"{path}: has no column {missing[0]}; expected the columns {', '.join(columns)}")
    if table.empty:
        raise UserError(f"{path}: holds no row; name another table, or make it again with the command that writes it")
    return table.reindex(columns=[*columns, *optional])


def seed_of(path: Path) -> int:
    """The run seed in a path's `seed<seed>` folder."""
    seeds = [part[4:] for part in path.parts if re.fullmatch(r"seed\d+", part)]
    if not seeds:
        raise UserError(f"{path}: no seed in the path; expected results/<experiment>/seed<seed>/...")
    return int(seeds[-1])


def _has_seed(path: Path) -> bool:
    return any(re.fullmatch(r"seed\d+", part) for part in path.parts)


def read_evaluations(paths: list[Path]) -> pd.DataFrame:
    """Every evaluation episode: condition, seed, episode (number in its file), start_seed, success (0 or 1), max_reward.

    The largest reward of an episode is NaN in tables that do not tell it.
    Raises UserError for an unknown condition, a repeated run, or conditions of one seed with other start seeds.
    """
    frames, starts = {}, {}
    for path in paths:
        seed, condition = seed_of(path), path.parent.name
        if condition not in CONDITIONS or (seed, condition) in frames:
            raise UserError(
                f"{path}: not one new condition of seed {seed}; give one file for each of {', '.join(CONDITIONS)}"
            )
        frame = _read_outcomes(path, ["start_seed", "success"])
        first_path, first_starts = starts.setdefault(seed, (path, frame["start_seed"]))
        if not first_starts.equals(frame["start_seed"]):
            raise UserError(f"{path}: its start seeds differ from {first_path}'s; evaluate both on the same starts")
        frames[seed, condition] = frame.assign(condition=condition, seed=seed, episode=range(len(frame)))
    return pd.concat(frames.values(), ignore_index=True)


def count_problems(path: Path | None) -> int:
    """How many episodes of given data had a problem and were left out; `path`: problems.csv, or None."""
    return 0 if path is None else int(pd.read_csv(path)["episode"].notna().sum())


def read_rollouts(paths: list[Path]) -> pd.DataFrame:
    """Every rollout: seed (or GIVEN), condition (whose policy it tried), step (of the checkpoint), success (0 or 1)."""
    frames = []
    for path in paths:
        if not path.stem.isdigit():
            raise UserError(f"{path}: not named after its checkpoint; expected rollouts/<step>.csv")
        seed = seed_of(path) if _has_seed(path) else GIVEN
        condition = path.parents[1].name if path.parents[1].name in CONDITIONS else "base"
        frames.append(_read_outcomes(path, ["success"]).assign(seed=seed, condition=condition, step=int(path.stem)))
    return pd.concat(frames, ignore_index=True)


def read_scores(paths: list[Path]) -> pd.DataFrame:
    """Every scored episode: seed, kind, source, episode (its number), length (control steps), score, kept (0 or 1)."""
    columns = ["kind", "source", "episode", "length", "score", "kept"]
    frames = [read_columns(path, columns).assign(seed=seed_of(path)) for path in paths]
    return pd.concat(frames, ignore_index=True).fillna({"source": UNNAMED})


def read_classifiers(paths: list[Path]) -> pd.DataFrame:
    """The chosen classifier of each seed: seed, weights (resolved path of its file) and CLASSIFIER_KEYS."""
    return pd.DataFrame([_read_classifier(path) for path in paths]).sort_values("seed", ignore_index=True)


def _read_outcomes(path: Path, columns: list[str]) -> pd.DataFrame:
    table = read_columns(path, columns, optional=["max_reward"])
    if not table["success"].isin([0, 1]).all():
        raise UserError(
            f"{path}: success must be 0 or 1; name another table, or make it again with the command that writes it"
        )
    return table


def _read_classifier(path: Path) -> dict:
    if not path.is_file():
        raise UserError(f"{path}: no such classifier; run the workflow step that chooses it")
    chosen = read_yaml(path)
    missing = [key for key in ["file", *CLASSIFIER_KEYS] if key not in (chosen or {})]
    if missing:
        raise UserError(f"{path}: has no key {missing[0]}; make it again with select_classifier.py")
    kept = {key: chosen[key] for key in CLASSIFIER_KEYS}
    return {"seed": seed_of(path), **kept, "weights": (path.parent / chosen["file"]).resolve()}
