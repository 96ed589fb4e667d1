"""A key's box on a form: written, never shown."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminPasswordWidget

from igny8_core.catalogue.names import PROVIDERS
from igny8_core.errors import AIError
from igny8_core.modules.system.errors import InvalidAddress
from igny8_core.modules.system.keys import ProviderKey, ProviderKeys, key_field
from igny8_core.modules.system.secrets import Secret
from igny8_core.modules.system.settings import GlobalIntegrationSettings

REMOVE = object()


class KeyWidget(UnfoldAdminPasswordWidget):
    """An empty box beside what is kept, with a way to remove that, and where a new one goes."""

    goes_to = ""

    def render(
        self, name: str, value: object, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        box = super().render(
            name, None, {**(attrs or {}), "autocomplete": "new-password"}, renderer
        )
        context = {
            "box": box,
            "name": name,
            "kept": value if isinstance(value, ProviderKey) else None,
            # A page that is shown again, because something on it was refused.
            "is_typed": isinstance(value, str) and value != "",
            "goes_to": self.goes_to,
        }
        return render_to_string("system/key.html", context)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        typed = super().value_from_datadict(data, files, name)
        return typed or (REMOVE if f"{name}-remove" in data else "")

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Nothing typed and nothing removed: the model's value stays."""
        return not self.value_from_datadict(data, files, name)


class KeyField(forms.CharField):
    """A key field is always empty: what is typed replaces the key, nothing typed keeps it."""

    def clean(self, value: Any) -> Secret | None:
        typed = None if value is REMOVE else super().clean(value)
        try:
            return Secret.of(typed) if typed else None
        except AIError as error:
            raise forms.ValidationError(str(error), code=error.code) from None

    def has_changed(self, _initial: Any, data: Any) -> bool:
        return bool(data)


def origins_of(row: ProviderKeys) -> dict[str, str]:
    """By provider where a key that is set now is sent; of those whose address is one. One query."""
    platform = row if isinstance(row, GlobalIntegrationSettings) else None
    platform = platform or GlobalIntegrationSettings.load()
    found = {}
    for provider in PROVIDERS:
        with suppress(InvalidAddress):
            found[provider] = platform.origin(provider) or "the provider's own address"
    return found


def _box(provider: str) -> KeyField:
    return KeyField(label=f"{PROVIDERS[provider]} API key", required=False, widget=KeyWidget)


class KeysForm(forms.ModelForm):  # type: ignore[type-arg]
    """A settings row's form with a key's box for each provider."""

    openai_api_key = _box("openai")
    anthropic_api_key = _box("anthropic")
    runware_api_key = _box("runware")
    google_api_key = _box("google")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is not None:
            for provider, row in self.instance.keys().items():
                self.initial[key_field(provider)] = row
        for provider, origin in origins_of(self.instance).items():
            self.fields[key_field(provider)].widget.goes_to = origin

    def changed_keys(self) -> list[str]:
        names = {key_field(provider) for provider in PROVIDERS}
        return [name for name in self.changed_data if name in names]
