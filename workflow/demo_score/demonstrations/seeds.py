"""Which environment seeds a set of demonstrations may use. Imports no simulator: the workflow reads it as it starts."""

MAX_ATTEMPTS_PER_EPISODE = 20


def demonstration_seeds(seed: int, n_episodes: int) -> range:
    """The environment seeds, in order of use, from which `n_episodes` successes are collected."""
    return range(seed, seed + MAX_ATTEMPTS_PER_EPISODE * n_episodes)
