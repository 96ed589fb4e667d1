"""What is known of an account: its traits, overrides and lists, and what the host keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from flags.engine import Subject
from flags.engine.decision import Override

NEVER: Final = 2**63
# What `Facts.to_json` says beside what the host registered.
_OWN: Final = frozenset({"is_known", "traits", "times", "overrides"})
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    """What a hundred thousand accounts have alike is kept once."""
    return NOTHING


@dataclass(slots=True, eq=False)
class Facts:
    """One account's. `overrides` has variants by flag, `expiries` the epoch milliseconds of some.

    `host` has what the host registered, by name. Not `is_known`: the database could not be read.
    Not `is_stored`: it has no such account, and the traits are what the caller said.
    """

    key: str | None
    traits: Mapping[str, Any] = field(default_factory=_nothing)
    overrides: Mapping[str, str] = field(default_factory=_nothing)
    expiries: Mapping[str, int] = field(default_factory=_nothing)
    host: Mapping[str, Any] = field(default_factory=_nothing)
    is_known: bool = True
    is_stored: bool = False
    # Microseconds since 1970; `cache.py` has two special values.
    fresh_until_us: int = 0
    # What callers have worked out of these facts, and what the host has read beside them: both go
    # when the facts do. Apart from them the cache alone writes here, and only how fresh they are.
    held: Any = None
    beside: Any = None

    @property
    def subject(self) -> Subject:
        return Subject(self.key, self.traits)

    def override_at(self, now_ms: int) -> Override | None:
        """What the engine asks at this moment, in epoch milliseconds; None: no override at all."""
        if not self.overrides:
            return None
        if not self.expiries:
            return self.overrides.get
        return partial(_in_force, self.overrides, self.expiries, now_ms)

    def to_json(self, now_ms: int) -> dict[str, Any]:
        """With the overrides in force at this moment; `from_json` reads it.

        Times are RFC 3339; `times` names the traits that are some, not texts that look so.
        """
        override = self.override_at(now_ms)
        in_force = {flag: override(flag) for flag in self.overrides} if override else {}
        return {
            "is_known": self.is_known,
            "traits": {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in self.traits.items()
            },
            "times": [name for name, value in self.traits.items() if isinstance(value, datetime)],
            "overrides": {flag: variant for flag, variant in in_force.items() if variant},
            **self.host,
        }

    @classmethod
    def from_json(cls, key: str, told: Mapping[str, Any]) -> Facts:
        """What was known of the account at the moment that was told of; for that moment alone."""
        times = told.get("times", ())
        traits = {
            name: datetime.fromisoformat(value) if name in times else value
            for name, value in told.get("traits", {}).items()
        }
        host = {name: value for name, value in told.items() if name not in _OWN}
        is_known = told.get("is_known", True)
        return cls(key, traits, told.get("overrides", NOTHING), host=host, is_known=is_known)


def _in_force(
    overrides: Mapping[str, str], expiries: Mapping[str, int], now_ms: int, flag: str
) -> str | None:
    return overrides.get(flag) if now_ms < expiries.get(flag, NEVER) else None
