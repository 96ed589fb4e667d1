"""Answers waffle's calls from the snapshot of this process."""

from __future__ import annotations

from copy import copy
from typing import Any

from flags import live
from flags.decisions import decide, decide_for_user, is_active
from flags.models import Flag


def connect() -> None:
    """For `AppConfig.ready()`."""
    Flag.answers = _SnapshotAnswers()


class _SnapshotAnswers:
    """What `flags.models.flag.Answers` asks for."""

    def row(self, name: str) -> Flag | None:
        row = live.current().flags.get(name)
        return None if row is None else _copied(row)

    def rows(self) -> list[Flag]:
        return [_copied(row) for row in live.current().flags.values()]

    def is_active(self, name: str, account: Any) -> bool:
        return is_active(decide(name, account))

    def is_active_for_user(self, name: str, user_id: object) -> bool:
        return is_active(decide_for_user(name, user_id))

    def users(self, flag_pk: int) -> set[Any]:
        return live.current().users.get(flag_pk, set())

    def groups(self, flag_pk: int) -> set[Any]:
        return live.current().groups.get(flag_pk, set())


def _copied(row: Flag) -> Flag:
    """A copy that a caller may change: the snapshot's own row stays as it is."""
    own = copy(row)
    own._state = copy(row._state)
    own._prefetched_objects_cache = {}  # type: ignore[attr-defined]
    return own
