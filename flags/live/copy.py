"""The last known good document on disk: checksummed, and replaced whole."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final

_MAGIC: Final = b"flags-snapshot-2"


class DamagedCopy(ValueError):
    """The file is not what was written."""


def write(path: Path, number: int, text: str, *, newest: int) -> None:
    """Not in place of a newer one, unless that is newer than the database's `newest`.

    Raises BlockingIOError while another process is at it, and OSError, with the old one kept. A
    process that is killed meanwhile leaves at most a file beside it, which the next one takes.
    """
    body = text.encode()
    fresh = path.with_name(path.name + ".new")
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kept = _kept(path)
        if kept is not None and (kept == (number, text) or number < kept[0] <= newest):
            return
        try:
            with fresh.open("wb") as file:
                file.write(b"%s %d %s\n" % (_MAGIC, number, _digest(number, body)))
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


def _digest(number: int, body: bytes) -> bytes:
    return hashlib.sha256(b"%d\n%s" % (number, body)).hexdigest().encode()


def read(path: Path) -> tuple[int, str]:
    """The number and the text; raises OSError and DamagedCopy."""
    head, _, body = path.read_bytes().partition(b"\n")
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
