"""No setting is decoration: for every key of every settings file, another value leads to another behaviour.

A key without a line here fails, and so does one whose other value changes nothing that can be observed.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY, random_episode
from demo_score.data.chunks import Statistics
from demo_score.data.formats.robomimic import write_episodes
from demo_score.envs import make_env
from demo_score.errors import UserError
from demo_score.hardware import has_bfloat16
from demo_score.policies import action_offsets, make_policy
from demo_score.rollout import loop as rollout_loop
from demo_score.settings import compose_settings
from demo_score.settings_reference import read_settings_file
from demo_score.settings_tree import CONFIGS, choices
from demo_score.training.batches import Batches
from demo_score.training.loop import load_data, prepare_batch, start_run, train
from guide import SMALL_IMAGES, SMALL_POLICY, go_to_datasets
from lerobot_fixture import write_lerobot
from omegaconf import DictConfig, OmegaConf
from test_settings import leaves
from wandb_log import read_run

Probe = Callable[..., object]  # overrides -> what can be observed


def keys_of(*files: str) -> set[str]:
    return {setting.key for file in files for setting in read_settings_file(CONFIGS / file)}


def observed(probe: Probe, *overrides: str) -> object:
    """What a probe sees, or the error that it meets."""
    try:
        return probe(*overrides)
    except UserError as error:
        return f"error: {error}"


BASELINES: dict[object, object] = {}  # what is seen without the other value, once a probe


def assert_effective(probe: Probe, name: object, override: str) -> None:
    if name not in BASELINES:
        BASELINES[name] = observed(probe)
        assert observed(probe) == BASELINES[name], "the probe itself wavers"
    assert observed(probe, override) != BASELINES[name]


def digest(*values: object) -> str:
    content = hashlib.sha256()
    for value in values:
        if isinstance(value, torch.Tensor):
            value = value.detach().numpy()
        content.update(value.tobytes() if isinstance(value, np.ndarray) else str(value).encode())
    return content.hexdigest()


# default.yaml: what a training or a rollout does


def composed(*overrides: str) -> DictConfig:
    return compose_settings([*TINY, *overrides])[0]


def trained(*overrides: str) -> dict[str, str]:
    """The files of a training on low-dimensional episodes and their content, the settings that it notes aside."""
    write_episodes("data.hdf5", [random_episode(30 + n, n) for n in range(3)], {})
    settings = composed("+datasets_file=data.hdf5", *overrides)
    train(settings, folder := Path(digest(*overrides)))
    return {str(path.relative_to(folder)): digest(path.read_bytes()) for path in folder.rglob("*.[cs][sa][vf]*")}


def trained_in_a_precision(*overrides: str) -> object:
    """The files of a training, and what it says about its precision."""
    has_bfloat16.cache_clear()
    with redirect_stderr(StringIO()) as said:
        files = trained(*overrides)
    return files, [line for line in said.getvalue().splitlines() if "precision" in line]


def state_after_a_failure(*overrides: str) -> object:
    """What is left of a training that fails at its last step, and where the same training, mended, begins."""
    write_episodes("data.hdf5", [random_episode(30)], {})
    folder = Path(digest(*overrides))
    settings = composed("+datasets_file=data.hdf5", "training.lr_warmup_steps=11", *overrides)
    first_step = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("demo_score.training.loop.take_step", fail_at(settings.training.offline_steps - 1))
        with pytest.raises(InterruptedError):
            train(settings, folder)
        patch.setattr("demo_score.training.loop.take_step", lambda run, *_: first_step.append(run.step) or stop())
        with pytest.raises(InterruptedError):
            train(settings, folder)
    return first_step


def fail_at(step: int) -> Callable:
    from demo_score.training.loop import take_step

    return lambda run, *arguments: take_step(run, *arguments) if run.step < step else stop()


def stop() -> None:
    raise InterruptedError


def on_images(*overrides: str) -> DictConfig:
    small = [*SMALL_IMAGES["pusht"].split(), *SMALL_POLICY["diffusion"].split(), "training.batch_size=3"]
    return compose_settings(["env=pusht", "policy=diffusion", *small, *overrides])[0]


def training_data(*overrides: str) -> str:
    """The content of a first batch, read from a data set with images."""
    settings = on_images(*overrides)
    batches = Batches(load_data(settings), 3, torch.Generator().manual_seed(0), 0, torch.device("cpu"))
    return digest(*next(batches).values())


def n_reading_processes(*overrides: str) -> int:
    settings = on_images("device=cpu", *overrides)
    run = start_run(settings, load_data(settings), torch.device("cpu"))
    next(run.batches)
    processes = len(torch.multiprocessing.active_children())
    run.batches.close()
    return processes


def compiles(*overrides: str) -> list[str]:
    """What a training hands to torch's compiler."""
    write_episodes("data.hdf5", [random_episode(30)], {})
    settings, asked = composed("+datasets_file=data.hdf5", *overrides), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("demo_score.training.loop.compiled", lambda function, _: asked.append(function.__name__))
        start_run(settings, load_data(settings), torch.device("cpu"))
    return asked


