"""The active accounts: all, or of too many those that are named and a sample of the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from random import SystemRandom
from typing import Any, Final

from django.db.models import Q, QuerySet

from flags.engine import Document
from flags.engine.boundaries import clauses
from flags.engine.traits import KEY
from flags.models import SegmentMember
from igny8_core.modules.accounts.models import Account, AccountStatus

AT_ONCE: Final = 1_000


def active_accounts() -> QuerySet[Account]:
    return Account.objects.filter(status=AccountStatus.ACTIVE).order_by("pk")


class ActiveAccounts:
    """All of them, or those that are named and some of the others, which stand for the rest.

    `count` is how many there are, `looked_at` how many of them come.
    """

    def __init__(self, count: int, named: Collection[int], some: Collection[int]) -> None:
        self.count = count
        self._named, self._some = {*named}, some
        self._is_all = not named and not some
        self.looked_at = count if self._is_all else len(named) + len(some)
        # How many others each of them stands for.
        self._weight = (count - len(named)) / len(some) if some else 1.0

    @classmethod
    def of_change(
        cls, before: Document, after: Document, *, most: int, keys: Iterable[str] = ()
    ) -> ActiveAccounts:
        """Of more than `most` a sample of so many stands for those that nothing names.

        Named are `keys`, and those with overrides, preferences, or a place on a list of either
        document or in a rule of it.
        """
        active = active_accounts()
        count = active.count()
        if count <= most:
            return cls(count, (), ())
        named = {*_named({*keys, *_keys_in(before), *_keys_in(after)})}
        rest = [*{*active.values_list("pk", flat=True)} - named]
        return cls(count, named, SystemRandom().sample(rest, min(most, len(rest))))

    @classmethod
    def of_keys(cls, keys: Collection[str], *, count: int) -> ActiveAccounts:
        """These alone, which stand for so many."""
        pks = [*_with_keys(keys)]
        return cls(count, (), pks) if count > len(pks) else cls(len(pks), pks, ())

    def weight_of(self, account: Account) -> float:
        """How many accounts this one stands for."""
        return 1.0 if account.pk in self._named else self._weight

    def __iter__(self) -> Iterator[Account]:
        if self._is_all:
            yield from active_accounts().iterator(AT_ONCE)
        for some in batched([*self._named, *self._some], AT_ONCE):
            yield from active_accounts().filter(pk__in=some)


def _named(keys: set[str]) -> Iterator[int]:
    """The primary keys of these, of those on long lists, and of those with rows of their own."""
    own = Q(flag_overrides__isnull=False) | Q(integration_settings__isnull=False)
    yield from active_accounts().filter(own).values_list("pk", flat=True).distinct()
    yield from _with_keys(keys | {*SegmentMember.objects.values_list("key", flat=True)})


def _with_keys(keys: Iterable[str]) -> Iterator[int]:
    for some in batched(keys, AT_ONCE):
        yield from active_accounts().filter(key__in=some).values_list("pk", flat=True)


def _keys_in(document: Document) -> Iterator[str]:
    """The keys of accounts that its lists and rules name."""
    for segment in document["segments"].values():
        yield from (*segment["include"], *segment["exclude"])
    for clause in clauses(document):
        if clause["op"] == "in" and clause["trait"] == KEY:
            yield from (value for value in clause["values"] if isinstance(value, str))


def batched(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of so many of the values, the last one shorter."""
    left = iter(values)
    while some := list(islice(left, size)):
        yield some
