"""What is known of accounts in this process: bounded, and forgotten when told.

An account's facts are read with two queries when it is first met, and when they have changed. What
is only old goes on serving until the thread that keeps the snapshot current has read it again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from threading import Lock
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.db import Error as DatabaseFault
from django.db import connection, transaction
from django.db.models import Q

from flags import account_rows, announcements
from flags.account_rows import Facts
from flags.rows import AccountChange, OpenChange, changing, on_commit, open_changes

logger = logging.getLogger(__name__)

# All accounts, where one is named.
EVERY: Final = ""
NOBODY: Final = Facts(None)
# What could not be read is asked for again after so long, in microseconds.
_RETRY_US: Final = 1_000_000
_AT_ONCE: Final = 1_000
_PARTS: Final = 256
# Moments that are over, as `fresh_until`: such facts are read before they are told; they serve on.
_READ_FIRST: Final = 0
_OLD: Final = 1
# The thread's questions are small: a database that has not answered for so long hangs.
_SILENT_S: Final = 2.0
# How many of the last changes stay in their table, and how many more before it is thinned.
_KEPT: Final = 10_000
_THINNED: Final = 1_000


class _Cache:
    """The newer half and the older half; what is asked for moves to the newer one.

    To look into the newer one takes no lock, what changes them holds one.
    """

    def __init__(self) -> None:
        self.hits = self.misses = 0
        # How long facts are fresh, in microseconds: what the settings said when any were read.
        self.ttl_us = 0
        # How often accounts were forgotten, by a part of them: what was read meanwhile is not kept.
        self.forgotten = [0] * _PARTS
        self.know_nothing()
        self.begin_anew()

    def know_nothing(self) -> None:
        self.newer: dict[str, Facts] = {}
        self.older: dict[str, Facts] = {}
        # Why the database could not be asked last time.
        self.fault: str | None = None

    def begin_anew(self) -> None:
        """After a fork nobody will give a lock back, and no thread is there."""
        self._lock = Lock()
        # Whether a thread keeps facts current, what it is to read, and since when it waits for
        # the database.
        self.is_kept = False
        self.wanted: dict[str, None] = {}
        self.waits_since: float | None = None

    def find(self, key: str) -> Facts | None:
        facts = self.newer.get(key)
        if facts is None and key in self.older:
            with self._lock:
                facts = self.newer.get(key) or self.older.get(key)
                if facts is not None:
                    self._put(key, facts)
        return facts

    def seen(self, key: str) -> int:
        """Before it is read: how often it, or one of its part, was forgotten."""
        return self.forgotten[hash(key) % _PARTS]

    def keep(self, key: str, facts: Facts, seen: int) -> bool:
        """Unless it was forgotten since then; whether it is kept."""
        with self._lock:
            is_kept = seen == self.seen(key)
            if is_kept:
                self._put(key, facts)
            return is_kept

    def _put(self, key: str, facts: Facts) -> None:
        if len(self.newer) >= settings.FLAGS_FACTS_KEPT // 2:
            self.older, self.newer = self.newer, {}
        self.newer[key] = facts

    def forget(self, key: str) -> None:
        """Who asks next reads it. What was known stays, for when the database cannot be asked."""
        self._mark(key, _READ_FIRST)

    def make_old(self, key: str) -> None:
        """Another process has changed it: what was known serves until the thread has read it."""
        self._mark(key, _OLD)
        if key in self.newer or key in self.older:
            self.wanted[key] = None

    def _mark(self, key: str, fresh_until: int) -> None:
        with self._lock:
            for part in range(_PARTS) if key == EVERY else [hash(key) % _PARTS]:
                self.forgotten[part] += 1
            for half in (self.newer, self.older):
                if key == EVERY:
                    for facts in half.values():
                        facts.fresh_until = min(facts.fresh_until, fresh_until)
                elif key in half:
                    half[key].fresh_until = min(half[key].fresh_until, fresh_until)

    def is_fresh(self, facts: Facts, now: int) -> bool:
        """Where the clock has stepped back, nothing is known to be."""
        return 0 < facts.fresh_until - now <= self.ttl_us


_cache = _Cache()
begin_anew: Final = _cache.begin_anew
forget: Final = _cache.forget
know_nothing: Final = _cache.know_nothing
hear: Final = _cache.make_old


def facts_of(account: Any, now: int | None = None) -> Facts:
    """No query where they are at hand.

    The account model has `key`, a text, and `flag_traits()`, a mapping by trait's name. What is
    falsy is nobody; an account that is not in the database has its traits alone. `now` is in
    microseconds since 1970, for askers who know it.
    """
    if not account:
        return NOBODY
    if now is None:
        now = time.time_ns() // 1000
    cache = _cache
    facts = cache.newer.get(account.key)
    if facts is None or not 0 < facts.fresh_until - now <= cache.ttl_us or changing:
        facts = _facts(account.key, now)
    else:
        cache.hits += 1
    return facts if facts.is_stored else _with_traits_of(account, facts)


def facts_of_key(key: str | None) -> Facts:
    """The same for an account's key; one that no account has has no traits."""
    return NOBODY if key is None else _facts(key, time.time_ns() // 1000)


def facts_of_many(accounts: Iterable[Any]) -> Iterator[tuple[Any, Facts]]:
    """Each row with its facts, in their order; three queries a thousand, and nothing is kept."""
    left = iter(accounts)
    while some := list(islice(left, _AT_ONCE)):
        try:
            found = list(account_rows.read_many(some))
        except DatabaseFault as fault:
            _note(fault)
            found = [
                Facts(account.key, dict(account.flag_traits()), is_known=False) for account in some
            ]
        yield from zip(some, found, strict=True)


def _with_traits_of(account: Any, facts: Facts) -> Facts:
    """Another asker's traits of an account that the database does not have are not this one's."""
    return replace(facts, key=account.key, traits=dict(account.flag_traits()), held=None)


def _facts(key: str, now: int) -> Facts:
    cache = _cache
    if changing and _is_changed_here(key):
        return _read(key, None, now)
    facts = cache.find(key)
    if facts is None or not facts.is_known:
        return facts if facts and cache.is_fresh(facts, now) else _met(key, facts, now)
    if cache.is_fresh(facts, now):
        cache.hits += 1
    elif facts.fresh_until and cache.is_kept:
        cache.hits += 1
        cache.wanted[key] = None
    else:
        return _met(key, facts, now)
    return facts


def _met(key: str, known: Facts | None, now: int) -> Facts:
    """Of an account that is first met, or has changed; what was known is for faults."""
    cache = _cache
    seen = cache.seen(key)
    facts = _read(key, known, now)
    if not connection.in_atomic_block or facts.is_known:
        cache.keep(key, facts, seen)
    return facts


def _read(key: str, known: Facts | None, now: int) -> Facts:
    cache = _cache
    cache.ttl_us = int(settings.FLAGS_FACTS_TTL_S * 1_000_000)
    try:
        if _is_silent():
            return _unread(key, known, now)
        facts = account_rows.read(key)
    except SynchronousOnlyOperation:
        return _read_beside_the_loop(key, known, now)
    except DatabaseFault as fault:
        _note(fault)
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        return _unread(key, known, now)
    _note(None)
    cache.misses += 1
    facts.fresh_until = now + cache.ttl_us
    return facts


def _read_beside_the_loop(key: str, known: Facts | None, now: int) -> Facts:
    """A coroutine may not ask the database; a thread may, and closes what it opened."""

    def read() -> Facts:
        try:
            return _read(key, known, now)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read).result()


