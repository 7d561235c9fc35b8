"""Classifiers trained on the rollouts of two synthetic strategies, one of which fails more often."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import one_line_error
from curation_runs import STEPWISE, TRANSFORMER, command, folder, make_rollouts, train, write_settings
from demo_score.curation.classifiers import Stepwise
from demo_score.curation.storage import load_description
from demo_score.data.formats import read_episodes
from demo_score.data.lists import write_list
from demo_score.runtime.errors import UserError
from safetensors.torch import load_file

__all__ = ["folder"]  # the fixture


@pytest.mark.parametrize("name", ["stepwise", "transformer"])
def test_classifiers_tell_the_strategies_apart(folder: Path, name: str) -> None:
    best = min(load_description(folder / f"{name}.safetensors").members, key=lambda member: member.cross_val_loss)
    assert best.cross_val_auc > 0.9
    assert best.cross_val_accuracy > 0.8


@pytest.mark.parametrize("name", ["stepwise", "transformer"])
def test_best_epoch_is_the_minimum_of_the_table(folder: Path, name: str) -> None:
    table = pd.read_csv(folder / f"{name}.csv")
    members = load_description(folder / f"{name}.safetensors").members
    assert len(table) == 4 * 30
    for number, member in enumerate(members):
        rows = table[table.member == number]
        best = rows.loc[rows.cross_val_loss.idxmin()]
        assert best.epoch == member.best_epoch
        # `member` was measured on the stored parameters: they are those of that epoch, not of another.
        assert best.cross_val_loss == pytest.approx(member.cross_val_loss, rel=1e-6)
        assert best.cross_val_auc == pytest.approx(member.cross_val_auc, rel=1e-6)


def test_stored_parameters_are_not_those_of_the_last_epoch(folder: Path) -> None:
    # Otherwise the test above could not fail.
    members = load_description(folder / "stepwise.safetensors").members
    members += load_description(folder / "transformer.safetensors").members
    assert any(member.best_epoch < 30 for member in members)


@pytest.mark.parametrize("model_arch", ["small_stepwise", "small_transformer"])
def test_member_is_what_it_would_be_alone(folder: Path, model_arch: str) -> None:
    together = load_file(train(folder, model_arch, "together", epochs=5))
    alone = load_file(train(folder, model_arch, "alone", epochs=5, seeds=[1], lr=[1e-3]))
    for key, values in alone.items():
        expected = together[key] if key.startswith("normalisation") else together[key][3:]
        # The key biases of attention have a gradient of zero but for rounding, which AdamW scales up: hence 1e-4.
        torch.testing.assert_close(values, expected, rtol=0, atol=1e-4)


def test_training_twice_gives_the_same_bytes(folder: Path) -> None:
    first, second = (train(folder, name=name, epochs=2) for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".csv").read_bytes() == second.with_suffix(".csv").read_bytes()


def test_classifier_file_is_as_readable_as_the_table(folder: Path) -> None:
    assert (folder / "stepwise.safetensors").stat().st_mode == (folder / "stepwise.csv").stat().st_mode


def test_eval_every_leaves_training_as_it_is(folder: Path) -> None:
    sparse = pd.read_csv(train(folder, name="sparse", epochs=5, eval_every=2).with_suffix(".csv"))
    dense = pd.read_csv(folder / "stepwise.csv")
    assert sparse.epoch.unique().tolist() == [2, 4, 5]
    merged = sparse.merge(dense, on=["member", "epoch"])
    assert (merged.cross_val_loss_x == merged.cross_val_loss_y).all()


def test_the_held_out_loss_may_weigh_outcomes_as_training_does(folder: Path) -> None:
    tables = {
        weighted: pd.read_csv(train(folder, epochs=1, weighted_cross_val=weighted).with_suffix(".csv"))
        for weighted in (False, True)
    }
    tensors = load_file(folder / "run.safetensors")
    mean, std = tensors.pop("normalisation.mean"), tensors.pop("normalisation.std")
    module = Stepwise(hidden_sizes=[8, 8], dropout=0.3).module(5).eval()
    module.load_state_dict({name: values[0] for name, values in tensors.items()})
    losses = {False: [], True: []}
    for rollout in read_episodes(folder / "rollouts_3.hdf5"):
        frames = torch.from_numpy(np.hstack([rollout.observations["observation.state"], rollout.actions]))
        probability = module((frames - mean) / std).sigmoid()
        loss = -(probability if rollout.success else 1 - probability).log()
        losses[False] += loss.flatten().tolist()
        losses[True] += (loss * (4 / 3 if rollout.success else 1 / 3)).flatten().tolist()
    for weighted, table in tables.items():
        assert table.cross_val_loss[0] == pytest.approx(np.mean(losses[weighted]), rel=1e-5)
    assert tables[False].training_loss.equals(tables[True].training_loss)


@pytest.mark.parametrize(("outcome", "word"), [(True, "successes"), (False, "failures")])
def test_split_with_one_outcome_is_refused(tmp_path: Path, outcome: bool, word: str) -> None:
    for number in (1, 2):
        make_rollouts(tmp_path / f"rollouts_{number}.hdf5", number)
    make_rollouts(tmp_path / "rollouts_3.hdf5", 3, [outcome] * 40)
    with pytest.raises(UserError, match=f"rollouts_3.*all 40 rollouts used are {word}.*checkpoint") as error:
        train(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": ["observation.stat"]}, "has no observation.stat; .*action, observation.state"),
        ({"tr_dataset_size": 82}, "holds 40 rollouts but tr_dataset_size=82 asks for 41 .* to 80 or less"),
        ({"lr": [1e38]}, "the loss of seed 0, lr 1e\\+38, .* is nan at epoch 1; set a smaller lr"),
        ({"epochs": 0}, "epochs: 0 is not a whole number, at least 1"),
        ({"epoch": 3}, "there is no key epoch; there are .*epochs"),
        ({"model_archs": {"small": STEPWISE}}, "no small_stepwise; choose from: small"),
        ({"model_archs": {"small_stepwise": {"type": "mlp"}}}, "model_archs.small_stepwise.type: 'mlp' is not one of"),
        ({"model_archs": {"small_stepwise": STEPWISE | {"dropout": 1}}}, "dropout: 1 "),
        ({"model_archs": {"small_stepwise": TRANSFORMER | {"n_heads": 3}}}, "8 is not a value, a multiple of 3"),
    ],
)
def test_bad_settings_give_one_line(folder: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        train(folder, name="bad", **changes)
    assert "\n" not in str(error.value)
    assert not (folder / "bad.safetensors").exists()


def test_rollouts_in_both_parts_of_a_split_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="both training and cross-validation"):
        command(
            "train_classifiers",
            settings=write_settings(folder / "both.yaml"),
            model_arch="small_stepwise",
            train=[folder / "rollouts_1.hdf5"],
            cross_val=[folder / "rollouts_1.hdf5"],
            out=folder / "both.safetensors",
            metrics=folder / "both.csv",
        )


def sweep(folder: Path, name: str, **changes: object) -> None:
    """One sweep whose command line is changed; nothing may be left of it."""
    options = {"train": [folder / "rollouts_1.hdf5"], "cross_val": [folder / "rollouts_3.hdf5"]}
    outputs = {"out": folder / f"{name}.safetensors", "metrics": folder / f"{name}.csv"}
    settings = write_settings(folder / f"{name}.yaml", tr_dataset_size=None, cross_val_dataset_size=None)
    command("train_classifiers", settings=settings, model_arch="small_stepwise", **(options | outputs | changes))


@pytest.mark.parametrize("part", ["train", "cross_val"])
def test_rollout_that_is_given_twice_is_refused_by_whichever_path(folder: Path, part: str) -> None:
    write_list(folder / "some.txt", {folder / "rollouts_2.hdf5": [3, 4]})
    with one_line_error("rollouts_2.hdf5 episode 3", "twice"):
        sweep(folder, "twice", **{part: [folder / "rollouts_2.hdf5", folder / "some.txt"]})
    with one_line_error("rollouts_2.hdf5 episode 0", "twice"):
        sweep(folder, "twice", **{part: [folder / "rollouts_2.hdf5", folder / "rollouts_2.hdf5"]})


def test_outputs_are_files_of_their_own(folder: Path) -> None:
    before = (folder / "rollouts_1.hdf5").read_bytes()
    with one_line_error("--metrics", "--out"):
        sweep(folder, "same", metrics=folder / "same.safetensors")
    with one_line_error("rollouts_1.hdf5 is a file, so that nothing can be made below it"):
        sweep(folder, "same", metrics=folder / "rollouts_1.hdf5/metrics.csv")
    with one_line_error("--metrics", "is an input"):
        sweep(folder, "same", metrics=folder / "rollouts_1.hdf5")
    with one_line_error("--out", "is an input"):
        command("select_classifier", model_arch="best", threshold="mean", classifiers=[folder / "a"], out=folder / "a")
    assert (folder / "rollouts_1.hdf5").read_bytes() == before
    assert not (folder / "same.safetensors").exists()
