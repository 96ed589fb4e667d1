"""The rows that operators edit: a flag is waffle's flag, extended."""

from __future__ import annotations

from waffle.models import AbstractUserFlag


class Flag(AbstractUserFlag):
    """A named question asked about an account."""

    class Meta(AbstractUserFlag.Meta):
        abstract = False
