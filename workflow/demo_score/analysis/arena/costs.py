"""What each method costs, in each run and on the mean."""

import pandas as pd

from demo_score.analysis.arena.order import methods_in
from demo_score.tables import ALL_RUNS, ARENA_MEAN_COSTS


def cost_table(costs: pd.DataFrame) -> pd.DataFrame:
    """A row a method and run, and ALL_RUNS: the means; costs: as `read_costs` gives them."""
    rows = []
    for method in methods_in(costs["method"]):
        runs = costs[costs["method"] == method].sort_values("seed")
        rows += [{**row, "seed": str(row["seed"]), "runs": 1} for row in runs.to_dict("records")]
        means = runs[["rollouts", "core_seconds"]].mean()
        needs = runs["needs"].iloc[0]
        rows.append({"method": method, "seed": ALL_RUNS, "runs": len(runs), "needs": needs, **means})
    return ARENA_MEAN_COSTS.frame(rows)
