"""In which order the arena's entrants and sizes of keep stand in tables and figures."""

from collections.abc import Iterable

from demo_score.curation_methods import METHODS
from demo_score.entrants import CONTROLS, OWN, RANDOM, control_of


def merged(entrant: str) -> str:
    """The entrant that a row of a table tells of: all random choices are one."""
    return RANDOM if control_of(entrant) == RANDOM else entrant


def in_order(entrants: Iterable[str]) -> list[str]:
    """Methods, what is external by name, controls."""
    return sorted(set(entrants), key=_place)


def methods_in(entrants: Iterable[str]) -> list[str]:
    """Those that are no controls, in order."""
    return [entrant for entrant in in_order(entrants) if control_of(entrant) is None]


def sizes_in(keeps: Iterable[str]) -> list[str]:
    """`own`, then percentages from small to large."""
    return sorted(set(keeps), key=lambda keep: (keep != OWN, int(keep) if keep != OWN else 0))


def _place(entrant: str) -> tuple:
    if entrant in METHODS:
        return 0, list(METHODS).index(entrant), ""
    control = control_of(entrant)
    return (2, list(CONTROLS).index(control), entrant) if control else (1, 0, entrant)
