"""The last known good document on disk: checksummed, and replaced whole."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from pathlib import Path
from typing import IO, Final

_MAGIC: Final = b"flags-snapshot-2"


class DamagedCopy(ValueError):
    """The file is not what was written."""


class NoRegularFile(OSError):
    """A pipe, a device or a folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is no regular file; it is not used.")


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
            with _opened(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
                file.write(b"%s %d %s\n" % (_MAGIC, number, _digest(number, body)))
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _opened(path: Path, flags: int) -> IO[bytes]:
    """A regular file that only its owner can read; raises OSError.

    A link is not followed: it may point at what another user wants to have read or overwritten. A
    pipe is not waited for.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode=0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NoRegularFile(path)
        if flags & os.O_WRONLY and stat.S_IMODE(found.st_mode) != 0o600:  # noqa: PLR2004
            os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "wb" if flags & os.O_WRONLY else "rb")


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
