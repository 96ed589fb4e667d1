"""What waits on the disk for the database, for `/readyz`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from igny8_core.modules.usage import spool


class Status(NamedTuple):
    """`age_s`: since the oldest entry's receipt was made."""

    files: int
    entries: int
    bytes: int
    age_s: float


def status() -> Status:
    """Reads the files."""
    found = [lines for path in spool.files() if (lines := _lines(path))]
    begun = [
        datetime.fromisoformat(json.loads(lines[0])["receipt"]["created_at"]) for lines in found
    ]
    age_s = (datetime.now(UTC) - min(begun)).total_seconds() if begun else 0
    return Status(
        len(found),
        sum(len(lines) for lines in found),
        sum(len(line) for lines in found for line in lines),
        round(max(age_s, 0), 1),
    )


def _lines(path: Path) -> list[bytes]:
    """Those that are whole; none where it is gone."""
    try:
        return [line for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
    except FileNotFoundError:
        return []
