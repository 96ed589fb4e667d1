"""The facts about accounts that this process keeps: bounded, and invalidated when they change."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

from django.conf import settings

from flags.accounts.facts import Facts

# All accounts, where one is named.
ALL_ACCOUNTS: Final = ""
# Two special values of `fresh_until_us`. READ_FIRST: the next caller must read the facts again.
# STALE: they are served while the thread reads them again.
READ_FIRST: Final = 0
STALE: Final = 1
# Accounts are counted in so many parts, by the hash of their keys.
_PARTS: Final = 256
_FAULTS_KEPT: Final = 1_000


class FactsCache:
    """A newer and an older half; what is asked for moves to the newer one.

    Looking into the newer half takes no lock; every change of the halves holds one.
    """

    def __init__(self) -> None:
        self.hits = self.misses = 0
        # How long facts are fresh: what the setting said when facts were last read.
        self.ttl_us = 0
        # How many accounts are kept at most: likewise.
        self.most = 0
        # How often accounts of a part were invalidated: what was read meanwhile is not kept.
        self._invalidations = [0] * _PARTS
        # Whether the database is known to be down or to hang; the thread replaces this.
        self.is_database_silent: Callable[[], bool] = lambda: False
        self.clear()
        self.reset_after_fork()

    def clear(self) -> None:
        self.newer: dict[str, Facts] = {}
        self.older: dict[str, Facts] = {}
        # Why the database could not be read last time, and why some accounts could not.
        self.fault: str | None = None
        self._unreadable: dict[str, str] = {}

    def reset_after_fork(self) -> None:
        """In the child nobody will release the lock, and there is no thread."""
        self._lock = Lock()
        # Whether a thread reads stale facts again, and the keys of those that it is to read.
        self.has_thread = False
        self.to_read: dict[str, None] = {}

    def is_news(self, key: str, fault: str) -> bool:
        """Whether the account had another fault before, or none that is remembered."""
        if len(self._unreadable) >= _FAULTS_KEPT:
            self._unreadable.clear()
        before, self._unreadable[key] = self._unreadable.get(key), fault
        return before != fault

    def find(self, key: str) -> Facts | None:
        facts = self.newer.get(key)
        if facts is None and key in self.older:
            with self._lock:
                facts = self.newer.get(key) or self.older.get(key)
                if facts is not None:
                    self._put(key, facts)
        return facts

    def invalidations(self, key: str) -> int:
        """How often an account of the key's part was invalidated: to be asked before reading."""
        return self._invalidations[hash(key) % _PARTS]

    def keep(self, key: str, facts: Facts, invalidations: int) -> bool:
        """Keep facts that were read, unless they were invalidated meanwhile; whether they are."""
        with self._lock:
            is_kept = invalidations == self.invalidations(key)
            if is_kept:
                self._put(key, facts)
            return is_kept

    def _put(self, key: str, facts: Facts) -> None:
        self.most = settings.FLAGS_FACTS_KEPT
        if len(self.newer) >= self.most // 2:
            self.older, self.newer = self.newer, {}
        self.newer[key] = facts

    def invalidate(self, key: str) -> None:
        """The next caller reads again. The old facts stay for when the database cannot be read."""
        self._mark(key, READ_FIRST)

    def mark_stale(self, key: str) -> None:
        """Another process has changed the account: the facts serve until the thread has read."""
        self._mark(key, STALE)
        if key in self.newer or key in self.older:
            self.want(key)

    def want(self, key: str) -> None:
        """Have the thread read an account, unless as many wait as are kept: it is asked again."""
        if len(self.to_read) <= self.most:
            self.to_read[key] = None

    def _mark(self, key: str, fresh_until_us: int) -> None:
        with self._lock:
            for part in range(_PARTS) if key == ALL_ACCOUNTS else [hash(key) % _PARTS]:
                self._invalidations[part] += 1
            for half in (self.newer, self.older):
                if key == ALL_ACCOUNTS:
                    for facts in half.values():
                        facts.fresh_until_us = min(facts.fresh_until_us, fresh_until_us)
                elif key in half:
                    half[key].fresh_until_us = min(half[key].fresh_until_us, fresh_until_us)

    def is_fresh(self, facts: Facts, now_us: int) -> bool:
        """Where the clock has stepped back, no facts are known to be fresh."""
        return 0 < facts.fresh_until_us - now_us <= self.ttl_us

    def numbers(self) -> tuple[int, int]:
        """How many facts were in the cache, and how many had to be read."""
        return self.hits, self.misses


cache: Final = FactsCache()
