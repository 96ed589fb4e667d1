"""Who answers waffle's calls for a flag."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

Row = TypeVar("Row")


class Answers(Protocol[Row]):
    """Set on the flag's class when the app is ready: `flags.waffle`, by this process's snapshot.

    An account is a row of the account model; falsy, the flag is asked about nobody.
    """

    def row(self, name: str) -> Row | None: ...

    def rows(self) -> list[Row]: ...

    def is_active(self, name: str, account: Any) -> bool: ...

    def is_active_for_user(self, name: str, user_id: object) -> bool: ...

    def users(self, flag_pk: int) -> set[Any]: ...

    def groups(self, flag_pk: int) -> set[Any]: ...
