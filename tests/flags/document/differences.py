"""Applies differences: what `diff` found leads from one document to the other."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from flags.document.diff import ABSENT, Difference


def applied(document: Mapping[str, Any], changes: Iterable[Difference]) -> dict[str, Any]:
    """The document with the changes made; raises KeyError, IndexError for another's changes."""
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for change in changes:
        where: Any = changed
        for part in change.path[:-1]:
            where = where[part]
        if change.after is ABSENT:
            del where[change.path[-1]]
        else:
            where[change.path[-1]] = copy.deepcopy(change.after)
    return changed
