"""The admin pages of accounts, and of the users and groups that work in them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from flags.admin.row_keys import RowChoices, RowKeys
from igny8_core.modules.accounts.models import Account, Membership

admin.site.unregister([User, Group])


class MembershipInline(RowChoices, TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields: ClassVar = ["user"]


@admin.register(Account)
class AccountAdmin(RowKeys, ModelAdmin):
    list_display: ClassVar = ["key", "name", "plan", "country", "status", "is_internal"]
    list_filter: ClassVar = ["plan", "status", "is_internal"]
    search_fields: ClassVar = ["key", "name"]
    inlines: ClassVar = [MembershipInline]
    list_per_page = 25

    def get_readonly_fields(self, _request: HttpRequest, obj: Account | None = None) -> list[str]:
        return ["key"] if obj else []


@admin.register(User)
class UserAdmin(RowKeys, auth_admin.UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_per_page = 25


@admin.register(Group)
class GroupAdmin(RowKeys, auth_admin.GroupAdmin, ModelAdmin):  # type: ignore[misc]
    list_per_page = 25
