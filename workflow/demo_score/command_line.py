"""The command line that the commands with Hydra settings share."""

import argparse
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from demo_score.settings import CONFIGS, compose_settings, to_yaml


def settings_parser(description: str) -> argparse.ArgumentParser:
    """A parser for Hydra overrides (key=value) and Hydra's own options; add a command's own to it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings to change, in Hydra's grammar")
    parser.add_argument("--config-path", type=Path, default=CONFIGS, help="folder of the settings tree")
    parser.add_argument("--config-name", default="default", help="settings file to start from, without .yaml")
    parser.add_argument("--cfg", choices=["job"], help="print the settings and stop")
    return parser


def checkpoint_parser(description: str) -> argparse.ArgumentParser:
    """A parser for commands that run a checkpoint; its settings are the ones that overrides change."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of the checkpoint to change")
    parser.add_argument("-p", dest="checkpoint", type=Path, required=True, help="folder such as checkpoints/003000")
    parser.add_argument("--out-dir", type=Path, required=True, help="folder for the results")
    return parser


def read_settings(arguments: argparse.Namespace) -> tuple[DictConfig, Path]:
    """The settings that a command line asks for, and hydra.run.dir. With --cfg, print them and exit."""
    settings, run_dir = compose_settings(arguments.overrides, arguments.config_path, arguments.config_name)
    if arguments.cfg:
        print(to_yaml(settings), end="")
        raise SystemExit
    return settings, run_dir


def read_environment(arguments: argparse.Namespace) -> dict:
    """The settings `env`, for a command that needs no others."""
    settings, _ = compose_settings([*arguments.overrides, "seed=0"], arguments.config_path, arguments.config_name)
    return OmegaConf.to_container(settings.env)
