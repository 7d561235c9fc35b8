"""workflow/schemas: the JSON schemas of the models, for editors and other tools. Checks read the models themselves."""

from pathlib import Path

import yaml

from demo_score.config.json_schema import schema_of
from demo_score.config.models.base import Section
from demo_score.config.models.experiment import Config
from demo_score.config.models.policy import PolicySettings
from demo_score.config.models.settings import Settings

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
MODELS: dict[str, type[Section]] = {"config": Config, "settings": Settings, "policy": PolicySettings}
HEAD = "# Written by `make docs` (document_settings.py) from workflow/demo_score/config/models: edit these instead.\n"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def schema_files() -> dict[Path, str]:
    """Each file of workflow/schemas -> what it should hold."""
    return {SCHEMAS / f"{name}.schema.yaml": HEAD + _as_yaml(model) for name, model in MODELS.items()}


def _as_yaml(model: type[Section]) -> str:
    options = {"sort_keys": False, "default_flow_style": None, "width": 116, "allow_unicode": True}
    return yaml.dump(schema_of(model), Dumper=_Dumper, **options)
