"""`manage.py quote`: what given meters cost with a model, line by line."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from flags.management.base import BadUsage
from igny8_core.ai import explain, pricing
from igny8_core.ai.exceptions import UnknownModel
from igny8_core.ai.management import base
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.pricing import QuoteLine, RateLine, money_text


class Command(base.PipelineCommand):
    help = "Show what given meters cost with a model, line by line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("model", help="the model's id")
        parser.add_argument(
            "--meter",
            action="append",
            required=True,
            type=base.quantity,
            metavar="METER=QUANTITY",
            help="e.g. input_tokens=1000; may be given for several meters",
        )
        parser.add_argument(
            "--at",
            type=base.moment,
            help="the moment to note in the answer, ISO 8601 (prices have no dates yet)",
        )

    def handle(self, **options: Any) -> None:
        model = ModelRegistry.find(options["model"])
        if model is None:
            raise UnknownModel(options["model"], ModelRegistry.catalogue().models)
        meters = dict(options["meter"])
        if len(meters) < len(options["meter"]):
            raise BadUsage("A meter is given twice; add its quantities up.")
        quote = pricing.quote(pricing.price_of(model), meters)
        at = options["at"] or timezone.now()
        if options["json"]:
            self.print_json(
                {
                    "model": quote.model_id,
                    "at": at.isoformat(),
                    "currency": quote.currency,
                    "lines": [line.facts() for line in quote.lines],
                    "cost": money_text(quote.cost),
                }
            )
            return
        self.print_rows(
            [
                ("model", quote.model_id),
                *((line.meter, _sum(line)) for line in quote.lines),
                ("cost", f"{money_text(quote.cost)} {quote.currency}"),
            ]
        )


def _sum(line: QuoteLine) -> str:
    rate = explain.rate_text(RateLine(line.meter, line.rate, line.per))
    return f"{line.quantity} at {rate} = {money_text(line.amount)}"
