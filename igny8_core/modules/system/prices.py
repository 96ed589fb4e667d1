"""Dated prices as rows: what a model costs from a moment on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models, transaction
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone

from flags.host import Published
from igny8_core.errors import AIError
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.errors import PriceHasBegun, PriceInThePast
from igny8_core.modules.system.rate_lines import RateLine
from igny8_core.modules.system.saved_rows import SavedRowsQuerySet
from igny8_core.pricing import prices

# What was now when it was asked for may be a moment ago when it is written.
GRACE: Final = timedelta(minutes=1)


class ModelPrice(Published):
    """What a model costs from a moment on. One that has begun is never edited or deleted."""

    model = models.ForeignKey(AIModel, on_delete=models.CASCADE, related_name="prices")
    effective_from = models.DateTimeField(
        default=timezone.now,
        blank=True,
        help_text="The first moment that it holds for, UTC; empty: now.",
    )
    currency = models.CharField(max_length=3, default="USD", editable=False)
    is_free = models.BooleanField(
        "free", default=False, help_text="Said explicitly: a price without lines is unknown."
    )
    source = models.CharField(max_length=200, blank=True, help_text="Who says so.")
    source_url = models.CharField(
        "source URL",
        max_length=500,
        blank=True,
        validators=[URLValidator(schemes=["http", "https"])],
    )
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last compared with its source."
    )
    note = models.CharField(max_length=500, blank=True)
    author = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = SavedRowsQuerySet.as_manager()

    # Whether this instance was made, not read: its lines may still be added.
    is_new = False

    class Meta:
        ordering: ClassVar = ["model", "-effective_from"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model", "effective_from"], name="one_price_per_model_and_moment"
            ),
        ]

    def __str__(self) -> str:
        return f"The price of {self.model.model_id} from {self.effective_from:%Y-%m-%d %H:%M:%S}"

    @property
    def has_begun(self) -> bool:
        return not self.is_new and self.effective_from <= timezone.now()

    def save(self, **options: Any) -> None:
        """Raises PriceHasBegun where what is stored has begun, and PriceInThePast."""
        given: datetime | None = self.effective_from
        self.effective_from = timezone.now() if given is None else given
        if self._state.adding:
            self._refuse_to_change_the_past()
            self.is_new = True
        elif not self.is_new:
            self.refuse_if_begun()
        super().save(**options)

    def refuse_if_begun(self) -> None:
        """Raises PriceHasBegun where the stored price has begun. One query."""
        stored = ModelPrice.objects.filter(pk=self.pk).select_related("model").first()
        if stored is not None and stored.has_begun:
            raise PriceHasBegun(str(stored))

    def clean(self) -> None:
        super().clean()
        if self._state.adding and self.model_id is not None and self.effective_from is not None:
            try:
                self._refuse_to_change_the_past()
            except AIError as error:
                message = ValidationError(str(error), code=error.code)
                raise ValidationError({"effective_from": message}) from None

    def _refuse_to_change_the_past(self) -> None:
        """What a call cost when it was made stays; before the first price nothing had a cost."""
        if self.effective_from >= timezone.now() - GRACE:
            return
        begun = ModelPrice.objects.filter(model=self.model_id)
        if begun.filter(effective_from__lte=self.effective_from).exists():
            raise PriceInThePast(self.model.model_id, self.effective_from.isoformat())

    def value(self) -> prices.Price:
        """The price to quote with; raises RateTie, RateGap, InvalidAmount, InvalidCondition."""
        return prices.Price(
            self.model.model_id,
            [line.value() for line in self.lines.all()],
            effective_from=self.effective_from,
            is_free=self.is_free,
            key=self.pk,
            currency=self.currency,
        )

    @classmethod
    def key_of(cls, price: prices.Price) -> int | None:
        """The primary key of the row that says this price; None for the plan's figures."""
        rows = cls.rows_of(price.model_id, price.effective_from)
        return rows.values_list("pk", flat=True).first()

    @classmethod
    def rows_of(cls, model_id: str, effective_from: datetime | str) -> models.QuerySet[ModelPrice]:
        """The row of the model's price that begins then, if there is one."""
        begun = cls.objects.filter(model__model_id=model_id, effective_from=effective_from)
        return begun.order_by()

    @classmethod
    @transaction.atomic
    def publish(
        cls,
        model: AIModel,
        lines: Iterable[prices.RateLine],
        *,
        effective_from: datetime | None = None,
        **columns: Any,
    ) -> ModelPrice:
        """A new price of the model, from now unless said; raises what value() raises."""
        lines = list(lines)
        price = cls(model=model, effective_from=effective_from or timezone.now(), **columns)
        prices.Price(model.model_id, lines)
        price.save()
        for line in lines:
            RateLine(
                price=price,
                meter=line.meter,
                amount=line.amount,
                per=line.per,
                condition=line.written or {},
            ).save()
        return price


@receiver(pre_delete, sender=ModelPrice)
@receiver(pre_delete, sender=RateLine)
def _refuse_deletion(instance: ModelPrice | RateLine, origin: object, **_signal: object) -> None:
    """A price that has begun goes only together with its model."""
    goes_with = origin.model if isinstance(origin, models.QuerySet) else type(origin)
    if goes_with is not AIModel:
        (instance if isinstance(instance, ModelPrice) else instance.price).refuse_if_begun()
