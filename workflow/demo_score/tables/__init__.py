"""The workflow's tables (CSV): their columns, types and missing values, said once for all who write and read them."""

from demo_score.tables.arena import ARENA_AGREEMENT, ARENA_DETECTION, ARENA_MEAN_COSTS, ARENA_TABLES, ARENA_UPLIFT
from demo_score.tables.arena_inputs import (
    ARENA_COSTS,
    ARENA_INPUTS,
    ARENA_KEPT,
    ARENA_SCORES,
    EXTERNAL_SCORES,
    WEIGHTS,
)
from demo_score.tables.declared import (
    ALL_RUNS,
    ARCHITECTURES,
    CHECKPOINTS,
    CLASSIFIER_METRICS,
    CLASSIFIERS,
    COMPARISON,
    DECLARED,
    DETECTION,
    DIFFERENCES,
    FROM_USER,
    KEPT,
    OUTCOMES,
    PATHS,
    PLAYBACK,
    SCORES,
    SUCCESS,
    TRACES,
    UNNAMED,
)
from demo_score.tables.schema import Column, Table
from demo_score.tables.user_data import EPISODES, PROBLEMS, USER_TABLES

TABLES = DECLARED | USER_TABLES | ARENA_INPUTS | ARENA_TABLES  # by what the workflow calls them

__all__ = [
    "ALL_RUNS",
    "ARCHITECTURES",
    "ARENA_AGREEMENT",
    "ARENA_COSTS",
    "ARENA_DETECTION",
    "ARENA_KEPT",
    "ARENA_MEAN_COSTS",
    "ARENA_SCORES",
    "ARENA_TABLES",
    "ARENA_UPLIFT",
    "CHECKPOINTS",
    "CLASSIFIERS",
    "CLASSIFIER_METRICS",
    "COMPARISON",
    "DETECTION",
    "DIFFERENCES",
    "EPISODES",
    "EXTERNAL_SCORES",
    "FROM_USER",
    "KEPT",
    "OUTCOMES",
    "PATHS",
    "PLAYBACK",
    "PROBLEMS",
    "SCORES",
    "SUCCESS",
    "TABLES",
    "TRACES",
    "UNNAMED",
    "WEIGHTS",
    "Column",
    "Table",
]
