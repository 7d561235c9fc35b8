"""config.yaml: what it may say, what must hold between its keys, and what follows from them."""

from collections.abc import Iterator
from typing import Literal

from demo_score.conditions import BASE
from demo_score.config.models.arena import Arena
from demo_score.config.models.base import ABSENT, AsWritten, Name, Section, Seed, Values, different, some
from demo_score.config.models.classifiers import Classifiers
from demo_score.config.models.sections import (
    BasePolicy,
    Demonstrations,
    DemoScore,
    Evaluation,
    FinalPolicy,
    Overrides,
    Rollouts,
)
from demo_score.config.models.user_data import UserData

POLICY_STAGES = ("base_policy", "final_policy")
STAGES = ("base_policy", "rollouts", "final_policy", "evaluation")
_ARENA = "arena"  # the folder of a run that its policies lie in
Stage = BasePolicy | Rollouts | FinalPolicy | Evaluation


class Experiment(AsWritten):
    """One experiment of config.yaml.

    What else it needs than the keys that are required follows from these: see conflicts.
    """

    env: str = ABSENT
    """File of `workflow/configs/env`"""
    policy: str = ABSENT
    """File of `workflow/configs/policy`"""
    overrides: Overrides = ABSENT
    """Hydra overrides of every stage, `env.*` and `fps` also of the demonstrations (optional)"""
    problems: Literal["refuse", "skip"] = "refuse"
    """Bad episodes of user-supplied data: `refuse` or `skip` (optional)"""
    seeds: different(Seed)
    """One complete run a seed; the seed of the base policy"""
    demonstrations: some(Demonstrations, Name)
    base_policy: BasePolicy = ABSENT
    rollouts: Rollouts
    classifiers: Classifiers
    demo_score: DemoScore
    final_policy: FinalPolicy = ABSENT
    evaluation: Evaluation = ABSENT
    arena: Arena = ABSENT

    def takes_base_policy(self) -> bool:
        """Whether the base policy was trained elsewhere."""
        return bool(self.base_policy and self.base_policy.checkpoints)

    def stages(self) -> list[str]:
        """Which of the stages that need a policy the experiment has; user-supplied rollouts are none."""
        named = [stage for stage in STAGES if getattr(self, stage)]
        return [stage for stage in named if stage != "rollouts" or not self.rollouts.is_supplied]

    def stage(self, name: str) -> Stage:
        """The section of a stage that the experiment has."""
        return getattr(self, name)

    def final_conditions(self) -> list[str]:
        """The conditions beside base; none where no final policy is trained."""
        return self.final_policy.conditions if self.final_policy else []

    def trained_conditions(self) -> list[str]:
        """All conditions of the experiment's comparison."""
        return ([BASE] if self.base_policy else []) + self.final_conditions()

    def oracle(self) -> list[str]:
        """The strategies that the condition oracle keeps; none where no final policy is trained."""
        return self.final_policy.oracle if self.final_policy else []

    def wildcard_values(self) -> dict[str, list[str]]:
        """What may stand in the places of paths below results/<experiment>, by the names of rules' wildcards."""
        places = self.arena_places()
        return {
            "seed": [str(seed) for seed in self.seeds],
            "step": self.rollouts.eps,
            "condition": [*self.trained_conditions(), *self.arena_conditions()],
            "strategy": list(self.demonstrations),
            "split": list(self.classifiers.eps_dict),
            "model_arch": list(self.classifiers.model_archs),
            "method": self.arena.scored() if self.arena else [],
            "entrant": list(dict.fromkeys(entrant for _, _, entrant in places)),
            "keep": list(dict.fromkeys(keep for _, keep, _ in places)),
        }

    def arena_places(self) -> list[tuple[int, str, str]]:
        """Seed, size of keep and entrant of every policy of the arena; none without one."""
        return list(self.arena.places(self.seeds, bool(self.oracle()))) if self.arena else []

    def arena_conditions(self) -> list[str]:
        """What stands for a condition in the paths of the arena's policies."""
        return list(dict.fromkeys(arena_condition(keep, entrant) for _, keep, entrant in self.arena_places()))

    def without_arena(self) -> Values:
        """What is written of everything but the arena, which nothing else follows from."""
        return {key: value for key, value in self.written.items() if key != "arena"}

    def collected_strategies(self) -> list[str]:
        """The strategies whose demonstrations are collected in a simulator."""
        return [name for name, entry in self.demonstrations.items() if not entry.is_supplied]

    def user_data(self) -> Values:
        """What is written of user-supplied demonstrations and rollouts; empty where both are collected."""
        supplied: Values = {}
        if not self.collected_strategies():
            supplied["demonstrations"] = self.written["demonstrations"]
        if self.rollouts.is_supplied:
            supplied["rollouts"] = self.written["rollouts"]
        return {**supplied, "problems": self.problems} if supplied else {}

    def classifier_settings(self) -> Values:
        """What is written of the sweep: the part of `classifiers` that the classifier commands read."""
        return {key: value for key, value in self.written["classifiers"].items() if key != "eps_dict"}

    def stage_overrides(self, stage: str) -> list[str]:
        """Hydra overrides of a stage, or of demonstrations; no seed or data."""
        env, common = f"env={self.env}", self.overrides or []
        of_env = [env, *(override for override in common if override.lstrip("+").startswith(("env.", "fps=")))]
        if stage == "demonstrations":
            return of_env
        own = self.stage(stage).overrides or []
        if stage == "base_policy" and self.takes_base_policy():
            return [*of_env, *own]
        if stage in POLICY_STAGES:
            return [env, f"policy={self.policy}", *common, *own]
        return [f"eval.n_episodes={self.stage(stage).n_episodes}", *own]

    def stage_seed(self, stage: str, seed: int) -> int:
        """The seed of a stage in the run `seed`."""
        return seed + getattr(self.stage(stage), "seed_offset", 0)

    def training_overrides(
        self, stage: str, seed: int, job_name: str, datasets_file: str, start: str | None = None
    ) -> list[str]:
        """Hydra overrides of a training run, complete; `start`: the checkpoint that it starts from."""
        own = [f"hydra.job.name={job_name}", f"+datasets_file={datasets_file}"]
        goes_on = [f"training.init_from={start}"] if start else []
        return [*own, *self.stage_overrides(stage), f"seed={self.stage_seed(stage, seed)}", *goes_on]

    def rollout_seed(self, seed: int, step: str) -> int:
        """The first environment seed of a checkpoint's rollouts: every checkpoint starts where no other does."""
        number = self.rollouts.eps.index(step)
        return self.stage_seed("rollouts", seed) + number * self.rollouts.n_episodes

    def conflicts(self) -> Iterator[str]:
        yield from _stage_conflicts(self)
        yield from _owned_overrides(self)
        yield from _checkpoint_conflicts(self)
        if supplied := self.user_data():
            yield from (f"user-supplied data: {problem}" for problem in UserData.model_validate(supplied).conflicts())
        yield from (f"classifiers: {problem}" for problem in self.classifiers.conflicts())
        chosen, known = self.demo_score.model_arch, self.classifiers.model_archs
        if chosen != "best" and chosen not in known:
            yield f"demo_score.model_arch: no architecture {chosen}; set best or one of {', '.join(known)}"
        yield from _oracle_conflicts(self)
        if self.arena:
            yield from (f"arena.{problem}" for problem in self.arena.conflicts_in(self.seeds))


