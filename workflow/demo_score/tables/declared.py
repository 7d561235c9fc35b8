"""Every table of the workflow. To add a column: declare it here, and give it a value where the table is written."""

from demo_score.tables.schema import FLAG, NUMBER, TEXT, WHOLE, Column, Table

ALL_RUNS = "all"  # in place of a seed: the mean over all runs (a run is one seed)
FROM_USER = "user"  # in place of a seed: user-supplied rollouts
UNNAMED = "unnamed"  # in place of an actor: demonstrations that name no strategy

_SEED = Column(WHOLE, "Seed of the run; empty in tables made by hand without `--run-seed`", "Run", may_lack=True)
_CONDITION = Column(TEXT, "What the policy was trained on (docs/config.md); empty by hand without `--condition`")
_RUN = Column(TEXT, "Seed of a run; `all`: mean over runs; `user`: user-supplied rollouts", "Run")
_OF = Column(TEXT, "Condition", "Condition")
_STEP = Column(WHOLE, "Training step of the checkpoint", "Checkpoint", "checkpoint")
_KIND = Column(TEXT, "`demonstration` or `rollout`", "Episodes")
_ACTOR = Column(TEXT, "Who acted: strategy of a demonstration, checkpoint of a rollout; empty: unknown", "Actor")
_EPISODE = Column(WHOLE, "Number of the episode in its data set")
_FILE = Column(TEXT, "Data set, relative to the table")
_SUCCESS = Column(FLAG, "Whether the episode succeeded; empty: unknown", may_lack=True)
_KEPT = Column(FLAG, "Whether the filter keeps the episode")
_RUNS = Column(WHOLE, "Runs", "Runs")
_N = Column(WHOLE, "Episodes")
_RATE = Column(NUMBER, "Share of successes", "Success (%)", "percent")
_INTERVAL = {
    "low": Column(NUMBER, "Lower 95% limit; empty: one run gives none", may_lack=True),
    "high": Column(NUMBER, "Upper 95% limit", may_lack=True),
    "interval": Column(TEXT, "Kind: `wilson`, `newcombe`, `t over runs`, `none`"),
}
_COUNTS = {"runs": _RUNS, "n": _N, "successes": Column(WHOLE, "Successes", "Successes"), "rate": _RATE, **_INTERVAL}


def _length(of: str, how: str) -> Column:
    return Column(NUMBER, f"{how} length of {of} episodes, control steps", f"{how} length, {of}", "steps", True)


def _of_runs(meaning: str, heading: str = "", shown: str = "") -> Column:
    return Column(NUMBER, meaning, heading, shown, may_lack=True)


