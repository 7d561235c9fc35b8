"""Where settings files lie: our tree, and a user's own files beside or instead of it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from demo_score.config.hydra_version import hydra_version
from demo_score.config.yaml_files import read_yaml
from demo_score.runtime.errors import UserError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
GROUPS = ("env", "policy", "experiment")


@dataclass(frozen=True)
class SettingsTree:
    """A settings file to start from, and the places where Hydra looks for it and for what it names."""

    config_name: str
    places: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    # Whether it is made of defaults and choices, and not a complete file such as a checkpoint's settings.yaml.
    composed: bool = True

    def compose(self, overrides: list[str]) -> DictConfig:
        """The settings with Hydra's own under `hydra`, not yet resolved.

        Raises UserError for a key, mistyped in a settings file, that no default has; +key=value adds one on purpose.
        """
        if unnamed := [override for override in overrides if not override.lstrip("+~").partition("=")[0].strip()]:
            raise UserError(f"{unnamed[0]}: names no setting; settings are KEY=VALUE")
        if removed := [
            key for key in ("env", "policy") for override in overrides if override.split("=")[0] == f"~{key}"
        ]:
            raise UserError(f"~{removed[0]}: every run needs one; give {removed[0]}=NAME instead")
        settings = self._compose([*self.overrides, *map(_quote, overrides)])
        if self.composed:
            self._check_removals(overrides, settings.hydra.runtime.choices)
            added = {override.lstrip("+").split("=")[0] for override in overrides if override.startswith("+")}
            known = added | self._known_keys(settings.hydra.runtime.choices)
            for key in sorted(_leaves(settings)):
                if not known & {key, *_parents(key)}:
                    raise UserError(f"unknown setting {key}; correct it, or give +{key}=VALUE if your code reads it")
        return settings

    def _compose(self, overrides: list[str]) -> DictConfig:
        hydra_version()
        from demo_score.config.hydra_internals import compose_from  # only of a version that is supported

        try:
            return compose_from(self.places, self.config_name, overrides)
        except RecursionError:
            raise UserError(
                f"{self.config_name}.yaml: its defaults, or those of a file that they name, lead back to itself; "
                "remove the file's own name from its defaults"
            ) from None

    def _check_removals(self, overrides: list[str], chosen: DictConfig) -> None:
        """~KEY takes a setting away that every run, or the chosen environment or policy, reads."""
        for override in (override for override in overrides if override.startswith("~")):
            key = override.removeprefix("~").split("=")[0]
            if any(name == key or name.startswith(f"{key}.") for name in self._known_keys(chosen)):
                raise UserError(f"{override}: removes a setting that is read; give {key}=VALUE instead")

    def _known_keys(self, chosen: DictConfig) -> set[str]:
        """The keys of default.yaml, and of the chosen env and policy, which a user's own file may extend."""
        if not chosen.get("experiment"):
            return _default_keys() | {"env", "policy"}
        return _default_keys() | _keys_of(self, chosen.env, chosen.policy)


def open_tree(config_path: str | Path, config_name: str) -> SettingsTree:
    """The tree that --config-path and --config-name mean.

    A file with a defaults list that names groups by `/env`, as experiments do, is laid over default.yaml; any other
    is where the composition starts. What it names and does not have itself comes from our own tree.
    """
    folder = find_folder(config_path)
    file = folder / f"{config_name}.yaml"
    if not file.is_file():
        raise UserError(f"{folder}: has no {config_name}.yaml; check --config-path and --config-name")
    ours = f"settings://{CONFIGS}"
    read_yaml(file)
    content = OmegaConf.load(file)
    defaults = content.get("defaults") if isinstance(content, DictConfig) else None
    if any(isinstance(default, DictConfig) and "/" in next(iter(default)) for default in defaults or []):
        parents = [f"settings://{folder.parent}"] if folder.name == "experiment" else []
        return SettingsTree("default", (f"experiment://{folder}", *parents, ours), (f"experiment={config_name}",))
    return SettingsTree(config_name, (f"settings://{folder}", ours), composed=defaults is not None)


def find_folder(config_path: str | Path) -> Path:
    """--config-path, relative to the working directory or to the folder that our own tree lies in."""
    for base in (Path.cwd(), CONFIGS.parent):
        if (folder := (base / config_path)).is_dir():
            return folder.resolve()
    raise UserError(f"{config_path}: no such folder; set --config-path to a folder with settings files")


def choices(group: str) -> list[str]:
    """The files of env, policy or experiment in our tree."""
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def _quote(override: str) -> str:
    """Hydra's grammar takes letters beyond ASCII only in quotes, which a shell has removed: put them back."""
    key, _, value = override.partition("=")
    if value.isascii() or value[0] in "'\"[{":
        return override
    escaped = value.replace("'", "\\'")
    return f"{key}='{escaped}'"


@cache
def _keys_of(tree: SettingsTree, env: str, policy: str) -> set[str]:
    """The keys of an environment and a policy, before an experiment changes any."""
    without = tree._compose([f"env={env}", f"policy={policy}"])
    return {key for key in _leaves(without) if key.startswith(("env.", "policy."))}


@cache
def _default_keys() -> set[str]:
    return _leaves(OmegaConf.load(CONFIGS / "default.yaml")) | {"fps", "datasets_file"}


def _leaves(node: DictConfig, prefix: str = "") -> set[str]:
    """Dotted keys of all values, Hydra's own aside."""
    keys = set()
    for key in node:
        name = f"{prefix}{key}"
        child = None if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key) else node[key]
        keys |= _leaves(child, f"{name}.") if isinstance(child, DictConfig) and child else {name}
    return {key for key in keys if not key.startswith(("hydra.", "defaults"))}


def _parents(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]
