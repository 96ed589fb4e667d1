"""The feed's page: to read, to filter, never to write."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from flags.admin.row_keys import RowKeys
from igny8_core.modules.changes.models import Change


@admin.register(Change)
class ChangeAdmin(RowKeys, ModelAdmin):
    list_display: ClassVar = ["at", "who", "action", "what", "account", "difference", "why"]
    list_filter: ClassVar = ["action", "object_type"]
    search_fields: ClassVar = ["=actor", "=account", "object_key", "why"]
    search_help_text = "A user's name, an account's key, an object's name, or words of why."
    date_hierarchy = "at"
    list_per_page = 50
    show_full_result_count = False
    fields: ClassVar = ["at", "who", "address", "via", "action", "what", "account", "why", "all"]

    @admin.display(description="Who", ordering="actor")
    def who(self, change: Change) -> str:
        return change.actor or "a program"

    @admin.display(description="What", ordering="object_key")
    def what(self, change: Change) -> str:
        return f"{change.object_type} {change.object_key}"

    @admin.display(description="Before → after")
    def difference(self, change: Change) -> SafeString:
        return self._difference(change, 3)

    @admin.display(description="Before → after")
    def all(self, change: Change) -> SafeString:
        return self._difference(change, None)

    def _difference(self, change: Change, most: int | None) -> SafeString:
        names = [*dict.fromkeys([*change.before, *change.after])]
        lines = [(name, change.before.get(name), change.after.get(name)) for name in names[:most]]
        context = {"lines": lines, "more": len(names) - len(lines), "is_whole": most is None}
        return render_to_string("changes/difference.html", context)

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Change | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Change | None = None) -> bool:
        return False
