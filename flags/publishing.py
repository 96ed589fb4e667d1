"""Publishing: lock, export, check, number, store; and going back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from flags import metrics
from flags.document import diff, export
from flags.document.check import check, checked
from flags.document.restore import restore
from flags.document.sentences import sentences
from flags.document.stored import UnknownRevision, UnusableRevision, canonical, checksum_of, content
from flags.engine import Document, DocumentError
from flags.models import Head, Revision
from flags.models.pending import lock_head, mark_published, revision_published
from flags.registry import retention

logger = logging.getLogger(__name__)


class Unpublishable(DocumentError):
    """What the tables say does not check; `document` is what it would be."""

    def __init__(self, document: dict[str, Any], error: DocumentError) -> None:
        super().__init__(error.errors)
        self.document = document


class Change:
    """What a change has published, once its block is left."""

    revision: Revision


@contextmanager
def change(
    *, author: str = "", comment: str = "", unless: Callable[[], bool] = lambda: False
) -> Iterator[Change]:
    """What is written in the block is one change: published in its transaction, or rolled back.

    The head row is locked first, so that changes come one after the other. Nothing is published
    where `unless()` is true at the end of the block. Raises Unpublishable.
    """
    with transaction.atomic():
        lock_head()
        made = Change()
        yield made
        if not unless():
            made.revision = _publish(author, comment)


def publish(*, author: str = "", comment: str = "") -> Revision:
    """What the tables say, as a new revision; the last one where nothing has changed.

    In the caller's transaction; raises Unpublishable.
    """
    with change(author=author, comment=comment) as made:
        pass
    return made.revision


def _publish(author: str, comment: str) -> Revision:
    exported = export.document()
    try:
        document = check(exported)
    except DocumentError as error:
        metrics.REFUSED.inc()
        raise Unpublishable(exported, error) from None
    mark_published()
    transaction.on_commit(lambda: revision_published.send(sender=Revision))
    last = Revision.objects.first()
    before, summary = None, ["the first"]
    if last is not None:
        try:
            before = content(last)
        except UnusableRevision as error:
            summary = [str(error)]
    if last is not None and before is not None:
        if not diff.diff(before, document):
            return last
        summary = sentences(before, document)
    revision = _store(document, last, author=author, comment=comment, summary=summary)
    thin(revision.number)
    return revision


def _store(document: Document, last: Revision | None, **columns: Any) -> Revision:
    number = 1 if last is None else last.number + 1
    text = canonical({**document, "number": number})
    return Revision.objects.create(
        number=number, text=text, checksum=checksum_of(text), parent=last, **columns
    )


def thin(newest: int) -> int:
    """Delete old revisions as the host's retention says. How many they were."""
    rule = retention()
    kept = rule.kept() if rule else 0
    if rule is None or not kept or newest <= kept:
        return 0
    old = Revision.objects.filter(number__lte=newest - kept).exclude(rule.named)
    deleted, _ = old.only("number").delete()
    return deleted


def publish_pending(comment: str = "") -> str | None:
    """Publish what direct writes have left; why it stays unpublished, logged too."""
    if not is_pending():
        return None
    try:
        # Unless somebody else has done it meanwhile.
        with change(comment=comment, unless=lambda: not is_pending()):
            pass
    except DocumentError as error:
        logger.error("Unpublished changes, because they do not check:\n%s", error)  # noqa: TRY400
        return str(error)
    return None


def is_published(document: Document) -> bool:
    """Whether the newest revision says what the document does; raises UnusableRevision."""
    last = Revision.objects.first()
    return last is not None and not diff.diff(content(last), document)


def is_pending() -> bool:
    """Whether a write has told of a change since the last revision, or there is none. One query."""
    head = Head.objects.filter(pk=Head.PK).first()
    return head is None or head.is_pending


def revision(number: int) -> Revision:
    """Raises UnknownRevision."""
    found = Revision.objects.filter(number=number).first()
    if found is None:
        raise UnknownRevision(number)
    return found


def roll_back(number: int, *, author: str = "", comment: str = "") -> Revision:
    """Make the tables say what the revision says, and publish that. Facts of accounts stay.

    Raises UnknownRevision, UnusableRevision, DocumentError.
    """
    with change(author=author, comment=comment or f"back to revision {number}") as made:
        restore(content(revision(number)))
    return made.revision


def preview(make: Callable[[], Revision]) -> Revision:
    """The revision that a change would make; nothing is kept. Raises what the change raises."""
    with transaction.atomic():
        would_be = make()
        transaction.set_rollback(True)
    return would_be


def apply(source: str | bytes, *, author: str = "", comment: str = "") -> Revision:
    """Make the tables say what the text says, and publish that; raises DocumentError."""
    with change(author=author, comment=comment) as made:
        restore(checked(source))
    return made.revision
