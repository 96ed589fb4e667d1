"""The pages of overrides."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from flags.admin.asking import AccountsAdmin
from flags.admin.page_request import author_of
from flags.models import AccountOverride


@admin.register(AccountOverride)
class AccountOverrideAdmin(AccountsAdmin):
    list_display: ClassVar = [
        "account",
        "flag",
        "variant",
        "state",
        "expires_at",
        "reason",
        "author",
    ]
    list_display_links: ClassVar = ["account", "flag"]
    list_select_related: ClassVar = ["account", "flag"]
    list_filter: ClassVar = ["paused", ("flag", admin.RelatedOnlyFieldListFilter)]
    search_fields: ClassVar = ["account__key", "flag__name", "reason", "author"]
    autocomplete_fields: ClassVar = ["account", "flag"]
    readonly_fields: ClassVar = ["author", "created_at"]

    def save_model(
        self,
        request: HttpRequest,
        obj: AccountOverride,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's
    ) -> None:
        if not change:
            obj.author = author_of(request)
        super().save_model(request, obj, form, change)

    @admin.display(description="State")
    def state(self, override: AccountOverride) -> str:
        return override.state
