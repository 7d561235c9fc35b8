"""Which episodes a policy trains on."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from omegaconf import DictConfig, OmegaConf

from demo_score.config.recorded import check_recorded
from demo_score.data.choices import ACT
from demo_score.data.episodes import Episode, is_image
from demo_score.data.formats import is_dataset, open_dataset
from demo_score.data.formats.base import DataSet, say_notes
from demo_score.data.formats.lerobot_folders import resolve_dataset
from demo_score.data.frames import Frames
from demo_score.data.image_store import with_decoded_images
from demo_score.data.lists import read_list
from demo_score.data.rates import agreed_rate, contradicts, describe, look_at
from demo_score.observations import ENVIRONMENT_STATE, STATE
from demo_score.runtime.errors import UserError


def training_episodes(settings: DictConfig) -> list[Episode]:
    """The episodes of settings.datasets_file (a list or one data set), else of dataset_repo_id; numbers are float32.

    Raises UserError when neither is set or nothing is selected, and when the episodes have other sizes or another
    frame rate than the settings.
    """
    datasets = _selected(settings)
    if any(len(shape) == 3 for shape in settings.policy.input_shapes.values()):
        say_notes([dataset for dataset, _ in datasets])
    env = OmegaConf.to_container(settings.env)
    for dataset, _ in datasets:
        check_recorded(dataset.env_args(), env, dataset.path)
    fps = _rate([dataset for dataset, _ in datasets], settings.env.get("fps"))
    episodes = [episode for dataset, indices in datasets for episode in _read(dataset, indices, settings, fps)]
    if not episodes:
        path = settings.get("datasets_file") or settings.get("dataset_repo_id")
        raise UserError(f"{path}: selects no episode; there is nothing to train on")
    _check_images(episodes[0], settings)
    if (store := OmegaConf.select(settings, "training.image_store")) is None:
        return episodes
    how = f"{settings.video_backend} {settings.get('aloha_jpeg', ACT)}"
    return with_decoded_images(episodes, Path(store), how)


def training_weights(settings: DictConfig, lengths: Sequence[int]) -> np.ndarray | None:
    """The weight of every frame of these episodes, which have `lengths`; None: all weigh the same."""
    if (table := settings.training.sample_weights) is None:
        return None
    from demo_score.training.weights import frame_weights  # with pandas, which no other training waits for

    episodes = [
        (dataset.path, number)
        for dataset, indices in _selected(settings)
        for number in (dataset.episode_indices if indices is None else indices)
    ]
    return frame_weights(Path(table), episodes, lengths)


def _selected(settings: DictConfig) -> list[tuple[DataSet, list[int] | None]]:
    """The data sets to train on, and which of their episodes; None: all."""
    if path := settings.get("datasets_file"):
        selection = read_list(path)
    elif path := settings.get("dataset_repo_id"):
        selection = {Path(path) if is_dataset(Path(path)) else resolve_dataset(path): None}
    else:
        raise UserError("no training data: give dataset_repo_id=FOLDER_OR_HUB_NAME or +datasets_file=LIST.txt")
    options = (settings.video_backend, settings.get("aloha_jpeg", ACT))
    return [(open_dataset(source, *options), indices) for source, indices in selection.items()]


def _read(dataset: DataSet, indices: list[int] | None, settings: DictConfig, fps: float | None) -> Iterable[Episode]:
    wanted = names_of(settings)
    if settings.get("dataset_keys"):
        wanted = named_in(wanted, dataset.features())
    keys = {key for group in wanted.values() for key in group}
    for episode in dataset.read(indices, keys):
        if contradicts(step := look_at(episode.times).step, fps):
            raise UserError(f"{dataset.path}: {describe(step, fps)}")
        yield renamed(episode, wanted, dataset.path)


def names_of(settings: DictConfig) -> dict[str, list[str]]:
    """What the policy sees -> what it is called in the data."""
    inputs, names = settings.policy.input_shapes, settings.get("dataset_keys") or {}
    if strange := [key for key in names if key not in inputs and key not in (STATE, ENVIRONMENT_STATE)]:
        raise UserError(f"dataset_keys: the policy sees no {strange[0]}; name some of: {', '.join(inputs)}")
    return {key: list(names.get(key, [key])) for key in inputs}


def named_in(wanted: dict[str, list[str]], have: Collection[str]) -> dict[str, list[str]]:
    """The same of data that `have` these keys: what has not the data's names goes by the policy's, as our rollouts."""
    return {
        key: [key] if key in have and not all(name in have for name in names) else names
        for key, names in wanted.items()
    }


def renamed(episode: Episode, wanted: dict[str, list[str]], source: Path | str) -> Episode:
    """The episode with the observations that a policy asks for, each put together of those of its source."""
    observations = {key: _join(key, [episode.observations[name] for name in wanted[key]], source) for key in wanted}
    return replace(episode, observations=observations, actions=episode.actions.astype(np.float32))


def _join(key: str, parts: list[np.ndarray | Frames], source: Path | str) -> np.ndarray | Frames:
    if len(parts) == 1 and not isinstance(parts[0], np.ndarray):
        return parts[0]
    if any(not isinstance(part, np.ndarray) or part.ndim > 2 for part in parts) and len(parts) > 1:
        raise UserError(f"{source}: dataset_keys.{key} joins what are no vectors; name vectors, or one image")
    vectors = [part[:, None] if part.ndim == 1 else part for part in parts]
    return (np.concatenate(vectors, axis=1) if len(vectors) > 1 else vectors[0]).astype(np.float32)


def _rate(datasets: Sequence[DataSet], fps: float | None) -> float | None:
    """Frames a second of all of them, which is the environment's `fps` where there is one; None where nobody tells."""
    for dataset in datasets:
        if None not in (fps, dataset.fps) and fps != dataset.fps:
            raise UserError(
                f"{dataset.path}: recorded at {dataset.fps:g} frames a second but env.fps={fps}; set fps to match"
            )
    return agreed_rate(datasets) if fps is None else fps


def _check_images(episode: Episode, settings: DictConfig) -> None:
    """Other arrays' sizes are checked where they are normalised."""
    for key, shape in settings.policy.input_shapes.items():
        if len(shape) == 3 and key in episode.observations:
            _check_kind(key, episode.observations[key])
            have, wanted = ("x".join(map(str, size)) for size in (episode.observations[key].shape[1:3], shape[1:]))
            if have != wanted:
                raise UserError(
                    f"{key} is {have} in the training data but {wanted} in the settings; set env.image_size to match"
                )


def _check_kind(key: str, values: np.ndarray | Frames) -> None:
    if not is_image(values) or values.shape[-1] != 3:
        raise UserError(
            f"{key} is numbers {tuple(values.shape[1:])} in the training data, no images, which are uint8 "
            "(height, width, 3); convert it, or choose another by dataset_keys"
        )
