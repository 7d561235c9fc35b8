"""Values of other people's files: what they can mean is understood, and anything else is named."""

import h5py
import numpy as np
import pyarrow as pa
import pytest
from conftest import one_line_error
from demo_score.data.values import checkpoint_name, numbers, rewards, text, truth, whole_number

NAN = float("nan")
UNKNOWN = [None, NAN, np.float32("nan"), "", " ", b"", "nan", np.array([NAN]), np.array([]), [], h5py.Empty("f4")]


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", "1.0", "True", "TRUE ", b"true", np.True_, np.array([1]), [1]])
def test_truth(value) -> None:
    assert truth(value, "success") is True


@pytest.mark.parametrize("value", [False, 0, -0.0, "0", "0.000e+00", "false", np.bytes_(b"False"), np.array(0, ">i2")])
def test_falsehood(value) -> None:
    assert truth(value, "success") is False


@pytest.mark.parametrize("value", UNKNOWN)
def test_what_is_not_told_is_not_known(value) -> None:
    assert truth(value, "success") is None


@pytest.mark.parametrize("value", [-1, 2, 0.3, "yes", "success", np.inf, "-1", [0, 1], 1j, {"a": 1}])
def test_no_truth_is_refused_by_name(value) -> None:
    with one_line_error("demo_3: success", "give"):
        truth(value, "demo_3: success")


@pytest.mark.parametrize("value", [3000, 3000.0, "3000", "003000", b"3000", np.int64(3000), np.float32(3000), "3000."])
def test_checkpoints_are_called_by_their_step(value) -> None:
    assert checkpoint_name(value, "checkpoint") == "003000"
    assert whole_number(value, "checkpoint") == 3000


def test_other_names_of_checkpoints_stay() -> None:
    assert [checkpoint_name(name, "") for name in ("last", b"ema 3", 1.5)] == ["last", "ema 3", "1.5"]


@pytest.mark.parametrize("value", [-1, 1.5, "two", True, 1j, "1e3", np.array([1, 2])])
def test_no_whole_number_is_refused_by_name(value) -> None:
    with one_line_error("seed", "give"):
        whole_number(value, "seed")


@pytest.mark.parametrize("value", ["Reach", b"Reach", np.bytes_(b"Reach"), np.str_("Reach"), ["Reach"]])
def test_texts(value) -> None:
    assert text(value, "task") == "Reach"


@pytest.mark.parametrize("value", [True, b"\xff\xfe", {"task": "Reach"}])
def test_no_text_is_refused_by_name(value) -> None:
    with one_line_error("task"):
        text(value, "task")


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", "<f8", np.longdouble])
def test_numbers_of_any_order_of_bytes_are_the_same_numbers(dtype) -> None:
    import torch

    values = np.arange(6, dtype=dtype).reshape(3, 2)
    assert torch.from_numpy(numbers(values)).double().tolist() == [[0, 1], [2, 3], [4, 5]]


def test_rewards_are_one_number_a_step() -> None:
    assert rewards(np.ones((4, 1), ">f4"), "").shape == (4,)
    for values in (np.ones((4, 2)), np.ones(4, complex), np.array(["a", "b"])):
        with one_line_error("demo_0: rewards", "one number a step"):
            rewards(values, "demo_0: rewards")


def test_values_of_arrow_are_those_of_python() -> None:
    column = pa.chunked_array([pa.array([[True], None])])
    assert [truth(value.as_py(), "") for value in column] == [True, None]


@pytest.mark.parametrize("value", ["9" * 5000, 1e300, float("inf"), "\uff11"])
def test_numbers_that_nothing_here_can_count_are_refused_by_name(value) -> None:
    with one_line_error("seed", "give"):
        whole_number(value, "seed")
