"""Publishing: lock, export, check, number, store; and going back."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson
from django.db import transaction

from flags import changes, export, metrics
from flags.engine import Document, DocumentError
from flags.rows import Head, Revision, lock_head, mark_published, published
from flags.sections import retention

logger = logging.getLogger(__name__)

SCHEMA: Final = 1


class UnknownRevision(LookupError):
    def __init__(self, number: object) -> None:
        super().__init__(f"There is no revision {number!r}. `manage.py revisions list` lists them.")


class UnusableRevision(ValueError):
    """What is stored cannot be used; the sentence says why."""


class DamagedRevision(UnusableRevision):
    """A stored text that is not what was stored."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Revision {number} does not match its checksum; it cannot be used.")


class MalformedRevision(UnusableRevision):
    """A stored text that is no document."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Revision {number} is not a document; it cannot be used.")


class NewerRevision(UnusableRevision):
    """A document of a later version of this software."""

    def __init__(self, number: int, schema: object) -> None:
        super().__init__(f"Revision {number} has schema {schema}; this version reads {SCHEMA}.")


class OlderRevision(UnusableRevision):
    """The database has lost what is in force here."""

    def __init__(self, number: int, in_force: int) -> None:
        super().__init__(f"The newest revision is {number}, older than {in_force}, in force here.")


@transaction.atomic
def publish(*, author: str = "", comment: str = "") -> Revision:
    """What the tables say, as a new revision; the last one where nothing has changed.

    In the caller's transaction; raises DocumentError.
    """
    lock_head()
    try:
        document = export.check()
    except DocumentError:
        metrics.REFUSED.inc()
        raise
    mark_published()
    transaction.on_commit(lambda: published.send(sender=Revision))
    last = Revision.objects.first()
    before, summary = None, ["the first"]
    if last is not None:
        try:
            before = content(last)
        except UnusableRevision as fault:
            summary = [str(fault)]
    if last is not None and before is not None:
        if not changes.diff(before, document):
            return last
        summary = changes.sentences(before, document)
    revision = _store(document, last, author=author, comment=comment, summary=summary)
    thin()
    return revision


def _store(document: Document, last: Revision | None, **facts: Any) -> Revision:
    number = 1 if last is None else last.number + 1
    text = canonical({**document, "number": number})
    return Revision.objects.create(
        number=number, text=text, checksum=checksum_of(text), parent=last, **facts
    )


def thin() -> int:
    """Delete old revisions as the host's retention says. How many they were."""
    rule = retention()
    kept = rule.kept() if rule else 0
    newest = Revision.objects.values_list("number", flat=True).first()
    if rule is None or not kept or newest is None:
        return 0
    old = Revision.objects.filter(number__lte=newest - kept).exclude(rule.named)
    deleted, _ = old.only("number").delete()
    return deleted


def publish_pending(comment: str = "") -> str | None:
    """Publish what direct writes have left; why it stays unpublished, logged too."""
    if not is_pending():
        return None
    try:
        with transaction.atomic():
            lock_head()
            if is_pending():  # nobody else has done it meanwhile
                publish(comment=comment)
    except DocumentError as error:
        logger.error("Unpublished changes, because they do not check:\n%s", error)  # noqa: TRY400
        return str(error)
    return None


def is_published(document: Document) -> bool:
    """Whether the newest revision says what the document does; raises UnusableRevision."""
    last = Revision.objects.first()
    return last is not None and not changes.diff(content(last), document)


def is_pending() -> bool:
    """Whether a write has told of a change since the last revision, or there is none."""
    head = Head.objects.filter(pk=Head.PK).first()
    is_changed = head is not None and head.version != head.published
    return is_changed or not Revision.objects.exists()


def revision(number: int) -> Revision:
    """Raises UnknownRevision."""
    found = Revision.objects.filter(number=number).first()
    if found is None:
        raise UnknownRevision(number)
    return found


def content(row: Revision) -> Document:
    """The revision's document; raises UnusableRevision."""
    if checksum_of(row.text) != row.checksum:
        raise DamagedRevision(row.number)
    return document_in(row.number, row.text)


def document_in(number: int, text: str) -> Document:
    """What a text that was stored says; raises MalformedRevision and NewerRevision.

    What it has in common with the last text is the same object; nobody changes it.
    """
    try:
        document: Document = _parsed(number, text)
        schema = document["schema"]
    except (ValueError, LookupError, TypeError):
        raise MalformedRevision(number) from None
    if schema != SCHEMA:
        raise NewerRevision(number, schema)
    if not Document.__required_keys__ <= document.keys():
        raise MalformedRevision(number)
    return document


def _parsed(number: int, text: str) -> Any:
    """Canonical text has flags before the number, sections, segments and traits after it."""
    facts = f'"number":{number},"schema":{SCHEMA}'
    flags, found, rest = text.partition(f",{facts},")
    if found:
        try:
            return {**_flags(flags + "}"), **orjson.loads("{" + facts + "}"), **_rest("{" + rest)}
        except ValueError:  # the same words, deep within a flag
            pass
    return orjson.loads(text)


_flags: Final = lru_cache(maxsize=1)(orjson.loads)
_rest: Final = lru_cache(maxsize=1)(orjson.loads)


@transaction.atomic
def roll_back(number: int, *, author: str = "", comment: str = "") -> Revision:
    """Make the tables say what the revision says, and publish that. Facts of accounts stay.

    Raises UnknownRevision, UnusableRevision, DocumentError.
    """
    lock_head()
    document = content(revision(number))
    export.restore(document)
    return publish(author=author, comment=comment or f"back to revision {number}")


def preview(change: Callable[[], Revision]) -> Revision:
    """The revision that a change would make; nothing is kept. Raises what the change raises."""
    with transaction.atomic():
        would_be = change()
        transaction.set_rollback(True)
    return would_be


@transaction.atomic
def apply(source: str | bytes, *, author: str = "", comment: str = "") -> Revision:
    """Make the tables say what the text says, and publish that; raises DocumentError."""
    lock_head()
    export.restore(export.checked(source))
    return publish(author=author, comment=comment)


def canonical(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def checksum_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
