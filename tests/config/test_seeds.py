"""Seeds are whole numbers below 2**32, and so is every seed that follows from one."""

import argparse

import pytest
from conftest import one_line_error
from demo_score.config.seeds import N_SEEDS, check_seeds, count_argument, seed_argument
from demo_score.config.settings import compose_settings
from demo_score.demonstrations.collect import collect_demonstrations
from omegaconf import OmegaConf


@pytest.mark.parametrize("text", ["-1", "1.0", "1e6", "abc", "", " 1", "4294967296", "9" * 30, "0x10", "1_000", "²"])
def test_what_is_no_seed_is_named(text) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="0 to 4294967295"):
        seed_argument(text)


@pytest.mark.parametrize(("text", "seed"), [("0", 0), ("010000", 10000), ("4294967295", N_SEEDS - 1)])
def test_seeds_are_read_as_they_are_written(text, seed) -> None:
    assert seed_argument(text) == seed


@pytest.mark.parametrize("text", ["0", "-5", "1.0", "abc", "1000001"])
def test_what_is_no_number_of_episodes_is_named(text) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 1000000"):
        count_argument(text)


def test_seeds_that_run_past_the_last_are_reported() -> None:
    check_seeds(N_SEEDS - 3, 3, "seed", "3 episodes")
    with one_line_error(f"seed={N_SEEDS - 2}", "3 episodes", N_SEEDS, "smaller seed"):
        check_seeds(N_SEEDS - 2, 3, "seed", "3 episodes")


def test_attempts_count_not_only_the_episodes_that_are_wanted() -> None:
    env = OmegaConf.to_container(compose_settings(["env=aloha_cube_state", "policy=act_state", "seed=0"])[0].env)
    with one_line_error(f"--seed={N_SEEDS - 39}", "2 episodes in up to 40 attempts"):
        collect_demonstrations(env, "reliable", 2, N_SEEDS - 39, 1)
