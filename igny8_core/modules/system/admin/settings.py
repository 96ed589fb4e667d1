"""The admin pages of the platform's settings and of an account's."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from flags.admin.asking import AccountsAdmin
from igny8_core.catalogue.names import PROVIDERS
from igny8_core.errors import AIError
from igny8_core.modules.system.addresses import environment_url, origin_of
from igny8_core.modules.system.admin.keys import KeysForm, origins_of
from igny8_core.modules.system.errors import InvalidAddress, KeyForAnotherAddress
from igny8_core.modules.system.keys import ProviderKey, key_field
from igny8_core.modules.system.settings import GlobalIntegrationSettings, IntegrationSettings

PARAMETER_FIELDS = ("Parameters", {"fields": ("temperature", "max_tokens", "image_size")})


class SettingsForm(KeysForm):
    """A key that was set for another address than the one on the page is typed again."""

    def clean(self) -> Any:
        cleaned = super().clean()
        row = self.instance
        for provider, key in (
            row.keys().items() if isinstance(row, GlobalIntegrationSettings) else ()
        ):
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


OF_KEYS: Final = {
    name for provider in PROVIDERS for name in (key_field(provider), f"{provider}_base_url")
}


def _without_keys(form: Any) -> Any:
    """The form's class, without the boxes of keys."""

    class WithoutKeys(form):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            for provider in PROVIDERS:
                self.fields.pop(key_field(provider), None)

    return WithoutKeys


class SettingsAdmin(AccountsAdmin):
    """Writes what was changed on the page, and nothing that somebody else changed meanwhile."""

    refusals: ClassVar = (AIError,)
    form = SettingsForm

    def may_set_keys(self, request: HttpRequest) -> bool:
        """Who may change provider keys may say where they go, too."""
        return request.user.has_perm("system.change_providerkey")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        sets = super().get_fieldsets(request, obj)
        if self.may_set_keys(request):
            return sets
        shown = [
            (name, {**said, "fields": [each for each in said["fields"] if each not in OF_KEYS]})
            for name, said in sets
        ]
        return [(name, said) for name, said in shown if said["fields"]]

    def get_form(self, request: Any, obj: Any = None, **options: Any) -> Any:
        form = super().get_form(request, obj, **options)
        return form if self.may_set_keys(request) else _without_keys(form)

    def beside(self, obj: GlobalIntegrationSettings | IntegrationSettings) -> dict[str, Any]:
        """Keys, which no box shows: who set each, and when."""
        told = {}
        for provider, row in obj.keys().items():
            text = f"{row.set_by} {row.set_at:%Y-%m-%d %H:%M:%S.%f}"
            told[f"_{provider}_key"] = f"{PROVIDERS[provider]} key", text
        for provider, origin in origins_of(obj).items():
            told[f"_{provider}_origin"] = f"Where {PROVIDERS[provider]} keys go", origin
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

    def save_related(self, request: HttpRequest, form: Any, *args: Any) -> None:
        """Of another address: keys that were set for the one before are sent nowhere."""
        super().save_related(request, form, *args)
        for provider, label in PROVIDERS.items():
            if f"{provider}_base_url" not in form.changed_data:
                continue
            rows = ProviderKey.objects.filter(provider=provider)
            lost = rows.exclude(origin=form.instance.origin(provider)).count()
            if lost:
                keys = "1 key was" if lost == 1 else f"{lost:,} keys were"
                sentence = f"{keys} set for another address of {label}: enter them again."
                messages.warning(request, sentence)

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
