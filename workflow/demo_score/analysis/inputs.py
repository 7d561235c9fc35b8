"""Read the files of an experiment that its tables are made of; run seed, condition and step are in them."""

from pathlib import Path

import pandas as pd

from demo_score.conditions import BASE, CONDITIONS
from demo_score.config.yaml_files import read_yaml
from demo_score.runtime.errors import UserError
from demo_score.tables import CLASSIFIERS, EPISODES, FROM_USER, OUTCOMES, PROBLEMS, SCORES, UNNAMED

CLASSIFIER_KEYS = [name for name in CLASSIFIERS.columns if name != "seed"]

OUTCOMES_READ = [name for name in OUTCOMES.columns if name != "keep"]


def read_evaluations(paths: list[Path]) -> pd.DataFrame:
    """Every evaluation episode: the columns of OUTCOMES, and episode (its number in its file).

    Raises UserError for an unknown condition, a repeated run, or conditions of one seed with other start seeds.
    """
    return paired([(path, _read_outcomes(path)) for path in paths], ["condition"], "condition")


def paired(tables: list[tuple[Path, pd.DataFrame]], of: list[str], what: str) -> pd.DataFrame:
    """All tables of outcomes as one, with episode (its number in its file).

    Raises UserError where one is not of a single, new `what` (the columns `of`) of a run, or where those of a run have
    other start seeds.
    """
    frames, starts = {}, {}
    for path, frame in tables:
        seed, *names = (frame[name].iloc[0] for name in ("seed", *of))
        key = (int(seed), *names)
        if frame[["seed", *of]].drop_duplicates().shape[0] > 1 or key in frames:
            raise UserError(f"{path}: not one new {what} of seed {key[0]}; give one file for each {what} and run")
        first_path, first_starts = starts.setdefault(key[0], (path, frame["start_seed"]))
        if not first_starts.equals(frame["start_seed"]):
            raise UserError(f"{path}: its start seeds differ from {first_path}'s; evaluate both on the same starts")
        frames[key] = frame.assign(episode=range(len(frame)))
    return pd.concat(frames.values(), ignore_index=True)


def count_problems(path: Path | None) -> int:
    """How many episodes of user-supplied data had a problem and were left out; `path`: problems.csv, or None."""
    if path is None:
        return 0
    return int(PROBLEMS.read(path, ["episode"], empty=True)["episode"].notna().sum())


def read_rollouts(paths: list[Path]) -> pd.DataFrame:
    """Every rollout: seed (or FROM_USER), condition (whose policy acted), step (of the checkpoint), success."""
    frames = [_read_user_supplied(path) if EPISODES.describes(path) else _read_outcomes(path) for path in paths]
    for path, frame in zip(paths, frames, strict=True):
        if frame["step"].isna().any():
            raise UserError(f"{path}: does not say which checkpoint acted; name its folder after its step (003000)")
    return pd.concat(frames, ignore_index=True)[["seed", "condition", "step", "success"]]


def read_scores(paths: list[Path]) -> pd.DataFrame:
    """Every scored episode: the columns of SCORES that say what was kept. Raises UserError where no run is named."""
    columns = ["seed", "kind", "actor", "episode", "length", "score", "kept"]
    table = pd.concat([of_a_run(path, SCORES.read(path, columns)) for path in paths], ignore_index=True)
    return table.replace({"actor": {"": UNNAMED}})


def read_classifiers(paths: list[Path]) -> pd.DataFrame:
    """The chosen classifier of each run: the columns of CLASSIFIERS, and weights (resolved path of its file)."""
    return pd.DataFrame([_read_classifier(path) for path in paths]).sort_values("seed", ignore_index=True)


def _read_outcomes(path: Path) -> pd.DataFrame:
    frame = of_a_run(path, OUTCOMES.read(path, OUTCOMES_READ))
    if unknown := sorted({*frame["condition"]} - {*CONDITIONS}):
        what = f"the condition {unknown[0]}, which there is not" if unknown[0] else "no condition"
        raise UserError(f"{path}: names {what}; make it with --condition and one of {', '.join(CONDITIONS)}")
    return frame


def of_a_run(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """The table as it is. Raises UserError where it names no run."""
    if frame["seed"].isna().any():
        raise UserError(f"{path}: does not say of which run it is; make it again with --run-seed SEED")
    return frame


def _read_user_supplied(path: Path) -> pd.DataFrame:
    """The outcomes of user-supplied rollouts, which are of no run."""
    table = EPISODES.read(path, ["checkpoint", "success"])
    step = pd.to_numeric(table["checkpoint"], errors="coerce")
    return table.assign(step=step if step.isna().any() else step.astype("int64"), seed=FROM_USER, condition=BASE)


def _read_classifier(path: Path) -> dict:
    if not path.is_file():
        raise UserError(f"{path}: no such classifier; run the workflow step that chooses it")
    chosen = read_yaml(path) or {}
    if missing := [key for key in ["file", *CLASSIFIER_KEYS] if key not in chosen]:
        raise UserError(f"{path}: has no key {missing[0]}; make it again with select_classifier.py")
    if chosen.get("run_seed") is None:
        raise UserError(f"{path}: does not say of which run it is; make it again with --run-seed SEED")
    kept = {key: chosen[key] for key in CLASSIFIER_KEYS}
    return {"seed": chosen["run_seed"], **kept, "weights": (path.parent / chosen["file"]).resolve()}
