"""A document becomes the next revision; old ones go, as the host's retention says."""

from __future__ import annotations

from typing import Any

from flags.document.stored import canonical, checksum_of
from flags.engine import Document
from flags.models import Revision
from flags.registry import retention


def store(document: Document, last: Revision | None, **columns: Any) -> Revision:
    """The revision after the last one."""
    number = last.number + 1 if last else 1
    text = canonical({**document, "number": number})
    revision = Revision.objects.create(
        number=number, text=text, checksum=checksum_of(text), parent=last, **columns
    )
    _thin(number)
    return revision


def _thin(newest: int) -> None:
    rule = retention()
    kept = rule.kept() if rule else 0
    if rule and 0 < kept < newest:
        old = Revision.objects.filter(number__lte=newest - kept).exclude(rule.named)
        old.only("number").delete()
