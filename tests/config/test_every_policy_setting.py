"""No setting of a policy or an environment is decoration: another value of it leads to another behaviour."""

from functools import partial

import numpy as np
import pytest
import torch
from demo_score.config.settings import compose_settings, leaves
from demo_score.config.tree import CONFIGS, choices
from demo_score.envs import make_env
from demo_score.policies import action_offsets, make_policy
from demo_score.training.chunks import ColumnStatistics
from guide import SMALL_IMAGES
from omegaconf import OmegaConf
from setting_effects import assert_effective, composed_policy, digest, keys_of, observed

pytestmark = pytest.mark.slow

# policy/: what a policy learns and does


def behaviour(policy: str, *overrides: str) -> str:
    """The initial weights, the loss of a batch, the actions for an observation, and what is asked of the data."""
    settings = composed_policy(policy, *overrides)
    torch.manual_seed(0)
    made = make_policy(settings)
    offsets = action_offsets(settings)
    shapes = {key: list(shape) for key, shape in settings.policy.input_shapes.items()}
    generator = torch.Generator().manual_seed(0)
    n_obs, n_actions = settings.policy.n_obs_steps, len(offsets)
    (action_dim,) = settings.policy.output_shapes.action
    batch = {key: torch.rand(4, n_obs, *shape, generator=generator) for key, shape in shapes.items()}
    observations = {key: values[:2] for key, values in batch.items()}
    batch["action"] = torch.rand(4, n_actions, action_dim, generator=generator)
    batch["action_is_pad"] = torch.arange(n_actions) >= torch.tensor([[n_actions], [n_actions - 1], [4], [3]])
    flat = {key: shape[0] for key, shape in [*shapes.items(), ("action", [action_dim])] if len(shape) == 1}
    statistics = {
        key: ColumnStatistics(*(np.full(size, x, np.float32) for x in (0.5, 0.05, 0.4, 0.6)))
        for key, size in flat.items()
    }
    made.normalization.set_statistics(statistics, settings.policy.min_std)
    torch.manual_seed(1)
    loss, _ = made.train().loss(batch)
    made.eval().reset([3, 4])
    actions = [made.act(observations) for _ in range(2)]
    return digest(offsets, *made.state_dict().values(), loss, *actions)


def without_network(policy: str, *overrides: str) -> bool:
    """Whether a policy that is to be trained asks for pretrained weights."""
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("demo_score.policies.load_pretrained", lambda *a: asked.append(a))
        make_policy(composed_policy(policy, *overrides), pretrained=True)
    return bool(asked)


