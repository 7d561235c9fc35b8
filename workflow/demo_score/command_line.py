"""The command line that the commands with Hydra settings share."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from demo_score.config.settings import compose_settings, environment_of, missing_keys, to_yaml
from demo_score.config.tree import CONFIGS, GROUPS, choices
from demo_score.runtime.arguments import Parser
from demo_score.runtime.errors import UserError


class SettingsParser(Parser):
    """A parser whose settings may stand anywhere between the options, and that knows LeRobot's way to write them."""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: None = None) -> tuple:
        """As argparse does. Raises UserError for an option that is a setting in dashes, or no option at all."""
        arguments, rest = super().parse_known_args(args, namespace)
        arguments.overrides += [text for text in rest if not text.startswith("-")]
        for option in (text for text in rest if text.startswith("-")):
            key, _, value = option.lstrip("-").partition("=")
            if "=" not in option and "." not in key:
                raise UserError(f"{option}: no such option; --help lists them, and settings are KEY=VALUE")
            ours = f"{_OURS.get(key, key)}={value or 'VALUE'}"
            raise UserError(f"{option}: settings are KEY=VALUE, without dashes: {ours}")
        return arguments, []


# LeRobot's names of settings that are called otherwise here.
_OURS = {
    "policy.type": "policy",
    "env.type": "env",
    "dataset.repo_id": "dataset_repo_id",
    "dataset.root": "dataset_repo_id",
    "output_dir": "hydra.run.dir",
    "job_name": "hydra.job.name",
    "batch_size": "training.batch_size",
    "steps": "training.offline_steps",
    "policy.device": "device",
    "policy.use_amp": "use_amp",
}


def settings_parser(description: str) -> argparse.ArgumentParser:
    """A parser for Hydra overrides (key=value) and Hydra's own options; add a command's own to it."""
    parser = SettingsParser(
        description=description, epilog=_settings_help(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings to change, in Hydra's grammar")
    parser.add_argument("--config-path", "-cp", type=Path, default=CONFIGS, help="folder of the settings file")
    parser.add_argument("--config-name", "-cn", default="default", help="settings file to start from, without .yaml")
    parser.add_argument("--cfg", "-c", choices=["job"], help="print the settings and stop")
    return parser


def _settings_help() -> str:
    """The groups of the settings tree with their files, and the settings that all runs have."""
    groups = "\n".join(f"  {group}={'|'.join(choices(group))}" for group in GROUPS)
    defaults = (CONFIGS / "default.yaml").read_text(encoding="utf-8")
    return f"Files of the settings tree ({CONFIGS}):\n{groups}\n\nSettings and their defaults:\n\n{defaults}"


def checkpoint_parser(description: str, out_dir: bool = True) -> argparse.ArgumentParser:
    """A parser for commands that run a checkpoint; its settings are the ones that overrides change."""
    parser = SettingsParser(description=description)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of the checkpoint to change")
    parser.add_argument("-p", dest="checkpoint", type=Path, required=True, help="folder such as checkpoints/003000")
    if out_dir:
        parser.add_argument("--out-dir", type=Path, required=True, help="folder for the results")
    return parser


def rollout_arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line of a command that tries a checkpoint. Raises UserError where it does not say on which seeds.

    The seed in a checkpoint's settings is the training's; starts of episodes that follow from it would be another
    thing, chosen by nobody.
    """
    arguments = parser.parse_args()
    if not any(override.lstrip("+").partition("=")[0] == "seed" for override in arguments.overrides):
        raise UserError("missing settings: give seed=VALUE, the environment seed of the first episode")
    return arguments


def read_settings(arguments: argparse.Namespace) -> tuple[DictConfig, Path]:
    """The settings that a command line asks for, and hydra.run.dir. With --cfg, print them and exit."""
    chosen = (arguments.overrides, arguments.config_path, arguments.config_name)
    if arguments.cfg:
        settings, _ = compose_settings(*chosen, complete=False)
        if complete := not missing_keys(settings):
            settings, _ = compose_settings(*chosen)
        print(to_yaml(settings, resolve=complete), end="")
        raise SystemExit
    return compose_settings(*chosen)


def read_environment(arguments: argparse.Namespace) -> dict:
    """The settings `env`, for a command that needs no others."""
    settings, _ = compose_settings(arguments.overrides, arguments.config_path, arguments.config_name, complete=False)
    return environment_of(settings)
