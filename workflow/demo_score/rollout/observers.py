"""What goes along with a rollout and hears of it, as acme's observers of its environment loop."""

from contextlib import AbstractContextManager

import numpy as np

from demo_score.data.episodes import Episode
from demo_score.runtime.progress import progress_bar


class Observer(AbstractContextManager):
    """Does nothing; entered when the environments are open, and left when the last episode has ended, or one fails.

    Source: acme (Hoffman et al., arXiv 2006.00979), utils/observers/base.py; there it hears of single steps.
    """

    def __exit__(self, *_: object) -> None:
        pass

    def recall(self, number: int) -> list[Episode] | None:
        """The episodes of batch `number`, counted from 0, where it need not be run."""

    def on_chunk(self, steps: int, done: np.ndarray, success: np.ndarray) -> None:
        """After each chunk of actions: the batch's control steps so far; who is done, who has succeeded: (n,)."""

    def on_batch(self, number: int, episodes: list[Episode]) -> None:
        """After each batch, run or recalled."""


class RolloutProgress(Observer):
    """A progress bar of `n_episodes` that last up to `episode_length` control steps, with the rate of success."""

    def __init__(self, n_episodes: int, episode_length: int, description: str = "rollouts"):
        self.n_episodes, self.episode_length, self.description = n_episodes, episode_length, description
        self.n_done = self.n_successes = 0

    def __enter__(self) -> "RolloutProgress":
        self.bar = progress_bar(self.n_episodes, self.description, "episode")
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def on_chunk(self, steps: int, done: np.ndarray, success: np.ndarray) -> None:
        n_done, n_successes = self.n_done + int(done.sum()), self.n_successes + int(success.sum())
        self.bar.set_postfix(success=f"{n_successes / max(1, n_done):.0%}", refresh=False)
        under_way = (len(done) - done.sum()) * min(1, steps / self.episode_length)
        self.bar.update(n_done + under_way - self.bar.n)

    def on_batch(self, number: int, episodes: list[Episode]) -> None:
        self.n_done += len(episodes)
        self.n_successes += sum(episode.success for episode in episodes)
        self.bar.update(self.n_done - self.bar.n)
