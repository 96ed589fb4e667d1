"""Publishing: lock, export, check, number, store; and going back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final

from django.db import transaction

from flags import metrics
from flags.document import diff, export, held, stored
from flags.document.check import checked
from flags.document.restore import restore
from flags.document.sentences import sentences
from flags.document.settling import with_waiting_stops
from flags.document.storing import store
from flags.engine import Document, DocumentError
from flags.engine.problems import MAX_PROBLEMS, Problem
from flags.models import Head, Revision
from flags.models.pending import lock_head, mark_published, revision_published, uncommitted


class Unpublishable(DocumentError):
    """What the tables say does not check; `document` is what it would be."""

    def __init__(self, document: dict[str, Any], faults: list[Problem]) -> None:
        super().__init__(faults[:MAX_PROBLEMS])
        self.document = document


class Publication:
    """What a change has published, once its block is left.

    `newest` was the number before it; `waiting` is what direct writes had left, published first;
    `before` and `after` are what was published then and is now; `is_asked`: somebody was asked.
    """

    revision: Revision
    is_asked = False
    newest: int | None = None
    waiting: Revision | None = None
    before: Document | None = None
    after: Document | None = None


Remarks = Callable[[Document, Document], list[str]]
# The revision, and what was published before and is now; None: nothing before it.
_Published = tuple[Revision, Document | None, Document]
# The change that this context is in: one within another is a part of it.
_changing: ContextVar[Publication | None] = ContextVar("changing", default=None)


@contextmanager
def change(
    *,
    author: str = "",
    comment: str = "",
    unless: Callable[[], bool] = lambda: False,
    check: Callable[[Publication], None] | None = None,
    is_over_all: bool = False,
) -> Iterator[Publication]:
    """What is written in the block is one change: published in its transaction, or rolled back.

    The head row is locked first, so that changes come one after the other, and what direct writes
    have left is published first; where the block writes over all tables (`is_over_all`), what no
    write has told of, too. Nothing is published where `unless()` is true at the end of the block.
    Raises Unpublishable for faults of what the block wrote or broke, or its transaction before it,
    and what `check` raises.
    """
    with transaction.atomic():
        head = lock_head()
        made, outer = Publication(), _changing.get()
        if outer is None:
            made.newest = stored.newest_number()
            if made.newest is not None and (head.is_pending or is_over_all):
                is_own = uncommitted() is not None
                made.waiting = _publish(comment=_DIRECT, is_refused=is_own)[0]
        made.is_asked = check is not None or (outer is not None and outer.is_asked)
        token = _changing.set(made)
        try:
            yield made
            if not unless():
                made.revision, before, made.after = _publish(author, comment, is_refused=True)
                made.before = made.before or before
                if outer is not None:
                    outer.before = outer.before or made.before
                if check is not None:
                    check(made)
        finally:
            _changing.reset(token)


_DIRECT: Final = "direct writes"


def publish(*, author: str = "", comment: str = "", remarks: Remarks | None = None) -> Revision:
    """What the tables say, as a new revision; the last one where nothing has changed.

    `remarks` on what was published before and is now go into the summary. In the caller's
    transaction; raises Unpublishable for what it has written.
    """
    with transaction.atomic():
        lock_head()
        is_refused = uncommitted() is not None
        return _publish(author, comment, remarks, is_refused=is_refused)[0]


def publish_waiting(*, author: str = "", comment: str = "") -> Revision:
    """The same for what others have written: an entry that does not check is held back."""
    with transaction.atomic():
        lock_head()
        return _publish(author, comment)[0]


def _publish(
    author: str = "",
    comment: str = "",
    remarks: Remarks | None = None,
    *,
    is_refused: bool = False,
) -> _Published:
    """With `is_refused` new faults are refused; else the entries that have them are held back."""
    exported = export.document()
    last = Revision.objects.first()
    before, summary = _published(last)
    settled, known, new = held.settled(exported, before)
    if is_refused and new:
        metrics.REFUSED.inc()
        raise Unpublishable(exported, new)
    document = settled.document
    mark_published(held.rows(exported, settled, known, author))
    made = _changing.get()
    told = {"before": before, "after": document, "is_asked": made is not None and made.is_asked}
    transaction.on_commit(partial(revision_published.send, sender=Revision, **told))
    if last is not None and before is not None and not summary:
        if not diff.diff(before, document):
            return last, before, document
        summary = sentences(before, document)
        summary += remarks(before, document) if remarks else []
    revision = store(document, last, author=author, comment=comment, summary=summary)
    return revision, before, document


def _published(last: Revision | None) -> tuple[Document | None, list[str]]:
    """What is published; and where the last revision does not say it, why."""
    if last is None:
        return None, ["the first"]
    try:
        return stored.content(last), []
    except stored.UnusableRevision as error:
        return stored.last_usable(), [str(error)]


def publish_pending(comment: str = "") -> None:
    """Publish what direct writes have left."""
    if not is_pending():
        return
    with transaction.atomic():
        if lock_head().is_pending:  # else somebody else has done it meanwhile
            _publish(comment=comment)


def is_pending() -> bool:
    """Whether a write has told of a change since the last revision, or there is none. One query."""
    head = Head.objects.filter(pk=Head.PK).first()
    return head is None or head.is_pending


def roll_back(number: int, *, author: str = "", comment: str = "") -> Revision:
    """Make the tables say what the revision says, and publish that. Facts of accounts stay.

    Going back to the newest discards what is not published, but not what stops something. Raises
    UnknownRevision, UnusableRevision, DocumentError.
    """
    comment = comment or f"back to revision {number}"
    with change(author=author, comment=comment, is_over_all=True) as made:
        target = stored.content(stored.revision(number))
        if made.waiting is not None and number == made.newest:
            target = with_waiting_stops(target, stored.content(made.waiting))
        restore(target)
    return made.revision


def apply(source: str | bytes, *, author: str = "", comment: str = "") -> Revision:
    """Make the tables say what the text says, and publish that; raises DocumentError."""
    with change(author=author, comment=comment) as made:
        restore(checked(source))
    return made.revision
