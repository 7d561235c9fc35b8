"""What lies beside a file is no damage in it; links are followed, never written through; copies stand alone."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import one_line_error, random_episode
from demo_score.data.formats import open_dataset, read_episodes
from demo_score.data.formats.aloha import write_aloha
from demo_score.data.formats.hdf5_links import other_files
from demo_score.data.formats.robomimic import RobomimicFile, write_episodes
from demo_score.ingest.conversion import export_data, import_data
from demo_score.ingest.inspection import inspect
from demo_score.ingest.keep_lists import write_mask
from demo_score.ingest.staleness import LARGE, content_digest
from demo_score.ingest.user_data import user_files
from demo_score.runtime.files import check_writable, read_text
from demo_score.runtime.unreadable import reason_unreadable
from lerobot_fixture import write_lerobot
from places import SCRIPTS

NOBODY = 65534
INSPECT = SCRIPTS / "inspect_data.py"
CAMERA = "observation.images.top"


@pytest.fixture
def demos(tmp_path: Path) -> Path:
    write_episodes(tmp_path / "demos.hdf5", [random_episode(5, seed) for seed in range(3)], {})
    return tmp_path / "demos.hdf5"


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_file_that_is_being_written_is_locked_not_damaged(demos) -> None:
    code = "import h5py, sys; f = h5py.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(demos)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as recorder:
        recorder.stdout.readline()
        with one_line_error(demos, "another program has it open", "HDF5_USE_FILE_LOCKING=FALSE"):
            open_dataset(demos)
        recorder.communicate()
    assert len(read_episodes(demos)) == 3


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("ENOLCK", "cannot lock files"),
        ("EACCES", "permission denied"),
        ("EMFILE", "ulimit"),
        ("EIO", "does not answer"),
    ],
)
def test_numbers_of_the_system_have_their_own_lines_also_in_the_words_of_hdf5(demos, number, words) -> None:
    code = getattr(errno, number)
    said = f"Unable to open file (unable to lock file, errno = {code}, error message = '{os.strerror(code)}')"
    assert words in reason_unreadable(demos, OSError(said))
    assert words in reason_unreadable(demos, OSError(code, os.strerror(code)))
    assert reason_unreadable(demos, OSError("file signature not found")) == ""


@pytest.mark.parametrize("name", ["demos.hdf5", "set/meta/info.json", "set/data/chunk-000/file-000.parquet"])
def test_what_may_not_be_read_is_said_so(tmp_path, demos, name) -> None:
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("needs to be root, who becomes somebody else")
    write_lerobot(tmp_path / "set", n_episodes=2, images={})
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("test_", "popen-", "pytest-")):  # pytest's own, which only their owner may enter
            folder.chmod(0o755)
    (tmp_path / name).chmod(0)
    source = demos if name == demos.name else tmp_path / "set"
    command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", sys.executable, INSPECT, source]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if "Traceback" in run.stderr and "demo_score" not in run.stderr:
        pytest.skip("nobody may not read Python itself")
    said = next(line for line in (run.stdout + run.stderr).splitlines() if name.removeprefix("set/") in line)
    assert "may not be read (permission denied)" in said and "damaged" not in said


def test_missing_files_folders_in_their_place_and_lost_links_are_told_apart(tmp_path) -> None:
    folder = write_lerobot(tmp_path / "set", n_episodes=2, images={})
    rows = folder / "data/chunk-000/file-000.parquet"
    kept = rows.rename(tmp_path / "kept.parquet")
    for make, words in [
        (lambda: None, "no such file"),
        (rows.mkdir, "is a folder, where a file should be"),
        (lambda: (rows.rmdir(), rows.symlink_to("nowhere")), "is a link to nowhere, where nothing lies"),
    ]:
        make()
        problems = [str(problem) for problem in inspect(folder).problems]
        assert len(problems) == 2 and all(words in line and "damaged" not in line for line in problems)
    (tmp_path / "link").symlink_to("elsewhere")
    with one_line_error(tmp_path / "link", "is a link to elsewhere, where nothing lies"):
        inspect(tmp_path / "link")
    rows.unlink()
    rows.symlink_to(kept)
    assert inspect(folder).problems == []
    with one_line_error(tmp_path, "is a folder"):
        read_text(tmp_path)


def test_a_filter_that_is_not_installed_is_named(tmp_path) -> None:
    write_episodes(tmp_path / "a.hdf5", [random_episode(5)], {})
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        del file["data/demo_0/actions"]
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((5, 14))
        settings.set_filter(32004, h5py.h5z.FLAG_OPTIONAL, ())  # LZ4's
        group, space = file["data/demo_0"].id, h5py.h5s.create_simple((5, 14))
        array = h5py.h5d.create(group, b"actions", h5py.h5t.NATIVE_DOUBLE, space, settings)
        array.write_direct_chunk((0, 0), bytes(100), 0)
    (problem,) = inspect(tmp_path / "a.hdf5").problems
    assert "filter that is not installed here" in problem.what and "HDF5_PLUGIN_PATH" in problem.what


def test_hidden_files_are_not_looked_at(tmp_path) -> None:
    folder = write_lerobot(tmp_path / "set", n_episodes=2, images={})
    before = user_files({"demonstrations": {"a": {"path": str(folder)}}})
    for path in before:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\26\7" + bytes(4000))
    (folder / ".cache/huggingface").mkdir(parents=True)
    (folder / ".cache/huggingface/x.parquet").write_text("x")
    assert inspect(folder).problems == []
    assert user_files({"demonstrations": {"a": {"path": str(folder)}}}) == before
    write_aloha(tmp_path / "aloha", [random_episode(4)])
    (tmp_path / "aloha/._episode_0.hdf5").write_text("x")
    assert inspect(tmp_path / "aloha").problems == []


def test_lines_of_json_end_at_line_ends_only(tmp_path) -> None:
    folder = write_lerobot(tmp_path / "set", "v2.1", n_episodes=2, images={})
    path = folder / "meta/episodes.jsonl"
    path.write_text(path.read_text().replace("a task", "a\u2028task\x85of 2"), encoding="utf-8")
    assert [episode.task for episode in open_dataset(folder).read()] == ["a\u2028task\x85of 2"] * 2
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(open_dataset(folder).episode_indices) == 2


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A file whose episodes, with images, lie in two others, an array in a fourth, a mask in a fifth."""
    (tmp_path / "source/parts").mkdir(parents=True)
    for day in range(2):
        episodes = [random_episode(4 + number, 3 * day + number) for number in range(3)]
        for number, episode in enumerate(episodes):
            images = np.random.default_rng(3 * day + number).integers(0, 256, (len(episode), 6, 8, 3), dtype=np.uint8)
            episode.observations[CAMERA] = images
        write_episodes(tmp_path / f"source/parts/day{day}.hdf5", episodes, {})
    with h5py.File(tmp_path / "source/parts/masks.hdf5", "w") as file:
        file["mask/train"] = np.array(["demo_1"], dtype="S")
    with h5py.File(tmp_path / "source/parts/rewards.hdf5", "w") as file:
        file["numbers"] = np.arange(4.0)
    with h5py.File(tmp_path / "source/all.hdf5", "w") as file:
        for number in range(6):
            place = f"parts/day{number // 3}.hdf5", f"/data/demo_{number % 3}"
            file.require_group("data")[f"demo_{number}"] = h5py.ExternalLink(*place)
        file["data/demo_6"] = h5py.SoftLink("/data/demo_5")
        own = file.create_group("data/demo_7")
        own.attrs["num_samples"] = 4
        own["actions"], own["obs/state"] = np.eye(4), np.eye(4)
        layout = h5py.VirtualLayout((4,), float)
        layout[:] = h5py.VirtualSource("parts/rewards.hdf5", "numbers", (4,))
        own.create_virtual_dataset("rewards", layout)
        file["mask"] = h5py.ExternalLink("parts/masks.hdf5", "/mask")
    return tmp_path / "source/all.hdf5"


