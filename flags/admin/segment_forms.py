"""What operators type into the forms of segments: keys, one a line, or a file of them."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from flags.models import Segment


class KeysField(forms.CharField):
    """Accounts' keys, one a line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 6})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return (value or "").split()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


class KeysFileWidget(UnfoldAdminFileFieldWidget):
    """A page that is shown again has lost the file: browsers do not keep it."""

    def render(self, name: str, value: Any, *args: Any, **options: Any) -> SafeString:
        box: SafeString = super().render(name, value, *args, **options)
        if not value:
            return box
        hint = '{}<p class="text-sm text-red-600 dark:text-red-400">Choose {} again.</p>'
        return format_html(hint, box, value)


class KeysFileField(forms.FileField):
    """Accounts' keys in a text file, one a line."""

    widget = KeysFileWidget

    def bound_data(self, data: Any, initial: Any) -> Any:
        return data or initial

    def clean(self, data: Any, initial: Any = None) -> Any:
        uploaded: Any = super().clean(data, initial)
        if not uploaded:
            return None
        try:
            return uploaded.read().decode().split()
        except UnicodeDecodeError as error:
            message = f"The file is no UTF-8 text: {error.reason} at byte {error.start}."
            raise ValidationError(message) from None


_LISTS: Final = {"include", "exclude", "include_file", "exclude_file"}


class SegmentForm(forms.ModelForm):  # type: ignore[type-arg]
    include = KeysField(
        required=False, label="Included accounts", help_text="Accounts' keys, one a line."
    )
    exclude = KeysField(required=False, label="Excluded accounts", help_text="They are never in.")
    include_file = KeysFileField(
        required=False,
        label="Included, from a file",
        help_text="A text file with a key a line, in place of the list; for long lists.",
    )
    exclude_file = KeysFileField(required=False, label="Excluded, from a file")

    # What was typed or sent; None where nothing of it has changed.
    lists: tuple[list[str], list[str]] | None = None

    class Meta:
        model = Segment
        fields = ("key", "note", "rules")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.is_long:
            del self.fields["include"], self.fields["exclude"]
        else:
            self.initial["include"] = self.instance.include
            self.initial["exclude"] = self.instance.exclude

    def clean(self) -> None:
        super().clean()
        self.lists = self._lists() if _LISTS & {*self.changed_data} else None
        if self.lists is not None:
            try:
                self.instance.check_lists(*self.lists)
            except ValidationError as error:
                self.add_error(None, error)

    def _lists(self) -> tuple[list[str], list[str]]:
        """Included and excluded: from the file, else from the page, else as they are."""
        included, excluded = (
            self.cleaned_data.get(f"{name}_file")
            if self.cleaned_data.get(f"{name}_file") is not None
            else self.cleaned_data.get(name)
            for name in ("include", "exclude")
        )
        if included is None or excluded is None:
            there = self.instance.lists()
            included = there[0] if included is None else included
            excluded = there[1] if excluded is None else excluded
        return included, excluded