def augmented(*overrides: str) -> str:
    """A first batch as the policy gets it, image transforms on."""
    settings = on_images("training.image_transforms.enable=true", *overrides)
    run = start_run(settings, load_data(settings), torch.device("cpu"))
    return digest(*prepare_batch(next(run.batches), run.transforms, settings).values())


def rolled_out(*overrides: str) -> object:
    """Seeds of the episodes, and how many environments in how many processes a policy acts in at once."""
    settings = composed("env.episode_length=3", *overrides)
    sizes, vectors = [], []
    policy = make_policy(settings).eval()
    act = policy.act
    policy.act = lambda observations: sizes.append(len(observations["observation.state"])) or act(observations)
    with pytest.MonkeyPatch.context() as patch:
        original = rollout_loop.open_environments
        patch.setattr(rollout_loop, "open_environments", lambda *a, **k: vectors.append(a[-1]) or original(*a, **k))
        episodes = rollout_loop.rollout_settings(policy, settings, torch.device("cpu"))
    return [episode.seed for episode in episodes], sizes, vectors


def logged(*overrides: str) -> object:
    """What Weights & Biases was told by a training."""
    write_episodes("data.hdf5", [random_episode(30)], {})
    folder = Path(digest(*overrides))
    train(composed("+datasets_file=data.hdf5", "training.offline_steps=4", "training.save_freq=4", *overrides), folder)
    run = read_run(folder)
    return {key: run.get(key) for key in ("project", "name", "notes")}, sorted(run["history"])


