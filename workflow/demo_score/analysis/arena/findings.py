"""What an arena's uplifts show, in sentences with their numbers; nulls and losers are said as plainly as winners."""

from itertools import combinations

import pandas as pd

from demo_score.analysis.arena.letters import share_a_letter
from demo_score.analysis.arena.ranking import controls, ranked
from demo_score.analysis.arena.uplift import LENGTH, LEVEL
from demo_score.analysis.formatting import count, estimate, p_value, percent
from demo_score.analysis.over_runs import FLIPS
from demo_score.curation_methods import title
from demo_score.entrants import OWN, RANDOM
from demo_score.tables import ALL_RUNS


class Findings:
    """Sentences on the table of uplifts at the arena's own size."""

    def __init__(self, uplift: pd.DataFrame):
        self.methods = ranked(uplift)
        self.random = controls(uplift).set_index("entrant").loc[RANDOM]
        self.seeds = uplift[(uplift["keep"] == OWN) & (uplift["seed"] != ALL_RUNS)]["seed"].nunique()

    def lines(self) -> list[str]:
        """A list in Markdown."""
        if self.methods.empty:
            return [f"- No method took part. {self._spread()}"]
        tested = [self._against_random(), self._family(), self._pairs()] if self.seeds > 1 else []
        return [f"- {line}" for line in [*tested, *self._against_length(), self._spread()]]

    def _against_random(self) -> str:
        """What differs from random, whichever way."""
        rows = self.methods.dropna(subset="low")
        better, worse = rows[rows["low"] > 0], rows[rows["high"] < 0]
        over = f"the 95% t interval of uplift over {count(self.seeds, 'run')}"
        if better.empty and worse.empty:
            return f"No method differs from random of equal size: {over} holds 0 for all {len(rows)}."
        parts = _parts({"better than random": better, "worse than random": worse}, len(rows), "uplift")
        chance = f"Of {len(rows)} such intervals, {LEVEL * len(rows):.1f} leave out 0 by chance alone."
        return f"Of {count(len(rows), 'method')}, by {over}: {parts}. {chance} {self._after_holm()}"

    def _after_holm(self) -> str:
        passed = self.methods[self.methods["holm_p"] < LEVEL]
        names = ", ".join(map(title, passed["entrant"])) or "none"
        return f"By the sign-flip test, with Holm's correction over {count(len(self.methods), 'method')}: {names}."

    def _family(self) -> str:
        """What the tests can show at all."""
        m, smallest = len(self.methods), smallest_p(int(self.methods["runs"].max()))
        least = p_value(min(m * smallest, 1))
        text = f"The smallest sign-flip p of {count(self.seeds, 'run')} is {p_value(smallest)}, and with Holm's "
        text += f"correction over the family of {count(m, 'method')} {least} for the first of them"
        if m * smallest < LEVEL:
            return f"{text}."
        return f"{text}: no effect, however large, can bring it below .05 here. Look at the t intervals."

    def _pairs(self) -> str:
        """How many pairs of methods the letters tell apart."""
        pairs = list(combinations(self.methods["letters"], 2))
        apart = sum(not share_a_letter(*pair) for pair in pairs)
        return f"Between methods, {apart} of {count(len(pairs), 'pair')} differ (letters)."

    def _against_length(self) -> list[str]:
        """Which methods beat the control of length."""
        rows = self.methods[self.methods["minus_length"].notna()]
        if rows.empty:
            return []
        if self.seeds < 2:
            above = int((rows["minus_length"] > 0).sum())
            return [f"Above {title(LENGTH)}, which every method must beat, in this one run: {above} of {len(rows)}."]
        rows = rows.dropna(subset="minus_length_low")
        better, worse = rows[rows["minus_length_low"] > 0], rows[rows["minus_length_high"] < 0]
        parts = _parts({"better": better, "worse": worse}, len(rows), "minus_length")
        start = "none is better; " * better.empty
        return [f"Against {title(LENGTH)}, which every method must beat (paired, 95% t interval): {start}{parts}."]

    def _spread(self) -> str:
        """How far random choices of equal size lie apart."""
        row = self.random
        text = f"Random choices of equal size: {row['subsets']:.0f} a run, mean success "
        text += f"{estimate(row['rate'], row['rate_low'], row['rate_high'])}% (n = {row['n']})"
        if pd.isna(row["sd_subsets"]):
            return f"{text}; one choice a run says nothing of their spread."
        spread = f"{percent(row['sd_subsets'])} points between those of a run"
        return (
            f"{text}; standard deviation {spread} (mean over {count(self.seeds, 'run')}), that of the starts included."
        )


def smallest_p(runs: int) -> float:
    """The smallest two-sided p of `sign_flip_p` for so many runs."""
    return min(2 / 2**runs, 1.0) if 2**runs <= FLIPS else 2 / (FLIPS + 1)


def _parts(groups: dict[str, pd.DataFrame], n: int, of: str) -> str:
    """The methods of each group by title, with their estimates `of` in points, and how many of `n` are of none."""
    low, high = ("low", "high") if of == "uplift" else (f"{of}_low", f"{of}_high")
    parts = []
    for word, rows in groups.items():
        named = [f"{title(row['entrant'])} {estimate(row[of], row[low], row[high], '+')}" for _, row in rows.iterrows()]
        parts += [f"{word}: {', '.join(named)}"] * bool(named)
    neither = n - sum(map(len, groups.values()))
    return "; ".join([*parts, *[f"no difference shown: {neither}"] * (neither > 0)])
