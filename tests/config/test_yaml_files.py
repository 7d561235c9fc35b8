"""YAML that people write: what YAML would quietly take for something else is an error with its line."""

import pytest
from conftest import one_line_error
from demo_score.config.settings import load
from demo_score.config.yaml_files import MOST_LEVELS, MOST_VALUES, parse_yaml, read_yaml

BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10)
)
MERGED_BOMB = "a0: &a0 {k: 1}\n" + "".join(
    f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}\n" for level in range(1, 10)
)


def test_what_is_right_is_read_as_yaml_reads_it() -> None:
    text = """
default: &default {n: 60, rate: 1.0e-3, on_time: yes, none: null, steps: ["001000"], name: "2024-01-01"}
other: {<<: *default, n: 7}
again: [*default, *default]
"""
    default = {"n": 60, "rate": 1e-3, "on_time": True, "none": None, "steps": ["001000"], "name": "2024-01-01"}
    assert parse_yaml(text, "c") == {"default": default, "other": default | {"n": 7}, "again": [default, default]}
    assert parse_yaml("", "c") is None and parse_yaml("a: {}", "c") == {"a": {}}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a: 1\nb: 2\na: 3", ["line 3", "a is repeated, first in line 1"]),
        ("x: {a: 1, a: 2}", ["line 1", "a is repeated"]),
        ("d: &d {a: 1}\nx:\n  <<: *d\n  <<: *d", ["line 4", "<< is repeated"]),
        ("seeds: [1,\n 010000]", ["line 2", "010000 in base 8", "leading 0"]),
        ("t: 10:30", ["line 1", "10:30 in base 60"]),
        ("t: 1:30.5", ["line 1", "1:30.5 in base 60"]),
        ("a: 2024-01-01", ["line 1", "2024-01-01", "date", "quotes"]),
        ("a: 1\n2: 3", ["line 2", "key 2", "quotes"]),
        ("on: 3", ["line 1", "key on", "quotes"]),
        ("? [1]\n: 3", ["line 1", "key a list"]),
        ("a:\n\tb: 1", ["line 2", "a tab; indent with spaces"]),
        ("a: 1\n\tb: 2", ["line 2", "a tab; indent with spaces"]),
        ("a:\n  b: 1\n c: 2", ["line 3", "indentation", "(c: 2)"]),
        ("a: [1, 2\nb: 3", ["line", "brackets"]),
        ("a: *nope", ["line 1", "no anchor", "*nope"]),
        ("a: 1\n---\nb: 2", ["line 2", "another document"]),
        ("a: &x [*x]", ["line 1", "holds itself"]),
        ("a: &x {b: {c: *x}}", ["line 1", "holds itself"]),
        ("a: &x {<<: *x}", ["line 1", "holds itself"]),
        (BOMB, [f"more than {MOST_VALUES} values"]),
        (MERGED_BOMB, [f"more than {MOST_VALUES} values"]),
        ("[" * 10**5, [f"more than {MOST_LEVELS} levels"]),
        ("a: \x07", ["line 1", "U+0007"]),
        ("a: !!int x", ["'x'"]),
        ("a: !!bool x", ["'x'"]),
        ("a: " + "9" * 5000, ["4300 digits"]),
    ],
)
def test_what_cannot_be_meant_is_named_with_its_line(text, parts) -> None:
    with one_line_error("c.yaml", *parts):
        parse_yaml(text, "c.yaml")


@pytest.mark.parametrize("encoding", ["latin-1", "cp949", "utf-16", "utf-32"])
def test_a_file_that_is_not_utf_8_is_named(tmp_path, encoding) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(("a: 가" if encoding == "cp949" else "a: é").encode(encoding))
    with one_line_error(path, "UTF-8", "line 1"):
        read_yaml(path)


def test_a_byte_order_mark_is_no_text(tmp_path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(tmp_path / "c.yaml") == {"a": 1}


def test_what_is_no_file_is_named(tmp_path) -> None:
    with one_line_error(tmp_path, "folder"):
        read_yaml(tmp_path)
    with one_line_error(tmp_path / "nope.yaml", "no such file"):
        read_yaml(tmp_path / "nope.yaml")


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!!python/module:os", "!!binary", "!mine"]
)
def test_no_tag_makes_anything(tmp_path, tag) -> None:
    marker = tmp_path / "executed"
    for text in (f"a: {tag} [touch {marker}]", f"a: {tag} 'touch {marker}'", f"{tag} {{a: touch {marker}}}"):
        with one_line_error("c.yaml", "line 1", "is not read"):
            parse_yaml(text, "c.yaml")
    assert not marker.exists()


@pytest.mark.parametrize("text", [BOMB, "a: 1\na: 2", "a: &x [*x]", "a: !!python/name:os.system x", "a: [", "- 1", "3"])
def test_settings_files_are_read_as_strictly(tmp_path, text) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    with one_line_error(tmp_path / "settings.yaml"):
        load(tmp_path / "settings.yaml")