ACT = {
    "policy.name": "no_such",
    "policy.n_obs_steps": 2,
    "policy.chunk_size": 20,
    "policy.n_action_steps": 5,
    "policy.actions_per_query": 2,
    "policy.input_shapes": "{observation.state: [14]}",
    "policy.output_shapes.action": "[13]",
    "policy.min_std": 0.1,
    "policy.pre_norm": "true",
    "policy.dim_model": 20,
    "policy.n_heads": 4,
    "policy.dim_feedforward": 20,
    "policy.feedforward_activation": "gelu",
    "policy.n_encoder_layers": 2,
    "policy.n_decoder_layers": 2,
    "policy.dropout": 0.2,
    "policy.use_vae": "false",
    "policy.latent_dim": 5,
    "policy.n_vae_encoder_layers": 2,
    "policy.kl_weight": 20,
    "policy.kl_free_nats": 1e6,
    "policy.sample_latent": "true",
    "policy.temporal_ensemble_coeff": 0.01,
    "policy.vision_backbone": "resnet34",
    "policy.pretrained_backbone_weights": "ResNet18_Weights.IMAGENET1K_V1",
    "policy.replace_final_stride_with_dilation": "true",
}
DIFFUSION = {
    "policy.name": "no_such",
    "policy.n_obs_steps": 3,
    "policy.horizon": 12,
    "policy.n_action_steps": 7,
    "policy.input_shapes": "{observation.state: [2]}",
    "policy.output_shapes.action": "[3]",
    "policy.min_std": 0.5,
    "policy.vision_backbone": "resnet34",
    "policy.pretrained_backbone_weights": "ResNet18_Weights.IMAGENET1K_V1",
    "policy.use_group_norm": "false",
    "policy.crop_shape": "[44,44]",
    "policy.crop_is_random": "false",
    "policy.spatial_softmax_num_keypoints": 5,
    "policy.down_dims": "[16,24]",
    "policy.kernel_size": 3,
    "policy.n_groups": 4,
    "policy.diffusion_step_embed_dim": 20,
    "policy.use_film_scale_modulation": "false",
    "policy.noise_scheduler_type": "DDIM",
    "policy.num_train_timesteps": 11,
    "policy.beta_schedule": "linear",
    "policy.beta_start": 0.001,
    "policy.beta_end": 0.03,
    "policy.prediction_type": "sample",
    "policy.clip_sample": "false",
    "policy.clip_sample_range": 0.1,
    "policy.num_inference_steps": 3,
    "policy.do_mask_loss_for_padding": "true",
}
ACT["policy.input_normalization_modes"] = (
    "{observation.state: min_max, observation.environment_state: mean_std, observation.image: mean_std}"
)
ACT["policy.output_normalization_modes.action"] = "min_max"
DIFFUSION["policy.input_normalization_modes"] = (
    "{observation.state: mean_std, observation.environment_state: min_max, observation.image: min_max}"
)
DIFFUSION["policy.output_normalization_modes.action"] = "mean_std"
FIRST = {  # what a key needs beside it to have an effect
    "policy.temporal_ensemble_coeff": ["policy.n_action_steps=1"],
    "policy.beta_start": ["policy.beta_schedule=linear"],
    "policy.beta_end": ["policy.beta_schedule=linear"],
    "policy.clip_sample_range": ["policy.clip_sample=true"],
}


def policy_keys() -> list[tuple[str, str]]:
    files = ("act", "act_state", "diffusion", "diffusion_state")
    keys = {file: sorted(key for key in keys_of(f"policy/{file}.yaml") if key.startswith("policy.")) for file in files}
    return [(file, key) for file in files for key in keys[file]]


@pytest.mark.parametrize(("policy", "key"), policy_keys())
def test_policy(policy, key) -> None:
    family = ACT if policy.startswith("act") else DIFFUSION
    if policy == "diffusion_state":
        family = family | {"policy.noise_scheduler_type": "DDPM"}
    probe = without_network if "pretrained" in key else behaviour
    needed = FIRST.get(key, [])
    assert_effective(partial(probe, policy, *needed), (probe, policy, *needed), f"{key}={family[key]}")


# env/: what an environment is and shows


def environment(env: str, *overrides: str) -> str:
    """Observations, rewards and images of a few steps, until the episode is cut."""
    if env == "robosuite":  # any task's
        size = ["env.state_dim=9", "env.environment_state_dim=10", "env.action_dim=7"]
    elif env.endswith(("_state", "_block", "_small")) or env.startswith(("metaworld", "robosuite")):
        size = []
    else:
        size = SMALL_IMAGES[env.removesuffix("_cube")].split()
    settings = compose_settings(
        [f"env={env}", "policy=act_state", "seed=0", "env.episode_length=5", *size, *overrides]
    )[0]
    made = make_env(settings.env)
    observation, _ = made.reset(seed=0)
    seen = [*observation.values()]
    for _ in range(8):
        action = np.linspace(0.1, 0.5, made.action_space.shape[0], dtype=np.float32)
        observation, reward, terminated, truncated, _ = made.step(action * (500 if env.startswith("pusht") else 1))
        seen += [*observation.values(), reward, terminated, truncated]
    seen += [values for key in made.image_space for values in (key, made.images()[key])]
    made.close()
    return digest(*seen)


