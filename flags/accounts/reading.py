"""Facts about accounts, read from the rows: traits, overrides, long lists, and the host's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Case, CharField, DateTimeField, F, Model, QuerySet, Value, When
from django.db.models.functions import Cast

from flags.accounts.facts import NOTHING, Facts
from flags.conf import account_model_name
from flags.engine.times import milliseconds
from flags.models import AccountOverride, SegmentMember
from flags.models.keys import EXCLUDED, INCLUDED
from flags.registry import account_facts as registered

_OVERRIDE: Final = "override"
_NO_MOMENT: Final = Value(None, DateTimeField())
# An account's key, and what it has: an override or a long list, its name, what it says, its expiry.
_Row = tuple[str, str, str, str, datetime | None]
_UNLISTED: Final[dict[str, list[str]]] = {INCLUDED: [], EXCLUDED: []}


def read(key: str) -> Facts:
    """Of the account with the key, if there is one. Two queries."""
    related = [path for each in registered().values() for path in each.select_related]
    row = _accounts().filter(key=key).select_related(*related).first()
    if row is None:
        return replace(_facts_in(key, {}, _rows([key]), {}), is_stored=False)
    host = {name: each.read(row) for name, each in registered().items()}
    return _facts_in(key, row.flag_traits(), _rows([key]), host)


def read_keys(keys: Sequence[str]) -> Iterator[Facts]:
    """The facts about the accounts with these keys. Three queries."""
    there = {account.key: account.flag_traits() for account in _accounts().filter(key__in=keys)}
    for facts in _read_many({key: there.get(key, {}) for key in keys}):
        yield facts if facts.key in there else replace(facts, is_stored=False)


def read_many(accounts: Sequence[Any]) -> Iterator[Facts]:
    """Of each of these rows, in their order. Two queries."""
    return _read_many({account.key: account.flag_traits() for account in accounts})


def _read_many(traits: Mapping[str, Mapping[str, Any]]) -> Iterator[Facts]:
    keys = [*traits]
    rows: dict[str, list[_Row]] = {}
    for row in _rows(keys):
        rows.setdefault(row[0], []).append(row)
    host = {name: each.read_many(keys) for name, each in registered().items()}
    for key, own_traits in traits.items():
        own = {name: by_key[key] for name, by_key in host.items() if key in by_key}
        yield _facts_in(key, own_traits, rows.get(key, ()), own)


# Texts that many accounts have alike, kept once; sys.intern() may keep them for ever.
_INTERNED: Final[dict[str, str]] = {}
_MOST_INTERNED: Final = 10_000


def _interned(text: str) -> str:
    if len(_INTERNED) >= _MOST_INTERNED:
        _INTERNED.clear()
    return _INTERNED.setdefault(text, text)


def _facts_in(
    key: str, traits: Mapping[str, Any], rows: Iterable[_Row], host: Mapping[str, Any]
) -> Facts:
    overrides: dict[str, str] = {}
    expiries: dict[str, int] = {}
    listed: dict[str, list[str]] = _UNLISTED
    for _, what, name, said, expires in rows:
        if what != _OVERRIDE:
            listed = listed if listed is not _UNLISTED else {INCLUDED: [], EXCLUDED: []}
            listed[said].append(_interned(name))
            continue
        overrides[_interned(name)] = _interned(said)
        if expires is not None:
            expiries[_interned(name)] = milliseconds(expires)
    own = {
        name: _interned(value) if type(value) is str else value for name, value in traits.items()
    }
    return Facts(
        key,
        own | listed,
        overrides or NOTHING,
        expiries or NOTHING,
        host if any(host.values()) else NOTHING,
        is_stored=True,
    )


def _rows(keys: Sequence[str]) -> QuerySet[Any, Any]:
    """Live overrides, and the long lists that have the accounts."""
    overrides = AccountOverride.objects.filter(account__key__in=keys, paused=False).order_by()
    members = SegmentMember.objects.filter(key__in=keys, segment__is_long=True).order_by()
    text = CharField()
    listed = Case(When(is_excluded=True, then=Value(EXCLUDED)), default=Value(INCLUDED))
    return overrides.values_list(
        F("account__key"), Value(_OVERRIDE, text), F("flag__name"), F("variant"), F("expires_at")
    ).union(
        members.values_list(
            F("key"), Value("list", text), F("segment__key"), Cast(listed, text), _NO_MOMENT
        ),
        all=True,
    )


class UnknownAccount(LookupError):
    code = "unknown_account"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"There is no account {key!r}.")


def account_by_key(key: str) -> Any:
    """A row of the account model. One query; raises UnknownAccount."""
    account = _accounts().filter(key=key).first()
    if account is None:
        raise UnknownAccount(key)
    return account


def account_model() -> type[Model]:
    """The host's, which FLAGS_ACCOUNT_MODEL names."""
    return apps.get_model(account_model_name())


def _accounts() -> Any:
    return account_model()._default_manager.using(DEFAULT_DB_ALIAS)
