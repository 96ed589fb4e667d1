"""The last known good document on disk: checksummed, replaced whole, never by an older one."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final

_MAGIC: Final = b"flags-snapshot-1"


class DamagedCopy(ValueError):
    """The file is not what was written."""


def write(path: Path, number: int, text: str) -> bool:
    """Whether it was written: not in place of a newer one. Raises OSError, with the old one kept.

    A process that is killed meanwhile leaves at most a file beside it, which the next one takes.
    """
    body = text.encode()
    fresh = path.with_name(path.name + ".new")
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = hashlib.sha256(body).hexdigest().encode()
        kept = _kept(path)
        if kept is not None and (kept[0] > number or kept == (number, text)):
            return False
        try:
            with fresh.open("wb") as file:
                file.write(b"%s %d %s\n" % (_MAGIC, number, digest))
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
    return True


def read(path: Path) -> tuple[int, str]:
    """The number and the text; raises OSError and DamagedCopy."""
    head, _, body = path.read_bytes().partition(b"\n")
    match head.split(b" "):
        case [magic, number, digest] if magic == _MAGIC and number.isdigit():
            if hashlib.sha256(body).hexdigest().encode() == digest:
                return int(number), body.decode()
    message = f"{path} is damaged; it cannot be used."
    raise DamagedCopy(message)


def _kept(path: Path) -> tuple[int, str] | None:
    try:
        return read(path)
    except (OSError, DamagedCopy):
        return None
