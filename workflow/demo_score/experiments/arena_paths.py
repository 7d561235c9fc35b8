"""Where the files of an experiment's arena lie.

seed<seed>/arena/          scores/<method>.csv, <keep>/<entrant>/ (a list, a policy, its evaluation), costs.csv
arena/                     what all runs say together: summary.md, tables/, figures/, pages/
"""

from collections.abc import Iterator
from pathlib import Path

from demo_score.conditions import BASE
from demo_score.config.models.experiment import arena_condition
from demo_score.experiments import config
from demo_score.experiments.paths import ExperimentPaths
from demo_score.methods.base import CHECKPOINT, ENSEMBLE, FILTER, INFLUENCE, ROLLOUTS
from demo_score.methods.registry import load

# Tables that a run's arena puts together, a file for all entrants or methods, and their kind.
RUN_TABLES = {"evaluations": "outcomes", "kept": "arena_kept", "scores": "arena_scores"}
# Figures, and of each the tables that it shows, by their options.
ARENA_FIGURES = {
    "arena_uplift": {"table": "arena_uplift"},
    "arena_detection": {"detection": "arena_detection", "uplift": "arena_uplift"},
    "arena_curves": {"table": "arena_uplift"},
    "arena_cost": {"costs": "arena_costs", "uplift": "arena_uplift"},
    "arena_agreement": {"table": "arena_agreement"},
}


