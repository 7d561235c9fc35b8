"""Curation end to end: sweep, choice and filter on two synthetic strategies, one of which fails more often."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import one_line_error
from demo_score.curation.classifiers import Stepwise
from demo_score.curation.features import frames_of
from demo_score.curation.scoring import Scorer, apply_filter
from demo_score.curation.storage import load_description
from demo_score.data.episodes import Episode
from demo_score.data.formats import read_episodes
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.lists import Entry, read_list, write_list
from demo_score.runtime.errors import UserError
from places import SCRIPTS
from safetensors import safe_open
from safetensors.torch import load_file, save_file

STEPWISE = {"type": "stepwise", "hidden_sizes": [8, 8], "dropout": 0.3}
TRANSFORMER = {
    "type": "transformer",
    "dim_model": 8,
    "dim_feedforward": 8,
    "n_heads": 2,
    "n_layers": 1,
    "trajectory_steps": 8,
    "dropout": 0.1,
}
SETTINGS = {
    "model_archs": {"small_stepwise": STEPWISE, "small_transformer": TRANSFORMER},
    "inputs": ["observation.state", "action"],
    "tr_dataset_size": 80,
    "cross_val_dataset_size": 40,
    "seeds": [0, 1],
    "lr": [1e-2, 1e-3],
    "weight_decay": [0.1],
    "epochs": 30,
    "batch_size": 256,
    "max_frames": None,
}


def make_episode(reliable: bool, success: bool, number: int, checkpoint: str | None = None) -> Episode:
    """Twenty to thirty frames of three states; the strategies differ in the phase of their motion."""
    generator = np.random.default_rng([number, reliable])
    time = np.linspace(0, 3, generator.integers(20, 31))[:, None]
    states = np.sin(time * [1, 2, 3] + (0 if reliable else 1)) + generator.normal(0, 0.1, (len(time), 3))
    return Episode(
        observations={"observation.state": states.astype(np.float32)},
        actions=np.zeros((len(time), 2), np.float32),
        rewards=np.zeros(len(time), np.float32),
        success=success,
        seed=number,
        strategy=None if checkpoint else ("reliable" if reliable else "unreliable"),
        checkpoint=checkpoint,
    )


def make_rollouts(path: Path, number: int, outcomes: list[bool] | None = None) -> Path:
    """Forty rollouts, half of each strategy: 19 of 20 reliable ones succeed, 1 of 20 unreliable ones."""
    rollouts = []
    for index in range(40):
        reliable = index % 2 == 0
        success = (reliable != (index // 2 == 7)) if outcomes is None else outcomes[index]
        rollouts.append(make_episode(reliable, success, 1000 * number + index, f"{number:06d}"))
    write_episodes(path, rollouts, {})
    return path


def command(name: str, **options: object) -> None:
    """Run one of the scripts here, without its translation of UserError."""
    arguments = []
    for key, value in options.items():
        arguments += [f"--{key.replace('_', '-')}", *(map(str, value) if isinstance(value, list) else [str(value)])]
    module = runpy.run_path(str(SCRIPTS / f"{name}.py"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        module["main"]()


def write_settings(path: Path, **changes: object) -> Path:
    path.write_text(yaml.safe_dump(SETTINGS | changes))
    return path


def train(folder: Path, model_arch: str = "small_stepwise", name: str = "run", **changes: object) -> Path:
    """Train on the folder's rollouts; the classifier file, with the table beside it."""
    out = folder / f"{name}.safetensors"
    command(
        "train_classifiers",
        settings=write_settings(folder / f"{name}_settings.yaml", **changes),
        model_arch=model_arch,
        train=[folder / "rollouts_1.hdf5", folder / "rollouts_2.hdf5"],
        cross_val=[folder / "rollouts_3.hdf5"],
        out=out,
        metrics=out.with_suffix(".csv"),
    )
    return out


def files(folder: Path, classifier: Path, out: str = "out") -> dict:
    """What apply_filter reads and writes."""
    return {
        "classifier": classifier,
        "demonstrations": folder / "all.txt",
        "rollouts": [folder / f"rollouts_{number}.hdf5" for number in (1, 2, 3)],
        "scores": folder / out / "scores.csv",
        "demos_only": folder / out / "demo_score_demos_only.txt",
        "rollouts_plus_demos": folder / out / "demo_score_rollouts_plus_demos.txt",
    }


