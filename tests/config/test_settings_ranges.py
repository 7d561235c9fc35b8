"""Every setting has a kind and a range, checked before anything runs and named with the value."""

import copy
import math
from typing import get_args

import pytest
from conftest import one_line_error
from demo_score.config.checks import check_settings
from demo_score.config.models import policy as policy_models
from demo_score.config.models.settings import Settings
from demo_score.config.settings import compose_settings, leaves
from demo_score.config.tree import choices
from demo_score.data.choices import JPEGS
from demo_score.data.videos import BACKENDS
from demo_score.observations import STATE
from demo_score.policies import POLICIES
from omegaconf import OmegaConf

pytestmark = pytest.mark.slow

SEED = "seed=1"
CHOICES = ("env=aloha", "policy=act", SEED), ("env=pusht", "policy=diffusion", SEED)
RECORDED = "env=recorded", "policy=act_state", SEED, "env.state_dim=4", "env.action_dim=2", "training.eval_freq=0"
# Any text will do for these, so that no value is of the wrong kind but one that is no text.
NAMES = ("dataset_repo_id", "env.name", "env.task", "env.obs_type", "wandb.project", "wandb.name", "wandb.notes")
NAMES += ("env.render_quality", "policy.pretrained_backbone_weights", "policy.name")
NAMES += ("training.init_from", "training.sample_weights", "training.image_store")


def composed(choice: tuple[str, ...]) -> dict:
    return OmegaConf.to_container(compose_settings(list(choice))[0])


def settings_with(values: dict, key: str, value: object) -> dict:
    """`values` in which one dotted key is another; keys of observations and modes hold dots themselves."""
    changed = copy.deepcopy(values)
    part, name = changed, key
    while name not in part:
        parent, _, name = name.partition(".")
        part = part[parent]
    part[name] = value
    return changed


VALUES = {choice: composed(choice) for choice in (*CHOICES, RECORDED)}


@pytest.mark.parametrize(
    ("choice", "key"), [(choice, key) for choice in VALUES for key in dict(leaves(VALUES[choice]))]
)
def test_no_setting_takes_a_value_of_another_kind(choice, key) -> None:
    wrong = [{"a": 1}, math.inf, -math.inf, math.nan]
    if "_shapes" in key:
        wrong += [[0], [-1], ["x"], []]
    elif key not in NAMES and key != "dataset_keys":
        wrong += ["abc", "", -1e300]
    named = key if not (key == "env.name" and "env=recorded" in choice) else "env"  # another name needs a task
    for value in wrong:
        with one_line_error(f"settings: {named}"):
            check_settings(settings_with(VALUES[choice], key, value))


@pytest.mark.parametrize("policy", ["act", "act_state", "diffusion", "diffusion_state"])
@pytest.mark.parametrize("env", [env for env in choices("env") if env != "recorded"])
def test_what_is_delivered_is_in_range(env, policy) -> None:
    fitting = ["policy.crop_shape=null", "policy.pretrained_backbone_weights=null"] if policy == "diffusion" else []
    fitting += ["env.state_dim=9", "env.environment_state_dim=10", "env.action_dim=7"] if env == "robosuite" else []
    compose_settings([f"env={env}", f"policy={policy}", SEED, *fitting])


def test_models_say_what_the_code_knows() -> None:
    assert set(get_args(Settings.model_fields["video_backend"].annotation)) == set(BACKENDS)
    assert get_args(Settings.model_fields["aloha_jpeg"].annotation) == tuple(JPEGS)
    assert policy_models.POLICIES.keys() == POLICIES.keys()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("policy.dropout=2", ("policy.dropout: 2", "at least 0 and below 1")),
        ("policy.dropout=1", ("policy.dropout: 1", "below 1")),
        ("policy.dropout=-0.1", ("policy.dropout: -0.1", "at least 0")),
        ("policy.dim_model=0", ("policy.dim_model: 0", "at least 1")),
        ("policy.dim_model=abc", ("policy.dim_model: 'abc'", "a whole number")),
        ("policy.dim_model=512.0", ("policy.dim_model: 512.0", "write 512")),
        ("policy.dim_model=1000000000", ("policy.dim_model: 1000000000", "at most 65536")),
        ("policy.chunk_size=1000000", ("policy.chunk_size: 1000000", "at most 10000")),
        ("policy.n_encoder_layers=-1", ("policy.n_encoder_layers: -1", "at least 0")),
        ("policy.latent_dim=0", ("policy.latent_dim: 0", "at least 1")),
        ("policy.kl_weight=-10", ("policy.kl_weight: -10", "at least 0")),
        ("policy.min_std=0", ("policy.min_std: 0", "above 0")),
        ("policy.n_heads=3", ("policy.dim_model=512", "policy.n_heads=3")),
        ("policy.use_vae=3", ("policy.use_vae: 3", "true or false")),
        ("policy.feedforward_activation=tanh", ("policy.feedforward_activation: 'tanh'", "one of relu, gelu")),
        ("policy.vision_backbone=vgg11", ("policy.vision_backbone: 'vgg11'", "resnet18, resnet34")),
        ("training.log_freq=0", ("training.log_freq: 0", "at least 1")),
        ("training.lr=-1", ("training.lr", "0")),
        ("training.start_fraction=1.5", ("training.start_fraction: 1.5", "at most 1")),
        ("eval.batch_size=0", ("eval.batch_size: 0", "at least 1")),
        ("training.lr=nan", ("training.lr", "nan", "above 0")),
        ("training.weight_decay=inf", ("training.weight_decay", "inf")),
        ("training.adam_betas=[0.9,1]", ("training.adam_betas.1: 1", "below 1")),
        ("training.adam_eps=nan", ("training.adam_eps", "above 0")),
        ("training.save_freq=1 training.offline_steps=100000000", ("training.save_freq=1", "save fewer")),
        ("device=xla", ("device: 'xla'", "cuda:N")),
        ("device=meta", ("device: 'meta'", "cpu")),
        ("device=gpu", ("device: 'gpu'", "cuda")),
        ("seed=abc", ("seed", "'abc' is not a whole number")),
        ("seed=-1", ("seed: -1", "at least 0")),
        ("seed=99999999999999999999", ("seed: 99999999999999999999", "at most 4294967295")),
        ("seed=4294967295 eval.n_episodes=2", ("seed=4294967295", "eval.n_episodes", "4294967296")),
    ],
)
def test_value_and_range_are_named(override, words) -> None:
    with one_line_error(*words):
        compose_settings([*CHOICES[0], *override.split()])


@pytest.mark.parametrize("value", ["-1", "0", "abc", "1.5", "null", "[480]"])
def test_environment_is_checked_where_nothing_else_is_known(value) -> None:
    with one_line_error("env.action_dim"):
        compose_settings(["env=aloha_state", "policy=act_state", f"env.action_dim={value}"], complete=False)


def test_settings_of_a_policy_of_ones_own_are_free() -> None:
    values = settings_with(composed(RECORDED), "policy", {"name": "mine", "dropout": 7, "input_shapes": {STATE: [4]}})
    check_settings(values)
