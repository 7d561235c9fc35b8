"""How the chosen classifier's score of an episode comes about in time."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from demo_score.curation.scoring import Scorer
from demo_score.data.lists import Entry
from demo_score.runtime.cores import available_threads
from demo_score.tables import SCORES, TRACES

POINTS = 26  # in time, evenly up to the longest episode that the classifier sees
KEYS = [name for name in TRACES.columns if name not in ("step", "score")]


def trace_scores(classifier: Path, scores: Path, out: Path, features_of: Path | None = None) -> None:
    """Write the score of each episode of the table `scores` as far as it has come, at some moments.

    That is the score that the classifier would give if the episode ended there. Raises UserError for bad files.
    """
    torch.set_num_threads(available_threads())
    scorer = Scorer.chosen(classifier, features_of)
    table = SCORES.read(scores, KEYS)
    entries = [
        Entry((scores.parent / file).resolve(), int(number))
        for file, number in zip(table["file"], table["episode"], strict=True)
    ]
    _, frames = scorer.read(entries)
    lengths = np.array([len(episode) for episode in frames])
    traces = []
    for step in np.unique(np.linspace(1, lengths.max(), POINTS).round().astype(int)):
        lasting = np.flatnonzero(lengths >= step)
        found = scorer.scores([frames[index][:step] for index in lasting])
        traces.append(table.iloc[lasting].assign(step=step, score=found))
    TRACES.write(out, pd.concat(traces))
