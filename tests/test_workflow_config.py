"""config.yaml: the one that is delivered works, and one line says what is wrong with others."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import one_line_error
from demo_score.config.schema import check_against
from demo_score.config.settings import compose_settings
from demo_score.experiments.checks import check_config, check_experiment
from demo_score.experiments.config import (
    environment_settings,
    final_step,
    rollout_seed,
    saved_checkpoints,
    stage_overrides,
    stage_settings,
    training_overrides,
)
from demo_score.runtime.errors import UserError

REPOSITORY = Path(__file__).parents[1]
SCHEMA = REPOSITORY / "workflow/schemas/config.schema.yaml"


def delivered() -> dict:
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text())


@pytest.fixture
def config() -> dict:
    """The delivered configuration with its first experiment only; none of its parts is shared."""
    values = delivered()
    name = values["run"][0]
    return {"run": [name], "experiments": {name: copy.deepcopy(values["experiments"][name])}}


@pytest.fixture
def experiment(config) -> dict:
    return config["experiments"][config["run"][0]]


@pytest.mark.parametrize("path", ["config.yaml", "tests/tiny/config.yaml", "tests/tiny/images.yaml"])
def test_delivered_configuration_passes(path) -> None:
    values = yaml.safe_load((REPOSITORY / path).read_text())
    check_against(values, SCHEMA, "config")
    check_config(values)


def test_experiments_of_the_delivered_configuration_share_no_seeds() -> None:
    """A confirmation on seeds that a choice of settings has seen would confirm nothing."""
    experiments = [experiment for experiment in delivered()["experiments"].values() if "env" in experiment]
    seeds = [(experiment["env"], seed) for experiment in experiments for seed in experiment["seeds"]]
    demonstrations = [d["seed"] for experiment in experiments for d in experiment["demonstrations"].values()]
    assert len(set(seeds)) == len(seeds) and len(set(demonstrations)) == len(demonstrations)


def test_experiment_to_run_must_exist(config) -> None:
    config["run"].append("no_such")
    with one_line_error("run", "no_such", next(iter(config["experiments"]))):
        check_config(config)


def test_wrong_experiment_is_named(config, experiment) -> None:
    experiment["final_policy"]["oracle"] = ["perfect"]
    with one_line_error(f"experiments.{config['run'][0]}: final_policy.oracle: perfect"):
        check_config(config)


@pytest.mark.parametrize(
    ("keys", "value", "parts"),
    [
        ((), None, ["seed_ofset"]),
        (("rollouts",), None, ["rollouts", "seed_ofset"]),
        (("demo_score",), None, ["demo_score", "seed_ofset"]),
        (("demonstrations", "reliable"), None, ["demonstrations.reliable", "seed_ofset"]),
        (("rollouts", "n_episodes"), 0, ["rollouts.n_episodes", "0"]),
        (("rollouts", "n_episodes"), "many", ["rollouts.n_episodes", "many"]),
        (("rollouts", "eps"), [3000], ["rollouts.eps.0", "3000"]),
        (("rollouts", "eps"), ["3000"], ["rollouts.eps.0", "3000"]),
        (("rollouts", "eps"), [], ["rollouts.eps"]),
        (("rollouts", "overrides"), ["a b"], ["rollouts.overrides.0"]),
        (("seeds",), [1, 1], ["seeds"]),
        (("demo_score", "threshold"), "median", ["demo_score.threshold", "median", "balanced"]),
        (("final_policy", "conditions"), ["best"], ["final_policy.conditions.0", "best", "oracle"]),
        (("rollouts", "n_episodes"), 60.0, ["rollouts.n_episodes: 60.0 is not a whole number", "write 60"]),
        (("rollouts", "seed_offset"), 2000.0, ["rollouts.seed_offset: 2000.0", "write 2000"]),
        (("demonstrations", "reliable", "seed"), 1.0e6, ["demonstrations.reliable.seed", "write 1000000"]),
        (("evaluation", "n_episodes"), 200.5, ["evaluation.n_episodes: 200.5 is not a whole number"]),
        (("evaluation", "n_episodes"), True, ["evaluation.n_episodes: true is not a whole number"]),
        (
            ("evaluation", "n_episodes"),
            "1e3",
            ["evaluation.n_episodes: '1e3'", "to YAML it is a text: write 1000, without"],
        ),
        (("seeds",), [10**20 - 1], ["seeds.0", "99999999999999999999", "at most 4294967295"]),
        (("seeds",), [-1], ["seeds.0: -1", "at least 0"]),
        (("rollouts", "success_reward"), float("nan"), ["rollouts.success_reward: .nan is not a number"]),
        (("rollouts", "success_reward"), float("inf"), ["rollouts.success_reward: .inf is not a number"]),
        (("rollouts", "overrides"), ["training.lr"], ["rollouts.overrides.0: 'training.lr'", "KEY=VALUE"]),
    ],
)
def test_schema_names_what_is_wrong(config, experiment, keys, value, parts) -> None:
    """Without a value: an unknown key is added."""
    target = experiment
    for key in keys if value is None else keys[:-1]:
        target = target[key]
    target["seed_ofset" if value is None else keys[-1]] = 1 if value is None else value
    with one_line_error(f"config: experiments.{config['run'][0]}", *parts):
        check_against(config, SCHEMA, "config")


def test_a_mistake_that_others_inherit_is_named_where_it_stands() -> None:
    """YAML's anchors stand above their aliases: the first is the one that was edited."""
    values = delivered()
    default, *others = list(values["experiments"])
    values["experiments"][default]["rollouts"]["n_episodes"] = 0  # shared with two others, as in the file
    heirs = [name for name in others if values["experiments"][name]["rollouts"].get("n_episodes") == 0]
    assert len(heirs) == 2
    with one_line_error(f"config: experiments.{default}.rollouts.n_episodes: 0", f"likewise in {', '.join(heirs)}"):
        check_against(values, SCHEMA, "config")


