"""The sections of an experiment in config.yaml."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from demo_score.conditions import FINAL
from demo_score.config.checkpoint_names import checkpoint_name
from demo_score.config.models.base import ABSENT, Section, Seed, Text, different, text, whole
from demo_score.config.models.classifiers import Checkpoints
from demo_score.config.models.user_data import Source, UserRollouts

Positive = whole(1)
Override = text(r"^(~\S+|[^\s=]+=[^\n]*)$", "one of Hydra's overrides (KEY=VALUE)")
Overrides = list[Override]
Condition = Literal[*FINAL]


class _Entry(Section):
    """An entry of data: what is collected needs certain keys, which what is user-supplied has not."""

    needs: ClassVar[tuple[str, ...]]
    shared: ClassVar[tuple[str, ...]] = ()

    def conflicts_in(self, name: str) -> Iterator[str]:
        """What is wrong between the keys of the entry `name`."""
        written = self.model_fields_set
        if self.is_supplied:
            if superfluous := [key for key in self.needs if key in written]:
                yield f"{name}: is user-supplied (path or repo_id), so that {superfluous[0]} means nothing; remove it"
        elif missing := [key for key in self.needs if key not in written]:
            yield f"{name}: has no {missing[0]}; add it to collect episodes, or give path: FOLDER_OR_FILE"
        elif foreign := sorted(written - {*self.needs, *self.shared}):
            yield f"{name}: {foreign[0]} is about user-supplied data; add path or repo_id, or remove it"


class _Attempts(_Entry):
    needs = ("n_episodes", "seed")
    n_episodes: Positive = ABSENT
    """Successes to collect"""
    seed: Seed = ABSENT
    """Environment seed of the first attempt"""


class Demonstrations(Source, _Attempts):
    """Collected: n_episodes and seed; user-supplied: the others."""


class _Tries(_Entry):
    needs, shared = ("n_episodes", "seed_offset", "overrides"), ("eps",)
    eps: Checkpoints
    n_episodes: Positive = ABSENT
    """Rollouts a checkpoint (`eval.n_episodes` of step 2)"""
    seed_offset: Positive = ABSENT
    """Rollouts start at environment seed `seed` + this, checkpoint after checkpoint"""
    overrides: Overrides = ABSENT
    """Hydra overrides of the checkpoint's settings while rolling out (step 2)"""


class Rollouts(UserRollouts, _Tries):
    """Collected: n_episodes, seed_offset and overrides; user-supplied: the others."""

    eps: Checkpoints
    """Checkpoints to roll out; `training.save_freq` must save each"""


class BasePolicy(Section):
    """Training on all demonstrations (step 1), or checkpoints of a policy that was trained elsewhere."""

    overrides: Overrides = ABSENT
    """Hydra overrides of the base policy's training (step 1); of `checkpoints`, what changes how they act"""
    checkpoints: different(Text) = ABSENT
    """Instead of training: checkpoints from elsewhere, ours or LeRobot's folders, `{seed}` in them the run's
    ([lerobot.md](lerobot.md)); they are called by their training steps (optional)"""

    def conflicts(self) -> Iterator[str]:
        if self.overrides is None and self.checkpoints is None:
            yield "base_policy: has no overrides; add overrides: [], or checkpoints: [FOLDER] of a trained policy"
        names = [checkpoint_name(path) for path in self.checkpoints or []]
        if unnamed := [path for path in self.checkpoints or [] if not checkpoint_name(path).isdigit()]:
            yield f"base_policy.checkpoints: {unnamed[0]} is not called by a training step (003000); rename or link it"
        if shared := [name for name in names if names.count(name) > 1]:
            yield f"base_policy.checkpoints: two are called {shared[0]}; name each by its training step"

    def names(self) -> list[str]:
        """The names of the checkpoints, where they come from elsewhere."""
        return sorted(checkpoint_name(path) for path in self.checkpoints or [])

    def checkpoint(self, name: str, seed: object) -> str:
        """The folder of the checkpoint so called, in the run `seed`."""
        found = next(path for path in self.checkpoints if checkpoint_name(path) == name)
        return found.replace("{seed}", str(seed))


class DemoScore(Section):
    """The filter."""

    model_arch: str
    """Architecture that filters, or `best` of all"""
    threshold: Literal["mean", "balanced"]
    """`mean` (published: mean score of the training rollouts) or `balanced` (best balanced accuracy on held-out
    rollouts)"""


class FinalPolicy(Section):
    """Training of the conditions (step 5)."""

    overrides: Overrides
    """Hydra overrides of the conditions' training (step 5)"""
    seed_offset: Positive
    """The conditions train with `seed` + this"""
    conditions: different(Condition)
    """Conditions beside `base` ([below](#the-conditions))"""
    oracle: list[str]
    """Strategies that the condition `oracle` keeps"""
    init_from: Literal["base"] = ABSENT
    """`base`: the conditions go on from the base policy's weights, instead of from scratch (optional)"""


class Evaluation(Section):
    """The final test."""

    n_episodes: Positive
    """Final test: episodes"""
    seed_offset: Positive
    """Final test: starts at environment seed `seed` + this"""
    overrides: Overrides
    """Final test: Hydra overrides of the checkpoint's settings"""
