"""The architectures of a run's sweep side by side: what the best member of each makes of the demonstrations.

Which of them filters best can be read off here only where somebody knows which demonstrations are good.
"""

from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from demo_score.analysis.detection import auroc
from demo_score.curation.scoring import Scorer
from demo_score.curation.selection import Candidate, candidates_of, ranked
from demo_score.data.lists import Entry, read_entries
from demo_score.runtime.cores import available_threads
from demo_score.runtime.files import check_outputs
from demo_score.tables import ARCHITECTURES


def compare_architectures(
    classifiers: list[Path],
    threshold: str,
    demonstrations: Path,
    oracle: list[str],
    run_seed: int,
    out: Path,
    features_of: Path | None = None,
) -> int:
    """Write the table `out` of one run, a row an architecture, and return how many there are.

    Of each architecture the member that would filter if it were chosen scores all demonstrations (a list, table or
    data set); `oracle`: strategies that are to be kept. `threshold` and `features_of`: as of select_classifier and
    apply_filter. Raises UserError for bad files.
    """
    check_outputs({"--out": out}, [demonstrations, *classifiers])
    torch.set_num_threads(available_threads())
    entries = read_entries(demonstrations)
    candidates = sorted(candidates_of(classifiers), key=_name)
    best = [ranked(list(group))[0][0] for _, group in groupby(candidates, key=_name)]
    rows = [_row(candidate, threshold, entries, oracle, features_of) for candidate in best]
    ARCHITECTURES.write(out, [{"seed": run_seed, **row} for row in rows])
    return len(rows)


def _name(candidate: Candidate) -> str:
    return candidate[1]


def _row(
    candidate: Candidate, threshold: str, entries: list[Entry], oracle: list[str], features_of: Path | None
) -> dict:
    """What one architecture's best member makes of the demonstrations."""
    _, name, path, number, member = candidate
    scorer = Scorer(path, number, member.thresholds[threshold], features_of)
    scored = scorer.rows("demonstration", entries)
    scores, kept = (np.array([row[key] for row in scored]) for key in ("score", "kept"))
    positive = np.array([row["actor"] in oracle for row in scored])
    return {
        "model_arch": name,
        "inputs": ", ".join(scorer.description.inputs),
        "member": number,
        "cross_val_auc": member.cross_val_auc,
        "auc": auroc(scores, positive),
        "n": len(scored),
        "kept": int(kept.sum()),
        "positive": int(positive.sum()),
        "positive_kept": int(kept[positive].sum()),
    }
