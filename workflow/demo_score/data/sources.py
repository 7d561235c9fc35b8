"""Which episodes a policy trains on."""

from pathlib import Path

from omegaconf import DictConfig

from demo_score.data.episodes import Episode, read_episodes
from demo_score.data.lerobot import read_lerobot
from demo_score.data.lists import read_list
from demo_score.errors import UserError


def training_episodes(settings: DictConfig) -> list[Episode]:
    """The episodes of settings.datasets_file (a list, an episode file, a LeRobot folder), else of dataset_repo_id.

    Raises UserError when neither is given or nothing is selected, and when the episodes have other sizes or another
    frame rate than the settings.
    """
    if path := settings.get("datasets_file"):
        episodes = [
            episode for source, indices in read_list(path).items() for episode in _read(source, indices, settings)
        ]
    elif path := settings.get("dataset_repo_id"):
        episodes = _read_lerobot(path, None, settings)
    else:
        raise UserError("no training data: give dataset_repo_id=FOLDER_OR_HUB_NAME or +datasets_file=LIST.txt")
    if not episodes:
        raise UserError(f"{path}: selects no episode; there is nothing to train on")
    _check_images(episodes[0], settings)
    return episodes


def _read(source: Path, indices: list[int], settings: DictConfig) -> list[Episode]:
    return _read_lerobot(str(source), indices, settings) if source.is_dir() else read_episodes(source, indices)


def _read_lerobot(dataset: str, indices: list[int] | None, settings: DictConfig) -> list[Episode]:
    keys = list(settings.policy.input_shapes)
    return read_lerobot(dataset, keys, settings.video_backend, indices, settings.env.get("fps"))


def _check_images(episode: Episode, settings: DictConfig) -> None:
    """Other arrays' sizes are checked where they are normalised."""
    for key, shape in settings.policy.input_shapes.items():
        if len(shape) == 3 and key in episode.observations:
            have, wanted = ("x".join(map(str, size)) for size in (episode.observations[key].shape[1:3], shape[1:]))
            if have != wanted:
                raise UserError(
                    f"{key} is {have} in the training data but {wanted} in the settings; set env.image_size to match"
                )