def test_a_mistake_of_one_heir_is_named_there() -> None:
    values = copy.deepcopy(delivered())
    values["experiments"]["aloha_cube"]["evaluation"] = {"n_episodes": 0, "seed_offset": 1, "overrides": []}
    with pytest.raises(UserError, match=r"^config: experiments.aloha_cube.evaluation.n_episodes: 0 is [^(]*$"):
        check_against(values, SCHEMA, "config")


def test_an_experiment_is_run_once(config) -> None:
    config["run"] *= 2
    with one_line_error(f"config: run: '{config['run'][0]}' is given twice; remove one"):
        check_against(config, SCHEMA, "config")


def test_an_experiment_s_name_becomes_part_of_paths(config, experiment) -> None:
    config["experiments"]["my experiment"] = experiment
    with one_line_error("config: experiments: 'my experiment' is not a name of letters, digits and _"):
        check_against(config, SCHEMA, "config")


@pytest.mark.parametrize("key", ["seeds", "demonstrations", "rollouts", "classifiers", "demo_score"])
def test_schema_names_what_is_missing(config, experiment, key) -> None:
    del experiment[key]
    with one_line_error("config", key, "required"):
        check_against(config, SCHEMA, "config")


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
    with one_line_error(
        "rollouts.eps", "001234", "training.save_freq=", saved_checkpoints(experiment, "base_policy")[0]
    ):
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


@pytest.mark.parametrize("stage", ["base_policy", "rollouts", "final_policy", "evaluation"])
def test_override_of_every_stage_must_exist(experiment, stage) -> None:
    experiment[stage]["overrides"].append("training.offline_stepz=5")
    with one_line_error("training.offline_stepz"):
        check_experiment(experiment)


