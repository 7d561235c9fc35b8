"""User-supplied data, which are not collected: where they lie and how they are labelled."""

from collections.abc import Iterator
from typing import Literal

from demo_score.config.models.base import ABSENT, Section, Text, different, number, some


class Source(Section):
    """Where user-supplied data lie, and what they do not tell themselves."""

    path: Text = ABSENT
    """Instead of collecting: [user-supplied](data.md) data, a folder or file; of rollouts, `{checkpoint}` stands for
    each of `rollouts.eps`"""
    repo_id: Text = ABSENT
    """Or their name on the Hugging Face hub; `{checkpoint}` likewise"""
    file: Text = ABSENT
    """With `repo_id`: the one file of it that is the data set, `v1.5/square/mh/low_dim_v15.hdf5` say (optional)"""
    labels: Text = ABSENT
    """Of user-supplied data: a labels.csv (optional)"""
    filter_key: Text = ABSENT
    """Of user-supplied data: robomimic's filter key (optional)"""

    @property
    def is_supplied(self) -> bool:
        """Whether data are named, rather than how to collect them."""
        return self.path is not None or self.repo_id is not None


class UserRollouts(Source):
    """Rollouts of the checkpoints `eps`."""

    eps: different(Text)
    success_reward: number() = ABSENT
    """Of user-supplied rollouts: the last reward from which on an episode succeeded, where nothing else tells
    (optional)"""


class UserData(Section):
    """What config.yaml says of user-supplied data, which data.yaml repeats."""

    demonstrations: some(Source) = ABSENT
    rollouts: UserRollouts = ABSENT
    problems: Literal["refuse", "skip"] = ABSENT

    def sources(self) -> dict[str, Source]:
        """The entries that name data, by their keys."""
        sources: dict[str, Source] = {f"demonstrations.{name}": s for name, s in (self.demonstrations or {}).items()}
        return sources | ({"rollouts": self.rollouts} if self.rollouts else {})

    def conflicts(self) -> Iterator[str]:
        for name, source in self.sources().items():
            if (source.path is None) == (source.repo_id is None):
                yield f"{name}: give either path: FOLDER_OR_FILE or repo_id: HUB_NAME"
            if source.file is not None and source.repo_id is None:
                yield f"{name}.file: is a file of a data set on the hub; give its repo_id, too, or path: FILE instead"
