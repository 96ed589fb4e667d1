"""Who gets another answer: of each flag that differs between two documents, in sentences."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from flags import live
from flags.accounts import facts_of_many
from flags.accounts.reading import account_model
from flags.document.words import value_text
from flags.engine import Document

_SHOWN: Final = 5
_AT_ONCE: Final = 1_000


def moved(before: Document, after: Document, *, seconds: float = 10.0) -> list[str]:
    """Of all accounts, as far as so many seconds go; which is said where they do not."""
    flags = [
        key
        for key, flag in after["flags"].items()
        if key in before["flags"] and before["flags"][key] != flag
    ]
    if not flags:
        return []
    sides = [live.snapshot_of(document).ruleset for document in (before, after)]
    now_ms, ends_s = time.time_ns() // 1_000_000, time.monotonic() + seconds
    found: dict[tuple[str, str], list[str]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    looked, accounts = 0, account_model()._base_manager.order_by("pk")
    for account, facts in facts_of_many(accounts.iterator(_AT_ONCE)):
        if looked % _AT_ONCE == 0 and time.monotonic() > ends_s:
            break
        looked += 1
        override = facts.override_at(now_ms)
        for flag in flags:
            old, new = (
                side.evaluate(flag, facts.subject, now=now_ms, override=override).value
                for side in sides
            )
            if old != new:
                move = flag, f"{value_text(old)} → {value_text(new)}"
                counts[move] += 1
                if counts[move] <= _SHOWN:
                    found.setdefault(move, []).append(account.key)
    return [*_sentences(counts, found), *_rest(looked, accounts.count())]


def _sentences(counts: Counter[Any], found: dict[Any, list[str]]) -> Iterator[str]:
    for (flag, move), count in counts.items():
        more = ", …" if count > _SHOWN else ""
        who = "one account gets" if count == 1 else f"{count:,} accounts get"
        keys = ", ".join(found[flag, move])
        yield f"flag {flag}: {who} {move}: {keys}{more}"


def _rest(looked: int, count: int) -> Iterator[str]:
    if looked < count:
        yield f"{looked:,} of {count:,} accounts were looked at"