def _unread(key: str, known: Facts | None, now: int) -> Facts:
    """What was known, else nothing; read again by the thread when it is well."""
    cache = _cache
    if cache.is_kept:
        cache.wanted[key] = None
    retry_at = now + min(_RETRY_US, cache.ttl_us)
    return replace(known or Facts(key, is_known=False), fresh_until=retry_at)


def _is_silent() -> bool:
    """Whether the database is known to be down or to hang: then nobody waits for it."""
    since = _cache.waits_since
    return since is not None and time.monotonic() - since > _SILENT_S


def _note(fault: Exception | None) -> None:
    """Logged when it is news."""
    text = None if fault is None else str(fault).strip().partition("\n")[0]
    before, _cache.fault = _cache.fault, text
    if text is not None and before is None:
        logger.warning("Facts of accounts cannot be read: %s", text)
    elif text is None and before is not None:
        logger.warning("Facts of accounts are read again.")


# What makes them change


class _Change(OpenChange):
    """A change to an account in the open transaction; a rollback forgets it."""

    def __init__(self, key: str) -> None:
        self.key = key

    def has_committed(self) -> None:
        forget(self.key)
        announcements.send(announcements.ACCOUNT, self.key)


def changed(*keys: str) -> None:
    """Facts about the accounts have changed, about all of them where EVERY. One query.

    This transaction sees it at once, other processes when it commits.
    """
    if [*keys] == [EVERY] and _is_changed_here(EVERY):
        return
    with transaction.atomic():
        AccountChange.objects.bulk_create([AccountChange(key=key) for key in keys])
        for key in keys:
            on_commit(_Change(key))


