"""What the engine asks of one account: its subject, and its overrides."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.conf import settings

from flags.engine import Document, Subject
from flags.engine.decision import Override
from flags.rows import EXCLUDED, INCLUDED, AccountOverride, SegmentMember


class Facts(NamedTuple):
    subject: Subject
    override: Override | None


NOBODY: Final = Facts(Subject(None), None)


def facts_of(account: Any, document: Document, at: datetime) -> Facts:
    """One query for the overrides, and one where the document has segments with long lists.

    The account model has `key`, a text, and `flag_traits()`, a mapping by trait's name. What is
    falsy is nobody.
    """
    if not account:
        return NOBODY
    traits = {**account.flag_traits(), **lists_of(account.key, document)}
    overrides = AccountOverride.objects.in_force(at).filter(account=account.pk)
    return Facts(
        Subject(account.key, traits), dict(overrides.values_list("flag__name", "variant")).get
    )


def facts_of_key(key: str | None, document: Document, at: datetime) -> Facts:
    """The same for an account's key, and one query more; one that no account has has no facts."""
    if key is None:
        return NOBODY
    account = _accounts().filter(key=key).first()
    if account is None:
        return Facts(Subject(key, lists_of(key, document)), None)
    return facts_of(account, document, at)


def lists_of(key: str, document: Document) -> dict[str, list[str]]:
    """The segments whose long lists have the account. One query where the document has such."""
    if INCLUDED not in document["traits"]:
        return {}
    listed: dict[str, list[str]] = {INCLUDED: [], EXCLUDED: []}
    members = SegmentMember.objects.filter(key=key, segment__is_long=True)
    for segment, is_excluded in members.values_list("segment__key", "is_excluded"):
        listed[EXCLUDED if is_excluded else INCLUDED].append(segment)
    return listed


class UnknownAccount(LookupError):
    def __init__(self, key: str) -> None:
        super().__init__(f"There is no account with the key “{key}”.")


def account_by_key(key: str) -> Any:
    """A row of the account model. One query; raises UnknownAccount."""
    account = _accounts().filter(key=key).first()
    if account is None:
        raise UnknownAccount(key)
    return account


def _accounts() -> Any:
    return apps.get_model(settings.FLAGS_ACCOUNT_MODEL)._default_manager