def test_images_of_linked_episodes_are_their_own(linked) -> None:
    found = read_episodes(linked)
    for number in range(6):
        (wanted,) = open_dataset(linked.parent / f"parts/day{number // 3}.hdf5").read([number % 3])
        np.testing.assert_array_equal(found[number].observations[CAMERA][:], wanted.observations[CAMERA][:])
        np.testing.assert_array_equal(found[number].actions, wanted.actions)
    np.testing.assert_array_equal(found[7].rewards, np.arange(4))


def test_a_copy_holds_what_the_source_links_to_and_no_source_is_changed(linked, tmp_path) -> None:
    before, wanted = content(tmp_path / "source"), read_episodes(linked)
    write_mask(linked, [0, 4], "good", tmp_path / "far/away/copy.hdf5")
    assert content(tmp_path / "source") == before
    images = [episode.observations[CAMERA][:] for episode in wanted[:7]]
    shutil.rmtree(tmp_path / "source")
    assert other_files(tmp_path / "far/away/copy.hdf5") == []
    found = read_episodes(tmp_path / "far/away/copy.hdf5")
    assert len(found) == 8
    for old, new in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(old.actions, new.actions)
        np.testing.assert_array_equal(old.rewards, new.rewards)
        assert (old.seed, old.success) == (new.seed, new.success)
    for number in range(7):
        np.testing.assert_array_equal(found[number].observations[CAMERA][:], images[number])
    keys = RobomimicFile(tmp_path / "far/away/copy.hdf5").filter_keys()
    assert (keys["train"], keys["good"]) == ([1], [0, 4])


