"""The price calculator's form: rates as they are being typed, and quantities."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from flags.models.form_fields import PlainDecimalField, PlainIntegerField
from igny8_core.errors import AIError
from igny8_core.pricing import quotes
from igny8_core.pricing.meters import HEADLINE, MAX_QUANTITY, Meter, ModelType
from igny8_core.pricing.money import money_text
from igny8_core.pricing.prices import Price, headline_lines
from igny8_core.pricing.quotes import Quote
from igny8_core.pricing.words import rate_text


class PriceForm(forms.Form):
    """Rates as they are being typed, and the quantities to price with them."""

    model_type = forms.ChoiceField(choices=[(value, value) for value in ModelType])
    input_rate = PlainDecimalField(min_value=0, max_digits=10, decimal_places=4)
    output_rate = PlainDecimalField(min_value=0, max_digits=10, decimal_places=4)
    input_tokens = PlainIntegerField(min_value=0, max_value=MAX_QUANTITY, required=False)
    output_tokens = PlainIntegerField(min_value=0, max_value=MAX_QUANTITY, required=False)
    images = PlainIntegerField(min_value=0, max_value=MAX_QUANTITY, required=False)

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
        cleaned = self.cleaned_data
        model_type = ModelType(cleaned["model_type"])
        rates = cleaned["input_rate"], cleaned["output_rate"]
        price = Price("this model", headline_lines(model_type, rates))
        meters = {meter: cleaned[meter] for meter in HEADLINE[model_type]}
        return quotes.quote(price, meters, at=timezone.now())


DEFAULT_QUANTITIES = {Meter.INPUT_TOKENS: 1000, Meter.OUTPUT_TOKENS: 500, Meter.IMAGES: 1}


def calculator(preview_url: str) -> SafeString:
    """The calculator beside a form's rates; it asks `price_preview` as they are typed."""
    quantities = [
        (meter, _label(meter), quantity) for meter, quantity in DEFAULT_QUANTITIES.items()
    ]
    context = {"quantities": quantities, "url": preview_url}
    return render_to_string("system/price_calculator.html", context)


def price_preview(request: HttpRequest) -> HttpResponse:
    """What a call costs with the rates in the form, by the code that prices a call."""
    form = PriceForm(request.GET)
    problems = [f"{_label(name)}: {problem[0]}" for name, problem in form.errors.items()]
    context: dict[str, Any] = {"problems": problems}
    if not problems:
        try:
            quote = form.quote()
        except AIError as error:
            context = {"problems": [f"{error} Such a model is not usable."]}
        else:
            context = {
                "lines": [
                    {
                        "text": f"{line.quantity:,} at {rate_text(line.line)}",
                        "amount": money_text(line.amount),
                    }
                    for line in quote.lines
                ],
                "cost": money_text(quote.cost),
                "currency": quote.currency,
            }
    return render(request, "system/price_preview.html", context)


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()
