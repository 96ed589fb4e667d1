"""waffle's flag, answering by the engine, and beside it every other row of the app."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from typing import Any, Self

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from waffle.utils import get_setting

from flags import live
from flags.decisions import decide, decide_for_user, is_active
from flags.rows import (
    AbstractFlag,
    AccountOverride,
    Head,
    Kind,
    Revision,
    Rule,
    Segment,
    SegmentMember,
    Trait,
    Variant,
    check_key,
)

__all__ = [
    "AccountOverride",
    "Flag",
    "Head",
    "Revision",
    "Rule",
    "Segment",
    "SegmentMember",
    "Trait",
    "Variant",
]


class Flag(AbstractFlag):
    """What waffle's calls ask: what a request decides, and else the engine, for its account.

    A request's account is its attribute `account`, falsy or missing where there is none.
    """

    class Meta(AbstractFlag.Meta):
        abstract = False

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """A name is a key, too."""
        super().clean_fields(exclude)
        try:
            check_key(self.name)
        except ValidationError as error:
            raise ValidationError({"name": error}) from None

    def clean(self) -> None:
        super().clean()
        if self.percent is not None and self.percent < 0:
            raise ValidationError({"percent": "A percentage is from 0 to 99.9."})
        if self.kind != Kind.BOOL and (self.everyone or self.percent) and not self.active_variant:
            message = "Name the variant that Everyone: Yes and Percent serve."
            raise ValidationError({"active_variant": message})

    @classmethod
    def get(cls, name: str) -> Self:
        """The flag; one that is not in the database where there is none with this name."""
        row = live.current().flags.get(name)
        return cls(name=name) if row is None else _own(row)

    @classmethod
    def get_all(cls) -> list[Self]:
        return [_own(row) for row in live.current().flags.values()]

    def is_active_for_account(self, account: Any) -> bool:
        """Whether the account has it, as the engine decides; no request is asked."""
        if not self.pk:
            return bool(get_setting("FLAG_DEFAULT"))
        return is_active(decide(self.name, account))

    def is_active_for_user(self, user: AbstractBaseUser) -> bool | None:
        fixed = self._for_everyone()
        return super().is_active_for_user(user) if fixed is None else fixed

    def is_active(self, request: HttpRequest, read_only: bool = False) -> bool | None:  # noqa: FBT001, FBT002 - waffle's
        by_address = get_setting("OVERRIDE") and self.name in request.GET
        if self.pk and self.everyone is None and not by_address:
            fixed = self._for_everyone()
            if fixed is not None:
                return fixed
        answer: bool | None = super().is_active(request, read_only)
        return answer

    def _for_everyone(self) -> bool | None:
        if self.everyone is not None:
            return bool(self.everyone)
        return None if self.is_on else is_active(decide(self.name, None))

    def _is_active_for_percent(self, request: HttpRequest, read_only: bool) -> bool:  # noqa: ARG002, FBT001 - waffle's
        """Waffle's last question: rules and percentage, by account, and by user without one."""
        account = getattr(request, "account", None)
        user = getattr(request, "user", None)
        if account or user is None or not user.is_authenticated:
            return is_active(decide(self.name, account))
        return is_active(decide_for_user(self.name, user.pk))

    def _is_active_for_user(self, request: HttpRequest) -> bool | None:
        """Without a user waffle would say no, and ask no further."""
        return super()._is_active_for_user(request) or None

    def _get_user_ids(self) -> set[Any]:
        return live.current().users.get(self.pk, set())

    def _get_group_ids(self) -> set[Any]:
        return live.current().groups.get(self.pk, set())


def _own(row: AbstractFlag) -> Any:
    """A copy that a caller may change: what the snapshot has stays as it is."""
    own = copy(row)
    own._state = copy(row._state)
    own._prefetched_objects_cache = {}  # type: ignore[attr-defined]
    return own
