"""The price calculator's form: rates as they are being typed, and quantities."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from igny8_core.pricing import quotes
from igny8_core.pricing.meters import HEADLINE, MAX_QUANTITY, Meter, ModelType
from igny8_core.pricing.prices import Price, headline_lines
from igny8_core.pricing.quotes import Quote


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
        return quotes.quote(price, meters, at=timezone.now())


DEFAULT_QUANTITIES = {Meter.INPUT_TOKENS: 1000, Meter.OUTPUT_TOKENS: 500, Meter.IMAGES: 1}
