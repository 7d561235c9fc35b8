"""CUPID's scores from a file of influences, against loops over rollouts and demonstrations."""

import numpy as np
import pytest
from conftest import one_line_error
from demo_score.methods import cupid, cupid_mean, cupid_quality
from demo_score.methods.base import Evidence, NoSettings
from demo_score.methods.influence_file import MATRICES, write_influence
from method_evidence import episodes

SUCCESS = [True, False, True, False]


@pytest.fixture
def matrices() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=(4, 3)) for name in MATRICES}


@pytest.fixture
def evidence(tmp_path, matrices) -> Evidence:
    write_influence(tmp_path / "influence", matrices, np.array(SUCCESS))
    return Evidence(episodes(5, 6, 7), 50.0, 0, influence=tmp_path / "influence")


def net(matrix: np.ndarray, d: int) -> float:
    total = 0.0
    for r, success in enumerate(SUCCESS):
        total += matrix[r, d] if success else -matrix[r, d]
    return total


@pytest.mark.parametrize(("method", "name"), [(cupid, "sum"), (cupid_mean, "mean")])
def test_successes_count_for_and_failures_against(evidence, matrices, method, name) -> None:
    expected = [net(matrices[name], d) for d in range(3)]
    assert method.METHOD.score(evidence, NoSettings()) == pytest.approx(expected)


def stretched(values: list[float]) -> list[float]:
    return [(value - min(values)) / (max(values) - min(values)) for value in values]


def test_quality_adds_support_and_contradiction_whatever_the_outcome(evidence, matrices) -> None:
    first = stretched([net(matrices["sum"], d) for d in range(3)])
    second = stretched([-sum(matrices["min_max"][r, d] for r in range(4)) for d in range(3)])
    third = stretched([sum(matrices["max_min"][r, d] for r in range(4)) for d in range(3)])
    expected = [0.5 * a + 0.25 * b + 0.25 * c for a, b, c in zip(first, second, third, strict=True)]
    assert cupid_quality.METHOD.score(evidence, NoSettings()) == pytest.approx(expected)


def test_quality_of_equal_influences_is_equal(tmp_path) -> None:
    write_influence(tmp_path / "a", {name: np.ones((2, 3)) for name in MATRICES}, np.ones(2))
    evidence = Evidence(episodes(5, 6, 7), 50.0, 0, influence=tmp_path / "a")
    assert cupid_quality.METHOD.score(evidence, NoSettings()) == [0, 0, 0]


def test_no_failure_is_no_error(tmp_path, matrices) -> None:
    write_influence(tmp_path / "a", matrices, np.ones(4))
    evidence = Evidence(episodes(5, 6, 7), 50.0, 0, influence=tmp_path / "a")
    assert cupid.METHOD.score(evidence, NoSettings()) == pytest.approx(matrices["sum"].sum(0).tolist())


def test_files_that_do_not_fit_are_one_line(evidence, tmp_path) -> None:
    other = Evidence(episodes(5, 6), 50.0, 0, influence=evidence.influence)
    with one_line_error("of 3 demonstrations, where 2 are scored"):
        cupid.METHOD.score(other, NoSettings())
    for content in (b"", evidence.influence.read_bytes()[:50]):
        (tmp_path / "damaged").write_bytes(content)
        with one_line_error("damaged", "no file of influences"):
            cupid.METHOD.score(Evidence(episodes(5), 50.0, 0, influence=tmp_path / "damaged"), NoSettings())
    with one_line_error("gone", "no file of influences"):
        cupid.METHOD.score(Evidence(episodes(5), 50.0, 0, influence=tmp_path / "gone"), NoSettings())
