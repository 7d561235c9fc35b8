# What a job asks for: threads, memory (MB), run time (minutes) and GPUs. Guesses on the generous side: a job that is
# killed for want of memory or time asks for more at its next attempt. `--set-threads` and `--set-resources`, on the
# command line or in a profile, go before all of it. Without a cluster only threads, and what --resources limits, count.
from functools import cache

from demo_score.simulators import simulator

STATE_MEMORY, IMAGE_MEMORY = 4000, 16000


def grows(need):
    """A resource that is `need`, a number or a function of wildcards, once more with each attempt."""

    def grown(wildcards, attempt):
        return attempt * (need(wildcards) if callable(need) else need)

    return grown


def need(what, stage):
    """What a job needs of `what` (threads, memory, minutes, gpus) for a stage, or a function of wildcards that gives it."""

    def needed(wildcards):
        return needs(wildcards.experiment, stage(wildcards) if callable(stage) else stage)[what]

    return needed


@cache
def needs(name, stage):
    """The needs of one training, rollout or evaluation: they follow from what its settings say."""
    settings = workflow_config.stage_settings(EXPERIMENTS[name], stage)
    training, testing = settings.training, settings["eval"]
    trains, images = stage in TRAINED_STAGES, draws_images(settings.env)
    sees_images = any(len(shape) == 3 for shape in settings.policy.input_shapes.values())
    if trains:  # a process each to read images; a fifth of a second a step; evaluations in between
        threads = 1 + (training.num_workers if sees_images else 0)
        episodes = (
            training.offline_steps // training.eval_freq * testing.n_episodes if training.eval_freq else 0
        )
    else:  # environments may have processes of their own
        threads = min(testing.batch_size, testing.n_episodes, 8) if testing.use_async_envs else 1
        episodes = testing.n_episodes
    environments = min(testing.batch_size, episodes)  # at once
    return {
        "threads": threads,
        "memory": (IMAGE_MEMORY if sees_images or images else STATE_MEMORY)
        + environments * simulator(settings.env.name).megabytes,
        "minutes": episode_minutes(images, episodes) + (training.offline_steps // 300 if trains else 0),
        "gpus": int(settings.device.startswith("cuda") or (settings.device == "auto" and sees_images)),
    }


def draws_images(env):
    return env.get("obs_type", "state").startswith("pixels")


def episode_minutes(images, n_episodes):
    return 20 + n_episodes * (10 if images else 2) // 60


def demonstration_memory(wildcards):
    env = workflow_config.environment_settings(experiment(wildcards))
    return IMAGE_MEMORY if draws_images(env) else STATE_MEMORY


def demonstration_minutes(wildcards):
    """Attempts that fail count too: three times what the episodes take."""
    env = workflow_config.environment_settings(experiment(wildcards))
    n_episodes = experiment(wildcards).demonstrations[wildcards.strategy].n_episodes
    return 3 * episode_minutes(draws_images(env), n_episodes)


def classifier_minutes(wildcards):
    """Of the longest sweep of all experiments: the jobs of a SLURM job array all get what its first one asks for."""
    sweeps = [e.classifiers for e in EXPERIMENTS.values()]
    return 30 + max(s.epochs * len(s.seeds) * len(s.lr) * len(s.weight_decay) for s in sweeps) // 20