ENVIRONMENT = {
    "fps": {"aloha": 25, "pusht": 20, "metaworld": 40, "robosuite": 10},
    "env.name": {"aloha": "no_such", "pusht": "no_such", "metaworld": "no_such", "robosuite": "no_such"},
    "env.task": {"aloha": "no_such", "pusht": "no_such", "metaworld": "door-open-v3", "robosuite": "Stack"},
    "env.obs_type": {"aloha": "pixels", "pusht": "pixels", "metaworld": "pixels", "robosuite": "pixels"},
    "env.cameras": {"aloha": "[angle]"},
    "env.image_size": {"aloha": "[32,32]", "pusht": 32},
    "env.render_quality": {"aloha": "fast", "aloha_cube_small": "full"},
    **{f"env.starts.agent_{axis}": {"pusht": "[300,310]"} for axis in "xy"},
    **{f"env.starts.block_{axis}": {"pusht": "[300,310]"} for axis in "xy"},
    "env.starts.block_angle": {"pusht": "[2,3]"},
    "env.state_dim": {"aloha": 13, "pusht": 3, "metaworld": 39, "robosuite": 8},
    "env.environment_state_dim": {"aloha": 6, "pusht": 15, "metaworld": 39, "robosuite": 8},
    "env.action_dim": {"aloha": 13, "pusht": 3, "metaworld": 3, "robosuite": 8},
    "env.fps": {"aloha": 25, "pusht": 20, "metaworld": 40, "robosuite": 10},
    "env.episode_length": {"aloha": 6, "pusht": 6, "metaworld": 6, "robosuite": 6},
    "env.recorded_in": {"robosuite": "no_such.hdf5"},
    "env.env_kwargs.robots": {"robosuite": "[Sawyer]"},
    "env.env_kwargs.control_freq": {"robosuite": 10},
    "env.observed": {"robosuite": "{observation.state: [observation.robot0_joint_pos]}"},
    "dataset_keys": {"robosuite": "{observation.state: [observation.robot0_joint_pos]}"},
}


def environment_keys() -> list[tuple[str, str]]:
    shared = {"dataset_repo_id"}  # default.yaml's
    simulated = [env for env in choices("env") if env != "recorded"]
    return [(env, key) for env in simulated for key in sorted(keys_of(f"env/{env}.yaml") - shared)]


@pytest.mark.parametrize(("env", "key"), environment_keys())
def test_environment(env, key) -> None:
    probe = partial(environment, env)
    if "libegl1" in str(observed(probe)):
        pytest.skip(f"no OpenGL: {observed(probe)}")
    values = ENVIRONMENT[key]
    assert_effective(probe, env, f"{key}={values.get(env, values[env.split('_')[0]])}")


def recorded(*overrides: str) -> object:
    """What a policy sees and does, and where its results lie."""
    sizes = ["env.state_dim=2", "env.action_dim=2"]
    settings, folder = compose_settings(["env=recorded", "policy=act", "policy.use_vae=false", *sizes, *overrides])
    return str(settings.policy.input_shapes), str(settings.policy.output_shapes), folder.name.split("_")[1]


IMAGES = ("env.obs_type=pixels_agent_pos", "env.image_size=[32,48]")
RECORDED: dict[str, tuple] = {
    "env.name": ("mine", "+env.task=Mine-v0"),
    "env.obs_type": ("pixels", "env.image_size=32"),
    "env.state_dim": (3,),
    "env.environment_state_dim": (4,),
    "env.action_dim": (3,),
    "env.cameras": ("[left,right]", *IMAGES),
    "env.image_size": (64, *IMAGES[:1]),
}


@pytest.mark.parametrize("key", sorted(keys_of("env/recorded.yaml")))
def test_environment_that_is_only_recorded(key) -> None:
    value, *needed = RECORDED[key]
    assert_effective(partial(recorded, *needed), (recorded, *needed), f"{key}={value}")


def test_keys_of_experiments_are_those_above() -> None:
    for name in choices("experiment"):
        text = OmegaConf.to_container(OmegaConf.load(CONFIGS / f"experiment/{name}.yaml"))
        text.pop("defaults", None)
        known = keys_of("default.yaml") | set(ACT) | set(DIFFUSION)
        for key in dict(leaves(text)):
            assert key in known or key.startswith("policy.input_normalization_modes."), key
