"""Entries of the ledger on disk while the database is away: files of each process, drained once.

An entry is on the disk before `append` comes back. Nobody waits for anybody: a writer whose file is
being drained begins another, and who drains passes over a file that is being written.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final
from uuid import uuid4

from django.conf import settings

from igny8_core.modules.usage.errors import SpoolUnusable

logger = logging.getLogger(__name__)

Entry = dict[str, Any]
OPEN: Final = "open"
SETTLE: Final = "settle"
_SUFFIX: Final = ".jsonl"


def text_of(entry: Entry) -> str:
    """As JSON; moments to the microsecond, by which a receipt is known again."""
    return json.dumps(entry, default=_told)


def _told(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


class _Own:
    """The file that this process writes."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.begin_another()

    def begin_another(self) -> None:
        self.name = f"{os.getpid()}-{uuid4().hex}{_SUFFIX}"


_own = _Own()
os.register_at_fork(after_in_child=_own.__init__)  # type: ignore[misc]


def append(entry: Entry) -> None:
    """The entry is on the disk when this comes back. Raises SpoolUnusable.

    A spool that is full takes the end of what was sent, and opens nothing.
    """
    line = text_of(entry).encode() + b"\n"
    try:
        folder = _folder()
        most = settings.AI_SPOOL_MOST_BYTES
        if entry["what"] == OPEN and sum(map(_size, files())) + len(line) > most:
            raise SpoolUnusable(f"it has {most:,} bytes already")
        with _own.lock:
            while not _written(folder / _own.name, line):
                _own.begin_another()
            _sync_folder(folder)
    except OSError as error:
        raise SpoolUnusable(f"{type(error).__name__}: {error.strerror}") from error


def _written(path: Path, line: bytes) -> bool:
    """Whole or not at all; False where another process has the file. Raises OSError."""
    with _locked(path, flags=os.O_CREAT) as file:
        if file is None:
            return False
        length = file.seek(0, os.SEEK_END)
        try:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.ftruncate(file.fileno(), length)
            raise
    return True


def drain(enter: Callable[[Entry], None]) -> int:
    """Hand over every entry, file by file, and forget it; how many there were.

    What `enter` raises leaves the rest of that file for the next time, this entry at its head.
    """
    count = 0
    for path in sorted(files()):
        with _locked(path) as file:
            if file is not None:
                count += _drain(path, file, enter)
    return count


def _drain(path: Path, file: Any, enter: Callable[[Entry], None]) -> int:
    lines = file.readlines()
    done = 0
    try:
        for line in lines:
            entry = _entry_of(line)
            if entry is None:  # its process was killed in the middle of it
                logger.error("An entry of %s is not whole: %r", path.name, line)
            else:
                enter(entry)
            done += 1
    finally:
        if done == len(lines):
            path.unlink()
        elif done:
            _replace(path, lines[done:])
    return done


def _entry_of(line: bytes) -> Entry | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("receipt"), dict) else None


def _replace(path: Path, lines: Iterable[bytes]) -> None:
    """Whole or not at all: whoever finds the old file locked finds it gone afterwards."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync_folder(path.parent)


def is_empty() -> bool:
    return not any(True for _ in files())


def files() -> Iterator[Path]:
    return Path(settings.AI_SPOOL).glob(f"*{_SUFFIX}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # drained meanwhile
        return 0


def _folder() -> Path:
    """Nobody else on the machine may read it."""
    folder = Path(settings.AI_SPOOL)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def _locked(path: Path, flags: int = 0) -> Iterator[Any]:
    """The file; None where another has it, or where it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | flags, 0o600)
    except FileNotFoundError:
        yield None
        return
    with os.fdopen(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        try:
            yield file if os.fstat(file.fileno()).st_nlink else None
        finally:
            # A child that was forked meanwhile has the file too, and would keep the lock.
            fcntl.flock(file, fcntl.LOCK_UN)


def _sync_folder(folder: Path) -> None:
    """So that the file's name outlives the machine, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
