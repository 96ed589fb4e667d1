"""The snapshot of this process: the tables as they are now, compiled once for each change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import Lock
from typing import NamedTuple

from flags import export
from flags.engine import DocumentError, Ruleset, compile  # noqa: A004  (the word for it)
from flags.rows import AbstractFlag, Head, flag_model

logger = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    """`version` names what the tables held; `flags` are waffle's rows, by name."""

    version: str | None
    ruleset: Ruleset
    flags: Mapping[str, AbstractFlag]


# Called with the snapshot before, None for the first, and the one that follows it.
Listener = Callable[[Snapshot | None, Snapshot], None]


_lock = Lock()
_listeners: list[Listener] = []


class _Kept:
    """What this process keeps: its snapshot, and the version that was refused after it."""

    snapshot: Snapshot | None = None
    refused: str | None = ""


def current() -> Snapshot:
    """One query; where the tables have changed, they are read and compiled again.

    Tables that do not check leave the last snapshot in force; without one, raises DocumentError.
    """
    version = Head.objects.filter(pk=Head.PK).values_list("version", flat=True).first()
    with _lock:
        before = _Kept.snapshot
        if before is not None and version in {before.version, _Kept.refused}:
            return before
        try:
            after = _read(version, before)
        except DocumentError as error:
            if before is None:
                raise
            _Kept.refused = version
            logger.error("Changes are not in force, because they do not check:\n%s", error)  # noqa: TRY400
            return before
        _Kept.snapshot, _Kept.refused = after, version
    for listener in _listeners:
        listener(before, after)
    return after


def listen(listener: Listener) -> None:
    """Have it called after each change, in the thread that meets the change first."""
    _listeners.append(listener)


def stop_listening(listener: Listener) -> None:
    _listeners.remove(listener)


def _read(version: str | None, before: Snapshot | None) -> Snapshot:
    flags = list(flag_model().objects.prefetch_related("variants", "rules"))
    document = export.checked(export.document_of(flags))
    users, groups = export.memberships("users"), export.memberships("groups")
    for flag in flags:
        flag.user_ids = users.get(flag.pk, set())
        flag.group_ids = groups.get(flag.pk, set())
    ruleset = compile(document, None if before is None else before.ruleset)
    return Snapshot(version, ruleset, {flag.name: flag for flag in flags})
