"""The tables of the arena over all runs; what they are made of is declared with all other tables."""

from demo_score.tables.arena_inputs import ARENA_COSTS, ARENA_KEPT, ARENA_SCORES
from demo_score.tables.declared import DETECTION, SUCCESS
from demo_score.tables.schema import NUMBER, TEXT, WHOLE, Column, Table

_RUN, _RUNS, _N = (SUCCESS.columns[name] for name in ("seed", "runs", "n"))
_METHOD = ARENA_SCORES.columns["method"]
_MADE_BY = "make_arena_tables.py"


def _number(meaning: str, heading: str = "", shown: str = "digits") -> Column:
    return Column(NUMBER, meaning, heading, shown, may_lack=True)


ARENA_UPLIFT = Table(
    file="arena/tables/arena_uplift.csv",
    made_by=_MADE_BY,
    row="an entrant at a size of keep in a run, and over runs; `random`: all random choices of a run",
    key=("entrant", "keep", "seed"),
    columns={
        "entrant": ARENA_KEPT.columns["entrant"],
        "keep": ARENA_KEPT.columns["keep"],
        "seed": _RUN,
        "runs": _RUNS,
        "n": _N,
        "successes": SUCCESS.columns["successes"],
        "rate": SUCCESS.columns["rate"],
        "rate_low": _number("Lower 95% limit of it over runs, within 0..1; empty: one run gives none", shown=""),
        "rate_high": _number("Upper 95% limit", shown=""),
        "random_rate": _number(
            "Mean rate of the run's random choices of that size (of `own` for oracle and all)",
            "Random of equal size (%)",
            "percent",
        ),
        "uplift": _number("rate minus random_rate", "Uplift over random (points)", "points"),
        "low": _number("Lower 95% limit of uplift; empty: one run gives none", shown=""),
        "high": _number("Upper 95% limit", shown=""),
        "interval": SUCCESS.columns["interval"],
        "sign_flip_p": _number("p of sign flips over the runs' uplifts", "Sign-flip p", "p"),
        "holm_p": _number("The same by Holm, for all methods at that size; empty: a control", "Holm p", "p"),
        "letters": Column(
            TEXT, "Methods of that size that share a letter do not differ (paired t over runs, Holm, .05)", "Letters"
        ),
        "gap_closed": _number(
            "(rate - random) / (oracle - random), of means over runs; empty: no oracle, or none better than random",
            "Gap closed (%)",
            "percent",
        ),
        "minus_length": _number("rate minus that of the method `length`, paired", "Minus length (points)", "points"),
        "minus_length_low": _number("Lower 95% limit of it", shown=""),
        "minus_length_high": _number("Upper 95% limit", shown=""),
        "subsets": Column(
            WHOLE, "Random choices a run (the fewest of the runs); of `random`", "Random choices", "", True
        ),
        "sd_subsets": _number(
            "Standard deviation between a run's random choices; over runs its mean", "SD between choices", "percent"
        ),
        "share": _number("Share of the demonstrations kept", "Kept (%)", "percent"),
    },
)
ARENA_DETECTION = Table(
    file="arena/tables/arena_detection.csv",
    made_by=_MADE_BY,
    row="a method in a run, and over runs",
    key=("method", "seed"),
    columns={
        "method": _METHOD,
        "seed": _RUN,
        "n": DETECTION.columns["n"],
        "positive": DETECTION.columns["positive"],
        "auroc": _number("AUROC of the score for the oracle's strategies; ties half", "AUROC"),
        "average_precision": _number("Average precision; the demonstrations of a tie at once", "Average precision"),
        "auroc_within_length": _number(
            "AUROC over pairs from the same fifth of the lengths", "AUROC among like lengths"
        ),
        "average_precision_within_length": _number(
            "Average precision in each fifth of the lengths that holds both kinds, weighted by its positives",
            "Average precision among like lengths",
        ),
        "kept_positive": _number(
            "Of what is kept at `own`, the share of the oracle's strategies", "Kept, for the oracle (%)", "percent"
        ),
    },
)
ARENA_AGREEMENT = Table(
    file="arena/tables/arena_agreement.csv",
    made_by=_MADE_BY,
    row="two methods in a run, and over runs",
    key=("method", "other", "seed"),
    columns={
        "method": _METHOD,
        "other": Column(TEXT, "The other method", "Other"),
        "seed": _RUN,
        "n": DETECTION.columns["n"],
        "rho": _number("Spearman's correlation of their scores; empty: one scores all alike", "Rank correlation"),
        "overlap": _number("Of what either keeps at `own`, the share that both keep", "Both keep (%)", "percent"),
    },
)
ARENA_MEAN_COSTS = Table(
    file="arena/tables/arena_costs.csv",
    made_by=_MADE_BY,
    row="a method in a run, and the mean over runs",
    key=("method", "seed"),
    columns={
        "method": _METHOD,
        "seed": _RUN,
        "runs": _RUNS,
        "needs": Column(TEXT, "What it needs beside demonstrations", "Needs"),
        "rollouts": Column(NUMBER, "Labelled rollouts that it uses", "Rollouts", "steps"),
        "core_seconds": ARENA_COSTS.columns["core_seconds"],
    },
)
ARENA_TABLES = {
    "arena_uplift": ARENA_UPLIFT,
    "arena_detection": ARENA_DETECTION,
    "arena_agreement": ARENA_AGREEMENT,
    "arena_costs": ARENA_MEAN_COSTS,
}
