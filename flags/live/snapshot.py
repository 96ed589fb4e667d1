"""A revision, compiled: of the database, of the copy on disk, or of an open transaction."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.db import DEFAULT_DB_ALIAS

from flags import metrics
from flags.document import export
from flags.document.check import check
from flags.document.held import without_stops
from flags.document.restore_flags import flag_rows
from flags.document.settling import settle
from flags.document.stored import UnusableRevision, checksum_of, content, document_in
from flags.engine import Document, DocumentError, Ruleset, compile  # noqa: A004
from flags.engine.document import empty
from flags.live import copy
from flags.models import Flag, Revision
from flags.models.primary import followed
from flags.registry import sections


class UncompilableRevision(UnusableRevision):
    """A revision that another version of this software has accepted."""

    def __init__(self, number: int, fault: Exception) -> None:
        super().__init__(f"Revision {number} cannot be compiled: {fault!r}.")


class Source(StrEnum):
    """Where a snapshot is from."""

    DATABASE = "database"
    DISK = "disk"
    TRANSACTION = "transaction"
    NOTHING = "nothing"


class Snapshot(NamedTuple):
    """`sections` are the host's, compiled, by name; `flags` are waffle's rows, by name.

    `users` and `groups` are those that waffle's own lists have, by the flag's primary key. One of
    an open transaction, and one of nothing, has no number.
    """

    number: int | None
    checksum: str
    source: Source
    ruleset: Ruleset
    sections: Mapping[str, Any]
    flags: Mapping[str, Flag]
    users: Mapping[int, set[Any]]
    groups: Mapping[int, set[Any]]


EMPTY: Final = Snapshot(
    None,
    "",
    Source.NOTHING,
    compile(empty()),
    {},
    {},
    {},
    {},
)
_NO_ROWS: Final[Mapping[str, Any]] = {"flags": {}, "users": {}, "groups": {}}


def of_revision(row: Revision, before: Snapshot, rows: Mapping[str, Any] | None = None) -> Snapshot:
    """What has not changed since the snapshot before is taken from there; waffle's rows apart.

    Raises UnusableRevision.
    """
    began_s = time.perf_counter()
    document = content(row)
    metrics.LOAD_S.observe(time.perf_counter() - began_s)
    began_s = time.perf_counter()
    try:
        found = _compiled(document, before, rows or _NO_ROWS)
    except Exception as error:
        raise UncompilableRevision(row.number, error) from error
    metrics.COMPILE_S.observe(time.perf_counter() - began_s)
    return found._replace(number=row.number, checksum=row.checksum, source=Source.DATABASE)


def of_copy(path: Path) -> Snapshot:
    """Raises OSError, DamagedCopy, UnusableRevision."""
    number, text = copy.read(path)
    document = document_in(number, text)
    try:
        rows = {**_NO_ROWS, "flags": flag_rows(document)}
        found = _compiled(document, EMPTY, rows)
    except Exception as error:
        raise UncompilableRevision(number, error) from error
    checksum = checksum_of(text)
    return found._replace(number=number, checksum=checksum, source=Source.DISK)


def of_document(document: Document, before: Snapshot) -> Snapshot:
    """One that is not stored: to be asked what it would answer."""
    return _compiled(document, before, _NO_ROWS)


def of_tables(before: Snapshot) -> Snapshot:
    """As this transaction sees them; an entry that does not check is as before."""
    flags = list(Flag.objects.prefetch_related("variants", "rules"))
    exported = export.document_of(flags)
    try:
        document = check(exported)
    except DocumentError:
        document = settle(exported, without_stops(before.ruleset.document)).document
    return _compiled(document, before, waffle_rows(flags))


def _compiled(document: Document, before: Snapshot, rows: Mapping[str, Any]) -> Snapshot:
    """Without a number."""
    compiled = {
        name: section.compile(dict(document["sections"][name]), before.sections.get(name))
        for name, section in sections().items()
        if name in document["sections"]
    }
    ruleset = compile(document, before.ruleset)
    return Snapshot(None, "", Source.TRANSACTION, ruleset, compiled, **rows)


def waffle_rows(flags: list[Flag] | None = None) -> dict[str, Any]:
    """What waffle's own calls ask beside the document."""
    using = followed(Flag) if flags is None else DEFAULT_DB_ALIAS
    if flags is None:
        flags = list(Flag.objects.using(using))
    return {
        "flags": {flag.name: flag for flag in flags},
        "users": _members(Flag.users.field, using),
        "groups": _members(Flag.groups.field, using),
    }


def _members(field: Any, using: str) -> Mapping[int, set[Any]]:
    """By flag, whom its own list of users or groups has."""
    pairs = field.remote_field.through.objects.using(using).values_list(
        field.m2m_column_name(), field.m2m_reverse_name()
    )
    found: defaultdict[int, set[Any]] = defaultdict(set)
    for flag, member in pairs:
        found[flag].add(member)
    return found
