"""Compact letter display: which of several methods do not differ, in letters that they share."""

import re
from collections.abc import Iterable, Sequence
from string import ascii_letters

_LETTER = re.compile("[a-zA-Z]′*")


def letters(names: Sequence[str], different: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The letters of each of `names`, best first: two share one exactly where they are not among `different` pairs.

    Source: H.-P. Piepho, Journal of Computational and Graphical Statistics 13 (2004) 456-466: insert and absorb.
    """
    columns = sorted(insert_and_absorb(names, different), key=lambda column: [names.index(name) for name in column])
    return {name: "".join(_letter(i) for i, column in enumerate(columns) if name in column) for name in names}


def share_a_letter(one: str, other: str) -> bool:
    """Whether two texts of `letters` have a letter in common."""
    return bool({*_LETTER.findall(one)} & {*_LETTER.findall(other)})


def insert_and_absorb(names: Sequence[str], different: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The groups of names, a letter each, in the order of `names`; no group is part of another."""
    columns = [frozenset(names)]
    for one, other in different:
        split = [column - {name} for column in columns if {one, other} <= column for name in (one, other)]
        columns = _absorb([*(column for column in columns if not {one, other} <= column), *split])
    return [tuple(name for name in names if name in column) for column in columns]


def _absorb(columns: list[frozenset]) -> list[frozenset]:
    columns = list(dict.fromkeys(columns))
    return [column for column in columns if not any(column < other for other in columns)]


def _letter(number: int) -> str:
    """a to z, A to Z, then a′ and so on."""
    return ascii_letters[number % len(ascii_letters)] + "′" * (number // len(ascii_letters))