def results_folder(*overrides: str) -> str:
    return str(compose_settings([*TINY, *overrides])[1]).split("_", 1)[-1]


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder to work in, with the data sets of the guide and another one."""
    with pytest.MonkeyPatch.context() as patch:
        go_to_datasets(tmp_path_factory.mktemp("settings"), patch)
        write_lerobot(Path("other"), images={"observation.image": (48, 48)}, seed=1)
        yield


TRANSFORM = "training.image_transforms"
COSINE, STARTS, TRACKED = "training.lr_scheduler=cosine", "training.start_fraction=0.5", "wandb.enable=true"
# Probe, another value, and what the setting needs beside it to have an effect.
DEFAULT: dict[str, tuple] = {
    "hydra.run.dir": (results_folder, "a_b"),
    "hydra.job.name": (results_folder, "a"),
    "device": (trained, "cuda:99"),
    "use_amp": (trained_in_a_precision, "true"),
    "seed": (trained, 1),
    "resume": (state_after_a_failure, "false"),
    "dataset_repo_id": (training_data, "other"),
    "dataset_keys": (training_data, "{observation.state: [observation.image]}"),
    "video_backend": (training_data, "no_such"),
    "training.offline_steps": (trained, 11),
    "training.eval_freq": (trained, 12),
    "training.log_freq": (trained, 3),
    "training.save_freq": (trained, 4),
    "training.resume_freq": (state_after_a_failure, 5),
    "training.batch_size": (trained, 5),
    "training.num_workers": (n_reading_processes, 1, "training.num_workers=0"),
    "training.compile": (compiles, "true"),
    "training.lr": (trained, 2e-3),
    "training.weight_decay": (trained, 0.5),
    "training.adam_betas": (trained, "[0.8,0.999]"),
    "training.adam_eps": (trained, 1e-3),
    "training.grad_clip_norm": (trained, 0.1),
    "training.lr_scheduler": (trained, "cosine"),
    "training.lr_final_fraction": (trained, 0.5, COSINE),
    "training.lr_warmup_steps": (trained, 4),
    "training.ema_decay": (trained, 0.9),
    "training.drop_n_last_frames": (trained, 20),
    "training.start_fraction": (trained, 0.5),
    "training.start_frames": (trained, 1, STARTS),
    f"{TRANSFORM}.enable": (augmented, "false"),
    f"{TRANSFORM}.max_num_transforms": (augmented, 1),
    f"{TRANSFORM}.random_order": (augmented, "true"),
    "eval.n_episodes": (rolled_out, 3),
    "eval.batch_size": (rolled_out, 2, "eval.n_episodes=2"),
    "eval.use_async_envs": (rolled_out, "true"),
    "wandb.enable": (logged, "true"),
    "wandb.project": (logged, "a", TRACKED),
    "wandb.name": (logged, "a", TRACKED),
    "wandb.notes": (logged, "two words", TRACKED),
}
CHANGES = ("brightness", "contrast", "saturation", "hue", "sharpness")
for name in CHANGES:  # alone, and always drawn
    alone = [f"{TRANSFORM}.{other}.weight={int(other == name)}" for other in CHANGES]
    DEFAULT[f"{TRANSFORM}.{name}.weight"] = (augmented, 0)
    DEFAULT[f"{TRANSFORM}.{name}.min_max"] = (augmented, "[0.3,0.3]", *alone)


def backbone_rate(*overrides: str) -> list[float]:
    settings = composed_policy("act", *overrides)
    return [group.get("lr") for group in make_policy(settings).parameter_groups(settings.training)]


DEFAULT["training.lr_backbone"] = (backbone_rate, 1e-4)


@pytest.mark.parametrize("key", sorted(keys_of("default.yaml") | set(DEFAULT)))
def test_default(datasets, key) -> None:
    probe, value, *needed = DEFAULT[key]
    assert_effective(partial(probe, *needed), (probe, *needed), f"{key}={value}")


# policy/: what a policy learns and does


def composed_policy(policy: str, *overrides: str) -> DictConfig:
    env = {"act": "aloha", "diffusion": "pusht"}[policy.removesuffix("_state")]
    small = SMALL_POLICY[policy.removesuffix("_state")].split()
    if policy.endswith("_state"):
        small = [part for part in small if not part.startswith(("policy.pretrained", "policy.crop", "policy.spatial"))]
        return compose_settings([f"env={env}_state", f"policy={policy}", "seed=0", *small, *overrides])[0]
    return compose_settings(
        [f"env={env}", f"policy={policy}", "seed=0", *SMALL_IMAGES[env].split(), *small, *overrides]
    )[0]


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
        key: Statistics(*(np.full(size, x, np.float32) for x in (0.5, 0.05, 0.4, 0.6))) for key, size in flat.items()
    }
    made.normalization.set_statistics(statistics, settings.policy.min_std)
    torch.manual_seed(1)
    loss, _ = made.train().loss(batch)
    made.eval().reset([3, 4])
    actions = [made.act(observations) for _ in range(2)]
    return digest(offsets, *made.state_dict().values(), loss, *actions)


def statistics(size: int) -> Statistics:
    return Statistics(*(np.full(size, value, np.float32) for value in (0.5, 0.05, 0.4, 0.6)))


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
    size = [] if env.endswith(("_state", "_block")) else SMALL_IMAGES[env.removesuffix("_cube")].split()
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
    "fps": {"aloha": 25, "pusht": 20},
    "env.name": {"aloha": "no_such", "pusht": "no_such"},
    "env.task": {"aloha": "no_such", "pusht": "no_such"},
    "env.obs_type": {"aloha": "pixels", "pusht": "pixels"},
    "env.cameras": {"aloha": "[angle]"},
    "env.image_size": {"aloha": "[32,32]", "pusht": 32},
    "env.render_quality": {"aloha": "fast"},
    "env.state_dim": {"aloha": 13, "pusht": 3},
    "env.environment_state_dim": {"aloha": 6, "pusht": 15},
    "env.action_dim": {"aloha": 13, "pusht": 3},
    "env.fps": {"aloha": 25, "pusht": 20},
    "env.episode_length": {"aloha": 6, "pusht": 6},
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
    assert_effective(probe, env, f"{key}={ENVIRONMENT[key][env.split('_')[0]]}")


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
        text = OmegaConf.load(CONFIGS / f"experiment/{name}.yaml")
        assert leaves(OmegaConf.to_container(text)).keys() <= set(DEFAULT) | set(ACT) | set(DIFFUSION)