class ArenaPaths:
    """The files of the arena of one experiment, which has one."""

    def __init__(self, paths: ExperimentPaths):
        self.paths = paths
        self.arena = paths.experiment.arena
        self.seeds = paths.seeds

    def run(self, seed: object) -> str:
        """The folder of one run."""
        return f"{self.paths.run(seed)}/arena"

    def scores(self, seed: object, method: str) -> str:
        """The scores that a method gives all demonstrations."""
        return f"{self.run(seed)}/scores/{method}.csv"

    def evidence(self, seed: object, method: str) -> dict[str, list[str]]:
        """The files that a method needs, by what it calls them, beside the demonstrations."""
        sources = {
            ROLLOUTS: lambda: self.paths.rollouts(seed),
            CHECKPOINT: lambda: [self.paths.final_checkpoint(seed, BASE)],
            ENSEMBLE: lambda: self.tried_checkpoints(seed),
            INFLUENCE: lambda: [f"{self.run(seed)}/influence.safetensors"],
            FILTER: lambda: [f"{self.paths.run(seed)}/demo_score/scores.csv"],
        }
        return {need: sources[need]() for need in sorted(load(method).needs)}

    def evidence_options(self, seed: object, method: str) -> list[str]:
        """The same as options of score_demonstrations.py, which takes checkpoints as folders."""
        files = self.evidence(seed, method)
        checkpoints = [str(Path(path).parent) for need in (CHECKPOINT, ENSEMBLE) for path in files.get(need, [])]
        options = {"--rollouts": files.get(ROLLOUTS), "--checkpoints": checkpoints}
        options |= {"--influence": files.get(INFLUENCE), "--filter-scores": files.get(FILTER)}
        return [word for option, values in options.items() if values for word in (option, *values)]

    def scores_of_entrant(self, seed: object, entrant: str) -> list[str]:
        """The scores that an entrant goes by; none of a control."""
        return [self.scores(seed, entrant)] if entrant in self.arena.scored() else []

    def scores_of_run(self, seed: object) -> list[str]:
        """The scores of every method in a run."""
        return [self.scores(seed, method) for method in self.arena.scored()]

    def tried_checkpoints(self, seed: object) -> list[str]:
        """Those of the base policy that were rolled out; all of them, where rollouts are another policy's."""
        e = self.paths.experiment
        steps = config.saved_checkpoints(e, "base_policy") if e.rollouts.is_supplied else e.rollouts.eps
        return [f"{self.paths.run(seed)}/{BASE}/checkpoints/{step}/model.safetensors" for step in steps]

    def external(self, method: str) -> str:
        """The table of scores that some other program made."""
        return self.arena.external[method].path

    def benchmarks(self, seed: object) -> dict[str, list[str]]:
        """What measured the jobs of each method; the shared ones count for each that needs them."""
        return {method: list(self._benchmarks_of(seed, method)) for method in self.arena.methods}

    def _benchmarks_of(self, seed: object, method: str) -> Iterator[str]:
        yield f"{self.run(seed)}/benchmarks/{method}.tsv"
        if INFLUENCE in load(method).needs:
            yield f"{self.run(seed)}/benchmarks/influence.tsv"
        if FILTER in load(method).needs:
            run = self.paths.run(seed)
            for path in self.paths.candidate_classifiers(seed):
                yield path.replace(f"{run}/", f"{run}/benchmarks/").replace(".safetensors", ".tsv")
            yield f"{run}/benchmarks/filter.tsv"

    def entrants(self, seed: int) -> list[str]:
        """The folder of every entrant of a run."""
        places = self.paths.experiment.arena_places()
        return [
            f"{self.paths.run(seed)}/{arena_condition(keep, entrant)}"
            for of, keep, entrant in places
            if of == int(seed)
        ]

    def of_entrants(self, seed: int, file: str) -> list[str]:
        """A file of every entrant of a run."""
        return [f"{folder}/{file}" for folder in self.entrants(seed)]

    def gathered(self, seed: int, table: str) -> list[str]:
        """The tables of a run that one of RUN_TABLES puts together."""
        if table == "scores":
            return self.scores_of_run(seed)
        return self.of_entrants(seed, {"kept": "kept.csv", "evaluations": "evaluation.csv"}[table])

    def of_runs(self, table: str) -> list[str]:
        """A table of every run; no evaluations where no policy is tested."""
        if table == "evaluations" and not self.paths.is_evaluated:
            return []
        return [f"{self.run(seed)}/{table}.csv" for seed in self.seeds]

    def table_names(self) -> list[str]:
        """The tables that the arena has: where no policy is tested, those of agreement and cost alone."""
        tested = ["arena_uplift", "arena_detection"] if self.paths.is_evaluated else []
        return [*tested, "arena_agreement", "arena_costs"]

    def figure_names(self) -> list[str]:
        """Those figures whose tables it has; curves where there are other sizes, agreement of two methods or more."""
        has, left_out = {*self.table_names()}, set() if self.arena.curve else {"arena_curves"}
        left_out |= {"arena_agreement"} if len(self.arena.scored()) < 2 else set()
        return [name for name, tables in ARENA_FIGURES.items() if {*tables.values()} <= has and name not in left_out]

    def pages(self) -> list[tuple[str, str, str]]:
        """A page of each table and of the summary: its path, its caption, and what the report calls it."""
        folder = f"{self.paths.results}/arena/pages"
        shown = [(f"table_{name}", f"table: {name.removeprefix('arena_')}") for name in self.table_names()]
        names = [*self.table_names(), "summary"]
        return [
            (f"{folder}/{name}.html", caption, shows)
            for name, (caption, shows) in zip(names, [*shown, ("arena_summary", "summary")], strict=True)
        ]

    def tables(self) -> list[str]:
        """All tables, and the summary."""
        folder = f"{self.paths.results}/arena"
        return [*(f"{folder}/tables/{name}.csv" for name in self.table_names()), f"{folder}/summary.md"]

    def figures(self) -> list[str]:
        """All figures, in two formats."""
        folder = f"{self.paths.results}/arena/figures"
        return [f"{folder}/{name}.{kind}" for name in self.figure_names() for kind in ("png", "svg")]

    def targets(self) -> list[str]:
        """What the arena ends in."""
        pages = [path for path, _, _ in self.pages()]
        return [*self.tables(), *self.figures(), *pages, f"{self.paths.results}/arena/tables/manifest.json"]

    def inputs_of_seed(self, seed: int) -> list[str]:
        """Every file of one run that the arena's tables follow from."""
        trained = ["settings.yaml"] if self.paths.is_evaluated else []
        files = [path for file in ("datasets_file.txt", *trained) for path in self.of_entrants(seed, file)]
        tables = ["kept", "scores", "costs", *(["evaluations"] if self.paths.is_evaluated else [])]
        gathered = [f"{self.run(seed)}/{table}.csv" for table in tables]
        return [*files, *gathered, f"{self.paths.run(seed)}/demo_score/scores.csv"]
