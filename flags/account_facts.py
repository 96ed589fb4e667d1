"""What the engine asks of one account: its traits, overrides, long lists, and the host's facts.

Read once with two queries, then kept: bounded, until it is told or a minute has passed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import islice
from sys import intern
from types import MappingProxyType
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import connection, transaction
from django.db.models import CharField, DateTimeField, F, Model, QuerySet, Value

from flags import announcements
from flags.engine import Subject
from flags.engine.decision import Override
from flags.rows import (
    EXCLUDED,
    INCLUDED,
    AccountChange,
    AccountOverride,
    OpenChange,
    SegmentMember,
    changing,
    on_commit,
    open_changes,
)
from flags.sections import account_facts as registered

logger = logging.getLogger(__name__)

NEVER: Final = 2**63
# A fault is not asked about again for so long, in microseconds.
_RETRY_US: Final = 1_000_000
# A change may commit after later ones; one that so many overtake is found by its age.
_LATE: Final = 200
_KEPT: Final = 10_000
_THINNED: Final = 1_000
EVERY: Final = ""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    """What a hundred thousand accounts have alike is kept once."""
    return _NOTHING


@dataclass(slots=True, eq=False)
class Facts:
    """One account. `overrides` has variants by flag, `expiries` the epoch milliseconds of some.

    `host` has what the host registered, by name. Not `is_known`: the database could not be asked.
    Not `is_stored`: it has no such account, and the traits are what the asker said.
    """

    key: str | None
    traits: Mapping[str, Any] = field(default_factory=_nothing)
    overrides: Mapping[str, str] = field(default_factory=_nothing)
    expiries: Mapping[str, int] = field(default_factory=_nothing)
    host: Mapping[str, Any] = field(default_factory=_nothing)
    is_known: bool = True
    is_stored: bool = False
    # Microseconds since 1970.
    fresh_until: int = 0
    # What an asker has worked out of them, which goes when they go; all else is never written.
    held: Any = None

    @property
    def subject(self) -> Subject:
        return Subject(self.key, self.traits)

    def override_at(self, now: int) -> Override | None:
        """What the engine asks at this moment, epoch milliseconds; None where there is nothing."""
        if not self.overrides:
            return None
        if not self.expiries:
            return self.overrides.get
        return partial(_in_force, self.overrides, self.expiries, now)


def _in_force(
    overrides: Mapping[str, str], expiries: Mapping[str, int], now: int, flag: str
) -> str | None:
    return overrides.get(flag) if now < expiries.get(flag, NEVER) else None


NOBODY: Final = Facts(None)


class _Cache:
    """The newer half and the older half: what is asked for moves to the newer one, no lock."""

    def __init__(self) -> None:
        self.newer: dict[str, Facts] = {}
        self.older: dict[str, Facts] = {}
        self.hits = self.misses = 0
        # How long facts are fresh, in microseconds: what the settings said when any were read.
        self.ttl_us = 0
        # How often anything was forgotten: what was read meanwhile is not kept.
        self.forgotten = 0

    def keep(self, key: str, facts: Facts) -> None:
        if len(self.newer) >= settings.FLAGS_FACTS_KEPT // 2:
            self.older, self.newer = self.newer, {}
        self.newer[key] = facts


_cache = _Cache()


def facts_of(account: Any, now: int | None = None) -> Facts:
    """No query where they are at hand, else two.

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
    # Where the clock has stepped back, nothing is known to be fresh.
    if facts is None or not 0 < facts.fresh_until - now <= cache.ttl_us or changing:
        facts = _facts(account.key, now)
    else:
        cache.hits += 1
    return facts if facts.is_stored else _with_traits_of(account, facts)


