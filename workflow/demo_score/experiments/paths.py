"""Where the files of an experiment lie below results/<name>, and which of them it ends in.

demonstrations/            shared by all runs; rollouts/ too, where they are user-supplied
seed<seed>/                one run: base/, <condition>/, rollouts/, classifiers/, demo_score/, demo_score_datasets/
tables/, pages/, figures/  what all runs say together
"""

from collections.abc import Iterable
from itertools import product
from pathlib import Path

from demo_score.conditions import BASE, CONDITIONS, CONTROLS, DATASET_LISTS
from demo_score.config.models.experiment import Experiment
from demo_score.experiments import config
from demo_score.observations import FEATURES
from demo_score.simulators import simulator

# The conditions whose checkpoints are rolled out as the base policy's are; what follows from each.
CONDITIONS_ALONG_TRAINING = [name for name, condition in CONDITIONS.items() if condition.along_training]
CURATION_TABLES = ["checkpoints", "kept", "classifiers", "architectures"]
ALL_TABLES = ["success", "differences", "detection", *CURATION_TABLES]
# Figures that show one table, and all that an experiment may have.
TABLE_FIGURES = ["success", "differences", "checkpoints", "kept"]
FIGURES = [*TABLE_FIGURES, "classifier_curves", "scores", "traces", "paths"]


