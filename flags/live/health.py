"""How current this process is: what stands in the way, and whether the database answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from django.conf import settings

from flags.live.snapshot import Source

logger = logging.getLogger(__name__)

# A database that has not answered the thread for so long: nobody else waits for it. The thread's
# queries are small.
_NOBODY_WAITS_S: Final = 2.0
# A database that has not answered for so long is reported as hanging.
_REPORTED_S: Final = 5.0


class Status(NamedTuple):
    """How current this process is: `behind` counts revisions that are known and not in force.

    `age_s` is how long ago the database last said what is newest; None: never. `faults` are
    sentences by what is at fault, of which some name hosts and files; `error` is all of them.
    """

    number: int | None
    source: Source
    age_s: float | None
    behind: int
    error: str | None
    faults: Mapping[str, str]

    @property
    def is_serving(self) -> bool:
        return self.source is not Source.NOTHING


class Health:
    """What this process knows of its own faults and of the database."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._faults: dict[str, str] = {}
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        # Moments of time.monotonic(): when the database last said what is newest, since when the
        # thread waits for an answer, and when the thread was started.
        self.checked_at_s: float | None = None
        self._asked_at_s: float | None = None
        self._began_at_s = time.monotonic()

    def note(self, what: str, fault: str | None) -> bool:
        """Record a fault, or with None that it is over; whether that is news, which is logged."""
        is_news = self._faults.get(what) != fault
        if is_news and fault is None:
            self._faults.pop(what, None)
            logger.warning("Over: %s", what)
        elif is_news and fault is not None:
            self._faults[what] = fault
            logger.warning("%s: %s", what, fault)
        return is_news

    def thread_begins(self) -> None:
        self._began_at_s = time.monotonic()

    def database_is_asked(self) -> None:
        if self._asked_at_s is None:
            self._asked_at_s = time.monotonic()

    def database_has_answered(self) -> None:
        self._asked_at_s = None

    def newest_is_known(self) -> None:
        """The database has said which revision is newest."""
        self.database_has_answered()
        self.checked_at_s = time.monotonic()

    def database_has_failed(self) -> None:
        """If it has not answered: then nobody else need try before the thread has."""
        if self._asked_at_s is not None:
            self._asked_at_s = float("-inf")

    def is_database_silent(self) -> bool:
        """Whether the database is known to be down or to hang."""
        asked_at_s = self._asked_at_s
        return asked_at_s is not None and time.monotonic() - asked_at_s > _NOBODY_WAITS_S

    @property
    def age_s(self) -> float | None:
        return None if self.checked_at_s is None else time.monotonic() - self.checked_at_s

    def faults(self, *, has_thread: bool) -> Mapping[str, str]:
        """Every fault, and that the thread gets no answer."""
        faults = dict(self._faults)
        silent_s = time.monotonic() - (self.checked_at_s or self._began_at_s)
        if has_thread and silent_s > max(_REPORTED_S, 10 * settings.FLAGS_POLL_S):
            faults.setdefault("database", f"It has not answered for {silent_s:.0f} s.")
        return faults
