"""What a policy makes of what it sees, as an input of classifiers: `policy.features`.

All episodes are looked at by one checkpoint, whichever acted: features of several have nothing in common.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from demo_score.data.episodes import Episode
from demo_score.methods.policies import Opened, Windows, embeddings
from demo_score.observations import FEATURES
from demo_score.policies.checkpoints import checkpoint_files
from demo_score.runtime.digests import digest
from demo_score.runtime.errors import UserError


class PolicyFeatures:
    """Those of one checkpoint."""

    def __init__(self, checkpoint: Path):
        self.checkpoint = checkpoint
        self.digest = digest(*(path.read_bytes() for path in checkpoint_files(checkpoint)))
        self.opened = Opened.of(checkpoint)

    def added(self, episode: Episode, where: str) -> Episode:
        """The episode with FEATURES among its observations, (T, width) float32: those of the last look.

        The policy looks at the first step, and every n_action_steps from there on, as when it acts. Raises UserError,
        with `where` in front, where the episode lacks what the policy sees.
        """
        stride = self.opened.settings.policy.n_action_steps
        windows = Windows([episode], self.opened, stride, where, as_trained=False)
        features = embeddings(self.opened, windows).astype(np.float32).repeat(stride, axis=0)[: len(episode)]
        return replace(episode, observations=episode.observations | {FEATURES: features})


def open_features(inputs: list[str], checkpoint: Path | None) -> PolicyFeatures | None:
    """The features that `inputs` name, None where they do not.

    Raises UserError where there is no checkpoint for them, or one for nothing.
    """
    if (FEATURES in inputs) == (checkpoint is None):
        what = "are no input: leave out" if checkpoint else "are of a checkpoint, which looks at all episodes: add"
        raise UserError(f"{FEATURES} {what} --features-of")
    return None if checkpoint is None else PolicyFeatures(checkpoint)
