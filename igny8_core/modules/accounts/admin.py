"""The admin pages of accounts, and of the users and groups that work in them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from flags.admin.asking import AccountsAdmin
from flags.admin.forms import CheckedFormSet
from flags.admin.merging import MergesEdits
from flags.admin.row_keys import RowChoices, RowKeys
from flags.doubts import of_traits as doubts_of_traits
from igny8_core.modules.accounts.models import Account, Membership

admin.site.unregister([User, Group])


class MembershipInline(RowChoices, TabularInline):
    model = Membership
    formset = CheckedFormSet
    extra = 0
    autocomplete_fields: ClassVar = ["user"]


@admin.register(Account)
class AccountAdmin(AccountsAdmin):
    list_display: ClassVar = ["key", "name", "plan", "country", "status", "is_internal"]
    list_filter: ClassVar = ["plan", "status", "is_internal"]
    search_fields: ClassVar = ["key", "name"]
    inlines: ClassVar = [MembershipInline]
    list_per_page = 25

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        super().save_model(request, obj, form, change)
        for sentence in doubts_of_traits(obj.traits):
            messages.warning(request, sentence)

    def get_readonly_fields(self, _request: HttpRequest, obj: Account | None = None) -> list[str]:
        return ["key"] if obj else []


@admin.register(User)
class UserAdmin(RowKeys, MergesEdits, auth_admin.UserAdmin, ModelAdmin):  # type: ignore[type-arg, misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_per_page = 25


@admin.register(Group)
class GroupAdmin(RowKeys, MergesEdits, auth_admin.GroupAdmin, ModelAdmin):  # type: ignore[misc]
    list_per_page = 25
