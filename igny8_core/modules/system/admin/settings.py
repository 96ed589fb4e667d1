"""The admin pages of the platform's settings and of an account's."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from flags.admin.refusing import RefusingAdmin
from igny8_core.catalogue.names import PROVIDERS
from igny8_core.errors import AIError
from igny8_core.modules.system.admin.keys import KeyField, KeyWidget
from igny8_core.modules.system.secrets import SecretField
from igny8_core.modules.system.settings import GlobalIntegrationSettings, IntegrationSettings

PARAMETER_FIELDS = ("Parameters", {"fields": ("temperature", "max_tokens", "image_size")})
KEY_WIDGETS = {SecretField: {"form_class": KeyField, "widget": KeyWidget}}


class SettingsAdmin(RefusingAdmin):
    """Writes what was changed on the page, and nothing that somebody else changed meanwhile."""

    refusals: ClassVar = (AIError,)
    formfield_overrides: ClassVar = KEY_WIDGETS

    def save_model(
        self,
        request: HttpRequest,
        obj: GlobalIntegrationSettings | IntegrationSettings,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's
    ) -> None:
        if change:
            type(obj).objects.get_or_create(pk=obj.pk)
            obj._state.adding = False
            obj.save(update_fields=[*form.changed_data, "updated_at"])
        else:
            super().save_model(request, obj, form, change)


@admin.register(GlobalIntegrationSettings)
class GlobalIntegrationSettingsAdmin(SettingsAdmin):
    """One row: the list leads straight to it."""

    fieldsets: ClassVar = (
        PARAMETER_FIELDS,
        *(
            (label, {"fields": (f"{provider}_api_key", f"{provider}_base_url")})
            for provider, label in PROVIDERS.items()
        ),
    )

    def changelist_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:  # noqa: ARG002 - Django's
        return redirect(
            "admin:system_globalintegrationsettings_change", GlobalIntegrationSettings.PK
        )

    def get_object(self, *_which: Any) -> GlobalIntegrationSettings:
        return GlobalIntegrationSettings.load()

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: object = None) -> bool:
        return False


@admin.register(IntegrationSettings)
class IntegrationSettingsAdmin(SettingsAdmin):
    list_display: ClassVar = ["account", "text_model", "image_model", "embedding_model"]
    list_select_related: ClassVar = ["account", "text_model", "image_model", "embedding_model"]
    search_fields: ClassVar = ["account__key", "account__name"]
    autocomplete_fields: ClassVar = ["account"]
    fieldsets: ClassVar = (
        ("Account", {"fields": ("account",)}),
        ("Preferred models", {"fields": ("text_model", "image_model", "embedding_model")}),
        PARAMETER_FIELDS,
        ("Own keys", {"fields": tuple(f"{provider}_api_key" for provider in PROVIDERS)}),
    )
