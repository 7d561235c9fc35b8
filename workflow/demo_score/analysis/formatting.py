"""How fractions are written for people."""

import math
from collections.abc import Sequence

NONE = "–"  # in place of a number


def percent(fraction: float, sign: str = "") -> str:
    """A fraction in percent, or a difference in points (`sign`: "+"), with one digit.

    Halves are rounded away from zero whatever the last bits, so that a number and its copy in a table of six digits
    are written alike.
    """
    value = round(100 * fraction, 6)
    return f"{value + math.copysign(1e-6, value):{sign}.1f}"


def limits(low: float, high: float, sign: str = "") -> str:
    """An interval after its estimate, as `percent` writes it; nothing where there is none."""
    return "" if math.isnan(low) else f" [{percent(low, sign)}, {percent(high, sign)}]"


def count(number: int, what: str) -> str:
    """How many of `what`, which takes an s where they are not one."""
    return f"{number} {what}{'s' * (number != 1)}"


def digits(value: float, places: int = 2) -> str:
    """A number with some digits after its point; a dash where there is none."""
    return NONE if math.isnan(value) else f"{value:.{places}f}"


def p_value(p: float) -> str:
    """A p value in two digits; a dash where there is none."""
    return NONE if math.isnan(p) else f"{p:.2g}"


def estimate(value: float, low: float, high: float, sign: str = "") -> str:
    """A fraction or difference with its interval, as `percent` and `limits` write them; a dash where there is none."""
    return NONE if math.isnan(value) else percent(value, sign) + limits(low, high, sign)


def cells(texts: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(texts)} |"


def heading(texts: Sequence[str]) -> list[str]:
    """The two lines above the rows of a Markdown table."""
    return [cells(texts), "|" + "---|" * len(texts)]
