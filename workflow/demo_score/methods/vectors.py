"""What methods that learn from numbers see of episodes: standardised vectors, a row a control step."""

import torch
from torch import Tensor

from demo_score.data.episodes import Episode, is_image, place
from demo_score.data.inputs import Standardization, frames_of
from demo_score.methods.networks import one_thread
from demo_score.observations import ACTION
from demo_score.runtime.errors import UserError


def states(episodes: list[Episode]) -> list[Tensor]:
    """All observations that are vectors, standardised over all steps: (T, width) float32 an episode.

    Raises UserError where there is none, or as frames_of does.
    """
    keys = sorted(key for key, values in episodes[0].observations.items() if not is_image(values))
    if not keys:
        where = name(episodes[0], 0)
        raise UserError(f"{where}: has no observations but images, and this method sees vectors only; leave it out")
    return _standardised(episodes, keys)


def chunks(episodes: list[Episode], length: int) -> list[Tensor]:
    """The standardised actions from each step on, (T, length * action_dim); past the end the last one is repeated."""
    return [_windows(actions, length) for actions in _standardised(episodes, [ACTION])]


def name(episode: Episode, number: int) -> str:
    """What errors call the demonstration at position `number`."""
    return place(episode) or f"demonstration {number}"


@one_thread()
def _standardised(episodes: list[Episode], keys: list[str]) -> list[Tensor]:
    frames = [frames_of(episode, keys, None, name(episode, number)) for number, episode in enumerate(episodes)]
    standardization = Standardization.of(frames)
    return [standardization(values) for values in frames]


def _windows(actions: Tensor, length: int) -> Tensor:
    steps = torch.arange(len(actions))[:, None] + torch.arange(length)
    return actions[steps.clamp(max=len(actions) - 1)].flatten(1)
