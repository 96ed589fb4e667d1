"""The pages of waffle's switches and samples."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from unfold.admin import ModelAdmin
from waffle import admin as waffle_admin
from waffle.models import Sample, Switch

from flags.admin.asking import PublishingAdmin
from flags.admin.merging import MergesEdits
from flags.admin.page_request import PageRequest
from flags.admin.problems import PlacedProblem
from flags.admin.row_keys import RowKeys
from flags.document.diff import Path

admin.site.unregister([Switch, Sample])


@admin.register(Switch)
class SwitchAdmin(PublishingAdmin):
    actions: ClassVar = [waffle_admin.enable_switches, waffle_admin.disable_switches]
    list_display: ClassVar = ["name", "active", "note", "created", "modified"]
    list_filter: ClassVar = ["active"]
    search_fields: ClassVar = ["name", "note"]
    fields: ClassVar = ["name", "active", "note", ("created", "modified")]
    readonly_fields: ClassVar = ["created", "modified"]

    def entry_of(self, obj: Switch) -> Path:
        return ("switches", obj.name)

    def place(
        self, request: PageRequest, problem: PlacedProblem
    ) -> tuple[str | None, PlacedProblem]:
        own = problem.within("switches", request.POST.get("name", ""))
        return (None, problem) if own is None else ("name", own)


@admin.register(Sample)
class SampleAdmin(RowKeys, MergesEdits, ModelAdmin):
    list_display: ClassVar = ["name", "percent", "note", "created", "modified"]
    search_fields: ClassVar = ["name", "note"]
    list_per_page = 25
