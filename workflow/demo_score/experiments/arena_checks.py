"""What the arena of an experiment must satisfy beyond its model: its methods' settings, and what these need."""

from pathlib import Path

from demo_score.config.models.experiment import Experiment
from demo_score.methods.base import CHECKPOINT, ENSEMBLE, INFLUENCE
from demo_score.methods.influence_settings import InfluenceSettings
from demo_score.methods.registry import load
from demo_score.runtime.errors import UserError

OF_POLICY = {CHECKPOINT, ENSEMBLE, INFLUENCE}  # needs that a base policy fulfils


def check_arena(experiment: Experiment) -> None:
    """Raise UserError for settings that a method does not have, and for a method that lacks what it needs."""
    arena = experiment.arena
    if unknown := sorted({*(arena.settings or {})} - {*arena.methods, INFLUENCE}):
        raise UserError(f"arena.settings.{unknown[0]}: is not among methods; add it there, or remove its settings")
    for method in arena.methods:
        load(method).settings.checked(arena.settings_of(method), f"arena.settings.{method}")
        if OF_POLICY & load(method).needs and not experiment.base_policy:
            raise UserError(
                f"arena.methods: {method} looks into a base policy, and none is trained; add base_policy (with env and "
                f"policy), or remove {method}"
            )
    InfluenceSettings.checked(arena.settings_of(INFLUENCE), f"arena.settings.{INFLUENCE}")


def check_external(experiment: Experiment) -> None:
    """Raise UserError for scores of other programs that do not lie where they should."""
    arena = experiment.arena
    for name, external in (arena.external or {} if arena else {}).items():
        if not Path(external.path).is_file():
            raise UserError(f"arena.external.{name}.path: {external.path}: no such file; give a table of scores (.csv)")
