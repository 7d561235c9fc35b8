"""The command line that the commands with Hydra settings share."""

import argparse
from pathlib import Path

from omegaconf import DictConfig

from demo_score.settings import compose_settings, environment_of, missing_keys, to_yaml
from demo_score.settings_tree import CONFIGS, GROUPS, choices


def settings_parser(description: str) -> argparse.ArgumentParser:
    """A parser for Hydra overrides (key=value) and Hydra's own options; add a command's own to it."""
    parser = argparse.ArgumentParser(
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
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of the checkpoint to change")
    parser.add_argument("-p", dest="checkpoint", type=Path, required=True, help="folder such as checkpoints/003000")
    if out_dir:
        parser.add_argument("--out-dir", type=Path, required=True, help="folder for the results")
    return parser


def read_settings(arguments: argparse.Namespace) -> tuple[DictConfig, Path]:
    """The settings that a command line asks for, and hydra.run.dir. With --cfg, print them and exit."""
    chosen = (arguments.overrides, arguments.config_path, arguments.config_name)
    if arguments.cfg:
        settings, _ = compose_settings(*chosen, complete=False)
        print(to_yaml(settings, resolve=not missing_keys(settings)), end="")
        raise SystemExit
    return compose_settings(*chosen)


def read_environment(arguments: argparse.Namespace) -> dict:
    """The settings `env`, for a command that needs no others."""
    settings, _ = compose_settings(arguments.overrides, arguments.config_path, arguments.config_name, complete=False)
    return environment_of(settings)