def test_linked_files_are_watched_and_those_that_are_lost_are_named(linked) -> None:
    parts = [linked.parent / f"parts/{name}.hdf5" for name in ("day0", "day1", "masks", "rewards")]
    assert other_files(linked) == parts
    settings = {"demonstrations": {"a": {"path": str(linked)}}}
    assert user_files(settings) == [linked, *parts]
    parts[1].unlink()
    assert user_files(settings) == [linked, parts[0], *parts[2:]]
    assert other_files(linked) == parts
    said = [problem.what for problem in inspect(linked).problems]
    assert any(f"it links to {parts[1]}: no such file" in line for line in said)
    with one_line_error(linked, f"links to {parts[1]}"):
        write_mask(linked, [0], "good", linked.parent / "copy.hdf5")
    assert not (linked.parent / "copy.hdf5").exists()


def test_linked_folders_are_followed_once(tmp_path) -> None:
    folder = write_lerobot(tmp_path / "disk/set", n_episodes=2, images={})
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/set/again").symlink_to(tmp_path / "disk")
    files = user_files({"demonstrations": {"a": {"path": str(tmp_path / "data")}}})
    assert [file.resolve() for file in files] == sorted(path for path in folder.rglob("*") if path.is_file())


def test_content_decides_not_time(tmp_path, demos) -> None:
    record, old = tmp_path / "record.json", tmp_path / "old.hdf5"
    shutil.copy2(demos, old)
    with h5py.File(demos, "r+") as file:
        file["data/demo_0/actions"][0] = 1
    os.utime(demos, ns=(0, old.stat().st_mtime_ns + 10**9))
    now = content_digest([demos], record)
    demos.touch()
    assert content_digest([demos], record) == now
    shutil.copy2(old, demos)  # older than before
    assert demos.stat().st_mtime_ns == old.stat().st_mtime_ns
    assert content_digest([demos], record) != now
    record.write_text("no JSON")
    assert content_digest([demos], record) == content_digest([demos], tmp_path / "none/record.json") != now
    assert content_digest([tmp_path / "missing"], record) != content_digest([demos], record)


def test_what_looks_the_same_is_not_read_again_and_large_files_at_their_ends(tmp_path, monkeypatch) -> None:
    from demo_score.ingest import staleness

    with (tmp_path / "large.mp4").open("wb") as file:
        file.truncate(LARGE + 1)
    first = content_digest([tmp_path / "large.mp4"], tmp_path / "record.json")
    monkeypatch.setattr(staleness, "_read", lambda *_: pytest.fail("read again"))
    assert content_digest([tmp_path / "large.mp4"], tmp_path / "record.json") == first
    monkeypatch.undo()
    os.utime(tmp_path / "large.mp4", ns=(0, 0))
    assert content_digest([tmp_path / "large.mp4"], tmp_path / "record.json") != first


def test_where_nothing_can_be_written_is_said_before_anything_is_read(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path, folder, words in [
        ("file", True, "is a file, where a folder"),
        ("folder", False, "is a folder, where a file"),
        ("file/below/it", True, "is a file, so that nothing"),
        ("file/below/it", False, "is a file, so that nothing"),
    ]:
        with one_line_error(tmp_path / path, words):
            check_writable(tmp_path / path, folder)
    check_writable(tmp_path / "new/below", True)
    check_writable(tmp_path / "file", False)
    with one_line_error("is a folder, where a file"):
        import_data(tmp_path / "missing", tmp_path / "folder")
    for to in ("lerobot", "aloha"):
        with one_line_error("is a file, where a folder"):
            export_data(tmp_path / "missing", tmp_path / "file", to)
    monkeypatch.setattr(os, "access", lambda place, rights: place != tmp_path)
    for path, folder in [("new", True), ("new/below", False)]:
        with one_line_error(tmp_path / path, f"{tmp_path} cannot be written"):
            check_writable(tmp_path / path, folder)
