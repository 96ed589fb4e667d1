"""The daemon thread that keeps this process current: by a poll, and by announcements of Redis."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from flags import announcements, metrics
from flags.accounts import lookup
from flags.accounts.cache import cache
from flags.live.process import Process
from flags.live.snapshot import EMPTY, Snapshot
from flags.models.pending import forget_ended_threads

logger = logging.getLogger(__name__)

# How long the first question waits for the database, and where there is a copy on disk or a
# snapshot of before a fork.
FIRST_S: Final = 10.0
_FIRST_WITH_COPY_S: Final = 2.0
_FORKED_S: Final = 1.0


class SnapshotThread:
    """Starts the thread with the first question, after a fork too, and runs it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._health = process.health
        self._reset()

    def _reset(self) -> None:
        self._thread: Thread | None = None
        self._starting = Lock()
        self._stopping = Event()

    def reset_after_fork(self) -> None:
        self._process.reset_after_fork()
        self._reset()

    def begin(self) -> Snapshot:
        """What the first question is answered from; FLAGS_THREAD says whether a thread follows."""
        process = self._process
        if not settings.FLAGS_THREAD:
            if process.snapshot is None:
                process.try_refresh()
            return process.be_ready()
        try:
            self.start()
        except RuntimeError as error:  # the machine has no thread to give
            self._health.note("thread", str(error))
            process.try_refresh()
            return process.snapshot or EMPTY
        process.first.wait(self._patience_s())
        return process.be_ready()

    def _patience_s(self) -> float:
        if self._process.snapshot is not None:
            return _FORKED_S
        has_copy = settings.FLAGS_SNAPSHOT_FILE and Path(settings.FLAGS_SNAPSHOT_FILE).is_file()
        return _FIRST_WITH_COPY_S if has_copy else FIRST_S

    def start(self) -> None:
        """Raises RuntimeError where there can be no thread."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._stopping.clear()
                thread = Thread(target=self._run, name="flags-live", daemon=True)
                self._health.thread_begins()
                thread.start()
                self._thread = thread
                self._process.has_thread = True

    def stop(self) -> None:
        """For tests: end the thread and wait for it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.reset_after_fork()

    def _run(self) -> None:
        listener = announcements.Listener()
        poll_s = settings.FLAGS_POLL_S
        stopping = self._stopping
        while not stopping.is_set():
            try:
                self._turn(listener, poll_s)
                self._health.note("thread", None)
            except Exception as error:
                if self._health.note("thread", repr(error)):
                    logger.exception("The thread that keeps the snapshot current goes on.")
                stopping.wait(poll_s)
        listener.close()
        connection.close()

    def _turn(self, listener: announcements.Listener, poll_s: float) -> None:
        process = self._process
        cache.has_thread = True
        self._health.database_is_asked()
        if not (process.try_refresh() and self._try_facts()):
            self._health.database_has_failed()
            connection.close()
        process.first.set()
        forget_ended_threads()
        process.write_copy()
        reconnects = listener.reconnects
        self._hear(listener, poll_s)
        metrics.RECONNECTS.inc(listener.reconnects - reconnects)
        process.measure()

    def _hear(self, listener: announcements.Listener, poll_s: float) -> None:
        """Until a revision is announced or it is time to poll."""
        deadline_s = time.monotonic() + poll_s
        while (left_s := deadline_s - time.monotonic()) > 0 and not self._stopping.is_set():
            heard = listener.wait(left_s) if settings.FLAGS_REDIS_URL else None
            self._health.note("announcements", listener.error)
            if not heard:
                self._stopping.wait(max(deadline_s - time.monotonic(), 0))
            for channel, text in heard or ():
                if channel == announcements.PUBLISHED:
                    return
                cache.mark_stale(text)
            if heard and not self._try_facts():
                return

    def _try_facts(self) -> bool:
        """Read again what has become stale of accounts; whether the database could be asked."""
        fault: str | None = None
        try:
            keys = lookup.keys_to_read()
            if keys:
                self._health.database_is_asked()
                lookup.read_again(keys)
                self._health.database_has_answered()
        except DatabaseError as error:
            fault = str(error).strip().partition("\n")[0]
        self._health.note("facts", fault)
        return fault is None
