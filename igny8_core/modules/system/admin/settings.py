"""The admin pages of the platform's settings and of an account's."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from flags.admin.asking import AccountsAdmin
from igny8_core.catalogue.names import PROVIDERS
from igny8_core.errors import AIError
from igny8_core.modules.system.addresses import environment_url, origin_of
from igny8_core.modules.system.admin.keys import KeysForm
from igny8_core.modules.system.errors import InvalidAddress, KeyForAnotherAddress
from igny8_core.modules.system.keys import key_field
from igny8_core.modules.system.settings import GlobalIntegrationSettings, IntegrationSettings

PARAMETER_FIELDS = ("Parameters", {"fields": ("temperature", "max_tokens", "image_size")})


class SettingsForm(KeysForm):
    """A key that was set for another address than the one on the page is typed again."""

    def clean(self) -> Any:
        cleaned = super().clean()
        row = self.instance
        for provider, key in row.keys().items() if hasattr(row, "base_url_of") else ():
            name, field = f"{provider}_base_url", key_field(provider)
            url = self.cleaned_data.get(name)
            if url is None or field in self.changed_data:
                continue
            try:
                origin = origin_of(url or environment_url(provider))
            except InvalidAddress:  # the address's own field says so
                continue
            if origin != key.origin and name in self.changed_data:
                error = KeyForAnotherAddress(str(key), key.origin, origin)
                self.add_error(field, ValidationError(str(error), code=error.code))
        return cleaned


class SettingsAdmin(AccountsAdmin):
    """Writes what was changed on the page, and nothing that somebody else changed meanwhile."""

    refusals: ClassVar = (AIError,)
    form = SettingsForm

    def beside(self, obj: GlobalIntegrationSettings | IntegrationSettings) -> dict[str, Any]:
        """Keys, which no box shows: who set each, and when."""
        told = {}
        for provider, row in obj.keys().items():
            text = f"{row.set_by} {row.set_at:%Y-%m-%d %H:%M:%S.%f}"
            told[f"_{provider}_key"] = f"{PROVIDERS[provider]} key", text
        return told

    def save_model(
        self,
        request: HttpRequest,
        obj: GlobalIntegrationSettings | IntegrationSettings,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's
    ) -> None:
        obj.set_by = request.user.get_username()
        for name in form.changed_keys():
            setattr(obj, name, form.cleaned_data[name])
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
