"""What operators type into the forms of flags, their variants and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from unfold.widgets import UnfoldAdminTextareaWidget

from flags.admin.problems import PlacedProblem, show
from flags.models import Flag, Rule, Variant
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


class CheckedFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """Rows below a page's own, held to every constraint of their table before they are written.

    Django leaves out those that name the page's own row, as one row per account and user does.
    """

    def clean(self) -> None:
        super().clean()
        for form in self.kept():
            try:
                form.instance.validate_constraints(exclude=form._get_validation_exclusions())
            except ValidationError as error:
                form._update_errors(error)

    def kept(self) -> list[Any]:
        """The forms of rows that will be there, filled in rightly so far."""
        gone = self.deleted_forms
        return [
            form
            for form in self.forms
            if form.is_valid() and form not in gone and (form.has_changed() or form.instance.pk)
        ]


class RefusableFormSet(CheckedFormSet):
    """The rows below a flag, which show what was refused of them."""

    identity: str
    # Where a problem of the whole row is shown: on a stacked row nothing else would be.
    first: str

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
        """A rule without an id gets the next free one, and one without a position goes last."""
        kept = self.kept()
        last = max((form.cleaned_data["position"] or 0 for form in kept), default=0)
        for form in kept:
            if not form.instance.rule_id:
                free = next_rule_id(each.instance.rule_id for each in kept)
                form.instance.rule_id = form.cleaned_data["rule_id"] = free
            if form.instance.position is None:
                last += 1
                form.instance.position = form.cleaned_data["position"] = last
        super().clean()