class Config(Section):
    """config.yaml."""

    run: different(str)
    """Experiments that `snakemake` makes without a target"""
    experiments: some(Experiment, Name)
    """All experiments, by name"""

    def conflicts(self) -> Iterator[str]:
        if unknown := [name for name in self.run if name not in self.experiments]:
            yield f"run: no experiment {unknown[0]}; there are {', '.join(self.experiments)}"


def arena_condition(keep: str, entrant: str) -> str:
    """What stands for a condition in the paths of an arena's policy."""
    return f"{_ARENA}/{keep}/{entrant}"


def condition_of(place: str) -> tuple[str, str | None]:
    """The condition that stands in a path, and of an arena's policy the size of keep."""
    first, _, rest = place.partition("/")
    keep, _, entrant = rest.partition("/")
    return (entrant, keep) if first == _ARENA else (place, None)


# Settings that follow from config.yaml's own keys, or that name data and places which the workflow chooses.
_OWNED = {
    "seed": "set seeds, seed_offset",
    "datasets_file": "conditions train on what the workflow lists",
    "dataset_repo_id": "conditions train on what the workflow lists",
    "hydra": "the workflow says where results go",
    "env": "set env of the experiment",
    "policy": "set policy of the experiment",
}


def _stage_conflicts(experiment: Experiment) -> Iterator[str]:
    """Which parts an experiment needs follows from those it has."""
    for name, entry in experiment.demonstrations.items():
        yield from entry.conflicts_in(f"demonstrations.{name}")
    yield from experiment.rollouts.conflicts_in("rollouts")
    has = experiment.stages()
    collected = experiment.collected_strategies()
    if collected and len(collected) < len(experiment.demonstrations):
        yield f"demonstrations: {collected[0]} is to be collected, others are user-supplied; do one or the other"
    if "problems" in experiment.model_fields_set and not experiment.user_data():
        yield "problems: is about user-supplied data, and there are none; remove it"
    if "evaluation" in has and not {"base_policy", "final_policy"} & set(has):
        yield "evaluation: no policy is trained that could be tested; add final_policy, or remove evaluation"
    if experiment.final_policy and experiment.final_policy.init_from and "base_policy" not in has:
        yield "final_policy.init_from: there is no base policy to start from; add base_policy, or remove init_from"
    if experiment.base_policy:
        yield from experiment.base_policy.conflicts()
    needed, why = _needed(has, bool(collected))
    if experiment.takes_base_policy() and not experiment.final_policy:
        needed = [key for key in needed if key != "policy"]
    if missing := [key for key in needed if getattr(experiment, key) is None]:
        yield f"{missing[0]}: is missing, but {why}; add it"


