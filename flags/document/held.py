"""What is held back of the tables, as the head keeps it, and what a change is refused for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from django.utils import timezone

from flags.document import check, entries
from flags.document.diff import ABSENT, Path
from flags.document.entries import Json, entry_text
from flags.document.settling import Settled, identity, settle
from flags.document.stops import lifted, without_stop
from flags.document.stored import canonical, checksum_of
from flags.engine import Document, DocumentError
from flags.engine.document import empty
from flags.engine.problems import Problem, parts, pointer
from flags.models import Head


class Held(TypedDict):
    """An entry that is held back, as the head keeps it.

    `said` is a checksum of what the tables say; `since` is a moment, ISO 8601; `was` is what its
    last published form says of what stops it, where the tables stop it.
    """

    path: str
    reason: str
    author: str
    since: str
    said: str
    was: dict[str, Any]


class HeldBack(NamedTuple):
    """An entry whose last published form serves, because what the tables say does not check."""

    entry: str
    reason: str
    author: str
    since: datetime

    def __str__(self) -> str:
        who = f" by {self.author}" if self.author else ""
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        return f"{self.entry} is held back since {since}{who}: {self.reason}"


def held_back(entry: Path = ()) -> list[HeldBack]:
    """What is held back; of an entry and what is in it, where one is named. One query."""
    return [
        HeldBack(
            entry_text(parts(each["path"])),
            each["reason"],
            each["author"],
            datetime.fromisoformat(each["since"]),
        )
        for each in known()
        if parts(each["path"])[: len(entry)] == entry
    ]


def known() -> list[Held]:
    """What is held back now. One query."""
    rows: list[Held] = Head.objects.values_list("held", flat=True).filter(pk=Head.PK).first() or []
    return rows


def without_stops(published: Document) -> Document:
    """What is published, without the stops that were laid over what is held back. One query."""
    stops: dict[Path, Json] = {parts(each["path"]): each.get("was", {}) for each in known()}
    document: Document = lifted(dict(published), stops)
    return document


def settled(
    exported: dict[str, Any], before: Document | None
) -> tuple[Settled, list[Held], list[Problem]]:
    """What serves of the tables, what is held back until now, and the faults that are new.

    `before` is what is published. No query where the tables have no fault, else two.
    """
    try:
        return Settled(check.check(exported), {}), [], []
    except DocumentError as error:
        base, earlier = without_stops(before or empty()), known()
        found = settle(exported, base)
        return found, earlier, _new_faults(error, exported, base, found, earlier)


def rows(exported: Json, serving: Settled, before: Iterable[Held], author: str) -> list[Held]:
    """What is held back from now on; what was so before keeps who and since when."""
    earlier = {(each["path"], each["said"]): each for each in before}
    made: list[Held] = []
    for entry, fault in serving.held.items():
        path, said = pointer(entry), _said(exported, entry)
        was = earlier.get((path, said))
        made.append(
            {
                "path": path,
                "reason": fault["message"],
                "author": was["author"] if was else author,
                "since": was["since"] if was else timezone.now().isoformat(timespec="seconds"),
                "said": said,
                "was": dict(serving.stopped.get(entry, {})),
            }
        )
    return made


def _said(exported: Json, entry: Path) -> str:
    """A checksum of it but for what stops it: stopping it does not say it anew."""
    value = entries.found(exported, entry)
    if value is ABSENT:
        return ""
    return checksum_of(canonical({"": without_stop(entry, value)}))


def _new_faults(
    error: DocumentError,
    exported: Json,
    published: Mapping[str, Any],
    serving: Settled,
    before: Iterable[Held],
) -> list[Problem]:
    """Of a document's faults those that are not of what is held back or published already."""
    earlier = {(each["path"], each["said"]) for each in before}
    old = [e for e in serving.held if (pointer(e), _said(exported, e)) in earlier]
    new = {e: fault for e, fault in serving.held.items() if e not in old}
    borne = {identity(each) for each in check.faults(published)}
    stopped = [each for each in check.faults(serving.document) if identity(each) not in borne]
    if not new:
        return stopped
    paths = [parts(each["path"]) for each in error.errors]
    told = [
        each
        for each, path in zip(error.errors, paths, strict=True)
        if identity(each) not in borne and not any(path[: len(e)] == e for e in old)
    ]
    return told or [*new.values(), *stopped]
