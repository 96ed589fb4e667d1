"""The pages of waffle's switches and samples."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from unfold.admin import ModelAdmin
from waffle import admin as waffle_admin
from waffle.models import Sample, Switch

from flags.admin.refusing import PublishingAdmin
from flags.admin.row_keys import RowKeys

admin.site.unregister([Switch, Sample])


@admin.register(Switch)
class SwitchAdmin(PublishingAdmin):
    actions: ClassVar = [waffle_admin.enable_switches, waffle_admin.disable_switches]
    list_display: ClassVar = ["name", "active", "note", "created", "modified"]
    list_filter: ClassVar = ["active"]
    search_fields: ClassVar = ["name", "note"]


@admin.register(Sample)
class SampleAdmin(RowKeys, ModelAdmin):
    list_display: ClassVar = ["name", "percent", "note", "created", "modified"]
    search_fields: ClassVar = ["name", "note"]
    list_per_page = 25
