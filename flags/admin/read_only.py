"""A page of rows that nobody adds, changes or deletes by hand."""

from __future__ import annotations

from typing import Any


class ReadOnly:
    """Goes before the ModelAdmin."""

    def has_add_permission(self, *_asked: Any) -> bool:
        return False

    def has_change_permission(self, *_asked: Any) -> bool:
        return False

    def has_delete_permission(self, *_asked: Any) -> bool:
        return False
