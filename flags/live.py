"""The snapshot of this process: the newest revision, compiled, swapped whole, never backwards.

It is at hand: no query, no lock, no settings, but in a transaction that has changed it. One daemon
thread keeps it current, by a poll and, where there is Redis, by announcements. It starts with the
first question, after a fork too.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, RLock, Thread, local
from typing import Final, NamedTuple

from django.conf import settings
from django.core import mail
from django.db import Error as DatabaseFault
from django.db import connection

from flags import account_facts, announcements, metrics, publishing, snapshot, snapshot_file
from flags.engine import DocumentError
from flags.publishing import OlderRevision, UnknownRevision, UnusableRevision
from flags.rows import Head, Revision, changing, forget_ended_threads, uncommitted
from flags.snapshot import EMPTY, Snapshot, Source

logger = logging.getLogger(__name__)

# How long the first question waits for the database, and where there is a copy on disk or a
# snapshot of before a fork.
_FIRST_S: Final = 10.0
_FIRST_WITH_COPY_S: Final = 2.0
_FORKED_S: Final = 1.0
# A database that has not answered for so long is said to hang.
_SILENT_S: Final = 5.0
# How long a commit waits for another thread that asks the database.
_SOON_S: Final = 1.0
# How many revisions are tried where the newest cannot be used.
_LOOKED_BACK: Final = 10
# One that could not be used is tried again after so long: somebody may have mended it.
_TRIED_S: Final = 60.0


class Status(NamedTuple):
    """How current this process is: `behind` counts revisions that are known and not in force.

    `age_s` is how long ago the database last said what is newest; None: never.
    """

    number: int | None
    source: Source
    age_s: float | None
    behind: int
    error: str | None

    @property
    def is_serving(self) -> bool:
        return self.source is not Source.NOTHING


# Called with the snapshot before, None for the first, and the one that follows it.
Listener = Callable[[Snapshot | None, Snapshot], None]


class _Collector:
    """At rest it does not walk through the old objects for the many young ones of a document."""

    is_at_rest = False

    def __enter__(self) -> None:
        self.is_at_rest = self.is_at_rest or gc.isenabled()
        gc.disable()

    def __exit__(self, *_fault: object) -> None:
        if self.wake():
            gc.collect(0)

    def wake(self) -> bool:
        """Also in the child of a fork that came meanwhile; whether it was at rest."""
        was_at_rest, self.is_at_rest = self.is_at_rest, False
        if was_at_rest:
            gc.enable()
        return was_at_rest


_collector: Final = _Collector()


class _Process:
    """What this process has, and the thread that keeps it current."""

    def __init__(self) -> None:
        # The snapshot, once something keeps it current.
        self.ready: Snapshot | None = None
        self.listeners: list[Listener] = []
        self.forget()

    def forget(self) -> None:
        """Have begun nothing."""
        self.snapshot: Snapshot | None = None
        self._token: str | None = None
        # The version of the tables that cannot be published, the revisions that cannot be used.
        self._refused: str | None = None
        self._unusable: dict[tuple[int, str], tuple[float, UnusableRevision]] = {}
        self._uncopied: tuple[int, str] | None = None
        self._newest: int | None = None
        self._faults: dict[str, str] = {}
        self._measured = account_facts.numbers()
        account_facts.know_nothing()
        self.begin_anew()

    def begin_anew(self) -> None:
        """After a fork there is no thread, and no lock that anybody will give back."""
        self.ready = None
        self._checked_at: float | None = None
        # Around the database, and around what is in force: that one is never held for long.
        self._refreshing = RLock()
        self._swapping = Lock()
        self._thread: Thread | None = None
        self._began_at = time.monotonic()
        self._first = Event()
        self._stopping = Event()
        account_facts.begin_anew()
        _collector.wake()

    def begin(self) -> Snapshot:
        if not _has_thread():
            if self.snapshot is None:
                self.try_refresh()
            return self.be_ready()
        try:
            self.start()
        except RuntimeError as error:  # the machine has no thread to give
            self._note("thread", str(error))
            self.try_refresh()
            return self.snapshot or EMPTY
        self._first.wait(self._patience_s())
        return self.be_ready()

    def _patience_s(self) -> float:
        if self.snapshot is not None:
            return _FORKED_S
        has_copy = settings.FLAGS_SNAPSHOT_FILE and Path(settings.FLAGS_SNAPSHOT_FILE).is_file()
        return _FIRST_WITH_COPY_S if has_copy else _FIRST_S

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

    def start(self) -> None:
        """Raises RuntimeError where there can be no thread."""
        with self._swapping:
            if self._thread is None or not self._thread.is_alive():
                self._stopping.clear()
                thread = Thread(target=self._run, name="flags-live", daemon=True)
                self._began_at = time.monotonic()
                thread.start()
                self._thread = thread

    def stop(self) -> None:
        """For tests: end the thread and wait for it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.begin_anew()

    def _run(self) -> None:
        listener = announcements.Listener()
        poll_s = settings.FLAGS_POLL_S
        stopping = self._stopping
        while not stopping.is_set():
            try:
                self._turn(listener, poll_s)
                self._note("thread", None)
            except Exception as error:
                if self._note("thread", repr(error)):
                    logger.exception("The thread that keeps the snapshot current goes on.")
                stopping.wait(poll_s)
        listener.close()
        connection.close()

    def _turn(self, listener: announcements.Listener, poll_s: float) -> None:
        account_facts.database_is_asked()
        if not (self.try_refresh() and self._try_facts()):
            account_facts.database_has_failed()
            connection.close()
        self._first.set()
        forget_ended_threads()
        self._copy()
        reconnects = listener.reconnects
        self._hear(listener, poll_s)
        metrics.RECONNECTS.inc(listener.reconnects - reconnects)
        self.measure()

    def _hear(self, listener: announcements.Listener, poll_s: float) -> None:
        """Until a revision is announced or it is time to poll."""
        deadline = time.monotonic() + poll_s
        while (left := deadline - time.monotonic()) > 0 and not self._stopping.is_set():
            heard = listener.wait(left) if settings.FLAGS_REDIS_URL else None
            self._note("announcements", listener.error)
            if not heard:
                self._stopping.wait(max(deadline - time.monotonic(), 0))
            for channel, text in heard or ():
                if channel == announcements.PUBLISHED:
                    return
                account_facts.hear(text)
            if heard and not self._try_facts():
                return

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
        except DatabaseFault as error:
            fault, has_answered = str(error).strip().partition("\n")[0], False
        except Exception as error:
            fault, has_answered = repr(error), False
            if self._note("database", fault):
                logger.exception("The snapshot cannot be refreshed.")
        self._note("database", fault)
        return has_answered

    def _try_facts(self) -> bool:
        fault: str | None = None
        try:
            account_facts.keep_current()
        except DatabaseFault as error:
            fault = str(error).strip().partition("\n")[0]
        self._note("facts", fault)
        return fault is None

    def try_refresh_soon(self) -> None:
        """The same, where nobody is at it already for longer."""
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
        account_facts.database_has_answered()
        self._checked_at = time.monotonic()
        try:
            self._take(head)
        finally:
            account_facts.hear_changes()
        is_pending = head.version != head.published or not head.published
        if not is_pending:
            self._note("publishing", None)
        elif head.version != self._refused and uncommitted() is None:
            if self.snapshot is not None:
                self._first.set()
            fault = publishing.publish_pending()
            self._refused = head.version if fault else None
            self._note("publishing", fault and f"Unpublished changes: {fault}")
            self._take(_head())

    def _take(self, head: Head) -> None:
        if head.published != self._token or self._is_of_elsewhere():
            self._load(head.published)

    def _is_of_elsewhere(self) -> bool:
        return self.snapshot is None or self.snapshot.source is not Source.DATABASE

    def _load(self, token: str) -> None:
        """Take the newest revision that can be used; raises UnusableRevision where one cannot."""
        before = self.snapshot
        least = before.number if before and before.number is not None else 0
        rows = list(Revision.objects.values_list("number", "checksum")[:_LOOKED_BACK])
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
                    now = {"source": Source.DATABASE, **snapshot.waffle_rows()}
                    self._put(after := before._replace(**now))
                    self._tell(before, after)
                break
            tried_at, error = self._unusable.get((number, checksum), (0.0, None))
            if error is None or time.monotonic() - tried_at > _TRIED_S:
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
        row, rows = publishing.revision(number), snapshot.waffle_rows()
        with _collector:
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

    def _copy(self) -> None:
        """Keep the newest on disk, where that is wanted and nobody else is at it."""
        taken = self._uncopied
        if taken is None or not settings.FLAGS_SNAPSHOT_FILE:
            return
        try:
            path = Path(settings.FLAGS_SNAPSHOT_FILE)
            snapshot_file.write(path, *taken, newest=self._newest or 0)
        except BlockingIOError:
            return
        except OSError as error:
            self._note("copy", f"The copy on disk cannot be written: {error}")
        else:
            if self._uncopied is taken:
                self._uncopied = None
            self._note("copy", None)

    def _read_copy(self) -> Snapshot | None:
        if not settings.FLAGS_SNAPSHOT_FILE:
            return None
        try:
            return snapshot.of_copy(Path(settings.FLAGS_SNAPSHOT_FILE))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as fault:
            self._note("copy", str(fault))
            return None

    def _note(self, what: str, fault: str | None) -> bool:
        """Whether that is news."""
        is_news = self._faults.get(what) != fault
        if is_news and fault is None:
            self._faults.pop(what, None)
            logger.warning("Over: %s", what)
        elif is_news and fault is not None:
            self._faults[what] = fault
            logger.warning("%s: %s", what, fault)
        return is_news

    def measure(self) -> None:
        """Told here, so that nothing is counted under a lock where questions are answered."""
        status = self.status()
        if status.number is not None:
            metrics.revision().set(status.number)
        if status.age_s is not None:
            metrics.checked_at().set(time.time() - status.age_s)
        for source in Source:
            metrics.SOURCE.labels(source).set(source is status.source)
        with self._swapping:
            (hits, misses), before = account_facts.numbers(), self._measured
            self._measured = (hits, misses)
        metrics.FACTS_HITS.inc(hits - before[0])
        metrics.FACTS_MISSES.inc(misses - before[1])

    def status(self) -> Status:
        serving = self.snapshot or EMPTY
        age_s = None if self._checked_at is None else time.monotonic() - self._checked_at
        behind = max((self._newest or 0) - (serving.number or 0), 0)
        faults = dict(self._faults)
        silent_s = time.monotonic() - (self._checked_at or self._began_at)
        if self._thread is not None and silent_s > self._silent_s():
            faults.setdefault("database", f"It has not answered for {silent_s:.0f} s.")
        error = "; ".join(f"{what}: {fault}" for what, fault in faults.items())
        return Status(serving.number, serving.source, age_s, behind, error or None)

    @staticmethod
    def _silent_s() -> float:
        return float(max(_SILENT_S, 10 * settings.FLAGS_POLL_S))


