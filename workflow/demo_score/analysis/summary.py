"""The result of an experiment as one short Markdown page."""

import pandas as pd

from demo_score.analysis.formatting import cells, count, digits, heading, limits, percent
from demo_score.analysis.verdict import mean_difference, points
from demo_score.conditions import BASE, CONDITIONS, CONTROLS
from demo_score.tables import ALL_RUNS

NOTE = (
    "Intervals are 95% t intervals over runs, each of which gives one number: they speak of new runs (training seeds, "
    "rollouts, subsets and starts) on these demonstrations. p: exact test over all signs of the runs' differences, "
    "which 5 runs or fewer cannot bring below .05, and 6 not below .031; Holm's p allows for all m conditions that are "
    "compared with the same one, and cannot be below m times that. differences.csv also has a two-level bootstrap "
    "(runs, then starts), and each run with its own interval."
)
ONE_RUN = (
    "One run gives no interval over runs: how far another would differ is unknown. success.csv and differences.csv "
    "have intervals that speak of the starts of this run alone."
)

# Beyond this, a filter may merely prefer short or long episodes (arXiv 2606.10229).
LENGTH_RATIO = 1.1


def summarise(tables: dict[str, pd.DataFrame], problems: int) -> str:
    """Markdown: how conditions compare, where policies were evaluated; what was kept of what; what was left out."""
    kept = _kept_lines(
        tables["kept"], "success" in tables and "length_matched" not in set(tables["success"]["condition"])
    )
    if "detection" in tables:
        kept += _detection_lines(tables["detection"])
    architectures = _architecture_lines(tables["architectures"]) if "architectures" in tables else []
    if problems:
        kept.append(f"- {problems} episode{'s' * (problems > 1)} of the user-supplied data left out: see problems.csv.")
    if "success" not in tables:
        return "\n".join([*_rollout_lines(tables["checkpoints"], tables["classifiers"]), *kept, *architectures, ""])
    compared = _comparison(tables["success"], tables["differences"])
    note = NOTE if tables["success"]["runs"].max() > 1 else ONE_RUN
    return "\n".join([*compared, "", *kept, *architectures, "", note, ""])


def _comparison(success: pd.DataFrame, differences: pd.DataFrame) -> list[str]:
    """A row a condition, in percent and points, and each curated condition's differences in all their numbers."""
    seeds = [str(seed) for seed in dict.fromkeys(success["seed"]) if seed != ALL_RUNS]
    reward = _tells_more_than_success(success)
    header = ["Condition", f"Success, mean over {count(len(seeds), 'run')} (%)", "n", f"Runs {', '.join(seeds)} (%)"]
    header += ["Mean max. reward"] * reward + ["Minus base (points)", "Minus its control (points)"]
    lines = heading(header)
    for condition, rows in success.groupby("condition", sort=False):
        lines.append(
            cells(_condition_cells(condition, rows.assign(seed=rows["seed"].astype(str)), seeds, differences, reward))
        )
    curated = [condition for condition in CONTROLS if condition in set(success["condition"])]
    return [*lines, "", *[f"- {_in_numbers(condition, differences)}" for condition in curated]]


def _tells_more_than_success(success: pd.DataFrame) -> bool:
    """Whether the largest rewards are shares that success does not tell, such as how much of a target was covered."""
    rewards = success["mean_max_reward"]
    return bool((rewards <= 1).all() and ((rewards - success["rate"]).abs() > 1e-5).any())


def _condition_cells(
    condition: str, rows: pd.DataFrame, seeds: list[str], differences: pd.DataFrame, reward: bool
) -> list[str]:
    rows = rows.set_index("seed")
    mean = rows.loc[ALL_RUNS]
    by_run = ", ".join(_percent(rows["rate"].get(seed)) for seed in seeds)
    against = [_points(mean_difference(differences, condition, other)) for other in (BASE, CONTROLS.get(condition, ""))]
    rate = percent(mean["rate"]) + limits(mean["low"], mean["high"])
    rewards = [f"{mean['mean_max_reward']:.2f}"] * reward
    return [CONDITIONS[condition].label, rate, str(mean["n"]), by_run, *rewards, *against]


def _in_numbers(condition: str, differences: pd.DataFrame) -> str:
    """A curated condition against the base and its control, in numbers, whichever way they point."""
    parts = [
        _against(condition, against, differences, found)
        for against in (BASE, CONTROLS[condition])
        if (found := mean_difference(differences, condition, against))
    ]
    return f"{CONDITIONS[condition].label}: {'; '.join(parts) or 'nothing to compare with'}."


