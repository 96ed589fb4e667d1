"""Which accounts' facts have changed: told when a change commits, heard from other processes."""

from __future__ import annotations

import time
from itertools import takewhile
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from flags import announcements
from flags.accounts.cache import ALL_ACCOUNTS, cache
from flags.models import AccountChange
from flags.models.pending import OpenChange, on_commit, open_changes

# How many of the last changes stay in their table, and how many more before it is thinned.
_KEPT: Final = 10_000
_THINNED: Final = 1_000


class _Change(OpenChange):
    """A change to an account in the open transaction; a rollback forgets it."""

    def __init__(self, key: str) -> None:
        self.key = key

    def has_committed(self) -> None:
        cache.invalidate(self.key)
        announcements.send(announcements.ACCOUNT, self.key)


def changed(*keys: str) -> None:
    """Facts about the accounts have changed, about every account where ALL_ACCOUNTS. One query.

    This transaction sees the change at once, other processes when it commits.
    """
    if [*keys] == [ALL_ACCOUNTS] and is_changed_here(ALL_ACCOUNTS):
        return
    with transaction.atomic():
        AccountChange.objects.bulk_create([AccountChange(key=key) for key in keys])
        for key in keys:
            on_commit(_Change(key))


def is_changed_here(key: str) -> bool:
    """Whether this thread's open transaction has changed the account."""
    return not changed_here().isdisjoint({key, ALL_ACCOUNTS})


def changed_here(since: OpenChange | None = None) -> frozenset[str]:
    """The accounts whose facts the open transaction has changed since then, or ALL_ACCOUNTS."""
    changes = takewhile(lambda change: change is not since, open_changes())
    return frozenset(change.key for change in changes if isinstance(change, _Change))


class _Heard:
    """Which changes this process knows; `newest` is None before it has asked.

    A number that was missing may belong to a transaction that commits later: `missing` has since
    when, by number.
    """

    newest: int | None = None
    newest_key = ""
    thinned = 0
    missing: dict[int, float]


heard: Final = _Heard()


def hear_changes() -> None:
    """Mark stale what other processes have changed since the last call. One query."""
    if heard.newest is None:
        _begin_hearing()
        return
    before, missing = heard.newest, heard.missing
    rows = AccountChange.objects.filter(Q(pk__gte=before) | Q(pk__in=[*missing]))
    found = dict(rows.values_list("pk", "key"))
    newest = max(found, default=before)
    is_lost = before and found.pop(before, None) != heard.newest_key  # an older backup, or none
    if is_lost or newest - before >= _KEPT:
        _begin_hearing()
        return
    for key in {*found.values()}:
        cache.mark_stale(key)
    now_s = time.monotonic()
    missed = {number: now_s for number in range(before + 1, newest) if number not in found}
    oldest_s = now_s - settings.FLAGS_FACTS_TTL_S
    heard.missing = missed | {
        number: since_s
        for number, since_s in missing.items()
        if number not in found and since_s > oldest_s
    }
    if newest > before:
        heard.newest, heard.newest_key = newest, found[newest]
    _thin(newest)


def _thin(newest: int) -> None:
    if newest - heard.thinned >= _THINNED:
        heard.thinned = newest
        AccountChange.objects.filter(pk__lt=newest - _KEPT).delete()


def _begin_hearing() -> None:
    last = AccountChange.objects.order_by("-pk").values_list("pk", "key").first()
    heard.newest, heard.newest_key = last or (0, "")
    heard.missing = {}
    cache.mark_stale(ALL_ACCOUNTS)
    _thin(heard.newest)
