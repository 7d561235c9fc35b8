"""What a value in somebody's file means, however their program stored it; what it cannot mean is named in one line.

`what` names file, episode and value in errors. A value may come as Python's, NumPy's, HDF5's or Arrow's, as text or as
bytes, or as an array of one; an empty text, null and NaN are None: not known.
"""

import re
from typing import Any

import h5py
import numpy as np

from demo_score.runtime.errors import UserError

_WHOLE = re.compile(r"([0-9]{1,18})(?:\.0*)?")  # pandas turns whole numbers with a gap among them into floats


def truth(value: Any, what: str) -> bool | None:
    """True, false or not known. Raises UserError for all but 1, 0, true and false."""
    plain = _plain(value, what)
    number = _number(plain)
    if number is None or number != number:
        return None
    if isinstance(number, bool | int | float) and number in (0, 1):
        return bool(number)
    raise UserError(f"{what} is {plain!r}; give 1 (or true) or 0 (or false), and nothing where it is not known")


def whole_number(value: Any, what: str) -> int | None:
    """A number from 0, of at most 18 digits. Raises UserError for another value."""
    plain = _plain(value, what)
    if plain is None:
        return None
    if isinstance(plain, str) and (match := _WHOLE.fullmatch(plain)):
        return int(match[1])
    if isinstance(plain, int | float) and not isinstance(plain, bool) and 0 <= plain < 10**18 and plain == plain // 1:
        return int(plain)
    raise UserError(f"{what} is {plain!r}; give a whole number from 0")


def text(value: Any, what: str) -> str | None:
    """A text, or a number as one. Raises UserError for what is neither."""
    plain = _plain(value, what)
    if isinstance(plain, bool) or not isinstance(plain, str | int | float | None):
        raise UserError(f"{what} is {plain!r}; give a text")
    if plain is None:
        return None
    return str(int(plain) if isinstance(plain, float) and plain == plain // 1 else plain)


def checkpoint_name(value: Any, what: str) -> str | None:
    """As checkpoints are called here: 3000, 3000.0 and "3000" are 003000; other texts stay. Errors as `text`."""
    name = text(value, what)
    match = _WHOLE.fullmatch(name or "")
    return match[1].zfill(6) if match else name


def numbers(values: np.ndarray) -> np.ndarray:
    """An array in this machine's order of bytes, and of a precision that others know."""
    if values.dtype == np.longdouble and values.dtype.itemsize > 8:
        return values.astype(np.float64)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def rewards(values: np.ndarray, what: str) -> np.ndarray:
    """(T,), from (T,) or (T, 1). Raises UserError for what is not one real number a step."""
    if values.dtype.kind not in "biuf" or values[:1].size > 1:
        raise UserError(f"{what} are {values.dtype} {values.shape}; give one number a step, or leave them out")
    return numbers(values).reshape(len(values))


def _plain(value: Any, what: str) -> Any:
    """The one value there is, as Python has it, or None."""
    if isinstance(value, np.ndarray | list | tuple):
        if np.size(value) > 1:
            raise UserError(f"{what} holds {np.size(value)} values; give one")
        value = next(iter(np.ravel(np.asarray(value, object))), None)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{what} is {value!r}, which is not in UTF-8; fix it") from None
    if isinstance(value, h5py.Empty) or value is None or value != value:  # NaN
        return None
    return (value.strip() or None) if isinstance(value, str) else value


def _number(value: Any) -> Any:
    """What a text says, if a number or truth; otherwise the value itself."""
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    try:
        return float(value)
    except ValueError:
        return value
