"""Choosing one classifier among the members of all sweeps."""

import os
from dataclasses import asdict
from pathlib import Path

import yaml

from demo_score.curation.storage import Member, load_description
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import check_outputs, write_text

Candidate = tuple[str, str, Path, int, Member]  # type, model_arch, file, member number, member


def select_classifier(
    model_arch: str, threshold: str, classifiers: list[Path], out: Path, run_seed: int | None = None
) -> dict:
    """Write to `out` (YAML) which member to use: of `model_arch`, or of all architectures when it is "best".

    `threshold` names the rule for the score above which an episode is kept: mean (published: the mean score of
    the training rollouts) or balanced (best balanced accuracy on the cross-validation rollouts).

    The lowest cross-validation loss wins. Frame losses (step-wise) and trajectory losses (transformer) are on
    different scales, so where both types compete the lowest loss of each type meets on cross-validation AUC. Returns
    what was written.
    """
    check_outputs({"--out": out}, classifiers)
    candidates = candidates_of(classifiers)
    named = [candidate for candidate in candidates if model_arch in ("best", candidate[1])]
    if not named:
        known = ", ".join(sorted({candidate[1] for candidate in candidates}))
        raise UserError(f"no classifier of architecture {model_arch}; choose best or one of: {known}")
    (winner, *others), rule = ranked(named)
    chosen = {**_entry(winner, out), "threshold": winner[4].thresholds[threshold], "threshold_rule": threshold}
    runner_up = _entry(others[0], out) if others else None
    reason = f"{rule} among {len(named)} candidates"
    selection = {"run_seed": run_seed, **chosen, "n_candidates": len(named), "runner_up": runner_up, "reason": reason}
    write_text(out, yaml.safe_dump(selection, sort_keys=False, allow_unicode=True))
    return selection


def candidates_of(classifiers: list[Path]) -> list[Candidate]:
    """Every member of these files. Raises UserError where one is no classifier file."""
    return [
        (description.architecture["type"], description.model_arch, path, number, member)
        for path in classifiers
        for description in [load_description(path)]
        for number, member in enumerate(description.members)
    ]


def ranked(candidates: list[Candidate]) -> tuple[list[Candidate], str]:
    """Candidates in order of preference, and the rule in words. Ties: names, then member numbers."""
    by_loss = sorted(candidates, key=lambda candidate: (candidate[4].cross_val_loss, *_identity(candidate)))
    first_of_type = {candidate[0]: candidate for candidate in reversed(by_loss)}
    if len(first_of_type) == 1:
        return by_loss, "lowest cross-validation loss"
    finalists = sorted(
        first_of_type.values(), key=lambda candidate: (-candidate[4].cross_val_auc, *_identity(candidate))
    )
    return finalists, (
        "highest cross-validation AUC of the step-wise and the transformer classifier with the lowest "
        "cross-validation loss of their type (losses over frames and over trajectories do not compare)"
    )


def _identity(candidate: Candidate) -> tuple[str, str, int]:
    _, model_arch, path, number, _ = candidate
    return model_arch, path.as_posix(), number


def _entry(candidate: Candidate, out: Path) -> dict:
    """A candidate as the selection file shows it; the path is relative to that file."""
    _, model_arch, path, number, member = candidate
    relative = Path(os.path.relpath(path.resolve(), out.resolve().parent)).as_posix()
    return {"file": relative, "model_arch": model_arch, "member": number, **asdict(member)}
