"""LeRobot data sets: both versions, both kinds of lists, images in rows or in videos, and what damage looks like."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import one_line_error, tiny_settings
from demo_score.data.episodes import Episode
from demo_score.data.formats import open_dataset
from demo_score.data.frames import Frames
from demo_score.training.sources import training_episodes
from lerobot_fixture import lerobot_content, write_lerobot
from pyarrow import parquet

STATE, IMAGE = "observation.state", "observation.image"
SIZE = (48, 64)
VERSIONS = ["v3.0", "v2.1"]


def written(folder: Path, **options) -> Path:
    return write_lerobot(folder / "data set", **{"n_episodes": 3, "images": {IMAGE: SIZE}, **options})


def read(folder: Path, keys: tuple[str, ...] = (STATE, IMAGE), backend: str = "pyav", **options) -> list[Episode]:
    return list(open_dataset(folder, backend).read(keys=keys, **options))


def content(n_episodes: int = 3) -> list[dict[str, np.ndarray]]:
    return lerobot_content(n_episodes, images={IMAGE: SIZE})


def assert_shows(images: np.ndarray, expected: np.ndarray) -> None:
    """The same blocks of colours, as far as a video keeps them; other frames differ by some 80."""
    assert images.shape == expected.shape and images.dtype == np.uint8
    assert (np.abs(images.astype(int) - expected).mean(axis=(1, 2, 3)) < 30).all()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("converted", [False, True])
@pytest.mark.parametrize("video", [False, True])
def test_episodes_come_back(tmp_path, version, converted, video) -> None:
    folder = written(tmp_path, version=version, converted=converted, video=video)
    episodes = read(folder)
    for number, (episode, arrays) in enumerate(zip(episodes, content(), strict=True)):
        np.testing.assert_array_equal(episode.observations[STATE], arrays[STATE], strict=True)
        np.testing.assert_array_equal(episode.actions, arrays["action"], strict=True)
        np.testing.assert_array_equal(episode.rewards, arrays["next.reward"], strict=True)
        assert (episode.seed, episode.success) == (number, number % 2 == 0)
        frames = episode.observations[IMAGE]
        assert isinstance(frames, Frames) and frames.shape == (12, *SIZE, 3)
        assert_shows(frames[:], arrays[IMAGE])
        if not video:
            np.testing.assert_array_equal(frames[[5, 2]], arrays[IMAGE][[5, 2]], strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_episodes_come_in_the_order_asked_for(tmp_path, version) -> None:
    episodes = read(written(tmp_path, version=version), indices=[2, 0])
    assert [episode.seed for episode in episodes] == [2, 0]
    for episode, arrays in zip(episodes, content()[::-2], strict=True):
        np.testing.assert_array_equal(episode.actions, arrays["action"])
        assert_shows(episode.observations[IMAGE][:], arrays[IMAGE])


@pytest.mark.parametrize("backend", ["pyav", "opencv"])
@pytest.mark.parametrize(
    ("codec", "options"),
    [("libx264", {"g": "30", "bf": "3", "crf": "15"}), ("mpeg4", {"g": "12", "bf": "2"})],
    ids=["libx264", "mpeg4"],
)
def test_any_frame_of_a_video_is_found_wherever_its_key_frame_is(tmp_path, backend, codec, options) -> None:
    folder = written(tmp_path, length=50, codec=codec, options=options)
    arrays = lerobot_content(3, 50, images={IMAGE: SIZE})
    frames = [episode.observations[IMAGE] for episode in read(folder, backend=backend)]
    for seed in range(5):
        for number, wanted in enumerate(np.random.default_rng(seed).integers(0, 50, (3, 8))):
            assert_shows(frames[number][wanted], arrays[number][IMAGE][wanted])


def test_both_decoders_show_the_same(tmp_path) -> None:
    folder = written(tmp_path)
    first, second = (read(folder, backend=backend)[1].observations[IMAGE][:] for backend in ("pyav", "opencv"))
    assert np.abs(first.astype(int) - second).max() <= 2


def test_opencv_names_the_other_decoder_where_it_lacks_a_codec(tmp_path, capfd) -> None:
    folder = written(tmp_path, codec="libsvtav1", options={"g": "2"})
    assert_shows(read(folder)[0].observations[IMAGE][:], content()[0][IMAGE])
    capfd.readouterr()
    with one_line_error("file-000.mp4", "codec", "video_backend=pyav"):
        read(folder, backend="opencv")[0].observations[IMAGE][[3]]
    assert capfd.readouterr().err == ""


def test_unknown_decoder_is_reported_with_those_there_are(tmp_path) -> None:
    with one_line_error("video_backend=torchcodec", "pyav, opencv"):
        read(written(tmp_path), backend="torchcodec")


@pytest.mark.parametrize("video", [False, True])
def test_frames_can_be_handed_to_another_process(tmp_path, video) -> None:
    frames = read(written(tmp_path, video=video))[2].observations[IMAGE]
    before = frames[:]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(frames))[:], before)


@pytest.mark.parametrize("video", [False, True])
def test_frames_of_every_episode_have_an_identity_of_their_own(tmp_path, video) -> None:
    folder = written(tmp_path, video=video)
    identities = [[episode.observations[IMAGE].identity() for episode in read(folder)] for _ in range(2)]
    assert identities[0] == identities[1]
    assert len(set(identities[0])) == 3


def test_only_what_is_asked_for_is_read(tmp_path) -> None:
    folder = written(tmp_path, version="v2.1")
    shutil.rmtree(folder / "videos")
    (folder / "data/chunk-000/episode_000001.parquet").unlink()
    assert [list(episode.observations) for episode in read(folder, (STATE,), indices=[0, 2])] == [[STATE]] * 2


def test_rewards_and_success_are_unknown_where_the_data_set_does_not_tell(tmp_path) -> None:
    episode = read(written(tmp_path, results=False))[0]
    assert episode.rewards is None and episode.success is None


@pytest.mark.parametrize("version", VERSIONS)
def test_several_cameras_keep_their_names_and_sizes(tmp_path, version) -> None:
    images = {"observation.images.top": (48, 64), "observation.images.angle": (32, 32)}
    folder = written(tmp_path, version=version, images=images)
    arrays = lerobot_content(3, images=images)
    for key in images:
        assert_shows(read(folder, (key,))[1].observations[key][:], arrays[1][key])


def test_text_and_depth_are_not_read_and_named(tmp_path) -> None:
    folder = written(tmp_path, video=False)
    depth = {"dtype": "image", "shape": [48, 64, 1], "names": None}
    words = {"dtype": "string", "shape": [1], "names": None}
    change_info(folder, lambda info: info["features"].update({"observation.depth": depth, "observation.words": words}))
    dataset = open_dataset(folder)
    assert dataset.not_read() == ["observation.depth (image)", "observation.words (string)"]
    assert set(dataset.features()) == {STATE, IMAGE, "action"} == {*next(dataset.read()).observations, "action"}


def test_size_may_be_written_with_channels_first(tmp_path) -> None:
    folder = written(tmp_path, video=False)
    change_info(folder, lambda info: info["features"][IMAGE].update(shape=[3, *SIZE]))
    assert read(folder)[0].observations[IMAGE].shape == (12, *SIZE, 3)


def change_info(folder: Path, change) -> None:
    info = json.loads((folder / "meta/info.json").read_text())
    change(info)
    (folder / "meta/info.json").write_text(json.dumps(info))


@pytest.mark.parametrize("version", ["v2.0", "v3.1", "v1.6"])
def test_other_versions_are_reported_with_those_that_are_read(tmp_path, version) -> None:
    folder = written(tmp_path)
    change_info(folder, lambda info: info.update(codebase_version=version))
    with one_line_error(folder, version, "v2.1 and v3.0"):
        read(folder)


def test_data_set_of_the_published_code_is_reported_as_such(tmp_path) -> None:
    (tmp_path / "meta_data").mkdir()
    (tmp_path / "meta_data/info.json").write_text('{"codebase_version": "v1.6", "fps": 50, "video": true}')
    with one_line_error(tmp_path, "v1.6", "v2.1 and v3.0"):
        read(tmp_path)


def test_other_frame_rate_is_reported(tmp_path) -> None:
    settings = tiny_settings(f"+datasets_file={written(tmp_path / 'it')!s}".replace(" ", "\\ "))
    with one_line_error("10 frames a second", "env.fps=50"):
        training_episodes(settings)


def test_missing_episode_is_reported(tmp_path) -> None:
    with one_line_error("no episode 3", "holds 3 episodes"):
        read(written(tmp_path), indices=[0, 3])


def test_missing_key_is_reported_with_those_there_are(tmp_path) -> None:
    folder = written(tmp_path)
    with one_line_error(folder, "no observation.force", "observation.image, observation.state", "policy.input_shapes"):
        read(folder, (STATE, "observation.force"))


def test_data_set_whose_action_has_another_name_is_told_by_its_columns(tmp_path) -> None:
    folder = written(tmp_path)
    change_info(folder, lambda info: info["features"].update(actions=info["features"].pop("action")))
    with one_line_error(folder, "has no action; it has observation.state", "actions", "meta/info.json"):
        open_dataset(folder)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["meta/*.json*", "meta/episodes*", "data/**/*.parquet", "videos/**/*.mp4"])
@pytest.mark.parametrize("share", [None, 0.0, 0.5])
def test_missing_or_damaged_file_is_reported(tmp_path, version, kind, share) -> None:
    folder = written(tmp_path, version=version)
    files = [path for path in sorted(folder.glob(kind)) if path.is_file()]
    for path in files or sorted((folder / "meta/episodes").rglob("*.parquet")):
        text = path.read_bytes()
        path.unlink()
        if share is not None:
            path.write_bytes(text[: int(share * len(text))])
    with one_line_error("data set"):
        read(folder)[0].observations[IMAGE][:]


def test_episode_that_lacks_rows_is_reported(tmp_path) -> None:
    folder = written(tmp_path, version="v2.1")
    path = folder / "data/chunk-000/episode_000001.parquet"
    parquet.write_table(parquet.read_table(path).slice(0, 8), path)
    with one_line_error(path, "episode 1: not complete"):
        read(folder)


def test_column_that_is_missing_or_of_another_size_is_reported(tmp_path) -> None:
    folder = written(tmp_path, version="v2.1")
    path = folder / "data/chunk-000/episode_000001.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.drop([STATE]), path)
    with one_line_error(path, STATE):
        read(folder)
    wide = pa.array(np.zeros((12, 5)).tolist(), pa.list_(pa.float32()))
    parquet.write_table(table.drop([STATE]).append_column(STATE, wide), path)
    with one_line_error(path, "damaged"):
        read(folder)


def test_image_that_is_none_is_reported(tmp_path) -> None:
    folder = written(tmp_path, version="v2.1", video=False)
    path = folder / "data/chunk-000/episode_000000.parquet"
    table = parquet.read_table(path)
    cells = table[IMAGE].to_pylist()
    cells[4] = {"bytes": b"no PNG", "path": None}
    cells[7] = {"bytes": None, "path": "elsewhere.png"}
    parquet.write_table(table.drop([IMAGE]).append_column(IMAGE, pa.array(cells)), path)
    frames = read(folder)[0].observations[IMAGE]
    assert frames[[3, 5]].shape == (2, *SIZE, 3)
    for frame in (4, 7):
        with one_line_error(path, f"frame {frame}", "no image"):
            frames[[frame]]


def test_images_of_another_size_than_the_data_set_says_are_reported(tmp_path) -> None:
    folder = written(tmp_path)
    change_info(folder, lambda info: info["features"][IMAGE].update(shape=[96, 96, 3]))
    with one_line_error("file-000.mp4", "(48, 64, 3)", "(96, 96, 3)"):
        read(folder)[0].observations[IMAGE][[0]]


@pytest.mark.parametrize("backend", ["pyav", "opencv"])
def test_video_without_the_frame_is_reported(tmp_path, backend) -> None:
    folder = written(tmp_path, n_episodes=2, fps=10)
    for path in folder.glob("data/**/*.parquet"):
        table = parquet.read_table(path)
        times = pa.array(table["timestamp"].to_numpy() + np.float32(0.03))
        parquet.write_table(table.drop(["timestamp"]).append_column("timestamp", times), path)
    for frame in (3, 11):
        with one_line_error("file-000.mp4", "no frame at"):
            read(folder, backend=backend)[1].observations[IMAGE][[frame]]