def apply(folder: Path, classifier: Path) -> pd.DataFrame:
    """Filter the folder's demonstrations and rollouts; the scores table."""
    command("apply_filter", **files(folder, classifier))
    return pd.read_csv(folder / "out" / "scores.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rollouts of three checkpoints, 60 demonstrations of which episode 0 is not listed, and trained classifiers."""
    folder = tmp_path_factory.mktemp("curation")
    for number in (1, 2, 3):
        make_rollouts(folder / f"rollouts_{number}.hdf5", number)
    demonstrations = folder / "demonstrations.hdf5"
    write_episodes(demonstrations, [make_episode(index % 3 > 0, True, index) for index in range(60)], {})
    write_list(folder / "all.txt", {demonstrations: list(range(1, 60))})
    train(folder, "small_stepwise", "stepwise")
    train(folder, "small_transformer", "transformer")
    command(
        "select_classifier",
        model_arch="small_stepwise",
        classifiers=[folder / "stepwise.safetensors", folder / "transformer.safetensors"],
        out=folder / "classifier.yaml",
    )
    return folder


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


def test_scoring_twice_gives_the_same_scores(folder: Path) -> None:
    scorer = Scorer(folder / "classifier.yaml")
    frames = [torch.randn(25, 5)]
    assert scorer.scores(frames) == scorer.scores(frames)


def test_score_is_the_mean_probability_of_the_stored_module_without_dropout(folder: Path) -> None:
    chosen = yaml.safe_load((folder / "classifier.yaml").read_text())
    tensors = load_file(folder / chosen["file"])
    mean, std = tensors.pop("normalisation.mean"), tensors.pop("normalisation.std")
    module = Stepwise(hidden_sizes=[8, 8], dropout=0.3).module(5).eval()
    module.load_state_dict({name: values[chosen["member"]] for name, values in tensors.items()})
    episodes = [torch.randn(25, 5), torch.randn(3, 5)]
    expected = [module((frames - mean) / std).sigmoid().mean().item() for frames in episodes]
    scorer = Scorer(folder / "classifier.yaml")
    assert scorer.scores(episodes) == pytest.approx(expected, rel=1e-5)


def test_filter_keeps_reliable_demonstrations_and_no_failed_rollout(folder: Path) -> None:
    table = apply(folder, folder / "classifier.yaml")
    demonstrations, rollouts = table[table.kind == "demonstration"], table[table.kind == "rollout"]
    assert len(demonstrations) == 59
    assert len(rollouts) == 120
    assert demonstrations[demonstrations.source == "reliable"].kept.mean() > 0.9
    assert demonstrations[demonstrations.source == "unreliable"].kept.mean() < 0.1
    failed = rollouts[rollouts.success == 0]
    threshold = yaml.safe_load((folder / "classifier.yaml").read_text())["thresholds"]["mean"]
    assert (failed.score > threshold).any()  # the rule is needed
    assert not failed.kept.any()
    assert set(failed.reason) == {"failed rollout"}
    others = table.drop(failed.index)
    assert (others.kept == (others.score > threshold)).all()
    assert (others.reason == others.kept.map({1: "score above threshold", 0: "score not above threshold"})).all()


def test_lists_hold_what_the_table_keeps(folder: Path) -> None:
    table = apply(folder, folder / "classifier.yaml")
    kept = table[table.kept == 1]
    for name, rows in (("demos_only", kept[kept.kind == "demonstration"]), ("rollouts_plus_demos", kept)):
        expected = {(folder / "out" / file).resolve(): part.episode.tolist() for file, part in rows.groupby("file")}
        listed = read_list(folder / "out" / f"demo_score_{name}.txt")
        assert {path.resolve(): episodes for path, episodes in listed.items()} == expected


@pytest.mark.parametrize(("threshold", "words"), [(1.0, "kept none of 59"), (-1.0, "kept every one of 59")])
def test_filter_warns_when_it_selects_nothing(
    folder: Path, capsys: pytest.CaptureFixture, threshold: float, words: str
) -> None:
    selection = yaml.safe_load((folder / "classifier.yaml").read_text()) | {"threshold": threshold}
    (folder / "extreme.yaml").write_text(yaml.safe_dump(selection))
    table = apply(folder, folder / "extreme.yaml")
    warnings = capsys.readouterr().err.strip().splitlines()
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: ")
    assert words in warnings[0]
    assert len(table) == 179
    assert ((folder / "out" / "demo_score_demos_only.txt").read_text() == "") == (threshold == 1.0)


def test_filter_that_selects_nothing_is_refused_where_policies_train_on_its_choice(folder: Path) -> None:
    selection = yaml.safe_load((folder / "classifier.yaml").read_text()) | {"threshold": 1.0}
    (folder / "extreme.yaml").write_text(yaml.safe_dump(selection))
    with one_line_error("kept none of 59", "cross_val_auc", "threshold 1.000"):
        apply_filter(**files(folder, folder / "extreme.yaml", "refused"), must_choose=True)
    assert not (folder / "refused").exists()


@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), "high"])
def test_a_threshold_that_is_no_number_is_named(folder: Path, threshold: float | str) -> None:
    selection = yaml.safe_load((folder / "classifier.yaml").read_text()) | {"threshold": threshold}
    (folder / "wrong.yaml").write_text(yaml.safe_dump(selection))
    with one_line_error(folder / "wrong.yaml", "threshold"):
        apply(folder, folder / "wrong.yaml")


