"""The feed's page: to read, to filter, never to write."""

from __future__ import annotations

from typing import Any, ClassVar

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import TextFilter

from flags.admin.read_only import ReadOnly
from flags.admin.row_keys import RowKeys
from igny8_core.modules.changes.models import Change


class ActorFilter(TextFilter):
    """By the whole name: each has an index."""

    title = parameter_name = "actor"

    def queryset(self, _request: HttpRequest, rows: QuerySet[Change]) -> QuerySet[Change]:
        value = self.value()
        return rows.filter(**{self.parameter_name: value}) if value else rows


class AccountFilter(ActorFilter):
    title = parameter_name = "account"


@admin.register(Change)
class ChangeAdmin(ReadOnly, RowKeys, ModelAdmin):
    list_display: ClassVar = ["when", "who", "action", "what", "account", "difference", "why"]
    list_filter: ClassVar = [ActorFilter, AccountFilter, "action", "object_type"]
    search_fields: ClassVar = ["object_key", "why"]
    search_help_text = "An object's name, or words of why."
    date_hierarchy = "at"
    list_per_page = 50
    show_full_result_count = False
    fields: ClassVar = ["when", "who", "address", "via", "action", "what", "account", "why", "all"]

    @admin.display(description="When, UTC", ordering="id")
    def when(self, change: Change) -> SafeString:
        at = f"{change.at:%Y-%m-%d %H:%M:%S}"
        return format_html('<span class="whitespace-nowrap">{}</span>', at)

    @admin.display(description="Who", ordering="actor")
    def who(self, change: Change) -> str:
        return change.actor or "a program"

    @admin.display(description="What", ordering="object_key")
    def what(self, change: Change) -> str:
        """In the words of its kind of row; those of a kind that is gone, as they were written."""
        try:
            kind = str(apps.get_model(change.object_type)._meta.verbose_name)
        except (LookupError, ValueError):
            kind = change.object_type
        return f"{kind}: {change.object_key}"

    @admin.display(description="Before → after")
    def difference(self, change: Change) -> SafeString:
        return self._difference(change, 3)

    @admin.display(description="Before → after")
    def all(self, change: Change) -> SafeString:
        return self._difference(change, None)

    def _difference(self, change: Change, most: int | None) -> SafeString:
        names = [*dict.fromkeys([*change.before, *change.after])]
        lines = [
            (name.replace("_", " "), _text(change.before.get(name)), _text(change.after.get(name)))
            for name in names[:most]
        ]
        context = {"lines": lines, "more": len(names) - len(lines), "is_whole": most is None}
        return render_to_string("changes/difference.html", context)


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else str(value) or "empty"
