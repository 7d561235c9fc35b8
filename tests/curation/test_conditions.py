"""The conditions of the comparison, chosen from a table of scores."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import one_line_error, random_episode
from demo_score.conditions import kept_demonstrations, kept_episodes
from demo_score.curation.choice import choose_episodes, selection_of
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.lists import Selection, read_list
from demo_score.runtime.errors import UserError
from places import SCRIPTS

ORACLE = ["good"]
RANDOM = ["random", "length_matched"]
ROLLOUT = "random_rollouts_plus_demos"
SCRIPT = SCRIPTS / "choose_episodes.py"


def row(kind: str, file: str, episode: int, length: int, source: str, kept: int) -> dict:
    return {
        "kind": kind,
        "file": file,
        "episode": episode,
        "length": length,
        "actor": source,
        "success": 1,
        "score": 0.5,
        "kept": kept,
        "reason": "",
    }


@pytest.fixture
def table() -> pd.DataFrame:
    """20 good demonstrations of 100 + 10 k steps, k even: kept; 20 bad ones as long, none kept; 4 rollouts."""
    rows = [row("rollout", "../rollouts/003000.hdf5", k, 50, "003000", int(k > 1)) for k in range(4)]
    rows += [row("demonstration", "../good.hdf5", k, 100 + 10 * k, "good", int(k % 2 == 0)) for k in range(20)]
    rows += [row("demonstration", "../bad.hdf5", k, 100 + 10 * k, "bad", 0) for k in range(20)]
    return pd.DataFrame(rows)


@pytest.fixture
def scores(tmp_path, table) -> Path:
    return stored(table, tmp_path)


def stored(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "scores.csv", index=False)
    return folder / "scores.csv"


def named(selection: Selection) -> dict[str, list[int]]:
    return {path.name: episodes for path, episodes in selection.items()}


def lengths(selection: Selection) -> list[int]:
    return sorted(100 + 10 * k for episodes in selection.values() for k in episodes)


def test_curated_demos_are_the_kept_demonstrations(scores) -> None:
    chosen = choose_episodes("curated_demos", scores, 0, ORACLE)
    assert named(chosen) == {"good.hdf5": list(range(0, 20, 2))}
    assert list(chosen) == [scores.parent / "../good.hdf5"]


def test_curated_rollouts_come_with_the_kept_demonstrations(scores) -> None:
    chosen = choose_episodes("curated_rollouts_plus_demos", scores, 0, ORACLE)
    assert named(chosen) == {"003000.hdf5": [2, 3], "good.hdf5": list(range(0, 20, 2))}


def test_oracle_takes_its_strategies_whatever_was_kept(scores) -> None:
    assert named(choose_episodes("oracle", scores, 0, ["good"])) == {"good.hdf5": list(range(20))}
    assert named(choose_episodes("oracle", scores, 0, ["good", "bad"])).keys() == {"good.hdf5", "bad.hdf5"}


@pytest.mark.parametrize("condition", RANDOM)
def test_random_conditions_take_as_many_demonstrations_as_were_kept(scores, condition) -> None:
    for seed in range(5):
        chosen = named(choose_episodes(condition, scores, seed, ORACLE))
        assert set(chosen) <= {"good.hdf5", "bad.hdf5"}
        assert all(episodes == sorted(set(episodes)) for episodes in chosen.values())
        assert sum(map(len, chosen.values())) == 10


def test_random_rollouts_and_demonstrations_are_as_many_as_the_curated_ones_and_no_failures(tmp_path, table) -> None:
    table.loc[table["kind"] == "rollout", "success"] = [0, 1, 1, 1]
    scores, drawn = stored(table, tmp_path), set()
    for seed in range(60):
        chosen = named(choose_episodes(ROLLOUT, scores, seed, ORACLE))
        assert sum(map(len, chosen.values())) == table["kept"].sum() == 12
        drawn |= {(name, episode) for name, episodes in chosen.items() for episode in episodes}
    assert {episode for name, episode in drawn if name == "003000.hdf5"} == {1, 2, 3}
    assert len(drawn) == 43  # each of the pool now and then, dropped by the filter or not


def test_random_rollouts_are_those_known_to_have_succeeded(tmp_path, table) -> None:
    """Demonstrations may be without a label, which makes the column one of texts."""
    table["success"] = ["1", "0", "1", "1", *[""] * 40]
    chosen = [named(choose_episodes(ROLLOUT, stored(table, tmp_path), seed, ORACLE)) for seed in range(40)]
    assert {episode for selection in chosen for episode in selection.get("003000.hdf5", [])} == {0, 2, 3}


@pytest.mark.parametrize("condition", [*RANDOM, ROLLOUT])
def test_random_conditions_follow_from_their_seed(scores, condition) -> None:
    first, again, other = (named(choose_episodes(condition, scores, seed, ORACLE)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_random_takes_every_demonstration_equally_often(scores) -> None:
    counts = dict.fromkeys([("good.hdf5", k) for k in range(20)] + [("bad.hdf5", k) for k in range(20)], 0)
    for seed in range(200):
        for name, episodes in named(choose_episodes("random", scores, seed, ORACLE)).items():
            for k in episodes:
                counts[name, k] += 1
    assert min(counts.values()) > 20 and max(counts.values()) < 85  # 50 expected, deviation 6


def test_length_matched_has_the_lengths_of_the_kept_but_not_only_them(tmp_path, table) -> None:
    """The kept are short good ones: a random choice is far from their lengths, a matched one is not."""
    table["kept"] = ((table["actor"] == "good") & (table["length"] < 200)).astype(int)
    scores = stored(table, tmp_path)
    kept = lengths(choose_episodes("curated_demos", scores, 0, ORACLE))
    matched = choose_episodes("length_matched", scores, 0, ORACLE)
    assert len(lengths(matched)) == len(kept)
    assert np.abs(np.subtract(lengths(matched), kept)).mean() < 15
    assert set(named(matched)) == {"good.hdf5", "bad.hdf5"}
    assert np.abs(np.subtract(lengths(choose_episodes("random", scores, 0, ORACLE)), kept)).mean() > 20


def test_length_matched_tells_lengths_apart_where_most_are_equal(tmp_path, table) -> None:
    """Two lengths, and the filter keeps those of one: then nothing else matches."""
    table["length"] = np.where(table["actor"] == "good", 213, 165)
    table.loc[table.index[::7], "length"] += 1
    table["kept"] = (table["actor"] == "good").astype(int)
    matched = named(choose_episodes("length_matched", stored(table, tmp_path), 0, ORACLE))
    assert len(matched["good.hdf5"]) >= 17 and len(matched.get("bad.hdf5", [])) <= 3


def test_length_matched_is_a_random_choice_where_every_length_is_distinct(tmp_path, table) -> None:
    table["length"] += np.arange(len(table))
    scores = stored(table, tmp_path)
    assert named(choose_episodes("length_matched", scores, 0, ORACLE)) != named(
        choose_episodes("curated_demos", scores, 0, ORACLE)
    )


@pytest.mark.parametrize(("kept", "what"), [(0, "none of 40"), (1, "every one of 40")])
def test_filter_that_chose_nothing_is_reported_but_for_the_oracle(tmp_path, table, kept, what) -> None:
    table["kept"] = kept
    scores = stored(table, tmp_path)
    for condition in ("curated_demos", "curated_rollouts_plus_demos", *RANDOM, ROLLOUT):
        with one_line_error(scores, what, "cross_val_auc"):
            choose_episodes(condition, scores, 0, ORACLE)
    assert named(choose_episodes("oracle", scores, 0, ORACLE)) == {"good.hdf5": list(range(20))}


def test_unknown_condition_lists_those_that_exist(scores) -> None:
    with one_line_error("no condition best", "curated_demos", "oracle"):
        choose_episodes("best", scores, 0, ORACLE)


def test_oracle_without_episodes_is_reported(scores) -> None:
    with one_line_error("oracle", "final_policy.oracle"):
        choose_episodes("oracle", scores, 0, ["perfect"])


def test_missing_scores_are_reported(tmp_path) -> None:
    with one_line_error(tmp_path / "scores.csv", "no such table"):
        choose_episodes("random", tmp_path / "scores.csv", 0, ORACLE)


def test_demonstrations_without_a_strategy_are_no_oracles(tmp_path, table) -> None:
    table["actor"] = ""
    with one_line_error("oracle"):
        choose_episodes("oracle", stored(table, tmp_path), 0, ORACLE)


def test_script_writes_a_list_that_finds_its_episodes(tmp_path, table) -> None:
    for name in ("good", "bad"):
        write_episodes(tmp_path / f"{name}.hdf5", [random_episode(1)], {})
    folder = tmp_path / "demo_score"
    folder.mkdir()
    out = tmp_path / "oracle" / "datasets_file.txt"
    command = [sys.executable, SCRIPT, "oracle", "--scores", stored(table, folder), "--seed", "0", "--out", out]
    subprocess.run([*command, "--oracle", "good", "bad"], check=True)
    assert read_list(out) == {tmp_path / f"{name}.hdf5": list(range(20)) for name in ("good", "bad")}


def test_curated_conditions_are_what_the_filter_lists(scores, table) -> None:
    for condition, rows in (("curated_demos", kept_demonstrations), ("curated_rollouts_plus_demos", kept_episodes)):
        assert choose_episodes(condition, scores, 0, ORACLE) == selection_of(rows(table), scores.parent)


@pytest.mark.parametrize("text", ["run: [a]\nexperiments:\n  a: {b: c, d: e}\n", "kind,kept\n", "", "a,b\n1,2\n"])
def test_another_table_is_named_and_nobody_is_told_to_delete_it(tmp_path, text) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        choose_episodes("random", tmp_path / "config.yaml", 0, ORACLE)
    message = str(caught.value)
    assert str(tmp_path / "config.yaml") in message
    assert "\n" not in message and "delete" not in message


@pytest.mark.parametrize(("column", "value"), [("kept", 2), ("kind", "demo"), ("episode", 0.5), ("kept", None)])
def test_scores_that_no_filter_writes_are_named(tmp_path, table, column, value) -> None:
    table[column] = table[column].astype(object)
    table.loc[5, column] = value
    with one_line_error(tmp_path / "scores.csv", "apply_filter.py"):
        choose_episodes("random", stored(table, tmp_path), 0, ORACLE)


def test_strategy_may_be_called_none(tmp_path, table) -> None:
    table["actor"] = table["actor"].replace("good", "None")
    assert named(choose_episodes("oracle", stored(table, tmp_path), 0, ["None"])) == {"good.hdf5": list(range(20))}
