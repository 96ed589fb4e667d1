"""What going back, or applying a file, would change; nothing is written, and nobody waits."""

from __future__ import annotations

from typing import NamedTuple

from flags.document import check, export, stored
from flags.document.entries import Json
from flags.document.held import HeldBack, held_back, settled, without_stops
from flags.document.restore import facts_lost, restored
from flags.document.sentences import sentences
from flags.document.settling import settle, with_waiting_stops
from flags.document.stored import last_usable
from flags.engine import Document, DocumentError


class Preview(NamedTuple):
    """In sentences, and why it would be refused; `discarded` is held back and would be gone."""

    sentences: list[str]
    faults: list[str]
    discarded: list[HeldBack]


def roll_back(number: int) -> Preview:
    """Raises UnknownRevision, UnusableRevision."""
    now = export.document()
    target = stored.content(stored.revision(number))
    if number == stored.newest_number():
        target = with_waiting_stops(target, settle(now, without_stops(target)).document)
    return _preview(target, now)


def apply(source: str | bytes) -> Preview:
    """Raises DocumentError for a text that is no document that checks."""
    return _preview(check.checked(source), export.document())


def _preview(target: Document, now: Json) -> Preview:
    """Refused for what is not published, or held back, already."""
    would_be = restored(target, now)
    faults = [*facts_lost(target), *settled(would_be, last_usable())[2]]
    return Preview(
        sentences(now, would_be),
        str(DocumentError(faults)).splitlines() if faults else [],
        held_back(),
    )