def _is_changed_here(key: str) -> bool:
    """Whether this thread's open transaction has changed the account."""
    changes = (change for change in open_changes() if isinstance(change, _Change))
    return any(change.key in {key, EVERY} for change in changes)


class _Heard:
    """Which changes this process knows; `newest` is None before it has asked.

    A number that was missing may belong to a transaction that commits later: since when, by number.
    """

    newest: int | None = None
    newest_key = ""
    thinned = 0
    missing: dict[int, float]


_heard = _Heard()


def hear_changes() -> None:
    """Forget whose facts have changed since this was asked last. One query."""
    if _heard.newest is None:
        _begin_hearing()
        return
    before, missing = _heard.newest, _heard.missing
    rows = AccountChange.objects.filter(Q(pk__gte=before) | Q(pk__in=[*missing]))
    found = dict(rows.values_list("pk", "key"))
    newest = max(found, default=before)
    is_lost = before and found.pop(before, None) != _heard.newest_key  # an older backup, or none
    if is_lost or newest - before >= _KEPT:
        _begin_hearing()
        return
    for key in {*found.values()}:
        hear(key)
    now = time.monotonic()
    missed = {number: now for number in range(before + 1, newest) if number not in found}
    oldest = now - settings.FLAGS_FACTS_TTL_S
    _heard.missing = missed | {
        number: since for number, since in missing.items() if number not in found and since > oldest
    }
    if newest > before:
        _heard.newest, _heard.newest_key = newest, found[newest]
    _thin(newest)


def _thin(newest: int) -> None:
    if newest - _heard.thinned >= _THINNED:
        _heard.thinned = newest
        AccountChange.objects.filter(pk__lt=newest - _KEPT).delete()


def _begin_hearing() -> None:
    last = AccountChange.objects.order_by("-pk").values_list("pk", "key").first()
    _heard.newest, _heard.newest_key = last or (0, "")
    _heard.missing = {}
    hear(EVERY)
    _thin(_heard.newest)


# The thread that keeps them current


def database_is_asked() -> None:
    """The thread asks the database, and is there."""
    _cache.is_kept = True
    if _cache.waits_since is None:
        _cache.waits_since = time.monotonic()


def database_has_answered() -> None:
    _cache.waits_since = None


def database_has_failed() -> None:
    """If it has not answered: then nobody else need try before the thread has."""
    if _cache.waits_since is not None:
        _cache.waits_since = float("-inf")


def keep_current() -> None:
    """Read of what has become old as much as goes into three queries."""
    cache = _cache
    seen = {key: cache.seen(key) for key in [*cache.wanted][:_AT_ONCE]}
    if not seen:
        return
    cache.waits_since = time.monotonic()
    for facts in account_rows.read_keys([*seen]):
        facts.fresh_until = time.time_ns() // 1000 + cache.ttl_us
        if facts.key is not None and cache.keep(facts.key, facts, seen[facts.key]):
            cache.wanted.pop(facts.key, None)
    cache.waits_since = None


def numbers() -> tuple[int, int]:
    """How many were at hand, and how many had to be read."""
    return _cache.hits, _cache.misses
