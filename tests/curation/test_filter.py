"""Scores of demonstrations and rollouts, the filter on them, and the lists it leaves."""

from pathlib import Path

import pytest
import torch
import yaml
from conftest import one_line_error
from curation_runs import apply, command, files, folder, make_episode, train
from demo_score.curation.classifiers import Stepwise
from demo_score.curation.scoring import Scorer, apply_filter
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.inputs import frames_of
from demo_score.data.lists import Entry, read_list
from safetensors import safe_open
from safetensors.torch import load_file, save_file

__all__ = ["folder"]  # the fixture


def test_scoring_twice_gives_the_same_scores(folder: Path) -> None:
    scorer = Scorer.chosen(folder / "classifier.yaml")
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
    scorer = Scorer.chosen(folder / "classifier.yaml")
    assert scorer.scores(episodes) == pytest.approx(expected, rel=1e-5)


def test_filter_keeps_reliable_demonstrations_and_no_failed_rollout(folder: Path) -> None:
    table = apply(folder, folder / "classifier.yaml")
    demonstrations, rollouts = table[table.kind == "demonstration"], table[table.kind == "rollout"]
    assert len(demonstrations) == 59
    assert len(rollouts) == 120
    assert demonstrations[demonstrations.actor == "reliable"].kept.mean() > 0.9
    assert demonstrations[demonstrations.actor == "unreliable"].kept.mean() < 0.1
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
    assert Scorer.chosen(folder / "balanced.yaml").threshold == mean["thresholds"]["balanced"] != mean["threshold"]


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
    scorer = Scorer.chosen(folder / "cut.yaml")
    episode = make_episode(True, True, 5)
    write_episodes(tmp_path / "whole.hdf5", [episode], {})
    episode.observations["observation.state"][10:] = 100
    write_episodes(tmp_path / "changed.hdf5", [episode], {})
    whole, changed = (scorer.rows("rollout", [Entry(tmp_path / f"{name}.hdf5", 0)])[0] for name in ("whole", "changed"))
    assert whole["score"] == changed["score"]
    assert whole["length"] == len(episode)


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