def test_environment_and_policy_must_exist(experiment) -> None:
    with one_line_error("no_such_env", "aloha_cube_state"):
        check_experiment({**experiment, "env": "no_such_env"})
    with one_line_error("no_such_policy", "act_state"):
        check_experiment({**experiment, "policy": "no_such_policy"})


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"epocs": 3}, ["epocs"]),
        ({"lr": [-1]}, ["lr.0", "-1"]),
        ({"lr": [float("nan")]}, ["lr.0: .nan is not a number"]),
        ({"weight_decay": [float("inf")]}, ["weight_decay.0: .inf is not a number"]),
        ({"lr": ["1e-3"]}, ["lr.0", "write 0.001"]),
        ({"batch_size": 1024.0}, ["batch_size: 1024.0 is not a whole number", "write 1024"]),
        ({"seeds": [2**32]}, ["seeds.0", "at most 4294967295"]),
        ({"lr": [0.1, 0.1]}, ["lr: 0.1 is given twice"]),
        ({"model_archs": {"mine": {"type": "stepwise", "hidden_size": [8], "dropout": 0.1}}}, ["mine", "hidden_size"]),
        ({"model_archs": {"mine": {"type": "forest"}}}, ["mine", "forest", "stepwise"]),
    ],
)
def test_classifier_setting_that_is_wrong_is_named(experiment, change, parts) -> None:
    experiment["classifiers"] |= change
    with one_line_error("classifiers", *parts):
        check_experiment(experiment)


def test_stage_settings_hold_the_overrides_of_their_stage(experiment) -> None:
    experiment["rollouts"]["overrides"] = ["policy.n_action_steps=5"]
    experiment["rollouts"]["n_episodes"] = 77
    settings = stage_settings(experiment, "rollouts")
    assert settings.policy.n_action_steps == 5 and settings.eval.n_episodes == 77
    assert stage_settings(experiment, "base_policy").policy.n_action_steps != 5


def test_final_step_is_the_last_of_training(experiment) -> None:
    experiment["base_policy"]["overrides"].extend(["training.offline_steps=2500", "training.save_freq=1000"])
    assert saved_checkpoints(experiment, "base_policy") == ["001000", "002000", "002500"]
    assert final_step(experiment, "base_policy") == "002500"


def test_rollouts_of_every_checkpoint_start_elsewhere(experiment) -> None:
    experiment["rollouts"] |= {"eps": ["003000", "004000", "005000"], "n_episodes": 100, "seed_offset": 2000}
    assert [rollout_seed(experiment, 10, step) for step in experiment["rollouts"]["eps"]] == [2010, 2110, 2210]


@pytest.mark.parametrize("stage", ["rollouts", "evaluation"])
def test_a_checkpoint_keeps_its_environment_and_policy(experiment, stage) -> None:
    experiment[stage]["overrides"] = ["env=aloha_state"]
    with one_line_error(f"{stage}.overrides", "env=aloha_state"):
        check_experiment(experiment)
    experiment[stage]["overrides"] = ["experiment=small_act"]
    with one_line_error(f"{stage}.overrides", "experiment=small_act", "single keys"):
        check_experiment(experiment)


@pytest.mark.parametrize("stage", ["base_policy", "rollouts", "final_policy", "evaluation", None])
@pytest.mark.parametrize(
    "override",
    [
        "seed=3",
        "++seed=3",
        "+datasets_file=mine.txt",
        "datasets_file=mine.txt",
        "~datasets_file",
        "dataset_repo_id=me/mine",
        "hydra.run.dir=elsewhere",
        "hydra/launcher=basic",
        "env=aloha_state",
        "policy=act",
        "policy@_global_=act",
    ],
)
def test_what_the_workflow_owns_is_refused_in_overrides(experiment, stage, override) -> None:
    if stage:
        experiment[stage]["overrides"] = [override]
    else:
        experiment["overrides"] = [override]
    with one_line_error(f"{stage}.overrides" if stage else "overrides", override, "remove it"):
        check_experiment(experiment)


@pytest.mark.parametrize(
    ("stage", "override", "words"),
    [
        ("base_policy", "policy.name=nope", ["policy.name=nope", "act, diffusion"]),
        ("evaluation", "policy.dim_model=32", ["evaluation.overrides: policy.dim_model=32", "base_policy.overrides"]),
        ("rollouts", "++policy.latent_dim=5", ["rollouts.overrides: ++policy.latent_dim=5", "base_policy.overrides"]),
    ],
)
def test_what_a_stage_would_fail_on_hours_later_is_named(experiment, stage, override, words) -> None:
    experiment[stage]["overrides"] = [override]
    with one_line_error(*words):
        check_experiment(experiment)


