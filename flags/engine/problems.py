"""Why a document is refused: every problem with its path, value, sentence and code."""

from __future__ import annotations

from enum import Enum
from math import isfinite
from typing import NoReturn, TypedDict

MAX_PROBLEMS = 100
MAX_INTEGER = 2**53 - 1  # what every language's JSON holds exactly
_SHOWN = 200

Path = tuple[str | int, ...]


class Code(Enum):
    """What can be wrong, and its sentence."""

    # The text
    NOT_JSON = "This is not JSON: {why}."
    NOT_PLAIN = "{value} is nothing that JSON holds."
    KEY_NOT_TEXT = "The key {value} is not text."
    TOO_BIG = "The document is larger than {limit}."
    TOO_DEEP = "This nests deeper than {limit} levels."
    DUPLICATE_KEY = "The key {value!r} is here twice."
    NOT_FINITE = "{value} is not a finite number."
    INTEGER_TOO_BIG = "{value} is beyond ±(2^53 - 1), which not every reader holds exactly."
    BAD_CHARACTER = "{value!r} has a NUL or half of a surrogate pair in it."
    # The shape
    MISSING = "The key {key!r} is missing."
    UNKNOWN_KEY = "There is no key {key!r} here."
    WRONG_TYPE = "{value!r} is of the wrong type: {why}."
    NOT_SUPPORTED = "{value!r} is not supported: {why}."
    MALFORMED = "{value!r} is malformed: {why}."
    EMPTY = "This is empty."
    TOO_LONG = "This is longer than {limit}."
    OUT_OF_RANGE = "{value!r} is out of range: {why}."
    # The names
    UNKNOWN_TRAIT = "There is no trait {value!r}."
    UNKNOWN_OPERATOR = (
        "There is no operator {value!r}; there are in, exists, lt, le, gt, ge, prefix, suffix, "
        "contains, glob, cidr, within, segment, flag, any and share."
    )
    UNKNOWN_SEGMENT = "There is no segment {value!r}."
    UNKNOWN_FLAG = "There is no flag {value!r}."
    UNKNOWN_VARIANT = "The flag {flag!r} has no variant {value!r}."
    UNKNOWN_VOCABULARY = "There is no vocabulary {value!r}."
    RESERVED_TRAIT = "The trait {value!r} is the account's key and cannot be declared."
    DUPLICATE_RULE = "Another rule of this flag has the id {value!r}."
    # The meaning
    WRONG_OPERATOR = "The operator {value!r} is not for the trait {trait!r}, a {type}."
    TYPE_MISMATCH = "{value!r} is not of the type {type}."
    ONE_VALUE = "The operator {op!r} takes one value, not {count}."
    EMPTY_TEXT = "Every text holds an empty one, so {op!r} would hold for all."
    NO_FOLD = "fold is for text operators and for `in` on text, not for {op!r} on a {type}."
    NOT_A_TIME = "{value!r} is neither RFC 3339 with a zone nor epoch milliseconds."
    NOT_TEXT = "Accounts are bucketed by text; the trait {value!r} is a {type}."
    NOT_OF_KIND = "{value!r} is not a {kind}, which this flag answers."
    NOT_IN_VOCABULARY = "The vocabulary {vocabulary!r} has no {value!r}."
    NO_VOCABULARY = "Only a flag of the kind str has a vocabulary."
    IN_AND_OUT = "{value!r} is both included and excluded."
    REVERSED = "{value!r} is not after {start!r}."
    RAMP_ORDER = "{value!r} is not after the point before it."
    RAMP_DECREASES = "{value!r} is less than the point before it."
    RAMP_ABOVE_SHARE = "{value!r} is more than the share's own end, {end}."
    CYCLE = "This goes in a circle: {circle}."
    TOO_MUCH_WORK = "One question would look at {value} clauses; the limit is {limit}."
    UNREACHABLE = "No account gets here: the rule {rule!r} catches all."
    GROUP_SHARE = "A rule of the group {value!r} has one share of its own, not negated."
    GROUP_SALT = "The group {group!r} shares the salt {salt!r} by {by!r}; this is another."
    GROUP_OVERLAP = "The share overlaps that of {other} in the group {group!r}."


class Problem(TypedDict):
    """`path` is a JSON pointer; `value` is what stands there, shortened to a plain value."""

    path: str
    value: str | float | bool | None
    message: str
    code: str


class DocumentError(ValueError):
    """A document is refused: `errors` says where and why, at most 100 of them."""

    code = "invalid_document"

    def __init__(self, errors: list[Problem]) -> None:
        self.errors = errors
        lines = [f"{_printed(each['path']) or '(document)'}: {each['message']}" for each in errors]
        super().__init__("\n".join(lines))


class Problems:
    """Collects problems, and raises the error when there are enough of them or when asked."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, code: Code, path: Path, value: object, **details: object) -> None:
        plain = shown(value)
        sentence = code.value.format(value=plain, **details)
        self._found.append(
            {"path": pointer(path), "value": plain, "message": sentence, "code": code.name.lower()}
        )
        if len(self._found) == MAX_PROBLEMS:
            self.raise_if_any()

    def stop(self, code: Code, path: Path, value: object, **details: object) -> NoReturn:
        """Add a problem that leaves nothing to look for."""
        self.add(code, path, value, **details)
        raise DocumentError(self._found)

    def raise_if_any(self) -> None:
        if self._found:
            raise DocumentError(self._found)


def _printed(path: str) -> str:
    """On one line."""
    return "".join(part if part.isprintable() else repr(part)[1:-1] for part in path)


def pointer(path: Path) -> str:
    """RFC 6901; a key over 200 characters is cut."""
    parts = (_clean(_short(str(part))) for part in path)
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def parts(text: str) -> tuple[str, ...]:
    """The parts of a JSON pointer."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def shown(value: object) -> str | float | bool | None:  # noqa: PLR0911
    """The value, or what it is where it is too big or no plain value."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _clean(_short(value))
    if isinstance(value, int):
        is_small = abs(value) <= MAX_INTEGER
        return int(value) if is_small else f"an integer of {value.bit_length()} bits"
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    return f"a Python {type(value).__name__}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
