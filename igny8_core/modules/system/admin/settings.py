"""The admin pages of the platform's settings and of an account's."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from flags.admin.asking import AccountsAdmin
from igny8_core.errors import AIError
from igny8_core.modules.system.admin.keys import keys_form, origins_of
from igny8_core.modules.system.providers import AIProvider
from igny8_core.modules.system.settings import GlobalIntegrationSettings, IntegrationSettings
from igny8_core.modules.system.shown_keys import key_field

PARAMETER_FIELDS = ("Parameters", {"fields": ("temperature", "max_tokens", "image_size")})


class SettingsAdmin(AccountsAdmin):
    """Writes what was changed on the page, and nothing that somebody else changed meanwhile."""

    refusals: ClassVar = (AIError,)
    keys_title: str

    def may_set_keys(self, request: HttpRequest) -> bool:
        return request.user.has_perm("system.change_providerkey")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The page's, and the keys' for those who may set them."""
        sets = [*super().get_fieldsets(request, obj)]
        if self.may_set_keys(request):
            fields = [key_field(name) for name, _ in AIProvider.choices()]
            sets.append((self.keys_title, {"fields": fields}))
        return sets

    def plain_form(self, request: Any, obj: Any, **options: Any) -> Any:
        providers = [*AIProvider.objects.all()] if self.may_set_keys(request) else []
        return super().plain_form(request, obj, **{**options, "form": keys_form(providers)})

    def beside(self, obj: GlobalIntegrationSettings | IntegrationSettings) -> dict[str, Any]:
        """Keys, which no box shows: who set each, and when."""
        told, providers = {}, {row.name: row for row in AIProvider.objects.all()}
        for provider, row in obj.keys().items():
            text = f"{row.set_by} {row.set_at:%Y-%m-%d %H:%M:%S.%f}"
            told[f"_{provider}_key"] = f"{providers.get(provider, provider)} key", text
        for provider, origin in origins_of(providers.values()).items():
            told[f"_{provider}_origin"] = f"Where {providers[provider]} keys go", origin
        return told

    def save_model(
        self,
        request: HttpRequest,
        obj: GlobalIntegrationSettings | IntegrationSettings,
        form: Any,
        change: bool,  # noqa: FBT001 - Django's
    ) -> None:
        obj.set_by = request.user.get_username()
        for provider, key in form.changed_keys().items():
            obj.set_key(provider, key)
        if change:
            type(obj).objects.get_or_create(pk=obj.pk)
            obj._state.adding = False
            obj.save(update_fields=[*form.changed_data, "updated_at"])
        else:
            super().save_model(request, obj, form, change)


@admin.register(GlobalIntegrationSettings)
class GlobalIntegrationSettingsAdmin(SettingsAdmin):
    """One row: the list leads straight to it."""

    fieldsets: ClassVar = (PARAMETER_FIELDS,)
    keys_title = "Keys"

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
    )
    keys_title = "Own keys"
