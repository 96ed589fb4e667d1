"""The forms of the settings (keys are written, never shown) and of the price calculator."""

from __future__ import annotations

from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminPasswordWidget

from igny8_core.ai import pricing
from igny8_core.ai.exceptions import AIError
from igny8_core.ai.meters import HEADLINE, MAX_QUANTITY
from igny8_core.ai.pricing import Price, Quote, headline_lines
from igny8_core.ai.values import Meter, ModelType
from igny8_core.modules.system.fields import Secret

REMOVE = object()


class KeyWidget(UnfoldAdminPasswordWidget):
    """An empty box beside what is kept, with a way to remove that."""

    def render(
        self, name: str, value: object, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        box = super().render(
            name, None, {**(attrs or {}), "autocomplete": "new-password"}, renderer
        )
        kept = value if isinstance(value, Secret) else None
        return render_to_string(
            "system/key.html", {"box": box, "name": name, "kept": str(kept) if kept else None}
        )

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


class PriceForm(forms.Form):
    """Rates as they are being typed, and the quantities to price with them."""

    model_type = forms.ChoiceField(choices=[(value, value) for value in ModelType])
    input_rate = forms.DecimalField(min_value=0, max_digits=10, decimal_places=4)
    output_rate = forms.DecimalField(min_value=0, max_digits=10, decimal_places=4)
    input_tokens = forms.IntegerField(min_value=0, max_value=MAX_QUANTITY, required=False)
    output_tokens = forms.IntegerField(min_value=0, max_value=MAX_QUANTITY, required=False)
    images = forms.IntegerField(min_value=0, max_value=MAX_QUANTITY, required=False)

    def clean(self) -> dict[str, Any]:
        """Only the quantities of the type's meters are required: the others are not shown."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        model_type = cleaned.get("model_type")
        for meter in HEADLINE[ModelType(model_type)] if model_type else ():
            if cleaned.get(meter) is None and meter not in self.errors:
                self.add_error(meter, self.fields[meter].error_messages["required"])
        return cleaned

    def quote(self) -> Quote:
        """What the quantities of the type's meters cost; raises MeterNotPriced."""
        facts = self.cleaned_data
        model_type = ModelType(facts["model_type"])
        rates = facts["input_rate"], facts["output_rate"]
        price = Price("this model", headline_lines(model_type, rates))
        meters = {meter: facts[meter] for meter in HEADLINE[model_type]}
        return pricing.quote(price, meters, at=timezone.now())


DEFAULT_QUANTITIES = {Meter.INPUT_TOKENS: 1000, Meter.OUTPUT_TOKENS: 500, Meter.IMAGES: 1}
