"""Makes an account nobody's: what says who it was goes, money and counts stay.

```
overrides, members, prompts, settings, keys, long and short lists ─▶ deleted
account: key, name, country, traits ─▶ a random key, nothing    feed: its entries ─▶ one, by whom
receipts: what was known, raw blocks, run, parameters ─▶ empty  money, meters, model, time: stay
```
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import QuerySet

from flags import publishing
from flags.models import AccountOverride, Revision, Rule, Segment, SegmentMember
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account, AccountStatus, Membership
from igny8_core.modules.changes.entries import entry, keep
from igny8_core.modules.changes.models import Action, Change
from igny8_core.modules.system.models import AIPrompt, IntegrationSettings, ProviderKey
from igny8_core.modules.usage import draining
from igny8_core.modules.usage.erased import erase_receipts
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.states import State

NAME = "erased"


class RequestsUnderWay(AIError):
    """What is under way would write down again what is erased."""

    code = "requests_under_way"

    def __init__(self, key: str, count: int) -> None:
        self.key = key
        self.count = count
        super().__init__(
            f"{count} receipts of {key} are open: wait for them, or run "
            "`manage.py close_receipts` for those whose process has ended."
        )


class Found(NamedTuple):
    """What there is of an account: rows by what they are; and in sentences, what names it after."""

    rows: dict[str, int]
    stays: list[str]


def found_of(account: Account) -> Found:
    """Nothing is written. Reads every revision's text."""
    rows = {name: rows.count() for name, rows in _going(account).items()}
    rows["short lists"] = len(_short_lists(account.key))
    rows["receipts"] = Receipt.objects.filter(account=account).count()
    rows["entries of the feed"] = Change.objects.filter(account=account.key).count()
    return Found(rows, list(_stays(account.key)))


def erase(account: Account, *, author: str) -> str:
    """The account's new key. In one transaction; raises RequestsUnderWay, DocumentError."""
    draining.drain()
    lists = _short_lists(account.key)
    change: AbstractContextManager[Any] = (
        publishing.change(author=author, comment="an erasure") if lists else transaction.atomic()
    )
    with change:
        Account.objects.select_for_update().get(pk=account.pk)
        under_way = Receipt.objects.filter(account=account, state=State.OPEN).count()
        if under_way:
            raise RequestsUnderWay(account.key, under_way)
        for segment in _short_lists(account.key):
            segment.set_lists(
                *[[key for key in keys if key != account.key] for keys in segment.lists()]
            )
        for rows in _going(account).values():
            # Receipts name versions of prompts, which would keep them; here they go all the same.
            rows._raw_delete(rows.db) if rows.model is AIPrompt else rows.delete()
        erase_receipts(account)
        return _renamed(account)


def _renamed(account: Account) -> str:
    """Nothing links the new key to the old one, the feed neither."""
    key = f"{NAME}-{secrets.token_hex(8)}"
    Account.objects.filter(pk=account.pk).update(
        key=key, name=NAME, country="", traits={}, status=AccountStatus.CLOSED
    )
    for said in (account.key, key):
        Change.objects.erase(said)
    label = Account._meta.label_lower
    keep([entry(Action.CHANGED, label, key, key, after={"name": NAME}, why="an erasure")])
    return key


def _going(account: Account) -> dict[str, QuerySet[Any]]:
    """What is deleted, by what it is."""
    content_type = ContentType.objects.get_for_model(Account)
    return {
        "overrides": AccountOverride.objects.filter(account=account),
        "members": Membership.objects.filter(account=account),
        "prompts": AIPrompt.objects.filter(account=account),
        "settings": IntegrationSettings.objects.filter(account=account),
        "keys": ProviderKey.objects.filter(account=account),
        "long lists": SegmentMember.objects.filter(key=account.key),
        "entries of the admin": LogEntry.objects.filter(
            content_type=content_type, object_id=str(account.pk)
        ),
    }


def _short_lists(key: str) -> list[Segment]:
    return [
        row for row in Segment.objects.filter(is_long=False) if key in row.include + row.exclude
    ]


def _stays(key: str) -> Iterator[str]:
    """Where the old key is still read, which nothing links to the account."""
    text = json.dumps(key)
    rules = [f"{row.flag.name}, rule {row.rule_id}" for row in _rules() if text in _text(row.when)]
    rules += [f"segment {row.key}" for row in Segment.objects.all() if text in _text(row.rules)]
    if rules:
        yield f"Rules name it; change them by hand: {'; '.join(rules)}."
    count = sum(text in row.text for row in Revision.objects.iterator(chunk_size=10))
    if count:
        yield f"{count} revisions have the text “{key}”; they stay, receipts are replayed by them."


def _rules() -> QuerySet[Rule]:
    return Rule.objects.select_related("flag").order_by("flag__name", "position")


def _text(value: Any) -> str:
    return json.dumps(value)
