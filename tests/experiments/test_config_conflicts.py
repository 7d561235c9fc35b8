"""config.yaml: what must hold between the keys of an experiment, and one line for what does not."""

import copy

import pytest
from configurations import check_experiment, delivered, first_experiment, read_experiment
from conftest import one_line_error
from demo_score.experiments.config import saved_checkpoints


@pytest.fixture
def experiment() -> dict:
    """The first experiment of the delivered configuration."""
    (found,) = first_experiment()["experiments"].values()
    return found


def test_checkpoint_of_a_split_must_be_rolled_out(experiment) -> None:
    experiment["classifiers"]["eps_dict"]["mine"] = {
        "train": experiment["rollouts"]["eps"][:1],
        "cross_val": ["004321"],
    }
    with one_line_error("classifiers.eps_dict.mine", "004321", "rollouts.eps"):
        check_experiment(experiment)


def test_checkpoint_cannot_both_train_and_choose(experiment) -> None:
    shared = experiment["rollouts"]["eps"][0]
    experiment["classifiers"]["eps_dict"]["mine"] = {"train": [shared], "cross_val": [shared]}
    with one_line_error("classifiers.eps_dict.mine", shared, "both"):
        check_experiment(experiment)


def test_rolled_out_checkpoint_must_be_saved(experiment) -> None:
    experiment["rollouts"]["eps"].append("001234")
    saved = saved_checkpoints(read_experiment(experiment), "base_policy")
    with one_line_error("rollouts.eps", "001234", "training.save_freq=", saved[0]):
        check_experiment(experiment)


def set_all(experiment: dict, **seeds: int) -> None:
    """Choose where the environment seeds of run 0 and its demonstrations begin."""
    experiment["seeds"] = [seeds.pop("seed", 0)]
    for number, name in enumerate(experiment["demonstrations"]):
        experiment["demonstrations"][name] = {"n_episodes": 10, "seed": seeds.pop(name, 10**6 * (number + 1))}
    for stage, offset in {"rollouts": 1000, "final_policy": 5000, "evaluation": 9000}.items():
        experiment[stage]["seed_offset"] = seeds.pop(stage, offset)
    for stage in ("rollouts", "evaluation"):
        experiment[stage]["n_episodes"] = 100
    assert not seeds


@pytest.mark.parametrize(
    ("seeds", "parts"),
    [
        ({"reliable": 2 * 10**6 - 199}, ["demonstrations.reliable", "demonstrations.unreliable"]),
        ({"reliable": 1000 - 199}, ["demonstrations.reliable", "rollouts (seed 0)"]),
        ({"reliable": 9099}, ["demonstrations.reliable", "evaluation (seed 0)"]),
        ({"evaluation": 1299}, ["rollouts (seed 0) (1000 to 1299)", "evaluation (seed 0)"]),
        ({"evaluation": 901}, ["rollouts (seed 0)", "evaluation (seed 0) (901 to 1000)"]),
        ({"final_policy": 1100}, ["rollouts (seed 0)", "final_policy (seed 0)"]),
    ],
)
def test_environment_seeds_may_not_overlap(experiment, seeds, parts) -> None:
    set_all(experiment)
    check_experiment(experiment)
    set_all(experiment, **seeds)
    with one_line_error("overlap", *parts):
        check_experiment(experiment)


@pytest.mark.parametrize(
    ("seeds", "name"), [({"reliable": 2**32 - 199}, "reliable"), ({"evaluation": 2**32 - 99}, "eval")]
)
def test_environment_seeds_end(experiment, seeds, name) -> None:
    set_all(experiment, **{key: seed - 1 for key, seed in seeds.items()})
    check_experiment(experiment)
    set_all(experiment, **seeds)
    with one_line_error(name, f"go to {2**32}", f"end at {2**32 - 1}"):
        check_experiment(experiment)


def test_environment_seeds_may_touch(experiment) -> None:
    set_all(experiment, evaluation=1300, reliable=1000 - 200)
    check_experiment(experiment)


def test_runs_may_not_share_environment_seeds(experiment) -> None:
    set_all(experiment)
    experiment["seeds"] = [0, 299]
    with one_line_error("overlap", "(seed 0)", "(seed 299)"):
        check_experiment(experiment)


def test_strategy_must_exist(experiment) -> None:
    experiment["demonstrations"]["magic"] = {"n_episodes": 1, "seed": 10**7}
    with one_line_error("magic", "reliable", "unreliable"):
        check_experiment(experiment)


def test_oracle_keeps_strategies_of_the_demonstrations(experiment) -> None:
    experiment["final_policy"]["oracle"] = ["reliable", "perfect"]
    with one_line_error("final_policy.oracle", "perfect"):
        check_experiment(experiment)


def test_architecture_that_filters_must_exist(experiment) -> None:
    experiment["demo_score"]["model_arch"] = "huge"
    with one_line_error("demo_score.model_arch", "huge", "best", *experiment["classifiers"]["model_archs"]):
        check_experiment(experiment)


def test_environment_and_policy_must_exist(experiment) -> None:
    with one_line_error("no_such_env", "aloha_cube_state"):
        check_experiment({**experiment, "env": "no_such_env"})
    with one_line_error("no_such_policy", "act_state"):
        check_experiment({**experiment, "policy": "no_such_policy"})


@pytest.mark.parametrize(
    ("inputs", "parts"),
    [
        (["observation.stat"], ["observation.stat is not observed in env=aloha_cube_state", "observation.state, "]),
        (["observation.state", "actions"], ["actions", "action"]),
    ],
)
def test_inputs_must_be_observed(experiment, inputs, parts) -> None:
    experiment["classifiers"]["inputs"] = inputs
    with one_line_error("classifiers.inputs", *parts):
        check_experiment(experiment)
    experiment["classifiers"]["inputs"] = ["observation.state", "observation.environment_state", "action"]
    check_experiment(experiment)


