"""The document, typed in JSON's own types: what operators publish, and operators edit as rows.

A Document is what `parse` answered, or was stored after it did; it is never changed in place.

Over 200 lines: the whole shape of the document stands here, for readers and for JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal, NotRequired, final, get_args

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    Strict,
    Tag,
    WithJsonSchema,
    with_config,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from flags.engine.bucketing import PPM

# The schema in which documents are written.
SCHEMA: Final = 2
MIN_WEIGHT: Final = 1e-6
MAX_WEIGHT: Final = 10**9

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=200)]
TraitName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Ppm = Annotated[int, Field(ge=0, le=PPM)]
Weight = Annotated[float, Field(ge=MIN_WEIGHT, le=MAX_WEIGHT)]
Scalar = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean"]})]
Moment = Annotated[Any, WithJsonSchema({"type": ["string", "integer"]})]
MaybeMoment = Annotated[Any, WithJsonSchema({"type": ["string", "integer", "null"]})]
RampPoint = Annotated[tuple[Moment, Ppm], Strict(strict=False)]
# Lists stop at their first misshapen item: a hostile document must not cost an error for each.
Group = Annotated[list["Clause"], Field(min_length=1), FailFast()]

CompareOp = Literal[
    "in", "lt", "le", "gt", "ge", "prefix", "suffix", "contains", "glob", "cidr", "within"
]

_STRICT: Final = ConfigDict(extra="forbid", strict=True)
_Negatable = TypedDict("_Negatable", {"not": NotRequired[bool]})


class _NotOfATrait(_Negatable):
    """Every clause may say these; only a comparison may set them."""

    absent: NotRequired[None]
    fold: NotRequired[Literal[False]]


_Range = TypedDict("_Range", {"from": NotRequired[Ppm], "to": Ppm})
_Window = TypedDict("_Window", {"from": NotRequired[MaybeMoment]})


@final
@with_config(_STRICT)
class CompareClause(_Negatable):
    """A trait against values: true when any of them fits."""

    op: CompareOp
    trait: TraitName
    values: Annotated[list[Scalar], Field(min_length=1)]
    absent: NotRequired[bool | None]
    fold: NotRequired[bool]


@final
@with_config(_STRICT)
class ExistsClause(_NotOfATrait):
    op: Literal["exists"]
    trait: TraitName


@final
@with_config(_STRICT)
class NamesClause(_NotOfATrait):
    """Whether any of the segments has the account, or any of the flags was decided so."""

    op: Literal["segment", "flag"]
    values: Annotated[list[str], Field(min_length=1), FailFast()]


@final
@with_config(_STRICT)
class AnyClause(_NotOfATrait):
    op: Literal["any"]
    values: Annotated[list[Group], Field(min_length=1), FailFast()]


@final
@with_config(_STRICT)
class ShareClause(_NotOfATrait, _Range):
    """Accounts by their bucket, in ppm; a ramp moves the end with time."""

    op: Literal["share"]
    salt: Name
    by: NotRequired[TraitName]
    ramp: NotRequired[Annotated[list[RampPoint], Field(min_length=1), FailFast()]]


def _clause_tag(clause: object) -> str | None:
    op = clause.get("op") if isinstance(clause, dict) else "in"
    return _CLAUSE_TAGS.get(op) if isinstance(op, str) else None


Clause = Annotated[
    Annotated[CompareClause, Tag("\0compare")]
    | Annotated[ExistsClause, Tag("\0exists")]
    | Annotated[NamesClause, Tag("\0names")]
    | Annotated[AnyClause, Tag("\0any")]
    | Annotated[ShareClause, Tag("\0share")],
    Discriminator(_clause_tag),
]
_CLAUSE_TAGS: Final = {
    **dict.fromkeys(get_args(CompareOp), "\0compare"),
    "exists": "\0exists",
    "segment": "\0names",
    "flag": "\0names",
    "any": "\0any",
    "share": "\0share",
}


@final
@with_config(_STRICT)
class VariantServe(TypedDict):
    variant: str


@final
@with_config(_STRICT)
class SplitServe(TypedDict):
    split: Annotated[dict[str, Weight], Field(min_length=1)]
    salt: NotRequired[Name]
    by: NotRequired[TraitName]


def _serve_tag(serve: object) -> str:
    return "\0split" if isinstance(serve, dict) and "split" in serve else "\0variant"


Serve = Annotated[
    Annotated[VariantServe, Tag("\0variant")] | Annotated[SplitServe, Tag("\0split")],
    Discriminator(_serve_tag),
]
# With a NUL, which no key of a document has.
TAGS: Final = {*_CLAUSE_TAGS.values(), "\0variant", "\0split"}


@with_config(_STRICT)
class Rule(_Window):
    """Served while `from` <= now < `until` to accounts for which every clause is true."""

    id: Name
    name: NotRequired[str | None]
    when: Annotated[list[Clause], FailFast()]
    until: NotRequired[MaybeMoment]
    group: NotRequired[Name | None]
    serve: Serve


@with_config(_STRICT)
class Requirement(TypedDict):
    flag: str
    variants: NotRequired[Annotated[list[str], Field(min_length=1), FailFast()]]


@with_config(_STRICT)
class Flag(TypedDict):
    kind: Literal["bool", "str", "int", "num", "json"]
    on: NotRequired[bool]
    force: str | None
    salt: NotRequired[Name]
    vocabulary: NotRequired[Name | None]
    variants: dict[Key, Any]
    off: str | None
    requires: Annotated[list[Requirement], FailFast()]
    rules: Annotated[list[Rule], FailFast()]
    default: Serve | None


@with_config(_STRICT)
class Segment(TypedDict):
    """Excluded, else included, else any group of clauses."""

    include: Annotated[list[str], FailFast()]
    exclude: Annotated[list[str], FailFast()]
    rules: Annotated[list[Group], FailFast()]


def _whole(value: object) -> object:
    """To Python True and 1.0 are 1."""
    if type(value) is not int:
        raise PydanticCustomError("literal_error", "Input should be 1 or 2")
    return value


@with_config(_STRICT)
class Document(TypedDict):
    """`number` is None where the document is not published; `upgraded` has schema 2."""

    schema: Annotated[Literal[1, 2], BeforeValidator(_whole)]
    hash: Literal["r1"]
    number: Annotated[int, Field(ge=0)] | None
    traits: dict[TraitName, Literal["str", "num", "bool", "time", "ver", "ip", "[str]", "[num]"]]
    segments: dict[Key, Segment]
    flags: dict[Key, Flag]
    switches: dict[Name, bool]
    sections: dict[Key, dict[str, Any]]


def empty() -> Document:
    """The document of nothing."""
    return Document(
        schema=SCHEMA,
        hash="r1",
        number=None,
        traits={},
        segments={},
        flags={},
        switches={},
        sections={},
    )


def walk(groups: Iterable[Iterable[Clause]]) -> Iterator[Clause]:
    """Every clause, those inside `any` too."""
    for group in groups:
        for clause in group:
            yield clause
            if clause["op"] == "any":
                yield from walk(clause["values"])


def named(op: Literal["segment", "flag"], groups: Iterable[Iterable[Clause]]) -> list[str]:
    """What the clauses with this operator name, each once."""
    return list(
        dict.fromkeys(name for each in walk(groups) if each["op"] == op for name in each["values"])
    )
