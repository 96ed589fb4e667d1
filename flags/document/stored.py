"""A stored revision's text, read back: checked against its checksum, not validated again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import orjson

from flags.engine import Document
from flags.engine.document import SCHEMA
from flags.engine.upgrade import upgraded
from flags.models import Revision

_READ: Final = (1, SCHEMA)


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


def revision(number: int, *, using: str | None = None) -> Revision:
    """Raises UnknownRevision."""
    found: Revision | None = Revision.objects.using(using).filter(number=number).first()
    if found is None:
        raise UnknownRevision(number)
    return found


def newest_number() -> int | None:
    """The last revision's; None where nothing is published."""
    number: int | None = Revision.objects.values_list("number", flat=True).first()
    return number


def content(row: Revision) -> Document:
    """The revision's document; raises UnusableRevision."""
    if checksum_of(row.text) != row.checksum:
        raise DamagedRevision(row.number)
    return document_in(row.number, row.text)


def last_usable() -> Document | None:
    """What the newest of the last revisions says whose text can be used."""
    for row in Revision.objects.all()[:_LOOKED_BACK]:
        with suppress(UnusableRevision):
            return content(row)
    return None


_LOOKED_BACK: Final = 10


def document_in(number: int, text: str) -> Document:
    """What a text that was stored says; raises MalformedRevision and NewerRevision.

    One of schema 1 is answered in schema 2. What it has in common with the last text is the same
    object; nobody changes it.
    """
    try:
        document: Document = _parsed(number, text)
        schema = document["schema"]
        if schema not in _READ:
            raise NewerRevision(number, schema)
        if not Document.__required_keys__ <= document.keys():
            raise MalformedRevision(number)
        return upgraded(document)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, UnusableRevision):
            raise
        raise MalformedRevision(number) from None


def _parsed(number: int, text: str) -> Any:
    """Canonical text has flags before the number, sections, segments and traits after it."""
    middle = f'"number":{number},"schema":{SCHEMA}'
    flags, found, rest = text.partition(f",{middle},")
    if found:
        try:
            return {
                **_flags(flags + "}"),
                **orjson.loads("{" + middle + "}"),
                **_rest("{" + rest),
            }
        except ValueError:  # the same words, deep within a flag
            pass
    return orjson.loads(text)


_flags: Final = lru_cache(maxsize=1)(orjson.loads)
_rest: Final = lru_cache(maxsize=1)(orjson.loads)


def canonical(document: Mapping[str, Any]) -> str:
    """The one text of a document: sorted keys, no blanks."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def checksum_of(text: str) -> str:
    """SHA-256 of the text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