class ExperimentPaths:
    """The files of the experiment `name`, as config.yaml describes it."""

    def __init__(self, name: str, experiment: Experiment):
        self.experiment = experiment
        self.results = f"results/{name}"
        self.user_data = experiment.user_data()
        self.is_evaluated = experiment.evaluation is not None
        self.seeds: list[int] = experiment.seeds

    def run(self, seed: object) -> str:
        """The folder of one run."""
        return f"{self.results}/seed{seed}"

    def all_demonstrations(self) -> str:
        """The list of all demonstrations; of user-supplied ones, the table of those that passed."""
        return f"{self.results}/demonstrations/all.{'csv' if 'demonstrations' in self.user_data else 'txt'}"

    def demonstrations(self) -> list[str]:
        """The episode files of all strategies, or the table of those that are user-supplied."""
        if not self.experiment.collected_strategies():
            return [self.all_demonstrations()]
        return [f"{self.results}/demonstrations/{strategy}.hdf5" for strategy in self.experiment.demonstrations]

    def rollouts(self, seed: object, eps: Iterable[str] | None = None) -> list[str]:
        """The rollouts of some checkpoints of a run's base policy (default: of all), or user-supplied ones."""
        steps = self.experiment.rollouts.eps if eps is None else eps
        if "rollouts" in self.user_data:
            return [f"{self.results}/rollouts/{step}.csv" for step in steps]
        return [f"{self.run(seed)}/rollouts/{step}.hdf5" for step in steps]

    def datasets_file(self, seed: object, condition: str) -> str:
        """The list of episodes that a condition's policy trains on."""
        if condition == BASE:
            return self.all_demonstrations()
        if condition in CONDITIONS and (dataset_list := CONDITIONS[condition].dataset_list):
            return f"{self.run(seed)}/demo_score_datasets/{dataset_list}.txt"
        return f"{self.run(seed)}/{condition}/datasets_file.txt"

    def listed_episodes(self, seed: object, condition: str) -> list[str]:
        """The files that the episodes of a condition's list lie in."""
        from_rollouts = condition in CONDITIONS and CONDITIONS[condition].takes_rollouts
        return self.demonstrations() + (self.rollouts(seed) if from_rollouts else [])

    def scored_episodes(self, seed: object, dataset_list: str) -> list[str]:
        """The lists of all episodes that could have been kept on a list."""
        from_rollouts = DATASET_LISTS[dataset_list].takes_rollouts
        return [self.all_demonstrations(), *(self.rollouts(seed) if from_rollouts else [])]

    def final_checkpoint(self, seed: object, condition: str) -> str:
        """The last checkpoint of a condition's policy."""
        step = config.final_step(self.experiment, config.training_stage(condition))
        return f"{self.run(seed)}/{condition}/checkpoints/{step}/model.safetensors"

    def start_of_training(self, seed: object, condition: str) -> str | None:
        """The checkpoint that a condition's training starts from; None: it starts from scratch."""
        goes_on = condition != BASE and self.experiment.final_policy.init_from == BASE
        return self.final_checkpoint(seed, BASE) if goes_on else None

    def named_in_settings(self, condition: str) -> list[str]:
        """The files beside the data that the settings of a condition's training name: weights of samples, a start."""
        training = config.stage_settings(self.experiment, config.training_stage(condition)).training
        files = [training.sample_weights] if training.get("sample_weights") else []
        return files + (_checkpoint_files(training.init_from) if training.get("init_from") else [])

    def taken_checkpoint(self, seed: object, step: str) -> str:
        """Where a checkpoint of the base policy comes from, which was trained elsewhere."""
        return self.experiment.base_policy.checkpoint(step, seed)

    def taken_files(self, seed: object, step: str) -> list[str]:
        """The files that it is made of; its folder, where there is none."""
        return _checkpoint_files(self.taken_checkpoint(seed, step))

    def classifiers(self, seeds: Iterable[object], model_archs: Iterable[str], suffix: str) -> list[str]:
        """A file of each classifier of some runs."""
        splits = self.experiment.classifiers.eps_dict
        places = product(seeds, splits, model_archs)
        return [f"{self.run(seed)}/classifiers/{split}/{arch}.{suffix}" for seed, split, arch in places]

    def candidate_classifiers(self, seed: object) -> list[str]:
        """The classifiers of the architecture that filters, or of all of them."""
        return self.classifiers([seed], self.candidate_archs(), "safetensors")

    def candidate_archs(self) -> list[str]:
        """The architecture that filters, or all that it is chosen from."""
        chosen = self.experiment.demo_score.model_arch
        return list(self.experiment.classifiers.model_archs) if chosen == "best" else [chosen]

    def all_classifiers(self, seed: object) -> list[str]:
        """The classifiers of all architectures."""
        return self.classifiers([seed], self.experiment.classifiers.model_archs, "safetensors")

    def looking_checkpoint(self, seed: object, archs: Iterable[str]) -> str | None:
        """The base policy's last checkpoint that is rolled out, where classifiers of `archs` see its policy.features.

        None where they do not see them.
        """
        if not any(FEATURES in self.experiment.classifiers.inputs_of(arch) for arch in archs):
            return None
        step = max(self.experiment.rollouts.eps, key=int)
        return f"{self.run(seed)}/base/checkpoints/{step}/model.safetensors"

    def classifier_metrics(self) -> list[str]:
        """The training curves of every classifier of every run."""
        return self.classifiers(self.seeds, self.experiment.classifiers.model_archs, "csv")

    def architectures(self) -> list[str]:
        """The architectures of every run's sweep side by side, where it has several."""
        return [f"{self.run(seed)}/demo_score/architectures.csv" for seed in self.seeds if self.has_architectures()]

    def has_architectures(self) -> bool:
        """Whether there are several to compare."""
        return len(self.experiment.classifiers.model_archs) > 1

    def evaluations(self) -> list[str]:
        """The evaluations of every condition and run."""
        conditions = self.experiment.trained_conditions()
        return [f"{self.run(seed)}/{condition}/evaluation.csv" for seed, condition in product(self.seeds, conditions)]

    def outcomes_of_rollouts(self) -> list[str]:
        """The labels of the rollouts of every run, and what became of curated policies at the same steps."""
        if "rollouts" in self.user_data:
            return self.rollouts(None)
        files = [f"{self.run(seed)}/rollouts.csv" for seed in self.seeds]
        return files + [file for seed in self.seeds for file in self.checkpoints_along_training(seed)]

    def checkpoints_along_training(self, seed: object) -> list[str]:
        """Outcomes of curated policies' checkpoints at the steps of the base policy's, where they are saved."""
        if not self.is_evaluated or "rollouts" not in self.experiment.stages():
            return []
        evaluated = [name for name in self.experiment.final_conditions() if CONDITIONS[name].along_training]
        if not evaluated:
            return []
        saved = config.saved_checkpoints(self.experiment, "final_policy")
        steps = [step for step in self.experiment.rollouts.eps if step in saved]
        return [f"{self.run(seed)}/{name}/rollouts/{step}.csv" for name, step in product(evaluated, steps)]

    def user_tables(self) -> list[str]:
        """The tables of the user-supplied episodes that pass."""
        tables = ["demonstrations/all.csv"] if "demonstrations" in self.user_data else []
        if "rollouts" in self.user_data:
            tables += [f"rollouts/{step}.csv" for step in self.user_data["rollouts"]["eps"]]
        return [f"{self.results}/{table}" for table in tables]

    def problems(self) -> list[str]:
        """The table of what was wrong with user-supplied data."""
        return [f"{self.results}/problems.csv"] if self.user_data else []

    def data_settings(self) -> list[str]:
        """What config.yaml says of user-supplied data."""
        return [f"{self.results}/data.yaml"] if self.user_data else []

    def tables(self) -> list[str]:
        """All tables, and the summary."""
        tables = ALL_TABLES if self.is_evaluated else CURATION_TABLES
        return [f"{self.results}/tables/{file}" for file in [*(f"{table}.csv" for table in tables), "summary.md"]]

    def inputs_of_seed(self, seed: object) -> list[str]:
        """Every file of one run that the tables follow from: settings, checkpoints, episodes, lists, scores, tests."""
        files = ["demo_score/classifier.yaml", "demo_score/scores.csv"]
        files += ["demo_score/architectures.csv"] * self.has_architectures()
        files += [f"demo_score_datasets/{dataset_list}.txt" for dataset_list in DATASET_LISTS]
        if "rollouts" not in self.user_data:
            files.append("rollouts.csv")
            for step in self.experiment.rollouts.eps:
                files += [f"rollouts/{step}.hdf5", f"base/checkpoints/{step}/model.safetensors"]
        for condition in self.experiment.trained_conditions():
            if condition != BASE or not self.experiment.takes_base_policy():
                files.append(f"{condition}/settings.yaml")
            if self.is_evaluated:
                files.append(f"{condition}/evaluation.csv")
        final = [self.final_checkpoint(seed, condition) for condition in self.experiment.trained_conditions()]
        own = [f"{self.run(seed)}/{file}" for file in files]
        lists = [self.datasets_file(seed, condition) for condition in self.experiment.final_conditions()]
        return sorted({*self.candidate_classifiers(seed), *own, *lists, *final, *self.checkpoints_along_training(seed)})

    def inputs_of_all_seeds(self) -> list[str]:
        """Every file that the tables follow from and that all runs share; data.yaml names a user's data themselves."""
        files = [*self.user_tables(), *self.problems()]
        if "demonstrations" not in self.user_data:
            files += [*self.demonstrations(), self.all_demonstrations()]
        return files

    def targets(self) -> list[str]:
        """What the experiment ends in."""
        tables = [f"{self.results}/tables/{file}" for file in ("summary.md", "manifest.json")]
        conditions = self.experiment.trained_conditions()
        checkpoints = [self.final_checkpoint(seed, condition) for seed, condition in product(self.seeds, conditions)]
        lists = product(self.seeds, DATASET_LISTS) if self.user_data else []
        exports = [f"{self.run(seed)}/demo_score_datasets/{dataset_list}" for seed, dataset_list in lists]
        return [*tables, f"{self.results}/pages/summary.html", *checkpoints, *exports]

    def figures(self) -> list[str]:
        """All figures, in two formats."""
        missing = set() if self.is_evaluated else {"success", "differences"}
        missing |= set() if self.has_paths() else {"paths"}
        figures = [figure for figure in FIGURES if figure not in missing]
        return [f"{self.results}/figures/{figure}.{kind}" for figure, kind in product(figures, ["png", "svg"])]

    def has_paths(self) -> bool:
        """Whether it is known where hands or pusher are in the demonstrations."""
        is_collected = bool(self.experiment.collected_strategies())
        return is_collected and bool(simulator(config.environment_settings(self.experiment).name).effectors)

    def recordings(self) -> list[str]:
        """The videos and frame strips of the first run."""
        run = self.run(self.seeds[0])
        recorded = (
            [f"{run}/{condition}/episodes" for condition in self.experiment.trained_conditions()]
            if self.is_evaluated
            else []
        )
        if self.experiment.collected_strategies():
            recorded.append(f"{run}/demo_score/demonstrations")
        return [f"{path}.{kind}" for path, kind in product(recorded, ["mp4", "png"])]

    def trains_on_a_choice(self) -> bool:
        """Whether a policy trains on what the filter keeps."""
        return any(CONDITIONS[condition].dataset_list for condition in self.experiment.final_conditions())

    def is_compared(self) -> bool:
        """Whether it says by how much a curated policy is better."""
        return self.is_evaluated and bool({*CONTROLS} & {*self.experiment.final_conditions()})


def _checkpoint_files(folder: str) -> list[str]:
    """The files that a checkpoint is made of; its folder, where there is none."""
    from demo_score.policies.checkpoints import checkpoint_files  # imports torch: only where one is named

    return [str(path) for path in checkpoint_files(Path(folder))] if Path(folder).is_dir() else [folder]
