"""The snapshot of this process: the newest revision, compiled, swapped whole, never backwards.

The answer is at hand: no query, no lock, no settings. One daemon thread keeps it current, by a poll
and, where there is Redis, by announcements. It starts with the first question, after a fork too.
"""

from __future__ import annotations

import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from threading import Event, RLock, Thread, local
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.core import mail
from django.db import Error as DatabaseFault
from django.db import connection

from flags import account_facts, announcements, export, metrics, publishing, snapshot_file
from flags.engine import Document, DocumentError, Ruleset, compile  # noqa: A004  (the word for it)
from flags.publishing import OlderRevision, UnusableRevision
from flags.rows import AbstractFlag, Head, Revision, flag_model, thread_marks, uncommitted
from flags.sections import sections

logger = logging.getLogger(__name__)

# How long the first question waits for the database before it takes what is on disk.
_FIRST_S: Final = 10.0
# How many revisions are tried where the newest cannot be used.
_LOOKED_BACK: Final = 10


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
    source: Source
    ruleset: Ruleset
    sections: Mapping[str, Any]
    flags: Mapping[str, AbstractFlag]
    users: Mapping[int, set[Any]]
    groups: Mapping[int, set[Any]]


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

_EMPTY: Final = Snapshot(
    None,
    Source.NOTHING,
    compile(
        Document(
            schema=1,
            hash="r1",
            number=None,
            traits={},
            segments={},
            flags={},
            switches={},
            sections={},
        )
    ),
    {},
    {},
    {},
    {},
)


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
        self._refused: str | None = None
        self._uncopied: tuple[int, str] | None = None
        self._checked_at: float | None = None
        self._newest: int | None = None
        self._faults: dict[str, str] = {}
        self._measured = account_facts.numbers()
        self.begin_anew()

    def begin_anew(self) -> None:
        """After a fork there is no thread, and no lock that anybody will give back."""
        self.ready = None
        self._lock = RLock()
        self._thread: Thread | None = None
        self._first = Event()
        self._stopping = Event()

    def begin(self) -> Snapshot:
        if _has_thread():
            self.start()
            if self.snapshot is None:
                self._first.wait(_FIRST_S)
        elif self.snapshot is None:
            self.try_refresh()
        snapshot = self.snapshot or self._of_disk()
        self.ready = snapshot
        return snapshot

    def start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._stopping.clear()
                self._thread = Thread(target=self._run, name="flags-live", daemon=True)
                self._thread.start()

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
            if not self.try_refresh():
                connection.close()
            self._first.set()
            self._copy()
            reconnects = listener.reconnects
            self._hear(listener, poll_s)
            if listener.reconnects != reconnects:
                metrics.RECONNECTS.inc()
                account_facts.forget_all()
            self._measure()
        listener.close()
        connection.close()

    def _hear(self, listener: announcements.Listener, poll_s: float) -> None:
        """Until a revision is announced or it is time to poll."""
        deadline = time.monotonic() + poll_s
        while (left := deadline - time.monotonic()) > 0 and not self._stopping.is_set():
            heard = listener.wait(left) if settings.FLAGS_REDIS_URL else None
            self._note("announcements", listener.error)
            if not heard:
                self._stopping.wait(max(deadline - time.monotonic(), 0))
            for channel, text in heard or ():
                if channel == announcements.ACCOUNT:
                    account_facts.forget(text)
                else:
                    return

    def try_refresh(self) -> bool:
        """Become current; what stands in the way is logged once, and said by the status."""
        fault: str | None = None
        try:
            self.refresh()
        except (DatabaseFault, UnusableRevision) as error:
            fault = str(error).strip().partition("\n")[0]
        except Exception as error:
            logger.exception("The snapshot cannot be refreshed.")
            fault = repr(error)
        self._note("database", fault)
        return fault is None

    def refresh(self) -> None:
        """Take the newest revision, where this process has another; publish what is pending.

        One query where nothing has changed, and one for what has changed about accounts.
        """
        with self._lock:
            head = _head()
            is_pending = head.version not in {head.published, self._refused} or not head.published
            if is_pending and uncommitted() is None:
                fault = publishing.publish_pending()
                self._refused = head.version if fault else None
                self._note("publishing", fault and f"Unpublished changes: {fault}")
                head = _head()
            elif head.version == head.published:
                self._note("publishing", None)
            if head.published != self._token or self._is_of_elsewhere():
                self._load(head.published)
            account_facts.hear_changes()
            self._checked_at = time.monotonic()

    def _is_of_elsewhere(self) -> bool:
        return self.snapshot is None or self.snapshot.source is not Source.DATABASE

    def _load(self, token: str) -> None:
        """Take the newest revision that can be used; raises UnusableRevision where one cannot."""
        before = self.snapshot
        least = before.number if before and before.number is not None else 0
        newest = Revision.objects.values_list("number", flat=True).first()
        if newest is None:
            return
        self._newest = newest
        if newest < least:
            raise OlderRevision(newest, least)
        fault: UnusableRevision | None = None
        for number in Revision.objects.values_list("number", flat=True)[:_LOOKED_BACK]:
            if number < least:
                break
            try:
                self._swap(self._loaded(number, before))
            except UnusableRevision as error:
                fault = fault or error
            else:
                break
        if fault is not None:
            raise fault
        self._token = token

    def _loaded(self, number: int, before: Snapshot | None) -> Snapshot:
        if before is not None and before.number == number:
            return before._replace(source=Source.DATABASE, **_waffle_rows())
        started = time.perf_counter()
        row = publishing.revision(number)
        document = publishing.content(row)
        rows = _waffle_rows()
        loaded = time.perf_counter()
        after = _compiled(number, Source.DATABASE, document, before, rows)
        metrics.LOAD_S.observe(loaded - started)
        metrics.COMPILE_S.observe(time.perf_counter() - loaded)
        self._uncopied = (number, row.text)
        return after

    def _swap(self, after: Snapshot) -> None:
        before, self.snapshot = self.snapshot, after
        if self.ready is not None:
            self.ready = after
        for listener in self.listeners:
            try:
                listener(before, after)
            except Exception:
                logger.exception("A listener to changes failed.")

    def _copy(self) -> None:
        """Keep the newest on disk, where that is wanted."""
        if self._uncopied is None or not settings.FLAGS_SNAPSHOT_FILE:
            return
        try:
            snapshot_file.write(Path(settings.FLAGS_SNAPSHOT_FILE), *self._uncopied)
        except OSError as error:
            self._note("copy", f"The copy on disk cannot be written: {error}")
        else:
            self._uncopied = None
            self._note("copy", None)

    def _of_disk(self) -> Snapshot:
        """The copy on disk where there is one that is whole, else nothing."""
        with self._lock:
            if self.snapshot is None:
                snapshot = self._read_copy() or _EMPTY
                if snapshot is not _EMPTY:
                    logger.warning("Serving revision %s from the disk.", snapshot.number)
                self.snapshot = snapshot
            return self.snapshot

    def _read_copy(self) -> Snapshot | None:
        if not settings.FLAGS_SNAPSHOT_FILE:
            return None
        try:
            number, text = snapshot_file.read(Path(settings.FLAGS_SNAPSHOT_FILE))
            document = publishing.document_in(number, text)
            rows = {"flags": export.flag_rows(document), "users": {}, "groups": {}}
            return _compiled(number, Source.DISK, document, None, rows)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as fault:
            self._note("copy", str(fault))
            return None

    def _note(self, what: str, fault: str | None) -> None:
        if fault is None:
            if self._faults.pop(what, None) is not None:
                logger.warning("Over: %s", what)
        elif self._faults.get(what) != fault:
            self._faults[what] = fault
            logger.warning("%s: %s", what, fault)

    def _measure(self) -> None:
        """Told here, so that nothing is counted under a lock where questions are answered."""
        status = self.status()
        metrics.REVISION.set(status.number or 0)
        metrics.AGE_S.set(-1 if status.age_s is None else status.age_s)
        hits, misses = account_facts.numbers()
        metrics.FACTS_HITS.inc(hits - self._measured[0])
        metrics.FACTS_MISSES.inc(misses - self._measured[1])
        self._measured = (hits, misses)

    def status(self) -> Status:
        snapshot = self.snapshot or _EMPTY
        age_s = None if self._checked_at is None else time.monotonic() - self._checked_at
        behind = max((self._newest or 0) - (snapshot.number or 0), 0)
        error = "; ".join(f"{what}: {fault}" for what, fault in self._faults.items())
        return Status(snapshot.number, snapshot.source, age_s, behind, error or None)


