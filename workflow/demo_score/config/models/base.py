"""What the models of all sections share: kinds of values, and how values become a model or one line of error."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    ValidationError,
    WrapValidator,
    model_validator,
)

from demo_score.config.json_schema import schema_of
from demo_score.config.messages import check_against
from demo_score.config.seeds import N_SEEDS
from demo_score.runtime.errors import UserError

Values = dict[str, Any]
ABSENT: Any = Field(default=None)  # of a key that may be missing: None then, which nobody can write (null is refused)


class Section(BaseModel):
    """The keys of a mapping; one that is not named here is an error.

    What a key means is said in the text below it, which is no part of what a command does (runtime.dependencies).
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @classmethod
    def read(cls, values: object, where: str) -> Self:
        """The model of plain values. Raises UserError, in one line with `where` in front, for the first wrong one."""
        check_against(values, schema_of(cls), where)
        return cls.build(values, where)

    @classmethod
    def build(cls, values: object, where: str) -> Self:
        """The same, of values that follow the schema."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:  # what the schema has no word for, such as a text that UTF-8 cannot write
            first = error.errors()[0]
            raise UserError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    @classmethod
    def checked(cls, values: object, where: str) -> Self:
        """The same, of values that go together."""
        section = cls.read(values, where)
        raise_first(section.conflicts(), where)
        return section

    def conflicts(self) -> Iterator[str]:
        """What is wrong between keys that are each right by themselves, a line each, the first to fix first."""
        yield from ()


class AsWritten(Section):
    """A section that files and digests repeat as it is written, in its own order."""

    _written: Values = PrivateAttr()

    @property
    def written(self) -> Values:
        """The plain values."""
        return self._written

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, values: Any, check: Any) -> Self:
        section = check(values)
        section._written = values
        return section


class OpenSection(Section):
    """The same, in which other keys are free: those of a user's own settings tree."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=False)


def raise_first(problems: Iterable[str], where: str = "") -> None:
    """Raise UserError for the first of some problems."""
    for problem in problems:
        raise UserError(f"{where}: {problem}" if where else problem)


class Keywords:
    """What the JSON schema of an annotated type says beside what pydantic makes of it.

    `words` is what a line of error calls the value in place of its pattern; a schema's title.
    """

    def __init__(self, **keywords: Any):
        self.keywords = keywords

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: GetJsonSchemaHandler) -> dict:
        return handler(core_schema) | self.keywords


def _as_written(value: Any, check: Any) -> Any:
    check(value)
    return value


def number(**bounds: float) -> Any:
    """A number in a range; a whole one stays whole, as it is written."""
    return Annotated[float, Field(**bounds), WrapValidator(_as_written)]


def whole(least: int, most: int | None = None) -> Any:
    """A whole number in a range."""
    return Annotated[int, Field(ge=least, le=most)]


def text(pattern: str, words: str) -> Any:
    """A text that a regular expression describes."""
    return Annotated[str, Field(pattern=pattern), Keywords(words=words)]


def pair(item: Any) -> Any:
    """A list of two."""
    return Annotated[list[item], Field(min_length=2, max_length=2)]


def different(item: Any, least: int | None = 1) -> Any:
    """A list with none twice."""
    return Annotated[list[item], Field(min_length=least), AfterValidator(_each_once), Keywords(uniqueItems=True)]


def _each_once(values: list) -> list:
    if any(value in values[:position] for position, value in enumerate(values)):
        raise ValueError("one is there twice")
    return values


def some(item: Any, key: Any = str) -> Any:
    """A mapping of at least one."""
    return Annotated[dict[key, item], Field(min_length=1)]


Text = Annotated[str, Field(min_length=1)]
Name = text("^[A-Za-z0-9_]+$", "a name of letters, digits and _")
Seed = whole(0, N_SEEDS - 1)
Size = whole(1, 65536)
Count = whole(1, 1000000000)