def _against(condition: str, against: str, differences: pd.DataFrame, found: dict) -> str:
    runs, n = found["runs"], found["n"]
    text = f"{_points(found)} points against {CONDITIONS[against].label} ({count(runs, 'run')}, {n} paired starts"
    if runs == 1:
        return f"{text})"
    chosen = (
        (differences["condition"] == condition)
        & (differences["against"] == against)
        & (differences["seed"] != ALL_RUNS)
    )
    values = differences.loc[chosen, "difference"]
    text += f"; {(values > 0).sum()} of {runs} runs above 0, {(values < 0).sum()} below; "
    text += f"sign-flip p = {found['sign_flip_p']:.2g}, Holm p = {found['holm_p']:.2g}; "
    spread = [f"{100 * found[name]:.1f}" for name in ("sd_runs", "sd_starts")]
    return f"{text}SD between runs {spread[0]} points, of starts {spread[1]} points)"


def _rollout_lines(checkpoints: pd.DataFrame, classifiers: pd.DataFrame) -> list[str]:
    """Without a policy that is tested: how the rollouts ended, and how well the chosen classifiers tell that."""
    lines = ["| Checkpoint | Rollouts | Success (%) |", "|---|---|---|"]
    single = checkpoints["runs"].max() == 1  # whose rows have an interval where the mean over runs has none
    for row in checkpoints[(checkpoints["seed"] == ALL_RUNS) != single].to_dict("records"):
        lines.append(
            cells([f"{row['step']:06d}", str(row["n"]), percent(row["rate"]) + limits(row["low"], row["high"])])
        )
    chosen = [f"{row.model_arch} (seed {row.seed}): {row.cross_val_auc:.2f}" for row in classifiers.itertuples()]
    return [*lines, "", f"- Held-out AUC of the chosen classifier: {', '.join(chosen)}."]


def _kept_lines(kept: pd.DataFrame, advise: bool) -> list[str]:
    """What the filters kept of each strategy, in all and in each run, and how long those episodes are."""
    rows = kept[kept["kind"] == "demonstration"]
    if rows.empty:
        return []
    over_runs, of_each = rows[rows["seed"] == ALL_RUNS], rows[rows["seed"] != ALL_RUNS]
    counts, n_runs = [], of_each["seed"].nunique()
    for row in over_runs[over_runs["actor"] != "all"].to_dict("records"):
        by_run = ", ".join(str(count) for count in of_each.loc[of_each["actor"] == row["actor"], "kept"])
        counts.append(f"{row['kept']} of {row['n']} {row['actor']}" + f" (by run {by_run})" * (n_runs > 1))
    total = over_runs[over_runs["actor"] == "all"].iloc[0]
    lengths = total["mean_length_kept"], total["mean_length_dropped"]
    text = f"Kept demonstrations, {count(n_runs, 'run')}: {', '.join(counts)}; mean length kept {lengths[0]:.0f}, "
    return [f"- {text}dropped {lengths[1]:.0f} control steps.{_length_advice(*lengths) * advise}"]


def _length_advice(kept: float, dropped: float) -> str:
    if not max(kept, dropped) > LENGTH_RATIO * min(kept, dropped):
        return ""
    return " They differ by more than 10%: add length_matched to final_policy.conditions."


def _detection_lines(detection: pd.DataFrame) -> list[str]:
    """How well the scores find the demonstrations that the oracle keeps; nothing where there is none to tell apart."""
    over_runs = detection[detection["seed"] == ALL_RUNS]
    if over_runs["auc"].isna().all():
        return []
    areas = over_runs.iloc[0]
    within = "–" if pd.isna(areas["auc_within_length"]) else f"{areas['auc_within_length']:.2f}"
    text = f"Score against the oracle's choice of demonstrations: AUC {areas['auc']:.2f}, among like lengths {within}"
    return [f"- {text}; of length alone {areas['auc_of_length']:.2f}."]


def _architecture_lines(architectures: pd.DataFrame) -> list[str]:
    """The architectures of the sweep side by side, over all runs; nothing where there is only one.

    Where nobody says which demonstrations are good, held-out rollouts alone compare them.
    """
    rows = architectures[architectures["seed"] == ALL_RUNS]
    if rows.empty:
        return []
    is_known = rows["positive"].any()
    of_oracle = ["AUC, demonstrations", "Would keep for the oracle", "Of others"] if is_known else ["Would keep"]
    lines = ["", *heading(["Architecture", "Inputs", "Held-out AUC", *of_oracle])]
    for row in rows.itertuples():
        others = f"{row.kept - row.positive_kept} of {row.n - row.positive}"
        known = [digits(row.auc), f"{row.positive_kept} of {row.positive}"] if is_known else []
        lines.append(cells([row.model_arch, row.inputs, digits(row.cross_val_auc), *known, others]))
    return lines


def _points(difference: dict | None) -> str:
    return "–" if difference is None else points(difference)


def _percent(rate: float | None) -> str:
    return "–" if rate is None else percent(rate)
