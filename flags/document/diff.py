"""What differs between two documents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from flags.engine.problems import pointer

Json = Mapping[str, Any]
Path = tuple[str | int, ...]


class _Absent:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Final = _Absent()


class Difference(NamedTuple):
    """At the path, `before` became `after`; either may be ABSENT."""

    path: Path
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        """For `--json`; what is absent is left out."""
        sides = {"before": self.before, "after": self.after}
        told = {side: value for side, value in sides.items() if value is not ABSENT}
        return {"path": pointer(self.path), **told}


def diff(before: Json, after: Json) -> list[Difference]:
    """What leads from one document to the other; their numbers do not count."""
    sides = [{key: each[key] for key in each if key != "number"} for each in (before, after)]
    return list(differences(sides[0], sides[1], ()))


def differences(before: Any, after: Any, path: Path) -> Iterator[Difference]:
    """What differs below `path`, one entry for each value that was added, removed or changed."""
    if len(path) in _WHOLE and _text(before) == _text(after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            old, new = before.get(key, ABSENT), after.get(key, ABSENT)
            if old is ABSENT or new is ABSENT:
                yield Difference((*path, key), old, new)
            else:
                yield from differences(old, new, (*path, key))
    elif _is_alike(before, after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, (*path, index))
    elif _text(before) != _text(after):
        yield Difference(path, before, after)


# At these depths stand a flag, a segment, a section; and a section's own things.
_WHOLE: Final = (2, 4)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _is_alike(before: Any, after: Any) -> bool:
    """Whether two lists hold the same things in the same places: rules by id, clauses by number."""
    if not (isinstance(before, list) and isinstance(after, list) and len(before) == len(after)):
        return False
    return bool(before) and all(
        isinstance(old, dict) and isinstance(new, dict) and old.get("id") == new.get("id")
        for old, new in zip(before, after, strict=True)
    )