_process = _Process()
os.register_at_fork(after_in_child=_process.begin_anew)


class _Own(local):
    """A thread's view of its open transaction, as of its last change."""

    mark: object = None
    snapshot: Snapshot | None = None


_own = _Own()


def current() -> Snapshot:
    """What is in force in this process. A transaction that has changed it sees its own."""
    if changing:
        mark = uncommitted()
        if mark is not None:
            return _of_transaction(mark)
        _own.mark = _own.snapshot = None
    return _process.ready or _process.begin()


def _of_transaction(mark: object) -> Snapshot:
    if _own.mark is not mark or _own.snapshot is None:
        before = _process.ready or _process.begin()
        try:
            _own.snapshot = snapshot.of_tables(before)
        except DocumentError as error:
            logger.error("This transaction's changes do not check:\n%s", error)  # noqa: TRY400
            _own.snapshot = before
        _own.mark = mark
    return _own.snapshot


def at_revision(number: int) -> Snapshot:
    """A revision as a snapshot, waffle's rows apart: the one in force, or one query, kept for more.

    Raises UnknownRevision, UnusableRevision.
    """
    if type(number) is not int:
        raise UnknownRevision(number)
    now = current()
    if now.number == number:
        return now
    kept = _older.get(number)
    try:
        checksum = Revision.objects.values_list("checksum", flat=True).filter(pk=number).first()
    except DatabaseFault:
        if kept is None:
            raise
        return kept
    if kept is not None and kept.checksum == checksum:
        return kept
    found = snapshot.of_revision(publishing.revision(number), now)
    for old in [*_older][: 1 - _OLDER_KEPT]:
        _older.pop(old, None)
    _older[number] = found
    return found


