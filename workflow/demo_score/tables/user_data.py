"""What the workflow finds in user-supplied data."""

from demo_score.tables.declared import SCORES
from demo_score.tables.schema import TEXT, WHOLE, Column, Table

EPISODES = Table(
    file="demonstrations/all.csv, rollouts/<step>.csv",
    made_by="prepare_data.py",
    row="an episode of user-supplied data that passed",
    key=("file", "episode"),
    columns={
        "file": SCORES.columns["file"],
        "episode": SCORES.columns["episode"],
        "success": SCORES.columns["success"],
        "checkpoint": Column(TEXT, "Step of the checkpoint that acted (`003000`); empty: a demonstration"),
        "strategy": Column(TEXT, "Of a demonstration; empty: none named"),
    },
)
PROBLEMS = Table(
    file="problems.csv",
    made_by="prepare_data.py",
    row="a problem of user-supplied data",
    key=("file", "episode", "problem"),
    columns={
        "file": Column(TEXT, "Data set"),
        "episode": Column(WHOLE, "Number of the episode; empty: the whole data set", may_lack=True),
        "problem": Column(TEXT, "What is wrong"),
    },
)
USER_TABLES = {"episodes": EPISODES, "problems": PROBLEMS}  # by what the workflow calls them
