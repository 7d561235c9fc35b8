"""The arena: which curation methods an experiment compares, and by how many policies."""

from collections.abc import Iterator
from typing import Any, Literal

from demo_score.config.models.base import ABSENT, Name, Section, Seed, Text, different, some, whole
from demo_score.curation_methods import METHODS
from demo_score.entrants import ALL, LENGTH_MATCHED, ORACLE, OWN, RANDOM, control_of


class External(Section):
    """Scores that some other program made."""

    path: Text
    """A table with the columns demonstrations (their name above), episode, score, and seed where runs differ"""


class Curve(Section):
    """Other sizes of keep than the arena's own."""

    percent: different(whole(1, 99))
    """Shares of the demonstrations to keep, in percent"""
    seeds: different(Seed)
    """The runs that are trained at them"""


class Arena(Section):
    """The comparison of curation methods by the policies that they make; every size and method is trained alike."""

    methods: different(Literal[*METHODS])
    """Curation methods ([arena](arena.md))"""
    settings: dict[str, dict[str, Any]] = ABSENT
    """Of methods, by their names, and of `influence`: what differs from their defaults (optional)"""
    external: some(External, Name) = ABSENT
    """Scores that some other program made, by a name of your choice (optional)"""
    n_random: whole(1, 100)
    """Random choices of equal size a run"""
    controls: different(Literal[LENGTH_MATCHED, ALL], least=0)
    """Other controls: `length_matched`, `all`; `oracle` takes part where `final_policy.oracle` names strategies"""
    own_percent: whole(1, 99) = ABSENT
    """Own size of keep, in percent of the demonstrations; without it, as many as Demo-SCORE's filter keeps in a run"""
    curve: Curve = ABSENT
    """Other sizes of keep (optional)"""

    def scored(self) -> list[str]:
        """Everything that has scores: methods, then what is external."""
        return [*self.methods, *(self.external or {})]

    def settings_of(self, name: str) -> dict[str, Any]:
        """What differs from the defaults of a method, or of influence."""
        return (self.settings or {}).get(name, {})

    def entrants(self, keep: str, has_oracle: bool) -> list[str]:
        """Everything that a policy is trained for at a size; those that have a size of their own at `own` alone."""
        random = [f"{RANDOM}_{number + 1}" for number in range(self.n_random)]
        controls = [*self.controls, *[ORACLE] * has_oracle]
        return [*self.scored(), *random, *(name for name in controls if keep == OWN or name == LENGTH_MATCHED)]

    def places(self, seeds: list[int], has_oracle: bool) -> Iterator[tuple[int, str, str]]:
        """Seed, size and entrant of every policy."""
        for seed in seeds:
            for keep in self.sizes(seed):
                yield from ((seed, keep, entrant) for entrant in self.entrants(keep, has_oracle))

    def sizes(self, seed: int) -> list[str]:
        """The sizes of keep of a run."""
        more = self.curve.percent if self.curve and seed in self.curve.seeds else []
        return [OWN, *map(str, more)]

    def conflicts_in(self, seeds: list[int]) -> Iterator[str]:
        """What is wrong between its keys, and with the experiment's."""
        for name in self.external or {}:
            if name in METHODS or control_of(name):
                yield f"external.{name}: is the name of a method or control; choose another"
        if missing := [seed for seed in (self.curve.seeds if self.curve else []) if seed not in seeds]:
            yield f"curve.seeds: {missing[0]} is not among the experiment's seeds"
