"""A key's box on a form: written, never shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminPasswordWidget

from igny8_core.errors import AIError
from igny8_core.modules.system.errors import InvalidAddress
from igny8_core.modules.system.keys import ProviderKey
from igny8_core.modules.system.providers import AIProvider
from igny8_core.modules.system.secrets import Secret
from igny8_core.modules.system.shown_keys import key_field

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


def origins_of(providers: Iterable[AIProvider]) -> dict[str, str]:
    """By provider where a key that is set now is sent; of those whose address is one."""
    found = {}
    for provider in providers:
        with suppress(InvalidAddress):
            found[provider.name] = provider.origin or "the provider's own address"
    return found


class KeysForm(forms.ModelForm):  # type: ignore[type-arg]
    """A settings row's form with a key's box for each of its `providers`."""

    providers: ClassVar[Sequence[AIProvider]] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk is not None:
            for provider, row in self.instance.keys().items():
                self.initial[key_field(provider)] = row
        for provider, origin in origins_of(self.providers).items():
            self.fields[key_field(provider)].widget.goes_to = origin

    def changed_keys(self) -> dict[str, Secret | None]:
        """What was typed, by provider; None where a key was removed."""
        return {
            provider.name: self.cleaned_data[field]
            for provider in self.providers
            if (field := key_field(provider.name)) in self.changed_data
        }


def keys_form(providers: Sequence[AIProvider]) -> type[KeysForm]:
    boxes = {
        key_field(each.name): KeyField(
            label=f"{each.display_name} API key", required=False, widget=KeyWidget
        )
        for each in providers
    }
    return type("KeysForm", (KeysForm,), {"providers": providers, **boxes})
