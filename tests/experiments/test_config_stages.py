"""config.yaml: the settings and seeds of the stages of an experiment, and what their overrides may say."""

import copy

import pytest
from configurations import check_experiment, first_experiment, read_experiment
from conftest import one_line_error
from demo_score.config.settings import compose_settings
from demo_score.experiments.config import environment_settings, final_step, saved_checkpoints, stage_settings


@pytest.fixture
def experiment() -> dict:
    """The first experiment of the delivered configuration."""
    (found,) = first_experiment()["experiments"].values()
    return found


@pytest.mark.parametrize("stage", ["base_policy", "rollouts", "final_policy", "evaluation"])
def test_override_of_every_stage_must_exist(experiment, stage) -> None:
    experiment[stage]["overrides"].append("training.offline_stepz=5")
    with one_line_error("training.offline_stepz"):
        check_experiment(experiment)


def test_stage_settings_hold_the_overrides_of_their_stage(experiment) -> None:
    experiment["rollouts"]["overrides"] = ["policy.n_action_steps=5"]
    experiment["rollouts"]["n_episodes"] = 77
    settings = stage_settings(read_experiment(experiment), "rollouts")
    assert settings.policy.n_action_steps == 5 and settings.eval.n_episodes == 77
    assert stage_settings(read_experiment(experiment), "base_policy").policy.n_action_steps != 5


def test_final_step_is_the_last_of_training(experiment) -> None:
    experiment["base_policy"]["overrides"].extend(["training.offline_steps=2500", "training.save_freq=1000"])
    assert saved_checkpoints(read_experiment(experiment), "base_policy") == ["001000", "002000", "002500"]
    assert final_step(read_experiment(experiment), "base_policy") == "002500"


def test_rollouts_of_every_checkpoint_start_elsewhere(experiment) -> None:
    experiment["rollouts"] |= {"eps": ["003000", "004000", "005000"], "n_episodes": 100, "seed_offset": 2000}
    read = read_experiment(experiment)
    assert [read.rollout_seed(10, step) for step in read.rollouts.eps] == [2010, 2110, 2210]


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


def test_policies_are_not_trained_on_images_that_rollouts_lack(experiment) -> None:
    images = ["env.image_size=[48,64]", "policy.pretrained_backbone_weights=null", "training.eval_freq=0"]
    changed = copy.deepcopy(experiment) | {"env": "aloha_cube", "policy": "act"}
    changed["rollouts"]["overrides"] = ["eval.record_images=looks"]
    for stage in ("base_policy", "final_policy"):
        sizes = ["training.offline_steps=3000", "training.save_freq=1000"]
        changed[stage]["overrides"] = [*images, *sizes]
    changed["rollouts"]["eps"] = ["001000", "002000", "003000"]
    changed["classifiers"]["eps_dict"] = {"last": {"train": ["001000", "002000"], "cross_val": ["003000"]}}
    with one_line_error("curated_rollouts_plus_demos", "eval.record_images=looks"):
        check_experiment(changed)
    changed["final_policy"]["conditions"] = ["curated_demos", "random"]
    check_experiment(changed)
    experiment["rollouts"]["overrides"] = ["eval.record_images=false"]  # nobody sees images
    check_experiment(experiment)


def test_overrides_of_an_experiment_hold_for_all_its_stages(experiment) -> None:
    experiment["overrides"] = ["env.episode_length=333", "training.log_freq=17", "wandb.notes=two words"]
    check_experiment(experiment)
    for stage in ("base_policy", "rollouts", "final_policy", "evaluation"):
        settings = stage_settings(read_experiment(experiment), stage)
        assert (settings.env.episode_length, settings.training.log_freq) == (333, 17)
        assert settings.wandb.notes == "two words"
    read = read_experiment(experiment)
    assert environment_settings(read).episode_length == 333
    assert read.stage_overrides("demonstrations") == ["env=aloha_cube_state", "env.episode_length=333"]


def test_overrides_of_a_stage_go_before_those_of_the_experiment(experiment) -> None:
    experiment["overrides"] = ["policy.dim_model=32"]
    experiment["final_policy"]["overrides"] = [*experiment["final_policy"]["overrides"], "policy.dim_model=16"]
    assert stage_settings(read_experiment(experiment), "base_policy").policy.dim_model == 32
    assert stage_settings(read_experiment(experiment), "final_policy").policy.dim_model == 16
    overrides = read_experiment(experiment).training_overrides("final_policy", 10000, "name", "list.txt")
    assert compose_settings(overrides)[0].seed == 14000
    assert compose_settings(overrides)[0].wandb.name == "name"
