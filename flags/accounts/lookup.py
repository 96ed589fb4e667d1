"""The facts about an account: from the cache, or read when it is first met or has changed.

Facts that are only old serve on until the thread that keeps the snapshot current has read them
again. A fault of one account, such as a `flag_traits()` that raises, harms that account alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DataError, connection
from django.db import Error as DatabaseError

from flags.accounts import reading
from flags.accounts.cache import cache
from flags.accounts.facts import Facts
from flags.accounts.heard import is_changed_here
from flags.models.pending import changing

logger = logging.getLogger(__name__)

NOBODY: Final = Facts(None)
# Facts that could not be read are read again after so long.
_RETRY_US: Final = 1_000_000
# What says nothing of the account that is read; DataError, a DatabaseError, does.
_NO_ACCOUNTS: Final = (DatabaseError, SynchronousOnlyOperation)
# How many accounts are read with one set of queries.
_AT_ONCE: Final = 1_000


def facts_of(account: Any, now_us: int | None = None) -> Facts:
    """No query where the facts are in the cache.

    The account model has `key`, a text, and `flag_traits()`, a mapping by trait's name. A falsy
    account is nobody; one that is not in the database has its traits alone. `now_us` is for callers
    who know the time, in microseconds since 1970.
    """
    if not account:
        return NOBODY
    if now_us is None:
        now_us = time.time_ns() // 1000
    facts = cache.newer.get(account.key)
    if facts is None or not 0 < facts.fresh_until_us - now_us <= cache.ttl_us or changing:
        facts = _facts(account.key, now_us)
    else:
        cache.hits += 1
    return facts if facts.is_stored else _with_traits_of(account, facts)


def facts_of_key(key: str | None) -> Facts:
    """The facts about the account with this key; a key that no account has has no traits."""
    return NOBODY if key is None else _facts(key, time.time_ns() // 1000)


def facts_of_many(accounts: Iterable[Any]) -> Iterator[tuple[Any, Facts]]:
    """Each row with its facts, in their order; three queries a thousand, and nothing is kept."""
    left = iter(accounts)
    while some := list(islice(left, _AT_ONCE)):
        try:
            found = _taken_apart(reading.read_many, some)
        except DatabaseError as error:
            _note(error)
            found = _taken_apart(_from_rows_alone, some)
        yield from zip(some, found, strict=True)


def _from_rows_alone(accounts: Sequence[Any]) -> Iterator[Facts]:
    """Without the database nothing but the traits is known."""
    for account in accounts:
        yield Facts(account.key, dict(account.flag_traits()), is_known=False)


def _taken_apart(
    read: Callable[[Sequence[Any]], Iterable[Facts]], some: Sequence[Any]
) -> list[Facts]:
    """The facts of each row or key; raises what is no account's own fault."""
    try:
        return [*read(some)]
    except Exception as error:
        if isinstance(error, _NO_ACCOUNTS) and not isinstance(error, DataError):
            raise
        fault = error
    if len(some) == 1:
        key = getattr(some[0], "key", some[0])
        return [_unreadable(key, cache.find(key), time.time_ns() // 1000, fault)]
    middle = len(some) // 2
    return _taken_apart(read, some[:middle]) + _taken_apart(read, some[middle:])


def _unreadable(key: str, known: Facts | None, now_us: int, fault: Exception) -> Facts:
    """What was known of an account that cannot be read, else nothing; it is read again when old."""
    if cache.is_news(key, repr(fault)):
        logger.error("Facts of account %r cannot be read: %r", key, fault, exc_info=fault)
    known = known or Facts(key, is_known=False, is_stored=True)
    return replace(known, fresh_until_us=now_us + cache.ttl_us)


def _with_traits_of(account: Any, facts: Facts) -> Facts:
    """Another caller's traits of an account that the database does not have are not this one's."""
    return replace(facts, key=account.key, traits=dict(account.flag_traits()), held=None)


def _facts(key: str, now_us: int) -> Facts:
    if changing and is_changed_here(key):
        return _read(key, None, now_us)
    facts = cache.find(key)
    if facts is None or not facts.is_known:
        return facts if facts and cache.is_fresh(facts, now_us) else _first_met(key, facts, now_us)
    if cache.is_fresh(facts, now_us):
        cache.hits += 1
    elif facts.fresh_until_us and cache.has_thread:
        cache.hits += 1
        cache.want(key)
    else:
        return _first_met(key, facts, now_us)
    return facts


def _first_met(key: str, known: Facts | None, now_us: int) -> Facts:
    """Of an account that is first met, or has changed; `known` serves if it cannot be read."""
    invalidations = cache.invalidations(key)
    facts = _read(key, known, now_us)
    if not connection.in_atomic_block or facts.is_known:
        cache.keep(key, facts, invalidations)
    return facts


def _read(key: str, known: Facts | None, now_us: int) -> Facts:
    cache.ttl_us = int(settings.FLAGS_FACTS_TTL_S * 1_000_000)
    try:
        if cache.is_database_silent():
            return _unread(key, known, now_us)
        facts = reading.read(key)
    except SynchronousOnlyOperation:
        return _read_beside_the_loop(key, known, now_us)
    except DataError as error:
        return _unreadable(key, known, now_us, error)
    except DatabaseError as error:
        _note(error)
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        return _unread(key, known, now_us)
    except Exception as error:  # noqa: BLE001 - of the host's own code; told there
        return _unreadable(key, known, now_us, error)
    _note(None)
    cache.misses += 1
    facts.fresh_until_us = now_us + cache.ttl_us
    return facts


def _read_beside_the_loop(key: str, known: Facts | None, now_us: int) -> Facts:
    """A coroutine may not ask the database; a thread may, and closes what it opened."""

    def read() -> Facts:
        try:
            return _read(key, known, now_us)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read).result()


def _unread(key: str, known: Facts | None, now_us: int) -> Facts:
    """What was known, else nothing; the thread reads again when the database answers."""
    if cache.has_thread:
        cache.want(key)
    retry_at_us = now_us + min(_RETRY_US, cache.ttl_us)
    return replace(known or Facts(key, is_known=False), fresh_until_us=retry_at_us)


def _note(error: Exception | None) -> None:
    """Log a fault when it is new, and when it is over."""
    text = None if error is None else str(error).strip().partition("\n")[0]
    before, cache.fault = cache.fault, text
    if text is not None and before is None:
        logger.warning("Facts of accounts cannot be read: %s", text)
    elif text is None and before is not None:
        logger.warning("Facts of accounts are read again.")


def keys_to_read() -> dict[str, int]:
    """The next keys that the thread is to read, each with the number of its invalidations."""
    return {key: cache.invalidations(key) for key in [*cache.to_read][:_AT_ONCE]}


def read_again(keys: dict[str, int]) -> None:
    """For the thread: read these keys' facts and keep them. Three queries."""
    for facts in _taken_apart(reading.read_keys, [*keys]):
        facts.fresh_until_us = time.time_ns() // 1000 + cache.ttl_us
        if facts.key is not None and cache.keep(facts.key, facts, keys[facts.key]):
            cache.to_read.pop(facts.key, None)
