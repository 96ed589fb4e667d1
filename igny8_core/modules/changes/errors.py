"""Errors of the feed."""

from __future__ import annotations

from igny8_core.errors import AIError


class ChangeIsFixed(AIError):
    code = "change_is_fixed"

    def __init__(self) -> None:
        super().__init__("A recorded change is neither edited nor deleted.")
