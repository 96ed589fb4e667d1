"""Which providers an account's calls can reach: by a key, or by offline answers in its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from django.conf import settings
from django.db.models import F, Q

from igny8_core import live_settings
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.addresses import environment_url, origin_of
from igny8_core.modules.system.keys import ProviderKey


class Reach(TypedDict):
    """`keys` has the origin that the provider's key may be sent to; `offline`: without one, too."""

    offline: bool
    keys: Mapping[str, str]


def reach_of(account: Account) -> Reach:
    """By the account's keys, else the platform's, else the environment's. Two queries."""
    rows = ProviderKey.objects.filter(Q(account=account) | Q(account=None))
    return Reach(offline=_offline(), keys=_keys(rows))


def reach_of_many(keys: Sequence[str]) -> Mapping[str, Reach]:
    """By the accounts' keys. Two queries."""
    own: dict[str, list[ProviderKey]] = {}
    rows = ProviderKey.objects.filter(Q(account__key__in=keys) | Q(account=None))
    platform: list[ProviderKey] = []
    for row in rows.annotate(of=F("account__key")):
        (platform if row.of is None else own.setdefault(row.of, [])).append(row)
    shared = Reach(offline=_offline(), keys=_keys(platform))
    return {
        key: Reach(offline=shared["offline"], keys=_keys([*platform, *own[key]]))
        if key in own
        else shared
        for key in keys
    }


def _keys(rows: Iterable[ProviderKey]) -> dict[str, str]:
    """A row goes before the environment, the account's before the platform's."""
    found = {}
    for provider, said in settings.AI_CONNECTIONS.items():
        if said.get("api_key"):
            found[provider] = origin_of(environment_url(provider))
    for row in sorted(rows, key=lambda row: row.account_id is not None):
        if row.is_readable:
            found[row.provider] = row.origin
        else:  # it stands in the way of the others all the same
            found.pop(row.provider, None)
    return found


def _offline() -> bool:
    """Where the setting cannot be read, nothing is answered offline."""
    try:
        return live_settings.offline_answers()
    except live_settings.LiveSettingsUnread:
        return False


def origin_at(url: str) -> str:
    """Of an address that may be none, where no key goes."""
    try:
        return origin_of(url)
    except AIError:
        return "none"