def test_images_are_no_inputs() -> None:
    experiment = copy.deepcopy(delivered()["experiments"]["aloha"])
    experiment["classifiers"]["inputs"] = ["observation.images.top"]
    with one_line_error("classifiers.inputs", "observation.images.top is an image"):
        check_experiment(experiment)


@pytest.mark.parametrize(("key", "most"), [("tr_dataset_size", 200), ("cross_val_dataset_size", 100)])
def test_no_more_rollouts_are_used_than_collected(experiment, key, most) -> None:
    experiment["classifiers"][key] = most
    check_experiment(experiment)
    experiment["classifiers"][key] = most + 1
    with one_line_error(f"classifiers.{key}: {most + 1} rollouts", "last_held_out", f"set {most} or less"):
        check_experiment(experiment)
    experiment["classifiers"][key] = None
    check_experiment(experiment)


def test_oracle_condition_needs_strategies(experiment) -> None:
    experiment["final_policy"] |= {"conditions": ["oracle"], "oracle": []}
    with one_line_error("final_policy.oracle"):
        check_experiment(experiment)


# User-supplied data: which parts an experiment then needs, and which it cannot have


@pytest.fixture
def own() -> dict:
    """The delivered bring_your_own, with a final policy trained and none tested."""
    experiment = copy.deepcopy(delivered()["experiments"]["bring_your_own"])
    trained = {
        "overrides": ["training.eval_freq=0"],
        "seed_offset": 4000,
        "conditions": ["curated_demos"],
        "oracle": [],
    }
    sizes = ["env.state_dim=4", "env.action_dim=2"]
    return {**experiment, "env": "recorded", "policy": "act_state", "overrides": sizes, "final_policy": trained}


def test_user_supplied_data_need_neither_policy_nor_simulator(own) -> None:
    check_experiment(own)
    for key in ("env", "policy", "overrides", "final_policy"):
        del own[key]
    check_experiment(own)


TESTED = {"n_episodes": 2, "seed_offset": 6000, "overrides": []}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (
            lambda e: e["demonstrations"]["mine"].update(n_episodes=3),
            ["demonstrations.mine", "n_episodes", "user-supplied"],
        ),
        (
            lambda e: e["demonstrations"].update(a={"n_episodes": 3, "seed": 1}),
            ["a is to be collected", "user-supplied"],
        ),
        (lambda e: e["demonstrations"].update(a={"seed": 1}), ["demonstrations.a", "n_episodes", "path"]),
        (lambda e: e["demonstrations"]["mine"].update(repo_id="a/b"), ["demonstrations.mine", "either"]),
        (lambda e: e["rollouts"].update(seed_offset=1), ["rollouts", "seed_offset", "user-supplied"]),
        (lambda e: e["rollouts"].pop("path"), ["rollouts", "n_episodes", "path"]),
        (lambda e: e.pop("env"), ["env", "policy is trained"]),
        (lambda e: e.pop("policy"), ["policy", "policy is trained"]),
        (lambda e: e.update(evaluation=TESTED), ["evaluation", "env=recorded", "no simulator"]),
        (lambda e: e.update(evaluation=TESTED) or e.pop("final_policy"), ["evaluation", "no policy"]),
        (lambda e: e["final_policy"].update(overrides=[]), ["final_policy", "training.eval_freq=0"]),
        (lambda e: e["overrides"].clear(), ["missing settings", "env.action_dim=VALUE env.state_dim=VALUE"]),
        (lambda e: e["final_policy"].update(conditions=["oracle"], oracle=["no_such"]), ["no_such"]),
    ],
)
def test_what_does_not_go_with_given_data_is_named(own, change, parts) -> None:
    change(own)
    with one_line_error(*parts):
        check_experiment(own)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda e: e.update(problems="skip"), ["problems", "user-supplied"]),
        (lambda e: e["rollouts"].update(labels="l.csv"), ["rollouts", "labels", "user-supplied"]),
        (lambda e: e.pop("base_policy"), ["base_policy", "rollouts are collected"]),
        (lambda e: e.pop("env"), ["env", "missing"]),
    ],
)
def test_what_does_not_go_with_collected_data_is_named(experiment, change, parts) -> None:
    change(experiment)
    with one_line_error(*parts):
        check_experiment(experiment)


def test_collected_rollouts_may_end_in_keep_lists_alone(experiment) -> None:
    del experiment["final_policy"], experiment["evaluation"]
    check_experiment(experiment)


def test_final_policies_go_on_from_a_base_policy_of_their_sizes(experiment) -> None:
    experiment["final_policy"]["init_from"] = "base"
    check_experiment(experiment)
    overrides = experiment["final_policy"]["overrides"]
    experiment["final_policy"]["overrides"] = [*overrides, "policy.dim_model=128"]
    with one_line_error("final_policy.init_from", "other sizes"):
        check_experiment(experiment)


def test_without_a_base_policy_there_is_nothing_to_go_on_from() -> None:
    experiment = delivered()["experiments"]["bring_your_own_arena"]
    experiment.pop("arena")
    base = experiment.pop("base_policy")
    final = {"seed_offset": 4000, "conditions": ["curated_demos"], "oracle": [], "init_from": "base"}
    with one_line_error("final_policy.init_from: there is no base policy"):
        check_experiment(experiment | {"final_policy": base | final})