def _needed(has: list[str], collects: bool) -> tuple[list[str], str]:
    """The keys that an experiment with the stages `has` cannot do without, and why."""
    if "rollouts" in has:
        return ["env", "policy", "base_policy"], "rollouts are collected (there is no path)"
    if has:
        return ["env", "policy"], "a policy is trained"
    return (["env"], "demonstrations are collected") if collects else ([], "")


def _owned_overrides(experiment: Experiment) -> Iterator[str]:
    """Overrides may not name what the workflow itself sets: it would train on, or test, something else than it says."""
    for override in experiment.overrides or []:
        if owned := _owned(override, tested=""):
            yield f"overrides: {override} is not for overrides: {owned}; remove it"
    for stage in experiment.stages():
        for override in experiment.stage(stage).overrides or []:
            if owned := _owned(override, tested="" if stage in POLICY_STAGES else stage):
                yield f"{stage}.overrides: {override} is not for overrides: {owned}; remove it"


def _owned(override: str, tested: str) -> str | None:
    """What to do instead of an override; `tested`: the stage, of those that test a checkpoint."""
    key = override.lstrip("+~").split("=")[0].split("@")[0].replace("/", ".")
    if tested and key == "experiment":
        return "a checkpoint's settings take single keys"
    if tested and (key == "eval.n_episodes" or (key == "eval" and "n_episodes" in override)):
        return f"set {tested}.n_episodes"
    return _OWNED.get("hydra" if key.split(".")[0] == "hydra" else key)


def _checkpoint_conflicts(experiment: Experiment) -> Iterator[str]:
    eps = experiment.rollouts.eps
    for name, split in experiment.classifiers.eps_dict.items():
        if unknown := sorted({*split.train, *split.cross_val} - set(eps)):
            yield f"classifiers.eps_dict.{name}: {unknown[0]} is not in rollouts.eps ({', '.join(eps)})"
        if shared := sorted(set(split.train) & set(split.cross_val)):
            yield f"classifiers.eps_dict.{name}: {shared[0]} is in both train and cross_val"


def _oracle_conflicts(experiment: Experiment) -> Iterator[str]:
    for strategy in experiment.oracle():
        if strategy not in experiment.demonstrations:
            yield f"final_policy.oracle: {strategy} is not among the demonstrations"
    if "oracle" in experiment.final_conditions() and not experiment.oracle():
        yield "final_policy.oracle: name the strategies that the condition oracle keeps"