_OLDER_KEPT: Final = 4
_older: dict[int, Snapshot] = {}


def snapshot_status() -> Status:
    return _process.status()


def measure() -> None:
    """Have the metrics say what is so now."""
    current()
    _process.measure()


def begin() -> None:
    """Have the thread run where it would not by itself: in tests."""
    _process.start()
    _process._first.wait(_FIRST_S)
    _process.be_ready()


def forget() -> None:
    """Be as a process that has not begun: for tests."""
    _process.stop()
    _process.forget()
    _own.mark = _own.snapshot = None


def published(**_signal: object) -> None:
    """A revision has just been committed by this thread: tell the others, and be current.

    Where another thread has been at the database for long, it becomes current when that is done.
    """
    announcements.send(announcements.PUBLISHED, "")
    if _process.ready is not None:
        _process.try_refresh_soon()


def listen(listener: Listener) -> None:
    """Have it called after each change, in the thread that meets the change first."""
    _process.listeners.append(listener)


def stop_listening(listener: Listener) -> None:
    _process.listeners.remove(listener)


def _has_thread() -> bool:
    """Not in tests, where the database is the test's own: `begin()` starts it there."""
    return not hasattr(mail, "outbox")


def _head() -> Head:
    return Head.objects.filter(pk=Head.PK).first() or Head(pk=Head.PK, version="", published="")
