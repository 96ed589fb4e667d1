"""What waits on the disk for the database, for `/readyz`."""

from __future__ import annotations

import time
from typing import NamedTuple

from igny8_core.modules.usage import spool


class Status(NamedTuple):
    """`age_s`: since the file that waits longest was written last."""

    entries: int
    age_s: float


def status() -> Status:
    """Reads the files."""
    entries, written_s = 0, time.time()
    for path in spool.files():
        try:
            written_s = min(written_s, path.stat().st_mtime)
            entries += path.read_bytes().count(b"\n")
        except FileNotFoundError:  # drained meanwhile
            continue
    return Status(entries, round(max(time.time() - written_s, 0), 1))
