"""What going back, or applying a file, would change; nothing is written, and nobody waits."""

from __future__ import annotations

from typing import NamedTuple

from flags import publishing
from flags.document import check, export
from flags.document.entries import Json
from flags.document.held import HeldBack, held_back, without_stops
from flags.document.restore import facts_lost, restored
from flags.document.sentences import sentences
from flags.document.settling import settle
from flags.document.stops import with_waiting_stops
from flags.document.stored import content
from flags.engine import Document, DocumentError
from flags.models import Revision


class Preview(NamedTuple):
    """In sentences, and why it would be refused; `discarded` is held back and would be gone."""

    sentences: list[str]
    faults: list[str]
    discarded: list[HeldBack]


def roll_back(number: int) -> Preview:
    """Raises UnknownRevision, UnusableRevision."""
    now = export.document()
    target = content(publishing.revision(number))
    newest = Revision.objects.values_list("number", flat=True).first()
    if number == newest:
        target = with_waiting_stops(target, settle(now, without_stops(target)).document)
    return _preview(target, now)


def apply(source: str | bytes) -> Preview:
    """Raises DocumentError for a text that is no document that checks."""
    return _preview(check.checked(source), export.document())


def _preview(target: Document, now: Json) -> Preview:
    would_be = restored(target, now)
    faults = [*facts_lost(target), *check.faults(would_be)]
    return Preview(
        sentences(now, would_be),
        str(DocumentError(faults)).splitlines() if faults else [],
        held_back(),
    )
