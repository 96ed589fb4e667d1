"""Entries of the feed: made of what differs, kept, and deleted once they are too old."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

from flags.host import actor
from igny8_core import live_settings
from igny8_core.modules.changes.models import Action, Change

_EXPIRED_EVERY: Final = 500  # entries between two looks at those that are too old
_EXPIRED_AT_ONCE: Final = 2 * _EXPIRED_EVERY
_FOR_EVER_DAYS: Final = 500_000
_LONGEST: Final = 4_000
Values = dict[str, Any]


def entry(  # noqa: PLR0913 - an entry's parts
    action: Action,
    object_type: str,
    object_key: str,
    account: str = "",
    before: Values | None = None,
    after: Values | None = None,
    *,
    why: str = "",
) -> Change:
    """By whoever acts in this context; not stored yet."""
    who = actor()
    return Change(
        actor=who.name[:200],
        address=who.address[:64],
        via=who.via[:200],
        why=(why or who.why)[:500],
        action=action,
        object_type=object_type,
        object_key=object_key[:300],
        account=account[:200],
        before=_short(before or {}),
        after=_short(after or {}),
    )


def keep(entries: Iterable[Change]) -> None:
    """Store them, in the transaction that is open."""
    made = Change.objects.bulk_create(entries)
    if any(each.pk % _EXPIRED_EVERY == 0 for each in made):
        transaction.on_commit(expire, robust=True)


def expire() -> int:
    """Delete the oldest of the entries that are older than the live setting says; how many.

    Not all at once: nobody waits for it, and a clock that is wrong for a moment takes few.
    """
    days = live_settings.changes_kept_days()
    if not 0 < days < _FOR_EVER_DAYS:
        return 0
    return Change.objects.expire(timezone.now() - timedelta(days=days), most=_EXPIRED_AT_ONCE)


def _short(values: Values) -> Values:
    return {name: _shortened(value) for name, value in values.items()}


def _shortened(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, cls=DjangoJSONEncoder)
    return value if len(text) <= _LONGEST else text[:_LONGEST] + "…"