_process = _Process()
os.register_at_fork(after_in_child=_process.begin_anew)


class _Own(local):
    """A thread's view of its open transaction, as of its last change."""

    mark: object = None
    snapshot: Snapshot | None = None


_own = _Own()


def current() -> Snapshot:
    """What is in force in this process. A transaction that has changed it sees its own."""
    if thread_marks.is_set:
        mark = uncommitted()
        if mark is not None:
            return _of_transaction(mark)
    return _process.ready or _process.begin()


def snapshot_status() -> Status:
    return _process.status()


def begin() -> None:
    """Have the thread run where it would not by itself: in tests."""
    _process.start()
    _process._first.wait(_FIRST_S)
    _process.ready = _process.snapshot or _process._of_disk()


def forget() -> None:
    """Be as a process that has not begun: for tests."""
    _process.stop()
    _process.forget()
    _own.mark = _own.snapshot = None


def published(**_signal: object) -> None:
    """A revision has just been committed by this thread: be current, and tell the others."""
    if _process.ready is not None:
        _process.try_refresh()
    number = _process.snapshot.number if _process.snapshot else None
    announcements.send(announcements.PUBLISHED, str(number))


def listen(listener: Listener) -> None:
    """Have it called after each change, in the thread that meets the change first."""
    _process.listeners.append(listener)


