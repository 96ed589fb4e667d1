"""A flag's decision for an account, by what is in force now."""

from __future__ import annotations

from datetime import datetime
from time import time_ns
from typing import Any

from flags import live
from flags.accounts.lookup import facts_of
from flags.engine import Decision, Ruleset, Subject
from flags.engine.times import milliseconds


def decide(
    flag: str,
    account: Any,
    *,
    at: datetime | None = None,
    trail: bool = False,
    ruleset: Ruleset | None = None,
) -> Decision:
    """`account` is a row of the account model; falsy, the flag is asked about nobody.

    Raises TypeError for an `at` without a zone.
    """
    now_ms = _now_ms() if at is None else milliseconds(at)
    ruleset = ruleset or live.current().ruleset
    facts = facts_of(account)
    override = facts.override_at(now_ms)
    return ruleset.evaluate(flag, facts.subject, now=now_ms, override=override, trail=trail)


def decide_for_user(flag: str, user_id: object) -> Decision:
    """For a user without an account: shares and splits deal users as they deal accounts."""
    # No account's key has a colon.
    subject = Subject(f"user:{user_id}")
    return live.current().ruleset.evaluate(flag, subject, now=_now_ms())


def _now_ms() -> int:
    """In epoch milliseconds; Django's now() reads a setting."""
    return time_ns() // 1_000_000


def is_active(decision: Decision) -> bool:
    """Waffle's yes or no: the value of a boolean flag; another is active when it was decided."""
    if isinstance(decision.value, bool):
        return decision.value
    return decision.is_decided
