"""A document becomes the next revision; old ones go, as the host's retention says."""

from __future__ import annotations

import logging
from typing import Any

from flags.document.stored import canonical, checksum_of
from flags.engine import Document
from flags.models import Revision
from flags.registry import retention

logger = logging.getLogger(__name__)


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
    if rule is None:
        return
    try:
        kept = int(rule.kept())
    except Exception:  # how many are kept is no reason not to publish a stop
        logger.exception("Old revisions stay: how many are kept cannot be read.")
        return
    if 0 < kept < newest:
        old = Revision.objects.filter(number__lte=newest - kept).exclude(rule.named)
        old.only("number").delete()
