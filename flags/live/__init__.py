"""The snapshot of this process: the newest revision, compiled, swapped whole, never backwards.

`current()` reads only memory: no query, no lock, no settings, except in a transaction that has
changed what is published. A daemon thread keeps the snapshot current; it starts with the first
question.
"""

from __future__ import annotations

import os
from threading import local
from typing import Final

from django.db import Error as DatabaseError

from flags import announcements
from flags.document import stored
from flags.document.stored import UnknownRevision, UnusableRevision
from flags.engine import Document
from flags.live import snapshot
from flags.live.health import Status
from flags.live.process import Listener, Process
from flags.live.snapshot import Snapshot, Source
from flags.live.thread import FIRST_S, SnapshotThread
from flags.models import Revision
from flags.models.pending import changing, uncommitted

__all__ = [
    "Listener",
    "Snapshot",
    "Source",
    "Status",
    "UnknownRevision",
    "UnusableRevision",
    "at_revision",
    "begin",
    "current",
    "forget",
    "is_database_silent",
    "listen",
    "measure",
    "published",
    "snapshot_of",
    "snapshot_status",
    "stop_listening",
]

_process: Final = Process()
_thread: Final = SnapshotThread(_process)
os.register_at_fork(after_in_child=_thread.reset_after_fork)


class _Own(local):
    """A thread's view of its open transaction, as of its last change."""

    mark: object = None
    snapshot: Snapshot | None = None


_own: Final = _Own()


def snapshot_of(document: Document) -> Snapshot:
    """What a sound document would answer; it need not be stored."""
    return snapshot.of_document(document, _process.ready or _thread.begin())


def current() -> Snapshot:
    """What is in force in this process. A transaction that has changed it sees its own."""
    if changing:
        mark = uncommitted()
        if mark is not None:
            return _of_transaction(mark)
        _own.mark = _own.snapshot = None
    return _process.ready or _thread.begin()


def _of_transaction(mark: object) -> Snapshot:
    if _own.mark is not mark or _own.snapshot is None:
        before = _process.ready or _thread.begin()
        _own.snapshot = snapshot.of_tables(before)
        _own.mark = mark
    return _own.snapshot


def at_revision(number: int) -> Snapshot:
    """A revision as a snapshot, waffle's rows apart: the one in force, or one query, kept for more.

    Raises UnknownRevision, UnusableRevision.
    """
    if type(number) is not int:
        raise UnknownRevision(number)
    in_force = current()
    if in_force.number == number:
        return in_force
    kept = _older.get(number)
    try:
        checksum = Revision.objects.values_list("checksum", flat=True).filter(pk=number).first()
    except DatabaseError:
        if kept is None:
            raise
        return kept
    if kept is not None and kept.checksum == checksum:
        return kept
    found = snapshot.of_revision(stored.revision(number), in_force)
    for old in [*_older][: 1 - _OLDER_KEPT]:
        _older.pop(old, None)
    _older[number] = found
    return found


_OLDER_KEPT: Final = 4
_older: Final[dict[int, Snapshot]] = {}


def is_database_silent() -> bool:
    """Whether the database is known to be down or to hang: who asks it would wait. No query."""
    return _process.health.is_database_silent()


def snapshot_status() -> Status:
    """What `/readyz` says of this process: revision, source, age, faults."""
    return _process.status()


def measure() -> None:
    """Have the metrics say what is so now."""
    current()
    _process.measure()


def published(**_signal: object) -> None:
    """A revision has just been committed by this thread: tell the others, and become current.

    Where another thread has been at the database for long, it becomes current when that is done.
    """
    announcements.send(announcements.PUBLISHED, "")
    if _process.ready is not None:
        _process.try_refresh_soon()


def listen(listener: Listener) -> None:
    """Have it called after each change, in the thread that meets the change first."""
    _process.listeners.append(listener)


def stop_listening(listener: Listener) -> None:
    """Raises ValueError for one that does not listen."""
    _process.listeners.remove(listener)


def begin() -> None:
    """Start the thread where FLAGS_THREAD is off, and wait for its first snapshot: for tests."""
    _thread.start()
    _process.first.wait(FIRST_S)
    _process.be_ready()


def forget() -> None:
    """Be as a process that has not begun: for tests."""
    _thread.stop()
    _process.clear()
    _own.mark = _own.snapshot = None
