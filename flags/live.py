"""The snapshot of this process: the tables as they are now, compiled once for each change."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from threading import Lock, local
from typing import Any, NamedTuple

from flags import export
from flags.engine import DocumentError, Ruleset, compile  # noqa: A004  (the word for it)
from flags.rows import AbstractFlag, Head, flag_model, uncommitted

logger = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    """`version` names what the tables held; `flags` are waffle's rows, by name.

    `users` and `groups` are those that waffle's own lists have, by the flag's primary key.
    """

    version: str | None
    ruleset: Ruleset
    flags: Mapping[str, AbstractFlag]
    users: Mapping[int, set[Any]]
    groups: Mapping[int, set[Any]]


# Called with the snapshot before, None for the first, and the one that follows it.
Listener = Callable[[Snapshot | None, Snapshot], None]

_lock = Lock()
_listeners: list[Listener] = []


class _Kept:
    """What this process keeps: its snapshot, and the version that was refused after it."""

    snapshot: Snapshot | None = None
    refused: str | None = ""


class _Own(local):
    """A thread's view of its open transaction, as of its last change."""

    mark: object = None
    snapshot: Snapshot | None = None


_own = _Own()


def current() -> Snapshot:
    """One query; where the tables have changed, they are read and compiled again.

    A transaction that has changed them sees its own snapshot, which nobody else does. Tables that
    do not check leave the last snapshot in force; without one, raises DocumentError.
    """
    mark = uncommitted()
    if mark is not None:
        return _of_transaction(mark)
    before = _Kept.snapshot
    if before is not None and _version() in {before.version, _Kept.refused}:
        return before
    with _lock:
        before, version = _Kept.snapshot, _version()
        if before is not None and version in {before.version, _Kept.refused}:
            return before
        after = _read_or(before, version)
        _Kept.snapshot, _Kept.refused = after, version
    if after is not before:
        _tell(before, after)
    return after


def listen(listener: Listener) -> None:
    """Have it called after each change, in the thread that meets the change first."""
    _listeners.append(listener)


def stop_listening(listener: Listener) -> None:
    _listeners.remove(listener)


def _tell(before: Snapshot | None, after: Snapshot) -> None:
    for listener in _listeners:
        try:
            listener(before, after)
        except Exception:
            logger.exception("A listener to changes failed.")


def _version() -> str | None:
    return Head.objects.filter(pk=Head.PK).values_list("version", flat=True).first()


def _of_transaction(mark: object) -> Snapshot:
    if _own.mark is not mark or _own.snapshot is None:
        _own.snapshot = _read_or(_Kept.snapshot, None)
        _own.mark = mark
    return _own.snapshot


def _read_or(before: Snapshot | None, version: str | None) -> Snapshot:
    try:
        return _read(version, before)
    except DocumentError as error:
        if before is None:
            raise
        logger.error("Changes are not in force, because they do not check:\n%s", error)  # noqa: TRY400
        return before


def _read(version: str | None, before: Snapshot | None) -> Snapshot:
    flags = list(flag_model().objects.prefetch_related("variants", "rules"))
    document = export.checked(export.document_of(flags))
    return Snapshot(
        version,
        compile(document, None if before is None else before.ruleset),
        {flag.name: flag for flag in flags},
        _members("users"),
        _members("groups"),
    )


def _members(relation: str) -> Mapping[int, set[Any]]:
    """By flag, whom its own list of users or groups has."""
    field = flag_model()._meta.get_field(relation)
    pairs = field.remote_field.through.objects.values_list(
        field.m2m_column_name(), field.m2m_reverse_name()
    )
    found: defaultdict[int, set[Any]] = defaultdict(set)
    for flag, member in pairs:
        found[flag].add(member)
    return found
