"""waffle's pages on the product's theme: every field of a flag, a switch and a sample."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from unfold.admin import ModelAdmin
from waffle import admin as waffle_admin
from waffle.models import Sample, Switch

from flags.models import Flag

admin.site.unregister([Switch, Sample])


@admin.register(Flag)
class FlagAdmin(ModelAdmin):
    actions: ClassVar = [
        waffle_admin.enable_for_all,
        waffle_admin.disable_for_all,
        waffle_admin.delete_individually,
    ]
    list_display: ClassVar = ["name", "note", "everyone", "percent", "superusers", "staff"]
    list_filter: ClassVar = ["everyone", "superusers", "staff", "authenticated"]
    search_fields: ClassVar = ["name", "note"]
    autocomplete_fields: ClassVar = ["users", "groups"]
    list_per_page = 25


@admin.register(Switch)
class SwitchAdmin(ModelAdmin):
    actions: ClassVar = [
        waffle_admin.enable_switches,
        waffle_admin.disable_switches,
        waffle_admin.delete_individually,
    ]
    list_display: ClassVar = ["name", "active", "note", "created", "modified"]
    list_filter: ClassVar = ["active"]
    search_fields: ClassVar = ["name", "note"]
    list_per_page = 25


@admin.register(Sample)
class SampleAdmin(ModelAdmin):
    actions: ClassVar = [waffle_admin.delete_individually]
    list_display: ClassVar = ["name", "percent", "note", "created", "modified"]
    search_fields: ClassVar = ["name", "note"]
    list_per_page = 25
