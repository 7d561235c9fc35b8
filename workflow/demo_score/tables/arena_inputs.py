"""What the arena's tables are made of, a file a run; and scores that some other program made."""

from demo_score.tables.declared import SCORES
from demo_score.tables.schema import FLAG, NUMBER, TEXT, WHOLE, Column, Table

ARENA_SCORES = Table(
    file="seed<seed>/arena/scores/<method>.csv",
    made_by="score_demonstrations.py or take_external_scores.py",
    row="a demonstration and a method",
    key=("seed", "method", "file", "episode"),
    float_format=None,
    columns={
        "seed": SCORES.columns["seed"],
        "method": Column(TEXT, "Method of the arena (docs/arena.md)", "Method"),
        "file": SCORES.columns["file"],
        "episode": SCORES.columns["episode"],
        "length": Column(WHOLE, "Control steps"),
        "actor": SCORES.columns["actor"],
        "score": Column(NUMBER, "Higher is better"),
    },
)
ARENA_KEPT = Table(
    file="seed<seed>/arena/<keep>/<entrant>/kept.csv",
    made_by="keep_demonstrations.py",
    row="a demonstration",
    key=("seed", "entrant", "keep", "file", "episode"),
    columns={
        "seed": SCORES.columns["seed"],
        "entrant": Column(TEXT, "Method or control of the arena", "Entrant"),
        "keep": Column(TEXT, "How many are kept: `own`, the arena's own size, or a percentage", "Keep"),
        "file": SCORES.columns["file"],
        "episode": SCORES.columns["episode"],
        "kept": Column(FLAG, "Whether it is kept"),
    },
)
ARENA_COSTS = Table(
    file="seed<seed>/arena/costs.csv",
    made_by="list_costs.py",
    row="a method in a run",
    key=("seed", "method"),
    columns={
        "seed": SCORES.columns["seed"],
        "method": Column(TEXT, "Method of the arena", "Method"),
        "needs": Column(TEXT, "What it needs beside demonstrations", "Needs"),
        "rollouts": Column(WHOLE, "Labelled rollouts that it uses", "Rollouts"),
        "core_seconds": Column(
            NUMBER,
            "Processor seconds of the jobs that made its scores; empty: not measured",
            "Core-seconds",
            "steps",
            True,
        ),
    },
)
EXTERNAL_SCORES = Table(
    file="arena.external.<name>.path",
    made_by="the program that scores",
    row="a demonstration",
    key=("demonstrations", "episode"),
    columns={
        "demonstrations": Column(TEXT, "Its name under `demonstrations` in config.yaml"),
        "episode": SCORES.columns["episode"],
        "score": Column(NUMBER, "Higher is better; must not be empty", may_lack=True),
        "seed": Column(WHOLE, "Seed of the run; without this column the scores are those of all runs"),
    },
)
WEIGHTS = Table(
    file="training.sample_weights",
    made_by="weigh_episodes.py",
    row="an episode, or a frame of one",
    key=("file", "episode"),
    columns={
        "file": Column(TEXT, "Its data set, seen from this table's folder"),
        "episode": SCORES.columns["episode"],
        "frame": Column(
            WHOLE,
            "Frame, from 0; without this column, or with nothing in it, a weight is of the whole episode",
            may_lack=True,
        ),
        "weight": Column(NUMBER, "How often its frames are drawn, in proportion; 0: never"),
    },
)
ARENA_INPUTS = {
    "arena_scores": ARENA_SCORES,
    "arena_kept": ARENA_KEPT,
    "arena_run_costs": ARENA_COSTS,
    "external_scores": EXTERNAL_SCORES,
    "weights": WEIGHTS,
}
