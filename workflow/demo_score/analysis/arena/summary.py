"""The result of an arena as one Markdown page."""

import pandas as pd

from demo_score.analysis.arena.findings import Findings
from demo_score.analysis.arena.order import methods_in, sizes_in
from demo_score.analysis.arena.ranking import OF_METHODS, Tables, curves, means_of, of_method, ranking
from demo_score.analysis.arena.scores import agreement_sentence, detection_sentence, mean_agreement
from demo_score.analysis.formatting import cells, count, digits, heading
from demo_score.curation_methods import title
from demo_score.entrants import OWN
from demo_score.tables import ALL_RUNS

NOTE = (
    "Success and uplift are means over runs with 95% t intervals over runs; n counts the episodes of all of them. "
    "Uplift: success minus the mean of the run's random choices of equal size, run by run (oracle and all "
    "demonstrations: minus those of the arena's own size). p: exact test over all signs of the runs' uplifts; Holm's "
    "allows for all methods, not for controls. Methods that share a letter do not differ (paired t tests over runs, "
    "Holm over all pairs, level .05). Gap closed: (method - random) / (oracle - random), of means, without an "
    "interval. Core-seconds: what the scores of a run took, the jobs that methods share counted for each."
)
ONE_RUN = (
    "One run gives no interval over runs and no test: how far another would differ is unknown. Uplift: success minus "
    "the mean of the run's random choices of equal size."
)
UNTESTED = "No policy was tested here: this says what methods score and keep, not whether it helps."


def summarise_arena(tables: Tables) -> str:
    """Markdown: the ranking and what it shows, where policies were tested; agreement, detection and costs."""
    about_scores = [*detection_sentence(tables), *agreement_sentence(tables["arena_agreement"])]
    if "arena_uplift" not in tables:
        return "\n".join([*_methods(tables), "", *about_scores, "", f"{_size(tables)} {UNTESTED}", ""])
    uplift = tables["arena_uplift"]
    findings = Findings(uplift)
    lines = [*ranking(tables), "", *findings.lines(), *about_scores, ""]
    if len(sizes := sizes_in(uplift["keep"])) > 1:
        lines += ["## Keep curves", "", *curves(uplift, sizes), "", *_runs_of_sizes(uplift, sizes), ""]
    return "\n".join([*lines, NOTE if means_of(uplift)["runs"].max() > 1 else ONE_RUN, ""])


def _methods(tables: Tables) -> list[str]:
    """Without a policy that is tested: a row a method."""
    agreement = tables["arena_agreement"]
    header = [
        "Method",
        "Mean rank correlation with others",
        "Kept by both, of what either keeps, mean (%)",
        *OF_METHODS,
    ]
    lines = heading(header)
    for method in methods_in([*agreement["method"], *agreement["other"], *tables["arena_costs"]["method"]]):
        rho, overlap = mean_agreement(agreement, method)
        lines.append(cells([title(method), digits(rho), digits(100 * overlap, 0), *of_method(method, tables)]))
    return lines


def _size(tables: Tables) -> str:
    """How many demonstrations and runs there are, where two methods say so."""
    rows = tables["arena_agreement"]
    runs = rows[rows["seed"] != ALL_RUNS]
    if runs.empty:
        return "One method."
    return f"{count(int(runs['n'].max()), 'demonstration')}, {count(runs['seed'].nunique(), 'run')}."


def _runs_of_sizes(uplift: pd.DataFrame, sizes: list[str]) -> list[str]:
    """Which runs each size has, and what its cells say."""
    runs = uplift[uplift["seed"] != ALL_RUNS]
    of_sizes = {keep: sorted(set(runs.loc[runs["keep"] == keep, "seed"]), key=int) for keep in sizes}
    parts = [
        f"{'own' if keep == OWN else f'{keep}%'}: {count(len(seeds), 'run')} ({', '.join(seeds)})"
        for keep, seeds in of_sizes.items()
    ]
    return ["Success (%) with its interval over runs; then uplift (points). " + "; ".join(parts) + "."]
