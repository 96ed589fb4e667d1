"""The admin pages of accounts."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from igny8_core.modules.accounts.models import Account, Membership


class MembershipInline(TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields: ClassVar = ["user"]


@admin.register(Account)
class AccountAdmin(ModelAdmin):
    list_display: ClassVar = ["key", "name", "plan", "country", "status", "is_internal"]
    list_filter: ClassVar = ["plan", "status", "is_internal"]
    search_fields: ClassVar = ["key", "name"]
    inlines: ClassVar = [MembershipInline]

    def get_readonly_fields(self, _request: HttpRequest, obj: Account | None = None) -> list[str]:
        return ["key"] if obj else []
