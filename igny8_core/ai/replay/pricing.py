"""Prices a receipt's meters again: by the price that it names, and by what its revision says."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from flags.engine.times import datetime_of_us
from igny8_core.ai.replay.resolving import asked_of, at_us_of
from igny8_core.catalogue.billing import bill_of
from igny8_core.catalogue.fallback import FALLBACK_MODELS
from igny8_core.catalogue.models import Catalogue, price_of
from igny8_core.catalogue.names import OFFLINE
from igny8_core.errors import AIError
from igny8_core.modules.usage.models import Receipt
from igny8_core.pricing import quotes
from igny8_core.pricing.conditions import PriceContext, Processing
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.money import DECIMALS
from igny8_core.pricing.prices import Price, billable
from igny8_core.pricing.quotes import Quote


class Priced(NamedTuple):
    """A price, and what the receipt's meters cost by it; None where that cannot be said."""

    price: Price | None
    quote: Quote | None

    @property
    def lines(self) -> list[dict[str, Any]]:
        return sorted_lines([line.to_json() for line in self.quote.lines] if self.quote else [])

    @property
    def cost(self) -> Decimal | None:
        return self.quote and self.quote.cost


def sorted_lines(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A database may give meters back in another order than they were counted in."""
    return sorted(lines, key=lambda line: str(line["meter"]))


def is_metered(receipt: Receipt) -> bool:
    """Whether it says what was taken, so that it can be priced."""
    return bool(receipt.meters) or receipt.cost_computed is not None


def model_billed(receipt: Receipt) -> str:
    """The model that was asked last."""
    attempts = receipt.attempts
    return str(attempts[-1]["model"]) if attempts else receipt.model_asked


def by_named_price(receipt: Receipt, catalogue: Catalogue | None) -> Priced:
    """By the row that the receipt names, else by the plan's figures. Two queries."""
    if receipt.price is not None:
        return _priced(receipt, receipt.price.value(), catalogue)
    model = FALLBACK_MODELS.get(receipt.model_priced)
    return _priced(receipt, model and price_of(model, _at(receipt)), catalogue)


def by_revision(receipt: Receipt, catalogue: Catalogue) -> Priced:
    """By the price that the revision has for the name under which the answer came."""
    asked = catalogue.models.get(model_billed(receipt))
    if asked is None:
        return Priced(None, None)
    bill = bill_of(catalogue, asked, receipt.model_served, _at(receipt))
    return _priced(receipt, bill.price, catalogue)


def charge_of(receipt: Receipt, cost: Decimal | None, markup_percent: Decimal) -> Decimal | None:
    """What the account pays for the cost: nothing for what was answered offline."""
    if receipt.provider == OFFLINE:
        return Decimal(0)
    return None if cost is None else round(quotes.charge_of(cost, markup_percent), DECIMALS)


def _priced(receipt: Receipt, price: Price | None, catalogue: Catalogue | None) -> Priced:
    if price is None or not is_metered(receipt):
        return Priced(price, None)
    context = PriceContext(**receipt.context)
    model = catalogue and catalogue.models.get(model_billed(receipt))
    if catalogue and model:
        context = context.as_billed(catalogue.providers[model.provider].standard_tiers)
    elif context.processing not in price.processings:  # billed as standard, or it had no cost
        context = context._replace(processing=Processing.STANDARD)
    try:
        meters = billable(price, {Meter(name): used for name, used in receipt.meters.items()})
        return Priced(price, quotes.quote(price, meters, at=_at(receipt), context=context))
    except AIError:
        return Priced(price, None)


def _at(receipt: Receipt) -> datetime:
    return datetime_of_us(at_us_of(receipt, asked_of(receipt)))