def facts_of_key(key: str | None) -> Facts:
    """The same for an account's key; one that no account has has no traits."""
    return NOBODY if key is None else _facts(key, time.time_ns() // 1000)


def _facts(key: str, now: int) -> Facts:
    cache = _cache
    facts = cache.newer.get(key)
    if facts is None:
        forgotten = cache.forgotten
        facts = cache.older.get(key)
        if facts is not None:
            cache.keep(key, facts)
            if forgotten != cache.forgotten:
                forget(key)
    is_fresh = facts is not None and 0 < facts.fresh_until - now <= cache.ttl_us
    is_changed_here = _is_changed_here(key)
    if facts is None or not is_fresh or is_changed_here:
        return _fresh(key, facts, now, is_changed_here=is_changed_here)
    cache.hits += 1
    return facts


def _with_traits_of(account: Any, facts: Facts) -> Facts:
    """Another asker's traits of an account that the database does not have are not this one's."""
    return replace(facts, key=account.key, traits=dict(account.flag_traits()), held=None)


def _fresh(key: str, stale: Facts | None, now: int, *, is_changed_here: bool) -> Facts:
    cache = _cache
    cache.misses += 1
    cache.ttl_us = int(settings.FLAGS_FACTS_TTL_S * 1_000_000)
    forgotten = cache.forgotten
    try:
        facts = replace(_read(key), fresh_until=now + cache.ttl_us)
    except DatabaseFault as fault:
        logger.warning("The facts of %s cannot be read (%s).", key, fault)
        retry_at = now + min(_RETRY_US, cache.ttl_us)
        facts = replace(stale or Facts(key, is_known=False), fresh_until=retry_at)
        if connection.in_atomic_block:
            return facts  # the fault may be this transaction's own
    if forgotten == cache.forgotten and not is_changed_here:
        cache.keep(key, facts)
    return facts


def _read(key: str) -> Facts:
    """Two queries."""
    related = [path for each in registered().values() for path in each.select_related]
    row = _accounts().filter(key=key).select_related(*related).first()
    traits = dict(row.flag_traits()) if row is not None else {}
    host = {name: each.read(row) for name, each in registered().items()} if row else {}
    facts = _facts_in(key, traits, _rows([key]), host)
    return facts if row is not None else replace(facts, is_stored=False)


def facts_of_many(accounts: Iterable[Any]) -> Iterator[tuple[Any, Facts]]:
    """Each row with its facts, in their order; three queries a thousand, and nothing is kept."""
    left = iter(accounts)
    while some := list(islice(left, _AT_ONCE)):
        yield from zip(some, _read_many(some), strict=True)


def _read_many(accounts: Sequence[Any]) -> Iterator[Facts]:
    keys = [account.key for account in accounts]
    rows: dict[str, list[_Row]] = {}
    try:
        for row in _rows(keys):
            rows.setdefault(row[0], []).append(row)
        host = {name: each.read_many(keys) for name, each in registered().items()}
    except DatabaseFault as fault:
        logger.warning("The facts of %s accounts cannot be read (%s).", len(keys), fault)
        for account in accounts:
            yield Facts(account.key, dict(account.flag_traits()), is_known=False)
        return
    for account in accounts:
        key, traits = account.key, dict(account.flag_traits())
        own = {name: by_key[key] for name, by_key in host.items() if key in by_key}
        yield _facts_in(key, traits, rows.get(key, ()), own)


_OVERRIDE: Final = "override"
_AT_ONCE: Final = 1_000
# An account's key, and what it has: an override or a long list, its name, what it says, its expiry.
_Row = tuple[str, str, str, str, datetime | None]


_UNLISTED: Final[dict[str, list[str]]] = {INCLUDED: [], EXCLUDED: []}


def _facts_in(
    key: str, traits: Mapping[str, Any], rows: Iterable[_Row], host: Mapping[str, Any]
) -> Facts:
    overrides: dict[str, str] = {}
    expiries: dict[str, int] = {}
    listed: dict[str, list[str]] = _UNLISTED
    for _, what, name, said, expires in rows:
        if what != _OVERRIDE:
            listed = listed if listed is not _UNLISTED else {INCLUDED: [], EXCLUDED: []}
            listed[said].append(intern(name))
            continue
        overrides[intern(name)] = intern(said)
        if expires is not None:
            expiries[intern(name)] = _milliseconds(expires)
    own = {name: intern(value) if type(value) is str else value for name, value in traits.items()}
    return Facts(
        key,
        own | listed,
        overrides or _NOTHING,
        expiries or _NOTHING,
        host if any(host.values()) else _NOTHING,
        is_stored=True,
    )


def _rows(keys: Sequence[str]) -> QuerySet[Any, Any]:
    """Live overrides, and the long lists that have the accounts."""
    overrides = AccountOverride.objects.filter(account__key__in=keys, paused=False).order_by()
    members = SegmentMember.objects.filter(key__in=keys, segment__is_long=True).order_by()
    text = CharField()
    return overrides.values_list(
        F("account__key"), Value(_OVERRIDE, text), F("flag__name"), F("variant"), F("expires_at")
    ).union(
        members.filter(is_excluded=False).values_list(
            F("key"), Value("list", text), F("segment__key"), Value(INCLUDED, text), _NO_MOMENT
        ),
        members.filter(is_excluded=True).values_list(
            F("key"), Value("list", text), F("segment__key"), Value(EXCLUDED, text), _NO_MOMENT
        ),
        all=True,
    )


_NO_MOMENT: Final = Value(None, DateTimeField())


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


# What makes them change


class _Change(OpenChange):
    """A change to an account in the open transaction; a rollback forgets it."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __call__(self) -> None:
        forget(self.key)
        announcements.send(announcements.ACCOUNT, self.key)


def changed(key: str) -> None:
    """Facts about the account have changed, about all of them where EVERY. One query.

    This transaction sees it at once, other processes when it commits.
    """
    if key == EVERY and _is_changed_here(EVERY):
        return
    with transaction.atomic():
        AccountChange.objects.create(key=key)
        on_commit(_Change(key))


def _is_changed_here(key: str) -> bool:
    """Whether this thread's open transaction has changed the account."""
    changes = (change for change in open_changes() if isinstance(change, _Change))
    return any(change.key in {key, EVERY} for change in changes)


def forget(key: str) -> None:
    if key == EVERY:
        forget_all()
        return
    _cache.forgotten += 1
    _cache.newer.pop(key, None)
    _cache.older.pop(key, None)


def forget_all() -> None:
    _cache.forgotten += 1
    _cache.newer, _cache.older = {}, {}


def hear_changes() -> None:
    """Forget whose facts have changed since this was asked last. One query."""
    changes = AccountChange.objects.order_by("-pk")
    if _heard.newest is None:
        forget_all()
        newest = changes.values_list("pk", flat=True).first() or 0
        _heard.newest = _heard.thinned = newest
        _heard.numbers = {*changes.filter(pk__gt=newest - _LATE).values_list("pk", flat=True)}
        return
    recent = dict(changes.filter(pk__gt=_heard.newest - _LATE).values_list("pk", "key"))
    for number in recent.keys() - _heard.numbers:
        forget(recent[number])
    _heard.numbers = {*recent}
    _heard.newest = max(recent, default=_heard.newest)
    if _heard.newest - _heard.thinned >= _THINNED:
        _heard.thinned = _heard.newest
        AccountChange.objects.filter(pk__lt=_heard.newest - _KEPT).delete()


class _Heard:
    """Which changes this process knows; none before it has asked."""

    newest: int | None = None
    thinned = 0
    numbers: Collection[int] = frozenset()


_heard = _Heard()


def numbers() -> tuple[int, int]:
    """How many were at hand, and how many had to be read."""
    return _cache.hits, _cache.misses


class UnknownAccount(LookupError):
    def __init__(self, key: str) -> None:
        super().__init__(f"There is no account with the key “{key}”.")


def account_by_key(key: str) -> Any:
    """A row of the account model. One query; raises UnknownAccount."""
    account = _accounts().filter(key=key).first()
    if account is None:
        raise UnknownAccount(key)
    return account


def account_model() -> type[Model]:
    return apps.get_model(settings.FLAGS_ACCOUNT_MODEL)


def _accounts() -> Any:
    return account_model()._default_manager
