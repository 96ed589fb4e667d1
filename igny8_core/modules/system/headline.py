"""The headline rates of a model: two columns that say, and set, the price in force.

The columns hold the last headline that was written. A write that differs from what was read
publishes a price from now on; what is shown and charged is always the price in force.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Self

from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.utils import timezone

from flags.host import Published, mark_changed
from igny8_core.errors import AIError
from igny8_core.modules.system.errors import InvalidRate
from igny8_core.pricing.meters import HEADLINE, ModelType
from igny8_core.pricing.prices import Price, headline_lines

RATES: Final = ("input_rate", "output_rate")
_RATE_DECIMALS: Final = 4
_MOST: Final = 10**6
_NO_RATE: Final = Decimal(0)


class HeadlineRates(Published):
    """A row with an input rate and an output rate, and the ModelPrices `prices`."""

    # Pricing (per 1M tokens for text, per image for image models)
    input_rate = models.DecimalField(
        max_digits=10,
        decimal_places=_RATE_DECIMALS,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="Cost per 1M input tokens (text) or per request (image)",
    )
    output_rate = models.DecimalField(
        max_digits=10,
        decimal_places=_RATE_DECIMALS,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="Cost per 1M output tokens (text only)",
    )

    prices: Any
    model_type: Any

    # The rates that this instance was read with: only others are a change.
    _read_rates: Mapping[str, Decimal] | None = None

    class Meta(Published.Meta):
        abstract = True

    @classmethod
    def from_db(cls, *columns: Any, **options: Any) -> Self:
        row = super().from_db(*columns, **options)
        row._mark_as_read(RATES)
        return row

    def refresh_from_db(self, *args: Any, **options: Any) -> None:
        super().refresh_from_db(*args, **options)
        self._mark_as_read(RATES)

    def _mark_as_read(self, names: Iterable[str]) -> None:
        read = {name: self.__dict__[name] for name in names if name in self.__dict__}
        self._read_rates = {**(self._read_rates or {}), **read}

    def save(self, **options: Any) -> None:
        """Save; a rate that differs from the one that was read is published as a price from now.

        A rate that does not differ is left as it is stored. Raises InvalidRate.
        """
        for name in RATES:
            if name in self.__dict__:
                _check_rate(name, getattr(self, name))
        written = options.get("update_fields")
        with transaction.atomic(using=options.get("using"), savepoint=False):
            mark_changed()
            changed = self._changed_rates(written)
            if not self._state.adding and (written is None or not {*RATES}.isdisjoint(written)):
                self._keep_stored_rates(changed)
            super().save(**options)
            if changed:
                self._publish_headline(changed)
        self._mark_as_read(name for name in RATES if written is None or name in written)

    def _changed_rates(self, written: Collection[str] | None) -> dict[str, Decimal]:
        before = self._read_rates or (dict.fromkeys(RATES, _NO_RATE) if self._state.adding else {})
        rates = {name: Decimal(str(self.__dict__[name])) for name in RATES if name in self.__dict__}
        return {
            name: rate
            for name, rate in rates.items()
            if (written is None or name in written) and rate != before.get(name)
        }

    def _keep_stored_rates(self, changed: Collection[str]) -> None:
        rows = type(self)._base_manager.filter(pk=self.pk)
        # Who changes another rate at the same time waits here, and then sees this one.
        rows = rows.select_for_update() if changed else rows
        stored = rows.values(*RATES).first() or {}
        for name, rate in stored.items():
            if name not in changed:
                setattr(self, name, rate)

    def _publish_headline(self, changed: Mapping[str, Decimal]) -> None:
        """A price from now: the one in force with the changed rates in its place."""
        now = timezone.now()
        fresh = type(self)._base_manager.prefetch_related("prices__lines").get(pk=self.pk)  # type: ignore[misc]
        before = fresh.price_at(now)
        rates = dict(zip(RATES, before.headline(self.model_type) if before else (), strict=False))
        if before is not None and all(rates[name] == rate for name, rate in changed.items()):
            return
        merged = {**dict.fromkeys(RATES, _NO_RATE), **rates, **changed}
        headline = headline_lines(self.model_type, [merged[name] for name in RATES])
        kept = [
            line
            for line in (before.lines if before else ())
            if line.written or line.meter not in HEADLINE[ModelType(self.model_type)]
        ]
        self.prices.model.publish(
            self, [*headline, *kept], effective_from=now, source="the model's headline rates"
        )

    def price_at(self, at: datetime) -> Price | None:
        """The price in force, of `prices`; None where none has begun."""
        begun = [row for row in self.prices.all() if row.effective_from <= at]
        for row in sorted(begun, key=lambda row: row.effective_from, reverse=True):
            with suppress(AIError):  # it is held back, and the one before serves
                price: Price = row.value()
                return price
        return None

    def take_headline(self, at: datetime) -> None:
        """Put the headline rates in force in place of the stored ones, as if they were read."""
        if self.price_at(at) is not None:
            for name, text in self.headline_texts(at).items():
                setattr(self, name, Decimal(text))
            self._mark_as_read(RATES)

    def fits_the_columns(self) -> bool:
        """Whether four decimals hold the rates."""
        return all(
            getattr(self, name) == round(getattr(self, name), _RATE_DECIMALS) for name in RATES
        )

    def headline_texts(self, at: datetime) -> dict[str, str]:
        """The headline rates in force, as the columns write them: at least four decimals."""
        price = self.price_at(at)
        rates = price.headline(self.model_type) if price else (_NO_RATE, _NO_RATE)
        return {name: _rate_text(rate) for name, rate in zip(RATES, rates, strict=True)}


def _check_rate(name: str, value: object) -> None:
    """Raises InvalidRate for what the column would round, or could not hold."""
    try:
        rate = Decimal(str(value))
    except InvalidOperation:
        raise InvalidRate(name, value) from None
    if not rate.is_finite() or not 0 <= rate < _MOST or rate != round(rate, _RATE_DECIMALS):
        raise InvalidRate(name, value)


def _rate_text(rate: Decimal) -> str:
    """A rate with four decimals, or all that it has."""
    whole, _, decimals = format(rate.normalize(), "f").partition(".")
    return f"{whole}.{decimals.ljust(_RATE_DECIMALS, '0')}"
