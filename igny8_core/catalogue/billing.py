"""By which price an answer is billed, whatever name it came under."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from igny8_core.catalogue.models import Catalogue, CatalogueModel, price_of
from igny8_core.pricing.prices import Price


class Bill(NamedTuple):
    """The price, None where there is none; and what to say of it."""

    price: Price | None
    note: str = ""
    is_name_known: bool = True


def bill_of(catalogue: Catalogue, asked: CatalogueModel, name: str, at: datetime) -> Bill:
    """Of an answer to the asked model, by the name of a model that its provider gave, "" for none.

    The price of the model that answered; that of the one asked for where that has none, or nobody
    knows it, and the provider's row says so.
    """
    if name in ("", asked.model_id):
        return Bill(price_of(asked, at))
    served = catalogue.named(name, at, asked.provider)
    why = f"“{name}” is no known model"
    if served is not None:
        price = price_of(served, at)
        if served.model_type == asked.model_type and price.is_complete(served.model_type):
            is_own = served.provider == asked.provider
            return Bill(price, "" if is_own else f"“{name}” is a model of {served.provider}.")
        why = f"“{name}” has no price of a {asked.model_type} model"
    if catalogue.providers[asked.provider].prices_unknown:
        return Bill(price_of(asked, at), f"{why}: billed as {asked.model_id}.", served is not None)
    return Bill(None, f"{why}.", served is not None)
