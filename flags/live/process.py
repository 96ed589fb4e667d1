"""The snapshot that is in force in this process: the newest usable revision, swapped whole.

Over 200 lines: taking a revision, and what may stand in its way, share one state under two locks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, RLock
from typing import Final

from django.conf import settings
from django.db import Error as DatabaseError

from flags import metrics, publishing
from flags.accounts.cache import cache
from flags.accounts.heard import hear_changes
from flags.document import stored
from flags.document.entries import entry_text
from flags.document.stored import OlderRevision, UnusableRevision
from flags.engine.problems import parts
from flags.live import copy, snapshot
from flags.live.collector import collector
from flags.live.health import Health, Status
from flags.live.snapshot import EMPTY, Snapshot, Source
from flags.models import Head, Revision
from flags.models.pending import uncommitted
from flags.models.primary import followed

logger = logging.getLogger(__name__)

# How long a commit waits for another thread that asks the database.
_SOON_S: Final = 1.0
# How many revisions are tried where the newest cannot be used.
_LOOKED_BACK: Final = 10
# A revision that could not be used is tried again after so long: somebody may have mended it.
_TRIED_S: Final = 60.0

# Called with the snapshot before, None for the first, and the one that follows it.
Listener = Callable[[Snapshot | None, Snapshot], None]


class Process:
    """What this process serves from, and how that becomes current; never for an older revision."""

    def __init__(self) -> None:
        # The snapshot, once something keeps it current.
        self.ready: Snapshot | None = None
        self.listeners: list[Listener] = []
        self.health = Health()
        self.clear()

    def clear(self) -> None:
        """Be as a process that has read nothing yet."""
        self.snapshot: Snapshot | None = None
        self._token: str | None = None
        # The revisions that cannot be used.
        self._unusable: dict[tuple[int, str], tuple[float, UnusableRevision]] = {}
        self._uncopied: tuple[int, str] | None = None
        self._newest: int | None = None
        self._measured = cache.numbers()
        self.health.clear()
        cache.clear()
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """In the child there is no thread, and nobody will release a lock."""
        self.ready = None
        self.has_thread = False
        # Around the database, and around what is in force: that one is never held for long.
        self._refreshing = RLock()
        self._swapping = Lock()
        # Set when there is something to serve from.
        self.first = Event()
        self.health.reset_after_fork()
        cache.reset_after_fork()
        cache.is_database_silent = self.health.is_database_silent
        collector.wake()

    def be_ready(self) -> Snapshot:
        """Serve what there is: of the database, else the copy on disk, else nothing."""
        found = self.snapshot or self._read_copy() or EMPTY
        with self._swapping:
            if self.snapshot is None:
                self.snapshot = found
                if found.number is not None:
                    logger.warning("Serving revision %s from the disk.", found.number)
            self.ready = self.snapshot
            return self.ready

    def try_refresh(self) -> bool:
        """Become current; what stands in the way is logged when it is news, and in the status.

        Whether the database could be asked.
        """
        fault: str | None = None
        has_answered = True
        try:
            with self._refreshing:
                self._refresh()
        except UnusableRevision as error:
            fault = str(error)
        except DatabaseError as error:
            fault, has_answered = str(error).strip().partition("\n")[0], False
        except Exception as error:
            fault, has_answered = repr(error), False
            if self.health.note("database", fault):
                logger.exception("The snapshot cannot be refreshed.")
        self.health.note("database", fault)
        return has_answered

    def try_refresh_soon(self) -> None:
        """Become current, unless another thread has been at it for longer than a second."""
        if self._refreshing.acquire(timeout=_SOON_S):
            try:
                self.try_refresh()
            finally:
                self._refreshing.release()

    def _refresh(self) -> None:
        """Take the newest revision, where this process has another; publish what is pending.

        One query where nothing has changed, and one for what has changed about accounts.
        """
        head = _head()
        self.health.newest_is_known()
        try:
            self._take(head)
        finally:
            hear_changes()
        if head.is_pending and uncommitted() is None:
            if self.snapshot is not None:
                self.first.set()
            publishing.publish_pending()
            head = _head()
            self._take(head)
        held = "; ".join(
            f"{entry_text(parts(each['path']))}: {each['reason']}" for each in head.held
        )
        self.health.note("held back", held or None)

    def _take(self, head: Head) -> None:
        is_from_elsewhere = self.snapshot is None or self.snapshot.source is not Source.DATABASE
        if head.published != self._token or is_from_elsewhere:
            self._load(head.published)

    def _load(self, token: str) -> None:
        """Take the newest revision that can be used; raises UnusableRevision where one cannot."""
        before = self.snapshot
        least = before.number if before and before.number is not None else 0
        revisions = Revision.objects.using(followed(Revision))
        rows = list(revisions.values_list("number", "checksum")[:_LOOKED_BACK])
        if not rows:
            return
        self._newest = rows[0][0]
        if self._newest < least:
            raise OlderRevision(self._newest, least)
        fault: UnusableRevision | None = None
        for number, checksum in rows:
            if number < least:
                break
            if before is not None and (before.number, before.checksum) == (number, checksum):
                if before.source is not Source.DATABASE or fault is None:
                    waffles = snapshot.waffle_rows()
                    after = before._replace(source=Source.DATABASE, **waffles)
                    self._put(after)
                    self._tell(before, after)
                break
            tried_at_s, error = self._unusable.get((number, checksum), (0.0, None))
            if error is None or time.monotonic() - tried_at_s > _TRIED_S:
                error = self._try(number, before)
                if error is None:
                    break
                self._unusable[number, checksum] = (time.monotonic(), error)
            fault = fault or error
        if fault is not None:
            raise fault
        self._unusable = {}
        self._token = token

    def _try(self, number: int, before: Snapshot | None) -> UnusableRevision | None:
        """Have the revision in force; or why it cannot be."""
        row = stored.revision(number, using=followed(Revision))
        rows = snapshot.waffle_rows()
        with collector:
            try:
                found = snapshot.of_revision(row, before or EMPTY, rows)
            except UnusableRevision as error:
                return error
            if settings.FLAGS_SNAPSHOT_FILE:
                self._uncopied = (number, row.text)
            self._put(found)
            time.sleep(0)  # whoever asks goes first
        self._tell(before, found)
        return None

    def _put(self, after: Snapshot) -> None:
        with self._swapping:
            self.snapshot = after
            if self.ready is not None:
                self.ready = after

    def _tell(self, before: Snapshot | None, after: Snapshot) -> None:
        for listener in self.listeners:
            try:
                listener(before, after)
            except Exception:
                logger.exception("A listener to changes failed.")

    def write_copy(self) -> None:
        """Keep the newest on disk, where that is wanted and nobody else is at it."""
        taken = self._uncopied
        if taken is None or not settings.FLAGS_SNAPSHOT_FILE:
            return
        try:
            copy.write(Path(settings.FLAGS_SNAPSHOT_FILE), *taken, newest=self._newest or 0)
        except BlockingIOError:
            return
        except OSError as error:
            self.health.note("copy", f"The copy on disk cannot be written: {error}")
        else:
            if self._uncopied is taken:
                self._uncopied = None
            self.health.note("copy", None)

    def _read_copy(self) -> Snapshot | None:
        if not settings.FLAGS_SNAPSHOT_FILE:
            return None
        try:
            return snapshot.of_copy(Path(settings.FLAGS_SNAPSHOT_FILE))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as fault:
            self.health.note("copy", str(fault))
            return None

    def status(self) -> Status:
        serving = self.snapshot or EMPTY
        behind = max((self._newest or 0) - (serving.number or 0), 0)
        faults = self.health.faults(has_thread=self.has_thread)
        error = "; ".join(f"{what}: {fault}" for what, fault in faults.items()) or None
        return Status(serving.number, serving.source, self.health.age_s, behind, error, faults)

    def measure(self) -> None:
        """Set the metrics here, so that nothing is counted under a lock on the hot path."""
        status = self.status()
        if status.number is not None:
            metrics.revision().set(status.number)
        if status.age_s is not None:
            metrics.checked_at().set(time.time() - status.age_s)
        for source in Source:
            metrics.SOURCE.labels(source).set(source is status.source)
        with self._swapping:
            (hits, misses), before = cache.numbers(), self._measured
            self._measured = (hits, misses)
        metrics.FACTS_HITS.inc(hits - before[0])
        metrics.FACTS_MISSES.inc(misses - before[1])


def _head() -> Head:
    heads = Head.objects.using(followed(Head))
    return heads.filter(pk=Head.PK).first() or Head(pk=Head.PK, version="", published="")
