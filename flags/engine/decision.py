"""What is asked, and what is answered: Subject, Decision, Reason, and the trail that led there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Subject(NamedTuple):
    """Whom a flag is asked about: its key, which is also the trait `key`, and its traits."""

    key: str | None
    traits: Mapping[str, object] = MappingProxyType({})


class Reason(StrEnum):
    """The step at which a flag was decided, or stopped."""

    __hash__ = str.__hash__  # an enum's own is a call of Python

    FORCED = "FORCED"
    OFF = "OFF"
    PREREQUISITE = "PREREQUISITE"
    OVERRIDE = "OVERRIDE"
    RULE = "RULE"
    SPLIT = "SPLIT"
    DEFAULT = "DEFAULT"
    ABSTAINED = "ABSTAINED"
    ERROR = "ERROR"


class ErrorCode(StrEnum):
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"


class Verdict(StrEnum):
    """What became of one step."""

    TAKEN = "TAKEN"
    MET = "MET"
    NOT_MATCHED = "NOT_MATCHED"
    UNKNOWN = "UNKNOWN"
    NOT_YET = "NOT_YET"
    OVER = "OVER"
    UNUSABLE = "UNUSABLE"
    NO_BUCKET = "NO_BUCKET"
    NO_VARIANT = "NO_VARIANT"


class Look(NamedTuple):
    """One clause as it was seen: `path` is a JSON pointer below its rule, or from `/segments`.

    `bucket` and `range` are ppm. `seen` is the trait's value, the asked flag's variant, or whether
    a segment lists the account. `inside` has, for each group of an `any` or a segment, the first
    clause that does not hold, or all of them where it holds.
    """

    path: str
    op: str
    trait: str | None
    seen: object
    holds: bool | None
    bucket: int | None = None
    range: tuple[int, int] | None = None
    inside: tuple[Look, ...] = ()


class Step(NamedTuple):
    """One thing looked at. `looks` are the clauses; of a rule that does not match, the failed one.

    `detail` is the caller's word on an unusable value, or the flag that was required.
    `removed` are the variants that a split left out, each with why.
    """

    reason: Reason
    verdict: Verdict
    rule: str | None = None
    variant: str | None = None
    looks: tuple[Look, ...] = ()
    detail: object = None
    removed: tuple[tuple[str, object], ...] = ()


class Decision(NamedTuple):
    """The engine's answer to one flag.

    Without a variant the flag abstains: value and variant are None, and `reason` is the step at
    which it ended (OFF and PREREQUISITE with nothing to serve; FORCED, OVERRIDE, SPLIT, DEFAULT
    where what they serve is not usable; ABSTAINED without a default; ERROR with its code).
    `number` is the document's. `segment` is the one that let the account into the rule.
    """

    value: object
    variant: str | None
    reason: Reason
    flag: str
    rule: str | None
    segment: str | None
    error: ErrorCode | None
    number: int | None
    trail: tuple[Step, ...] = ()

    @property
    def is_decided(self) -> bool:
        """Whether `flag` clauses and `requires` count it as answered."""
        return self.variant is not None and self.reason not in _NOT_DECIDED


_NOT_DECIDED = frozenset({Reason.OFF, Reason.PREREQUISITE, Reason.ABSTAINED, Reason.ERROR})

# Asks another flag about the same subject; usable() does not reach it.
Ask = Callable[[str], Decision]
# An operator's answer: flag -> variant key.
Override = Callable[[str], str | None]
# Why the caller cannot use a value; None when it can.
Usable = Callable[[object], object]
