"""`manage.py settle_receipts`: price what had no cost when it was answered, once it has one."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from flags.management.arguments import moment
from flags.management.base import user
from igny8_core.ai.management import base
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.providers import usage_of
from igny8_core.catalogue.billing import bill_of
from igny8_core.catalogue.models import Catalogue
from igny8_core.errors import AIError
from igny8_core.modules.system.models import ModelPrice
from igny8_core.modules.usage.models import Adjustment, Receipt
from igny8_core.modules.usage.states import UNMETERED, UNPRICED
from igny8_core.pricing import quotes
from igny8_core.pricing.conditions import PriceContext
from igny8_core.pricing.meters import Meter, Meters
from igny8_core.pricing.money import DECIMALS, money_text
from igny8_core.pricing.prices import billable
from igny8_core.pricing.quotes import Quote

_AT_ONCE = 1_000


class Settled(NamedTuple):
    """A receipt's meters and what they cost; or why that is still not known."""

    receipt: Receipt
    meters: Meters
    quote: Quote | None
    why_not: str = ""


class Command(base.PipelineCommand):
    help = (
        "Price receipts that are unmetered or unpriced, from the usage block that they keep and by "
        "the price of the moment of their call. Each gets an adjusting entry, once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--from", dest="begins", type=moment, help="of calls from then on")
        parser.add_argument("--to", dest="ends", type=moment, help="of calls before then")
        parser.add_argument("--dry-run", action="store_true", help="write nothing")

    def handle(self, **options: Any) -> None:
        is_dry, author = options["dry_run"], user()
        told: list[dict[str, Any]] = []
        for found in settled(_open(options["begins"], options["ends"])):
            if found.quote is not None and not is_dry:
                _write(found, found.quote, author)
            told.append(_told(found))
        if options["json"]:
            self.print_json(told)
            return
        if told:
            heading = ["request", "account", "answered as", "cost, USD", "why not"]
            self.print_table(heading, [[*map(str, each.values())] for each in told])
        count = sum(1 for each in told if each["cost"])
        done = "could be settled" if is_dry else "settled"
        self.stdout.write(f"{count:,} {done}, {len(told) - count:,} not.")


def _open(begins: datetime | None, ends: datetime | None) -> QuerySet[Receipt]:
    rows = Receipt.objects.filter(
        status__in=(UNMETERED, UNPRICED), cost__isnull=True, adjustment__isnull=True
    )
    rows = rows if begins is None else rows.filter(created_at__gte=begins)
    rows = rows if ends is None else rows.filter(created_at__lt=ends)
    return rows.select_related("account").order_by("pk")


def settled(receipts: QuerySet[Receipt]) -> Iterator[Settled]:
    """Each with what it costs by the catalogue as it is known now."""
    catalogue = ModelRegistry.catalogue()
    for receipt in receipts.iterator(chunk_size=_AT_ONCE):
        yield _settled(receipt, catalogue)


def _settled(receipt: Receipt, catalogue: Catalogue) -> Settled:
    asked = catalogue.models.get(receipt.model_asked)
    if asked is None:
        return Settled(receipt, {}, None, f"There is no model {receipt.model_asked!r} any more.")
    at = receipt.created_at - timedelta(milliseconds=receipt.latency_ms)
    provider = catalogue.providers[asked.provider]
    bill = bill_of(catalogue, asked, receipt.model_served, at)
    if bill.price is None:
        return Settled(receipt, {}, None, bill.note)
    meters: Meters = {Meter(name): used for name, used in receipt.meters.items()}
    if receipt.status == UNMETERED:
        usage = usage_of(provider.protocol, asked.model_type, receipt.usage_block)
        if usage.meters is None:
            return Settled(receipt, {}, None, usage.note)
        meters = usage.meters
    context = PriceContext(**receipt.context).as_billed(provider.standard_tiers)
    try:
        quote = quotes.quote(bill.price, billable(bill.price, meters), at=at, context=context)
    except AIError as error:
        return Settled(receipt, meters, None, str(error))
    return Settled(receipt, meters, quote)


def _write(found: Settled, quote: Quote, author: str) -> None:
    """The adjusting entry; nothing where another process was faster."""
    receipt = found.receipt
    markup = receipt.markup_percent
    charge = None if markup is None else round(quotes.charge_of(quote.cost, markup), DECIMALS)
    with transaction.atomic():
        Adjustment.objects.get_or_create(
            receipt=receipt,
            defaults={
                "meters": {str(meter): used for meter, used in found.meters.items()},
                "model_priced": quote.model_id,
                "price_id": ModelPrice.key_of(quote.price),
                "lines": [line.to_json() for line in quote.lines],
                "cost": quote.cost,
                "charge": charge,
                "author": author,
            },
        )


def _told(found: Settled) -> dict[str, Any]:
    return {
        "request": str(found.receipt.request_id),
        "account": found.receipt.account.key,
        "answered_as": found.receipt.model_served,
        "cost": money_text(found.quote.cost) if found.quote else "",
        "why_not": found.why_not,
    }
