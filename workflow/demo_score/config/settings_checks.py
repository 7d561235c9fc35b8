"""What settings must be: their schemas, and what holds between several. Without torch: checked before anything runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo_score.config.policy_checks import check_policy
from demo_score.config.schema import check_against, read_schema
from demo_score.config.seeds import check_seeds
from demo_score.runtime.errors import UserError

SCHEMA = Path(__file__).resolve().parents[2] / "schemas/settings.schema.yaml"
MAX_CHECKPOINTS = 100000
Settings = dict[str, Any]


def check_settings(settings: Settings) -> None:
    """Raise UserError, in one line, for the first of the (plain) settings of a run that is wrong."""
    check_against(settings, SCHEMA, "settings")
    check_policy(settings["policy"])
    check_seeds(settings["seed"], settings["eval"].get("n_episodes", 1), "seed", "eval.n_episodes")
    for problem in _problems(settings["training"]):
        raise UserError(f"settings: {problem}")


def check_environment(env: Settings) -> None:
    """The same for `env` alone, of settings that may lack others."""
    check_against({"env": env}, {**read_schema(SCHEMA), "required": ["env"]}, "settings")


def _problems(training: Settings) -> Iterator[str]:
    """What is wrong between the settings of a training; those of a user's own tree may lack some."""
    steps, every = training.get("offline_steps", 0), training.get("save_freq", 1)
    if steps // every > MAX_CHECKPOINTS:
        yield f"training.save_freq={every}: {steps // every} checkpoints in training.offline_steps={steps}; save fewer"
    for name, transform in training.get("image_transforms", {}).items():
        if isinstance(transform, dict) and transform["min_max"][0] > transform["min_max"][1]:
            yield f"training.image_transforms.{name}.min_max: {transform['min_max']} is not smallest, then largest"