def stop_listening(listener: Listener) -> None:
    _process.listeners.remove(listener)


def _has_thread() -> bool:
    """Not in tests, where the database is the test's own: `begin()` starts it there."""
    return settings.FLAGS_POLL_S > 0 and not hasattr(mail, "outbox")


def _head() -> Head:
    return Head.objects.filter(pk=Head.PK).first() or Head(pk=Head.PK, version="", published="")


def _compiled(
    number: int | None,
    source: Source,
    document: Document,
    before: Snapshot | None,
    rows: Mapping[str, Any],
) -> Snapshot:
    """What has not changed since the snapshot before is taken from there."""
    kept = before or _EMPTY
    compiled = {
        name: section.compile(dict(document["sections"][name]), kept.sections.get(name))
        for name, section in sections().items()
        if name in document["sections"]
    }
    return Snapshot(number, source, compile(document, kept.ruleset), compiled, **rows)


def _of_transaction(mark: object) -> Snapshot:
    if _own.mark is not mark or _own.snapshot is None:
        before = _process.ready or _process.begin()
        try:
            _own.snapshot = _of_tables(before)
        except DocumentError as error:
            logger.error("This transaction's changes do not check:\n%s", error)  # noqa: TRY400
            _own.snapshot = before
        _own.mark = mark
    return _own.snapshot


def _of_tables(before: Snapshot) -> Snapshot:
    flags = list(flag_model().objects.prefetch_related("variants", "rules"))
    document = export.checked(export.document_of(flags))
    return _compiled(None, Source.TRANSACTION, document, before, _waffle_rows(flags))


def _waffle_rows(flags: list[AbstractFlag] | None = None) -> dict[str, Any]:
    """What waffle's own calls ask beside the document."""
    if flags is None:
        flags = list(flag_model().objects.prefetch_related("variants"))
    return {
        "flags": {flag.name: flag for flag in flags},
        "users": _members("users"),
        "groups": _members("groups"),
    }


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
