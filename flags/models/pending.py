"""What an open transaction has changed, and the head row that every change rewrites first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from threading import get_ident
from typing import Any, Final
from uuid import uuid4

from django.db import connection, models, transaction
from django.dispatch import Signal

from flags.models.primary import OnPrimary


class Head(OnPrimary):
    """One row, which every change of what is published rewrites in its own transaction."""

    version = models.CharField(max_length=32)
    published = models.CharField(
        max_length=32, default="", help_text="The version that the last revision was made of."
    )
    held = models.JSONField(
        default=list, help_text="What the tables say and does not serve, as it does not check."
    )

    PK: Final = 1

    def __str__(self) -> str:
        return self.version

    @property
    def is_pending(self) -> bool:
        """Whether a write has told of a change since the last revision, or there is none."""
        return not self.published or self.version != self.published


# Sent when a transaction that changed something has committed, and when one that published has.
tables_changed = Signal()
revision_published = Signal()
# Sent before facts about accounts change by what sends no signal: their `keys`; None: of all.
accounts_changed = Signal()
# Sent when a segment's long list changes: `segment`, and the accounts' keys `added` and `removed`.
list_changed = Signal()
# Sent before rows are written without a signal each: `rows` is the QuerySet that is updated with
# `values`, or None where `objs` are added, some of which `may_exist`. What a receiver gives is
# called once they are written.
rows_changing = Signal()


class OpenChange:
    """A change in the open transaction; a rollback forgets it."""

    def __call__(self) -> None:
        """When it commits."""
        next(open_changes(), None)
        self.has_committed()

    def has_committed(self) -> None:
        raise NotImplementedError


# The threads that may have an open transaction with changes; most often there is none.
changing: Final[set[int]] = set()


def forget_ended_threads() -> None:
    """A thread that ended after a rollback has left its number."""
    left = [*changing]
    there = sys._current_frames()
    for ident in left:
        if ident not in there:
            changing.discard(ident)


def on_commit(change: OpenChange) -> None:
    """Keep a change until the transaction commits; at once where there is none."""
    changing.add(get_ident())
    transaction.on_commit(change)


def open_changes() -> Iterator[OpenChange]:
    """Those of this thread's open transaction, the last first; nobody else sees them yet."""
    if get_ident() not in changing:
        return
    hooks = (entry[1] for entry in reversed(connection.run_on_commit))
    changes = (hook for hook in hooks if isinstance(hook, OpenChange))
    last = next(changes, None)
    if last is None:
        changing.discard(get_ident())
    else:
        yield last
        yield from changes


def has_open_changes() -> bool:
    """Whether this thread's open transaction has changed what is published, or an account."""
    return next(open_changes(), None) is not None


class _Mark(OpenChange):
    """A change of what is published; `follows` another of the same transaction."""

    def __init__(self, *, follows: bool) -> None:
        self.follows = follows

    def has_committed(self) -> None:
        """The first of a transaction tells of all."""
        if not self.follows:
            tables_changed.send(sender=Head)


class _Published(_Mark):
    """What has changed before this mark was published in the open transaction."""


def mark_changed() -> None:
    """What is published has changed; others see it when the transaction commits.

    Before the change itself, so that all changes lock the head row first.
    """
    last = uncommitted()
    if last is None or isinstance(last, _Published):
        version = uuid4().hex
        if not Head.objects.filter(pk=Head.PK).update(version=version):
            Head.objects.update_or_create(pk=Head.PK, defaults={"version": version})
    on_commit(_Mark(follows=last is not None))


def mark_published(held: list[Any]) -> None:
    """What the tables say now is published, but for what is held back.

    A further change in this transaction is another.
    """
    Head.objects.filter(pk=Head.PK).update(published=models.F("version"), held=held)
    last = uncommitted()
    if last is not None:
        on_commit(_Published(follows=True))


def uncommitted() -> object | None:
    """The last mark of this thread's open transaction."""
    return next((change for change in open_changes() if isinstance(change, _Mark)), None)


def lock_head() -> Head:
    """Have changes one after the other, until the transaction ends; the row has a version then."""
    head: Head | None = Head.objects.select_for_update().filter(pk=Head.PK).first()
    if head is None or not head.version:
        head, _ = Head.objects.update_or_create(pk=Head.PK, defaults={"version": uuid4().hex})
    return head