OUTCOMES = Table(
    file="seed<seed>/<condition>/evaluation.csv, seed<seed>/rollouts.csv, seed<seed>/<condition>/rollouts/<step>.csv",
    made_by="eval.py or list_outcomes.py",
    row="an episode of a policy",
    key=("seed", "condition", "step", "start_seed"),
    columns={
        "seed": _SEED,
        "condition": _CONDITION,
        "keep": Column(TEXT, "In the arena: how many are kept, `own` or a percentage; empty outside it"),
        "step": Column(WHOLE, "Training step of the checkpoint; empty: its folder is named otherwise", may_lack=True),
        "start_seed": Column(WHOLE, "Environment seed of the initial state"),
        "success": Column(FLAG, "Whether the episode succeeded"),
        "length": Column(WHOLE, "Control steps"),
        "max_reward": Column(
            NUMBER, "Largest: ALOHA the stage, 0 to 4; PushT min(1, covered share / .95)", may_lack=True
        ),
    },
)
SCORES = Table(
    file="seed<seed>/demo_score/scores.csv",
    made_by="apply_filter.py",
    row="an episode that was scored",
    key=("seed", "kind", "file", "episode"),
    float_format=None,
    columns={
        "seed": _SEED,
        "kind": _KIND,
        "file": _FILE,
        "episode": _EPISODE,
        "length": Column(WHOLE, "Control steps"),
        "actor": _ACTOR,
        "success": _SUCCESS,
        "score": Column(NUMBER, "Mean predicted probability of success over the frames"),
        "kept": _KEPT,
        "reason": Column(TEXT, "Why it is kept or dropped"),
    },
)
TRACES = Table(
    file="seed<seed>/demo_score/traces.csv",
    made_by="trace_scores.py",
    row="an episode and a moment",
    key=("seed", "kind", "file", "episode", "step"),
    columns={
        "seed": _SEED,
        "kind": _KIND,
        "actor": _ACTOR,
        "file": _FILE,
        "episode": _EPISODE,
        "success": _SUCCESS,
        "kept": _KEPT,
        "step": Column(WHOLE, "Control steps so far"),
        "score": Column(NUMBER, "Score if the episode ended there"),
    },
)
PATHS = Table(
    file="demonstrations/paths.csv",
    made_by="trace_paths.py",
    row="a point of a path",
    key=("strategy", "episode", "step", "effector"),
    float_format="%.4g",
    columns={
        "strategy": Column(TEXT, "Strategy"),
        "episode": _EPISODE,
        "step": Column(WHOLE, "Control step"),
        "effector": Column(TEXT, "`left` or `right` finger tips, or `pusher`"),
        "x": Column(NUMBER, "m, or px of the table or of the block's frame"),
        "y": Column(NUMBER, "Likewise"),
        "z": Column(NUMBER, "m; a pusher has none", may_lack=True),
    },
)
CLASSIFIER_METRICS = Table(
    file="seed<seed>/classifiers/<split>/<model_arch>.csv",
    made_by="train_classifiers.py",
    row="a member of a sweep and an evaluated epoch",
    key=("member", "epoch"),
    float_format="%.9g",
    columns={
        "member": Column(WHOLE, "Number in the sweep, from 0"),
        "seed": Column(WHOLE, "Seed of the member"),
        "lr": Column(NUMBER, "Learning rate"),
        "weight_decay": Column(NUMBER, "Weight decay"),
        "epoch": Column(WHOLE, "From 1"),
        "training_loss": Column(NUMBER, "Over frames (step-wise) or trajectories (transformer)"),
        "training_auc": _of_runs("AUC of the scores of training rollouts"),
        "training_accuracy": Column(NUMBER, "Likewise, at the threshold `mean`"),
        "cross_val_loss": Column(NUMBER, "Of held-out rollouts"),
        "cross_val_auc": _of_runs("Of held-out rollouts"),
        "cross_val_accuracy": Column(NUMBER, "Of held-out rollouts"),
    },
)
SUCCESS = Table(
    file="tables/success.csv",
    made_by="make_tables.py",
    row="a condition in a run, and over runs",
    key=("condition", "seed"),
    columns={
        "condition": _OF,
        "seed": _RUN,
        **_COUNTS,
        "mean_max_reward": _of_runs("Mean over episodes of the largest reward", "Mean largest reward", "digits"),
    },
)
DIFFERENCES = Table(
    file="tables/differences.csv",
    made_by="make_tables.py",
    row="a condition and another, in a run and over runs",
    key=("condition", "against", "seed"),
    columns={
        "condition": _OF,
        "against": Column(TEXT, "The condition that is subtracted", "Minus"),
        "seed": _RUN,
        "runs": _RUNS,
        "n": Column(WHOLE, "Paired initial states"),
        "difference": Column(NUMBER, "Difference of the success rates", "Difference (points)", "points"),
        **_INTERVAL,
        "sign_flip_p": _of_runs("p of sign flips over runs", "Sign-flip p", "p"),
        "holm_p": _of_runs("The same by Holm, for all conditions compared with the same one", "Holm p", "p"),
        "bootstrap_low": _of_runs("Two-level bootstrap, lower limit"),
        "bootstrap_high": _of_runs("Two-level bootstrap, upper limit"),
        "sd_runs": _of_runs("Standard deviation between runs", "SD between runs", "percent"),
        "sd_starts": _of_runs("Standard deviation by the sampling of starts", "SD of starts", "percent"),
        "only_condition": Column(WHOLE, "Starts that the condition alone solves", "Only this condition"),
        "only_against": Column(WHOLE, "Starts that the other alone solves", "Only the other"),
        "mcnemar_p": _of_runs("McNemar's p of a run", "McNemar p", "p"),
    },
)
CHECKPOINTS = Table(
    file="tables/checkpoints.csv",
    made_by="make_tables.py",
    row="a checkpoint in a run, and over runs",
    key=("seed", "condition", "step"),
    columns={"seed": _RUN, "condition": _OF, "step": _STEP, **_COUNTS},
)
KEPT = Table(
    file="tables/kept.csv",
    made_by="make_tables.py",
    row="an actor in a run, and over runs",
    key=("seed", "kind", "actor"),
    columns={
        "seed": _RUN,
        "kind": _KIND,
        "actor": Column(TEXT, "Who acted: strategy or checkpoint; `all`: together", "Actor"),
        "n": _N,
        "kept": Column(WHOLE, "Episodes kept", "Kept"),
        "fraction": Column(NUMBER, "Share kept", "Kept (%)", "percent"),
        **_INTERVAL,
        "median_length_kept": _length("kept", "Median"),
        "mean_length_kept": _length("kept", "Mean"),
        "median_length_dropped": _length("dropped", "Median"),
        "mean_length_dropped": _length("dropped", "Mean"),
    },
)
CLASSIFIERS = Table(
    file="tables/classifiers.csv",
    made_by="make_tables.py",
    row="the chosen classifier of a run",
    key=("seed",),
    columns={
        "seed": _RUN,
        "model_arch": Column(TEXT, "Architecture", "Architecture"),
        "member": Column(WHOLE, "Number in the sweep", "Member"),
        "threshold": Column(NUMBER, "Score above which an episode is kept", "Threshold", "digits"),
        "cross_val_auc": _of_runs("AUC of held-out rollouts' scores", "Held-out AUC", "digits"),
        "cross_val_accuracy": Column(NUMBER, "Likewise, accuracy", "Held-out accuracy (%)", "percent"),
        "cross_val_loss": Column(NUMBER, "Likewise, loss", "Held-out loss", "digits"),
        "best_epoch": Column(WHOLE, "The epoch that was chosen", "Epoch"),
    },
)
DETECTION = Table(
    file="tables/detection.csv",
    made_by="make_tables.py",
    row="a run, and over runs",
    key=("seed",),
    columns={
        "seed": _RUN,
        "n": Column(WHOLE, "Demonstrations"),
        "positive": Column(WHOLE, "Of these, of the oracle's strategies", "Of these, for the oracle"),
        "auc": _of_runs("AUC of the score", "AUC of the score", "digits"),
        "auc_within_length": _of_runs("Among demonstrations of like length", "AUC among like lengths", "digits"),
        "auc_of_length": _of_runs("Of length alone", "AUC of length alone", "digits"),
    },
)
ARCHITECTURES = Table(
    file="seed<seed>/demo_score/architectures.csv, tables/architectures.csv",
    made_by="compare_architectures.py or make_tables.py",
    row="an architecture of a run's sweep, and over runs",
    key=("seed", "model_arch"),
    columns={
        "seed": _RUN,
        "model_arch": Column(TEXT, "Architecture", "Architecture"),
        "inputs": Column(TEXT, "What its classifiers see", "Inputs"),
        "member": Column(WHOLE, "Its best member's number; empty over runs", "Member", may_lack=True),
        "cross_val_auc": _of_runs("AUC of held-out rollouts' scores", "Held-out AUC", "digits"),
        "auc": _of_runs("AUC of demonstrations' scores, for the oracle's strategies", "AUC, demonstrations", "digits"),
        "n": Column(WHOLE, "Demonstrations"),
        "kept": Column(WHOLE, "Of these, above the threshold", "Kept"),
        "positive": Column(WHOLE, "Of the oracle's strategies", "Of these, for the oracle"),
        "positive_kept": Column(WHOLE, "Of these, above the threshold", "Kept of these"),
    },
)
COMPARISON = Table(
    file="comparison.csv",
    made_by="compare.py",
    row="a published estimate beside a new one",
    key=("table", "row"),
    columns={
        "table": Column(TEXT, "Table"),
        "row": Column(TEXT, "What the row tells of, and its run"),
        "published": _of_runs("The published estimate"),
        "new": _of_runs("The new one"),
        "difference": _of_runs("New minus published"),
        "low": _of_runs("Welch's 95% interval of the difference, lower limit"),
        "high": _of_runs("Upper limit"),
        "p": _of_runs("p of Welch's test"),
        "verdict": Column(TEXT, "Within its interval or not, or why it is not judged"),
    },
)
PLAYBACK = Table(
    file="playback.csv",
    made_by="play_back.py",
    row="an episode whose actions were carried out again",
    key=("file", "episode"),
    columns={
        "file": Column(TEXT, "Name of the file"),
        "episode": _EPISODE,
        "recorded": Column(FLAG, "Whether it succeeded, by the recording; empty: not told", may_lack=True),
        "success": Column(FLAG, "Whether it succeeds here"),
        "difference": Column(NUMBER, "Largest difference of an observation from the recorded one, float32"),
    },
)
DECLARED = {  # by what the workflow calls them
    "outcomes": OUTCOMES,
    "scores": SCORES,
    "traces": TRACES,
    "paths": PATHS,
    "classifier_metrics": CLASSIFIER_METRICS,
    "success": SUCCESS,
    "differences": DIFFERENCES,
    "checkpoints": CHECKPOINTS,
    "kept": KEPT,
    "classifiers": CLASSIFIERS,
    "detection": DETECTION,
    "architectures": ARCHITECTURES,
    "comparison": COMPARISON,
    "playback": PLAYBACK,
}
