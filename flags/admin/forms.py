"""What operators type into the forms of flags and segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from flags.admin.refusing import PlacedProblem, show
from flags.models import Flag, Rule, Segment, Variant
from flags.models.fields import JsonFormField, from_text, to_text
from flags.models.flag import Kind
from flags.models.rule import next_rule_id


class ServeField(JsonFormField):
    """A variant's key as it is, or a split as JSON."""

    def prepare_value(self, value: Any) -> Any:
        is_variant = isinstance(value, dict) and list(value) == ["variant"]
        return value["variant"] if is_variant else super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        text = (value or "").strip()
        is_variant = text and not text.startswith("{")
        return {"variant": text} if is_variant else super().to_python(text)


class FlagForm(forms.ModelForm):  # type: ignore[type-arg]
    default = ServeField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=(
            'Served where no rule matches: a variant, or {"split": {"mini": 90, "next": 10}}; '
            "empty: nothing."
        ),
    )

    class Meta:
        model = Flag
        fields = ()  # the admin's fieldsets


class VariantForm(forms.ModelForm):  # type: ignore[type-arg]
    """A text flag's value is typed as it is, another's as JSON."""

    value = forms.CharField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 1}))

    class Meta:
        model = Variant
        fields = ("key", "value")

    def __init__(self, *args: Any, flag: Flag, **options: Any) -> None:
        super().__init__(*args, **options)
        self._flag = flag
        value = self.initial.get("value")
        is_typed_as_it_is = flag.kind == Kind.STR and isinstance(value, str)
        if self.instance.pk and not is_typed_as_it_is:
            self.initial["value"] = to_text(value) or "null"

    def clean_value(self) -> Any:
        text: str = self.cleaned_data["value"]
        return text if self._flag.kind == Kind.STR else from_text(text)


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    serve = ServeField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text='A variant, or {"split": {"mini": 90, "next": 10}}.',
    )

    class Meta:
        model = Rule
        fields = ("position", "name", "when", "serve", "starts_at", "ends_at", "group", "rule_id")
        help_texts: ClassVar = {
            "when": (
                "A list of clauses that must all hold; empty: every account. "
                'Such as [{"op": "segment", "values": ["eu-pro"]}] or '
                '[{"trait": "plan", "op": "in", "values": ["pro"]}]; '
                'a fifth of the accounts is [{"op": "share", "salt": "try", "to": 200000}], '
                "of a million."
            )
        }


# What is wrong with the rows below a flag, by the row's key and its field.
RowProblems = Mapping[str, Mapping[str | None, list[PlacedProblem]]]


class RefusableFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """The rows below a flag, which show what was refused of them."""

    identity: str
    # Where a problem of the whole row is shown: on a stacked row nothing else would be.
    first: str

    def kept(self) -> list[Any]:
        """The forms of rows that will be there, filled in rightly so far."""
        gone = self.deleted_forms
        return [
            form
            for form in self.forms
            if form.is_valid() and form not in gone and (form.has_changed() or form.instance.pk)
        ]

    def refuse(self, problems: RowProblems) -> None:
        unplaced = dict(problems)
        for form in self.kept():
            show(form, unplaced.pop(getattr(form.instance, self.identity), {}), self.first)
        for row, found in unplaced.items():
            each = (f"{row}: {problem}" for field in found.values() for problem in field)
            self._non_form_errors.extend(each)  # type: ignore[attr-defined]


class VariantFormSet(RefusableFormSet):
    identity = first = "key"

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "flag": self.instance}


class RuleFormSet(RefusableFormSet):
    identity, first = "rule_id", "when"

    def clean(self) -> None:
        """A rule without an id gets the next free one."""
        kept = self.kept()
        for form in kept:
            if not form.instance.rule_id:
                free = next_rule_id(each.instance.rule_id for each in kept)
                form.instance.rule_id = form.cleaned_data["rule_id"] = free
        super().clean()


class KeysField(forms.CharField):
    """Accounts' keys, one a line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 6})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return (value or "").split()

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


class KeysFileField(forms.FileField):
    """The same in a text file."""

    widget = UnfoldAdminFileFieldWidget

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