def test_how_a_policy_acts_may_be_changed_where_it_is_tried(experiment) -> None:
    for stage in ("rollouts", "evaluation"):
        experiment[stage]["overrides"] = ["policy.sample_latent=true", "policy.n_action_steps=50"]
    check_experiment(experiment)


@pytest.mark.parametrize("override", ["eval.n_episodes=5", "++eval.n_episodes=5", "eval={n_episodes: 5}"])
def test_the_number_of_tests_is_the_workflow_s(experiment, override) -> None:
    for stage in ("rollouts", "evaluation"):
        changed = copy.deepcopy(experiment)
        changed[stage]["overrides"] = [override]
        with one_line_error(f"{stage}.overrides", override, f"set {stage}.n_episodes"):
            check_experiment(changed)
    experiment["base_policy"]["overrides"].append("eval.n_episodes=5")  # of the evaluations during training
    check_experiment(experiment)


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


def test_overrides_of_an_experiment_hold_for_all_its_stages(experiment) -> None:
    experiment["overrides"] = ["env.episode_length=333", "training.log_freq=17", "wandb.notes=two words"]
    check_experiment(experiment)
    for stage in ("base_policy", "rollouts", "final_policy", "evaluation"):
        settings = stage_settings(experiment, stage)
        assert (settings.env.episode_length, settings.training.log_freq) == (333, 17)
        assert settings.wandb.notes == "two words"
    assert environment_settings(experiment).episode_length == 333
    assert stage_overrides(experiment, "demonstrations") == ["env=aloha_cube_state", "env.episode_length=333"]


def test_overrides_of_a_stage_go_before_those_of_the_experiment(experiment) -> None:
    experiment["overrides"] = ["policy.dim_model=32"]
    experiment["final_policy"]["overrides"] = [*experiment["final_policy"]["overrides"], "policy.dim_model=16"]
    assert stage_settings(experiment, "base_policy").policy.dim_model == 32
    assert stage_settings(experiment, "final_policy").policy.dim_model == 16
    overrides = training_overrides(experiment, "final_policy", 10000, "name", "list.txt")
    assert compose_settings(overrides)[0].seed == 14000
    assert compose_settings(overrides)[0].wandb.name == "name"


# Data that are given: which parts an experiment then needs, and which it cannot have


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


def test_given_data_need_neither_policy_nor_simulator(own) -> None:
    check_experiment(own)
    for key in ("env", "policy", "overrides", "final_policy"):
        del own[key]
    check_experiment(own)


TESTED = {"n_episodes": 2, "seed_offset": 6000, "overrides": []}


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda e: e["demonstrations"]["mine"].update(n_episodes=3), ["demonstrations.mine", "n_episodes", "given"]),
        (lambda e: e["demonstrations"].update(a={"n_episodes": 3, "seed": 1}), ["a is to be collected", "given"]),
        (lambda e: e["demonstrations"].update(a={"seed": 1}), ["demonstrations.a", "n_episodes", "path"]),
        (lambda e: e["demonstrations"]["mine"].update(repo_id="a/b"), ["demonstrations.mine", "either"]),
        (lambda e: e["rollouts"].update(seed_offset=1), ["rollouts", "seed_offset", "given"]),
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
        (lambda e: e.update(problems="skip"), ["problems", "given"]),
        (lambda e: e["rollouts"].update(labels="l.csv"), ["rollouts", "labels", "given"]),
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


def test_only_what_runs_must_lie_where_it_is_said_to(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    values = delivered()
    check_config(values)
    values["run"] = ["bring_your_own"]
    with one_line_error("bring_your_own", "demonstrations.mine.path", "nothing lies at tests/data"):
        check_config(values)


def test_the_configuration_is_checked_without_the_libraries_that_read_data() -> None:
    """Snakemake starts anew for every job on a cluster."""
    heavy = ("torch", "pandas", "pyarrow", "av", "cv2", "h5py")
    script = f"import sys, demo_score.experiments.checks; print([name for name in {heavy} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow")}
    output = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert output.stdout == "[]\n"
