"""Which revision was the last to change an entry."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from flags.document import entries
from flags.document.diff import Path
from flags.document.stored import UnusableRevision, content
from flags.engine import Document
from flags.models import Revision

_LOOKED_BACK: Final = 30


def last_change(entry: Path, after: int | None = None) -> Revision | None:
    """Of those with a higher number than `after`; None where the last thirty did not change it."""
    newer: tuple[Revision, Document] | None = None
    for row in Revision.objects.all()[: _LOOKED_BACK + 1]:
        with suppress(UnusableRevision):
            document = content(row)
            if newer is not None and _said(document, entry) != _said(newer[1], entry):
                return newer[0]
            if after is not None and row.number <= after:
                return None
            newer = row, document
    return None


def _said(document: Document, entry: Path) -> object:
    return entries.found(dict(document), entry)
