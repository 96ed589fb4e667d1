"""`manage.py quote`: what given meters cost with a model, line by line."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from flags import live
from flags.accounts import facts_of
from flags.engine.times import microseconds
from flags.management.arguments import BadArguments, moment
from flags.models.form_fields import PlainDecimalField
from igny8_core.ai import words
from igny8_core.ai.candidates import markup_of
from igny8_core.ai.management import base
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.resolution import Markup
from igny8_core.catalogue.errors import UnknownModel
from igny8_core.catalogue.models import price_of
from igny8_core.modules.accounts.models import Account
from igny8_core.pricing import quotes
from igny8_core.pricing.conditions import PriceContext, Processing, is_tier
from igny8_core.pricing.money import money_text
from igny8_core.pricing.quotes import QuoteLine
from igny8_core.pricing.words import rate_text


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
        parser.add_argument("--at", type=moment, help="at this moment's price, ISO 8601")
        parser.add_argument(
            "--processing",
            type=_tier,
            default=Processing.STANDARD,
            metavar="TIER",
            help=f"the service tier, such as {', '.join(Processing)}",
        )
        for name in ("size", "quality", "region"):
            parser.add_argument(f"--{name}", help=f"the {name}, where the price depends on it")
        charge = parser.add_mutually_exclusive_group()
        charge.add_argument("--markup", type=_percent, metavar="PERCENT", help="for the charge")
        charge.add_argument("--account", help="the account's key: its markup, for the charge")

    def handle(self, **options: Any) -> None:
        model = ModelRegistry.find(options["model"])
        if model is None:
            raise UnknownModel(options["model"], ModelRegistry.catalogue().models)
        meters = dict(options["meter"])
        if len(meters) < len(options["meter"]):
            raise BadArguments("A meter is given twice; add its quantities up.")
        at = options["at"] or timezone.now()
        markup = options["markup"]
        account_markup = options["account"] and _markup_of(options["account"], at)
        if account_markup:
            markup = account_markup.percent
        context = PriceContext(*(options[name] for name in PriceContext._fields))
        quote = quotes.quote(
            price_of(model, at),
            meters,
            at=at,
            context=context,
            markup_percent=markup,
        )
        if options["json"]:
            self.print_json(
                {
                    "model": quote.model_id,
                    "at": at.isoformat(),
                    "currency": quote.currency,
                    "lines": [line.to_json() for line in quote.lines],
                    "cost": money_text(quote.cost),
                    "charge": money_text(quote.charge),
                    "markup": account_markup and words.markup_json(account_markup),
                    "price_from": quote.price.effective_from.isoformat(),
                }
            )
            return
        charge = f"{money_text(quote.charge)} {quote.currency}"
        self.print_rows(
            [
                ("model", quote.model_id),
                *((line.meter, _sum(line)) for line in quote.lines),
                ("cost", f"{money_text(quote.cost)} {quote.currency}"),
                *([("markup", words.markup_text(account_markup))] if account_markup else []),
                *([("charge", charge)] if markup is not None else []),
            ]
        )


def _markup_of(account: str, at: datetime) -> Markup:
    facts = facts_of(Account.objects.by_key(account))
    return markup_of(live.current().ruleset, facts, microseconds(at) // 1000)


def _tier(text: str) -> str:
    """An argument's type."""
    if not is_tier(text):
        message = f"{text!r} is no service tier"
        raise ArgumentTypeError(message)
    return text


def _percent(text: str) -> Decimal:
    try:
        return Decimal(PlainDecimalField().clean(text))
    except ValidationError:
        message = f"{text!r} is not a number of percent"
        raise ArgumentTypeError(message) from None


def _sum(line: QuoteLine) -> str:
    return f"{line.quantity} at {rate_text(line.line)} = {money_text(line.amount)}"
