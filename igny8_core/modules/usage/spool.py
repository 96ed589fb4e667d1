"""Entries of the ledger on disk while the database is away: one file a process, drained in order.

An entry is on the disk before `append` comes back. A file is drained under its lock, by whatever
process comes first, and goes once every entry of it is in the database.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final
from uuid import uuid4

from django.conf import settings

from igny8_core.errors import AIError

logger = logging.getLogger(__name__)

Entry = dict[str, Any]
_SUFFIX: Final = ".jsonl"


def text_of(entry: Entry) -> str:
    """As JSON; moments to the microsecond, by which a receipt is known again."""
    return json.dumps(entry, default=_told)


def _told(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


class SpoolUnusable(AIError):
    """Neither the database nor the disk takes an entry."""

    code = "spool_unusable"

    def __init__(self, why: str) -> None:
        super().__init__(f"The ledger's spool takes no entry: {why}.")


class _Own:
    """The file of this process."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.name = f"{os.getpid()}-{uuid4().hex}{_SUFFIX}"


_own = _Own()
os.register_at_fork(after_in_child=_own.__init__)  # type: ignore[misc]


def append(entry: Entry) -> None:
    """The entry is on the disk when this comes back. Raises SpoolUnusable."""
    line = text_of(entry).encode() + b"\n"
    try:
        folder = _folder()
        if sum(map(_size, files())) + len(line) > settings.AI_SPOOL_MOST_BYTES:
            raise SpoolUnusable(f"it has {settings.AI_SPOOL_MOST_BYTES:,} bytes already")
        with _own.lock, _locked(folder / _own.name) as file:
            file.seek(0, os.SEEK_END)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            _sync_folder(folder)
    except OSError as error:
        raise SpoolUnusable(f"{type(error).__name__}: {error.strerror}") from error


def drain(settle: Callable[[Entry], None]) -> int:
    """Hand over every entry, file by file, and forget it; how many there were.

    What `settle` raises leaves the rest of that file for the next time, this entry at its head.
    """
    count = 0
    for path in sorted(files(), key=_begun):
        with _locked(path, is_waiting=False) as file:
            if file is not None:
                count += _drain(path, file, settle)
    return count


def _drain(path: Path, file: Any, settle: Callable[[Entry], None]) -> int:
    file.seek(0)
    lines = file.readlines()
    done = 0
    try:
        for line in lines:
            if line.endswith(b"\n"):  # else its process was killed in the middle of it
                settle(json.loads(line))
            else:
                logger.error("An entry of %s is not whole: %r", path.name, line)
            done += 1
    finally:
        if done == len(lines):
            path.unlink()
        elif done:
            _replace(path, lines[done:])
    return done


def _replace(path: Path, lines: Iterable[bytes]) -> None:
    """Whole or not at all: whoever waits for the lock of the old file finds that it is gone."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync_folder(path.parent)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # drained meanwhile
        return 0


def _begun(path: Path) -> float:
    try:
        return path.stat().st_ctime
    except FileNotFoundError:
        return 0


def is_empty() -> bool:
    return not any(True for _ in files())


def _folder() -> Path:
    """Nobody else on the machine may read it."""
    folder = Path(settings.AI_SPOOL)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def files() -> Iterator[Path]:
    return Path(settings.AI_SPOOL).glob(f"*{_SUFFIX}")


@contextmanager
def _locked(path: Path, *, is_waiting: bool = True) -> Iterator[Any]:
    """The file, made where it is missing.

    Not `is_waiting`: None where another process has it, and where it is gone.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if is_waiting else 0), 0o600)
        except FileNotFoundError:
            yield None
            return
        with os.fdopen(descriptor, "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
            except BlockingIOError:
                yield None
                return
            if os.fstat(file.fileno()).st_nlink:
                yield file
                return
        if not is_waiting:  # it was drained meanwhile
            yield None
            return


def _sync_folder(folder: Path) -> None:
    """So that the file's name outlives the machine, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
