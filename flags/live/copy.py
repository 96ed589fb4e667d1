"""The last known good document on disk: checksummed, and replaced whole."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from pathlib import Path
from typing import IO, Final

from flags.engine.plain import MAX_BYTES

_MAGIC: Final = b"flags-snapshot-2"
_MOST_BYTES: Final = MAX_BYTES + 1_000


class DamagedCopy(ValueError):
    """The file is not what was written."""


class NotOurFile(OSError):
    """A pipe, a device, a folder, or what another user has written or may write."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}; it is not used.")


def write(path: Path, number: int, text: str, *, newest: int) -> None:
    """Not in place of a newer one, unless that is newer than the database's `newest`.

    Raises BlockingIOError while another process is at it, and OSError, with the old one kept. A
    process that is killed meanwhile leaves at most a file beside it, which the next one takes.
    """
    body = text.encode()
    fresh = path.with_name(path.name + ".new")
    with _opened(path.with_name(path.name + ".lock"), os.O_WRONLY | os.O_CREAT) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kept = _kept(path)
        if kept is not None and (kept == (number, text) or number < kept[0] <= newest):
            return
        try:
            with _opened(fresh, os.O_WRONLY | os.O_CREAT) as file:
                file.write(b"%s %d %s\n" % (_MAGIC, number, _digest(number, body)))
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _opened(path: Path, flags: int) -> IO[bytes]:
    """A regular file of this user's, which nobody else can write; raises OSError.

    A link is not followed: it may point at what another user wants to have read or overwritten. A
    pipe is not waited for. What is opened for writing is emptied, and nobody else can read it.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode=0o600)
    try:
        found = os.fstat(descriptor)
        fault = _fault_of(found)
        if fault:
            raise NotOurFile(path, fault)
        if flags & os.O_WRONLY:
            os.ftruncate(descriptor, 0)
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "wb" if flags & os.O_WRONLY else "rb")


def _fault_of(found: os.stat_result) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if found.st_uid not in {0, os.geteuid()}:
        return f"belongs to another user, number {found.st_uid}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_nlink > 1:
        return "can be written by other users"
    if found.st_size > _MOST_BYTES:
        return f"has {found.st_size:,} bytes, more than any copy"
    return None


def _digest(number: int, body: bytes) -> bytes:
    return hashlib.sha256(b"%d\n%s" % (number, body)).hexdigest().encode()


def read(path: Path) -> tuple[int, str]:
    """The number and the text; raises OSError and DamagedCopy."""
    with _opened(path, os.O_RDONLY) as file:
        head, _, body = file.read().partition(b"\n")
    match head.split(b" "):
        case [magic, number, digest] if magic == _MAGIC and number.isdigit():
            if _digest(int(number), body) == digest:
                return int(number), body.decode()
    message = f"{path} is damaged; it cannot be used."
    raise DamagedCopy(message)


def _kept(path: Path) -> tuple[int, str] | None:
    try:
        return read(path)
    except (OSError, ValueError):
        return None
