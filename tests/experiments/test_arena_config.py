"""The arena in config.yaml: what it says, which files it makes, and one line for what is wrong."""

import pytest
from configurations import check_experiment, first_experiment, read_experiment
from conftest import one_line_error
from demo_score.config.models.experiment import condition_of
from demo_score.experiments.arena_paths import ArenaPaths
from demo_score.experiments.paths import ExperimentPaths


@pytest.fixture
def experiment() -> dict:
    """The first experiment of the delivered configuration, with a small arena."""
    (found,) = first_experiment()["experiments"].values()
    found["arena"] = {"methods": ["length", "cupid"], "n_random": 2, "controls": ["all", "length_matched"]}
    return found


def arena_paths(experiment: dict) -> ArenaPaths:
    return ArenaPaths(ExperimentPaths("mine", read_experiment(experiment)))


def test_policies_of_a_run(experiment) -> None:
    first, second, *_ = experiment["seeds"]
    experiment["arena"]["curve"] = {"percent": [25], "seeds": [first]}
    own = ["length", "cupid", "random_1", "random_2", "all", "length_matched", "oracle"]
    folders = [f"results/mine/seed{first}/arena/own/{name}" for name in own]
    # Oracle and all have sizes of their own.
    folders += [f"results/mine/seed{first}/arena/25/{name}" for name in own if name not in ("oracle", "all")]
    assert arena_paths(experiment).entrants(first) == folders
    assert len(arena_paths(experiment).entrants(second)) == len(own)


def test_policies_train_on_their_lists_with_one_seed_and_one_budget(experiment) -> None:
    read, paths = read_experiment(experiment), ExperimentPaths("mine", read_experiment(experiment))
    lists = {paths.datasets_file(10000, condition) for condition in read.arena_conditions()}
    assert len(lists) == len(read.arena_conditions())
    overrides = {tuple(read.training_overrides("final_policy", 10000, "name", "list")) for _ in lists}
    assert len(overrides) == 1
    assert condition_of("arena/own/cupid") == ("cupid", "own")
    assert condition_of("base") == ("base", None)


def test_evidence_is_what_a_method_needs(experiment) -> None:
    paths = arena_paths(experiment)
    assert paths.evidence(10000, "length") == {}
    assert paths.evidence(10000, "cupid") == {"influence": ["results/mine/seed10000/arena/influence.safetensors"]}
    assert paths.evidence_options(10000, "cupid") == [
        "--influence",
        "results/mine/seed10000/arena/influence.safetensors",
    ]
    final = "results/mine/seed10000/base/checkpoints/001500"
    assert paths.evidence_options(10000, "policy_loss") == ["--checkpoints", final]


def test_shared_jobs_cost_each_method_that_needs_them(experiment) -> None:
    experiment["arena"]["methods"] = ["demo_score", "cupid", "cupid_mean"]
    of_run = arena_paths(experiment).benchmarks(10000)
    run = "results/mine/seed10000"
    assert of_run["cupid"] == [f"{run}/arena/benchmarks/cupid.tsv", f"{run}/arena/benchmarks/influence.tsv"]
    assert of_run["cupid_mean"][1:] == of_run["cupid"][1:]
    assert f"{run}/benchmarks/classifiers/last_held_out/small_stepwise.tsv" in of_run["demo_score"]


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"methods": ["length", "guess"]}, ["arena.methods", "guess", "cupid"]),
        ({"methods": ["length", "length"]}, ["arena.methods", "there twice"]),
        ({"methods": []}, ["arena.methods", "not empty"]),
        ({"n_random": 0}, ["arena.n_random", "at least 1"]),
        ({"controls": ["luck"]}, ["arena.controls", "luck"]),
        ({"settings": {"deminf": {}}}, ["arena.settings.deminf", "not among methods"]),
        ({"settings": {"length": {"power": 2}}}, ["arena.settings.length", "no key power"]),
        ({"settings": {"influence": {"projection": 0}}}, ["arena.settings.influence", "projection"]),
        ({"external": {"length": {"path": "x.csv"}}}, ["arena.external.length", "another"]),
        ({"external": {"random_2": {"path": "x.csv"}}}, ["arena.external.random_2", "another"]),
        ({"curve": {"percent": [100], "seeds": [10000]}}, ["arena.curve.percent", "at most 99"]),
        ({"curve": {"percent": [50], "seeds": [5]}}, ["arena.curve.seeds", "5 is not among"]),
    ],
)
def test_mistakes_are_one_line(experiment, change, parts) -> None:
    check_experiment(experiment)
    experiment["arena"] |= change
    with one_line_error(*parts):
        check_experiment(experiment)


def test_oracle_takes_part_where_its_strategies_are_named(experiment) -> None:
    assert "arena/own/oracle" in read_experiment(experiment).arena_conditions()
    experiment["final_policy"] |= {"oracle": [], "conditions": ["curated_demos", "random"]}
    check_experiment(experiment)
    assert "arena/own/oracle" not in read_experiment(experiment).arena_conditions()


def test_methods_that_look_into_a_policy_need_one(experiment) -> None:
    for key in ("base_policy", "final_policy", "evaluation", "policy", "env"):
        del experiment[key]
    experiment["rollouts"] = {"eps": experiment["rollouts"]["eps"], "path": "rollouts_{checkpoint}"}
    experiment["demonstrations"] = {"mine": {"path": "demonstrations"}}
    experiment["arena"]["controls"] = []
    with one_line_error("arena.methods", "cupid", "base_policy"):
        check_experiment(experiment)
    experiment["arena"]["methods"] = ["length"]
    check_experiment(experiment)


def test_nothing_but_the_arena_follows_from_it(experiment) -> None:
    assert "arena" not in read_experiment(experiment).without_arena()
    assert read_experiment(experiment).without_arena()["seeds"] == experiment["seeds"]


def test_methods_agree_where_there_are_two_and_curves_have_other_sizes(experiment) -> None:
    figures = {"arena_uplift", "arena_detection", "arena_cost"}
    assert {*arena_paths(experiment).figure_names()} == figures | {"arena_agreement"}
    experiment["arena"]["methods"] = ["length"]
    assert {*arena_paths(experiment).figure_names()} == figures
    experiment["arena"]["curve"] = {"percent": [25], "seeds": experiment["seeds"][:1]}
    assert {*arena_paths(experiment).figure_names()} == figures | {"arena_curves"}
