"""Two documents side by side: what differs, as a page shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from flags.document import diff
from flags.document.diff import Difference
from flags.document.stored import UnusableRevision, content
from flags.models import Revision

_MAX_RAW = 500


def content_or_fault(row: Revision) -> tuple[Any, str | None]:
    """The document, or why there is none."""
    try:
        return content(row), None
    except UnusableRevision as error:
        return None, str(error)


def raw_differences(before: Any, after: Any) -> list[dict[str, str]]:
    """Each change by its path, the values as JSON."""
    if before is None or after is None:
        return []
    return [
        {
            name: _json(value) if name != "path" else value
            for name, value in difference.to_json().items()
        }
        for difference in _first(diff.diff(before, after))
    ]


def _first(found: Iterable[Difference]) -> list[Difference]:
    return list(found)[:_MAX_RAW]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