def test_balanced_threshold_is_used_without_training_again(folder: Path) -> None:
    mean = yaml.safe_load((folder / "classifier.yaml").read_text())
    classifiers = [folder / mean["file"]]
    command(
        "select_classifier",
        model_arch=mean["model_arch"],
        threshold="balanced",
        classifiers=classifiers,
        out=folder / "balanced.yaml",
    )
    assert mean["threshold"] == mean["thresholds"]["mean"]
    assert Scorer(folder / "balanced.yaml").threshold == mean["thresholds"]["balanced"] != mean["threshold"]


def test_scalars_are_vectors_of_one() -> None:
    episode = make_episode(True, True, 5)
    expected = frames_of(episode, ["action", "observation.state"], None, "x")
    episode.observations["observation.a"] = episode.actions[:, 0]
    found = frames_of(episode, ["observation.a", "observation.state"], None, "x")
    assert (
        torch.equal(found[:, 0], expected[:, 0])
        and found.shape[1] == 1 + episode.observations["observation.state"].shape[1]
    )


def test_frames_after_max_frames_change_nothing(folder: Path, tmp_path: Path) -> None:
    classifier = train(folder, name="cut", max_frames=10, epochs=2)
    command("select_classifier", model_arch="best", classifiers=[classifier], out=folder / "cut.yaml")
    scorer = Scorer(folder / "cut.yaml")
    episode = make_episode(True, True, 5)
    write_episodes(tmp_path / "whole.hdf5", [episode], {})
    episode.observations["observation.state"][10:] = 100
    write_episodes(tmp_path / "changed.hdf5", [episode], {})
    whole, changed = (scorer.rows("rollout", [Entry(tmp_path / f"{name}.hdf5", 0)])[0] for name in ("whole", "changed"))
    assert whole["score"] == changed["score"]
    assert whole["length"] == len(episode)


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


def test_classifier_whose_weights_are_no_numbers_is_refused(folder: Path) -> None:
    chosen = yaml.safe_load((folder / "classifier.yaml").read_text())
    source = folder / chosen["file"]
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(source)
    name = next(name for name in tensors if not name.startswith("normalisation"))
    tensors[name][chosen["member"]].view(-1)[0] = float("nan")
    save_file(tensors, folder / "nan.safetensors", metadata)
    (folder / "nan.yaml").write_text(yaml.safe_dump(chosen | {"file": "nan.safetensors"}))
    with one_line_error(folder / "nan.safetensors", name, "NaN"):
        apply(folder, folder / "nan.yaml")
