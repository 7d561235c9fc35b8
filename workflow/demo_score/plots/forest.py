"""Paired differences of success rates with their intervals: between the conditions of an experiment, and over experiments."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from demo_score.analysis.inputs import CONDITIONS, CONTROLS, read_columns
from demo_score.plots.runs import describe_runs, draw_row, legend, name_rows
from demo_score.plots.style import CONDITION_COLOURS, GREY, condition_label, new_figure, wrap
from demo_score.runtime.errors import UserError

COLUMNS = ["condition", "against", "seed", "n", "difference", "low", "high"]
ROW, TITLE = 0.24, 0.3  # inches: of a difference, of what is above and below a panel
CONTROL = "minus its control of equal size"
OVERVIEW = {  # panel of the overview: condition, against
    "Curated (demos) minus base policy": ("curated_demos", "base"),
    f"Curated (demos) {CONTROL}": ("curated_demos", CONTROLS["curated_demos"]),
    "Curated (rollouts + demos) minus its control": (
        "curated_rollouts_plus_demos",
        CONTROLS["curated_rollouts_plus_demos"],
    ),
}


def differences(table: Path) -> Figure:
    """Each condition's success rate minus that of the base policy, of its control, and else of the random subset.

    table: differences.csv, as tables.difference_table writes it.
    """
    rows = read_columns(table, COLUMNS)
    rows = rows.assign(row=rows["condition"])
    against, controlled = rows["against"], rows["condition"].isin(CONTROLS)
    others = (against == "random") & ~controlled & ~rows["condition"].isin(["base", *CONTROLS.values()])
    panels = {
        "minus base policy": rows[against == "base"],
        CONTROL: rows[controlled & (against == rows["condition"].map(CONTROLS))],
        "minus random subset": rows[others],
    }
    return _forest(panels, {condition: condition_label(condition) for condition in CONDITIONS})


def overview(tables: list[Path]) -> Figure:
    """The curated conditions' success rates minus those of the base policy and of their controls, in several experiments.

    tables: differences.csv of each experiment (results/<experiment>/tables/differences.csv).
    """
    names = {path: path.resolve().parents[1].name for path in tables}
    rows = pd.concat([read_columns(path, COLUMNS).assign(row=name) for path, name in names.items()])
    panels = {
        title: rows[(rows["condition"] == condition) & (rows["against"] == against)]
        for title, (condition, against) in OVERVIEW.items()
    }
    if all(shown.empty for shown in panels.values()):
        raise UserError(f"no table tells of the conditions {', '.join(CONTROLS)}; add one to final_policy.conditions")
    return _forest(panels, {name: wrap(name.replace("_", " "), 20) for name in names.values()})


def _forest(panels: dict[str, pd.DataFrame], labels: dict[str, str]) -> Figure:
    """A panel below the other, each with a row for those of `labels` that it tells of."""
    panels = {title: rows for title, rows in panels.items() if len(rows)}
    counts = [rows["row"].nunique() for rows in panels.values()]
    figure = new_figure(0.6 + ROW * sum(counts) + TITLE * len(counts))
    every = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=counts)[:, 0]
    for axes, (title, rows) in zip(every, panels.items(), strict=True):
        shown = [name for name in labels if name in set(rows["row"])]
        axes.axvline(0, color=GREY, linewidth=0.6, linestyle=":")
        for height, name in enumerate(shown):
            chosen = rows[rows["row"] == name]
            draw_row(axes, height, chosen, "difference", CONDITION_COLOURS[chosen["condition"].iloc[0]])
        name_rows(axes, [labels[name] for name in shown])
        axes.set_title(title, loc="left")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.0f}" if value else "0"))
    everything = pd.concat(panels.values())
    every[-1].set_xlabel(f"Difference (points; {describe_runs(everything, 'row', 'pairs')})")
    legend(figure, everything)
    return figure
