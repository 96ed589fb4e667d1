"""The active accounts: all, or of too many those that are named and a sample of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from random import SystemRandom
from typing import Any, Final

from django.db.models import Q

from flags.models import SegmentMember
from igny8_core.modules.accounts.models import Account, AccountStatus

AT_ONCE: Final = 1_000
Json = Mapping[str, Any]


class ActiveAccounts:
    """Of more than `most` a sample of so many stands for those that nothing names.

    Named are those with overrides, preferences, or a place on a list of either document.
    """

    def __init__(self, before: Json, after: Json, *, most: int) -> None:
        self._active = Account.objects.filter(status=AccountStatus.ACTIVE).order_by("pk")
        self.count = self._active.count()
        self.named: set[int] = set()
        self._others: list[int] = []
        if self.count > most:
            self.named = {*self._named(before, after)}
            rest = [*{*self._active.values_list("pk", flat=True)} - self.named]
            self._others = SystemRandom().sample(rest, min(most, len(rest)))
        # How many others each of them stands for.
        self._weight = (self.count - len(self.named)) / len(self._others) if self._others else 1.0
        self.looked_at = len(self.named) + len(self._others) or self.count

    def weight_of(self, account: Account) -> float:
        """How many accounts this one stands for."""
        return 1.0 if account.pk in self.named else self._weight

    def _named(self, before: Json, after: Json) -> Iterator[int]:
        keys = {
            key
            for document in (before, after)
            for segment in document["segments"].values()
            for key in (*segment["include"], *segment["exclude"])
        }
        keys |= {*SegmentMember.objects.values_list("key", flat=True)}
        own = Q(flag_overrides__isnull=False) | Q(integration_settings__isnull=False)
        yield from self._active.filter(own).values_list("pk", flat=True).distinct()
        for some in _batched(keys, AT_ONCE):
            yield from self._active.filter(key__in=some).values_list("pk", flat=True)

    def __iter__(self) -> Iterator[Account]:
        if not self._others:
            yield from self._active.iterator(AT_ONCE)
        for some in _batched([*self.named, *self._others], AT_ONCE):
            yield from self._active.filter(pk__in=some)


def _batched(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    left = iter(values)
    while some := list(islice(left, size)):
        yield some
