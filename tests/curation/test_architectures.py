"""The architectures of a sweep side by side."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import one_line_error
from curation_runs import apply, command, folder
from demo_score.curation.architectures import compare_architectures
from demo_score.tables import ARCHITECTURES

__all__ = ["folder"]  # the fixture
NAMES = {"small_stepwise": "stepwise", "small_transformer": "transformer"}


def compare(folder: Path, **changes: object) -> pd.DataFrame:
    arguments = {
        "classifiers": [folder / f"{name}.safetensors" for name in NAMES.values()],
        "threshold": "mean",
        "demonstrations": folder / "all.txt",
        "oracle": ["reliable"],
        "run_seed": 7,
        "out": folder / "architectures.csv",
    }
    compare_architectures(**arguments | changes)
    return ARCHITECTURES.read(folder / "architectures.csv").set_index("model_arch")


def pairwise_auc(scores: pd.Series, positive: pd.Series) -> float:
    """By all pairs, as the area under the curve is defined."""
    good, bad = scores[positive].to_numpy()[:, None], scores[~positive].to_numpy()
    return float(np.mean((good > bad) + 0.5 * (good == bad)))


@pytest.mark.parametrize("threshold", ["mean", "balanced"])
def test_each_architecture_is_compared_by_what_it_would_keep_if_it_were_chosen(folder: Path, threshold: str) -> None:
    table = compare(folder, threshold=threshold)
    assert list(table.index) == list(NAMES)
    assert (table["inputs"] == "observation.state, action").all()
    for name, file in NAMES.items():
        chosen = folder / f"{file}.yaml"
        classifiers = [folder / f"{file}.safetensors"]
        command("select_classifier", model_arch=name, threshold=threshold, classifiers=classifiers, out=chosen)
        scores = apply(folder, chosen)
        demonstrations = scores[scores.kind == "demonstration"]
        positive = demonstrations["actor"] == "reliable"
        row = table.loc[name]
        assert row["auc"] == pytest.approx(pairwise_auc(demonstrations["score"], positive), abs=1e-5)
        kept = demonstrations["kept"]
        counts = [len(kept), kept.sum(), positive.sum(), kept[positive].sum()]
        assert row[["n", "kept", "positive", "positive_kept"]].tolist() == counts


def test_the_best_member_stands_for_its_architecture_whatever_the_order_of_the_files(folder: Path) -> None:
    classifiers = [folder / f"{name}.safetensors" for name in NAMES.values()]
    assert compare(folder).equals(compare(folder, classifiers=classifiers[::-1]))


def test_without_strategies_to_keep_there_is_no_area(folder: Path) -> None:
    table = compare(folder, oracle=[])
    assert table["auc"].isna().all()
    assert (table["positive_kept"] == 0).all()
    assert table["cross_val_auc"].notna().all()


def test_what_is_no_classifier_file_is_named(folder: Path) -> None:
    with one_line_error(folder / "all.txt", "not a classifier file"):
        compare(folder, classifiers=[folder / "all.txt"], demonstrations=folder / "demonstrations.hdf5")
