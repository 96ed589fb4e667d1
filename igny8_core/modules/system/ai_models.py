"""The catalogue's rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils import timezone

from flags.host import Published, check_key, mark_changed
from igny8_core.catalogue.names import PROVIDERS
from igny8_core.modules.system.headline import _RATE_DECIMALS, RATES, check_rate, rate_text
from igny8_core.modules.system.saved_rows import SavedRowsQuerySet
from igny8_core.pricing.meters import HEADLINE, ModelType
from igny8_core.pricing.prices import Price, headline_lines

_INTEGER = 2**31 - 1  # what every database holds


# The fields that say which model is the default of which type.
_DEFAULT = frozenset({"is_default", "model_type"})


class AIModel(Published):
    """Dynamic AI model configuration.

    Replaces hardcoded MODEL_RATES and IMAGE_MODEL_RATES.
    """

    NAME = "model_id"

    PROVIDER_CHOICES: ClassVar = list(PROVIDERS.items())
    MODEL_TYPE_CHOICES: ClassVar = [
        ("text", "Text Generation"),
        ("image", "Image Generation"),
        ("embedding", "Embedding"),
    ]

    # Identification
    model_id = models.CharField(
        max_length=100,
        unique=True,
        help_text="Model identifier (e.g., 'gpt-4o-mini', 'claude-3-sonnet')",
    )
    display_name = models.CharField(
        max_length=200,
        help_text="User-friendly name (e.g., 'GPT-4o Mini')",
    )
    provider = models.CharField(max_length=50, choices=PROVIDER_CHOICES)
    model_type = models.CharField(max_length=20, choices=MODEL_TYPE_CHOICES)

    # Pricing (per 1M tokens for text, per image for image models)
    input_rate = models.DecimalField(
        max_digits=10,
        decimal_places=4,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="Cost per 1M input tokens (text) or per request (image)",
    )
    output_rate = models.DecimalField(
        max_digits=10,
        decimal_places=4,
        default=0,
        validators=[MinValueValidator(0)],
        help_text="Cost per 1M output tokens (text only)",
    )

    # Capabilities
    max_tokens = models.IntegerField(
        default=8192,
        validators=[MinValueValidator(1), MaxValueValidator(_INTEGER)],
        help_text="Maximum tokens for this model",
    )
    supports_json_mode = models.BooleanField(
        default=True,
        help_text="Whether model supports JSON response format",
    )
    supports_vision = models.BooleanField(
        default=False,
        help_text="Whether model supports image input",
    )

    # Status
    is_active = models.BooleanField(default=True)
    is_default = models.BooleanField(
        default=False,
        help_text="Use as default when no specific model is configured",
    )
    sort_order = models.IntegerField(
        default=0, validators=[MinValueValidator(-_INTEGER), MaxValueValidator(_INTEGER)]
    )

    # Who may use it, and until when
    available_to = models.CharField(
        max_length=200,
        blank=True,
        validators=[check_key],
        help_text=(
            "A boolean flag: the accounts for which it is on may use this model, by its rules and "
            "overrides. Empty: every account."
        ),
    )
    retires_at = models.DateTimeField(
        null=True, blank=True, help_text="From this second on it is not used, UTC; empty: never."
    )
    replaced_by = models.CharField(
        max_length=100,
        blank=True,
        help_text="The model that is used in its place once it is retired.",
    )

    # Metadata
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SavedRowsQuerySet.as_manager()

    # Its ModelPrices, and the headline rates that this instance was read with.
    prices: Any
    _loaded_rates: dict[str, Decimal] | None = None

    class Meta:
        db_table = "igny8_ai_models"
        ordering: ClassVar = ["sort_order", "display_name"]
        verbose_name = "AI model"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model_type"],
                condition=models.Q(is_default=True),
                name="one_default_ai_model_per_type",
            ),
            models.CheckConstraint(
                condition=models.Q(model_type__in=[value.value for value in ModelType]),
                name="ai_model_type_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(input_rate__gte=0, output_rate__gte=0),
                name="ai_model_rates_are_not_negative",
                violation_error_message="A rate cannot be negative.",
            ),
            models.CheckConstraint(
                condition=models.Q(max_tokens__gt=0),
                name="ai_model_max_tokens_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.display_name} ({self.model_id})"

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """A form may make it the default while another one is: `save()` clears that first."""
        super().validate_constraints({*(exclude or ()), "is_default"})

    @classmethod
    def from_db(cls, *columns: Any, **options: Any) -> Self:
        model = super().from_db(*columns, **options)
        model.mark_rates()
        return model

    def mark_rates(self) -> None:
        """Take the rates as they are now for those that were read: only others are a change."""
        read = {name: self.__dict__.get(name) for name in RATES}
        self._loaded_rates = {name: rate for name, rate in read.items() if rate is not None}

    def refresh_from_db(self, *args: Any, **options: Any) -> None:
        super().refresh_from_db(*args, **options)
        self.mark_rates()

    def save(self, **options: Any) -> None:
        """Save; a default clears the type's old one first, by its own `save()`.

        A headline rate that differs from the one that was read publishes a price from now on; one
        that does not is left as it is stored.
        """
        for name in RATES:
            if name in self.__dict__:
                check_rate(name, getattr(self, name))
        written = options.get("update_fields")
        with transaction.atomic(using=options.get("using")):
            mark_changed()
            if self.is_default and (written is None or not _DEFAULT.isdisjoint(written)):
                self._clear_other_default(options.get("using"))
            changed = self._changed_rates(written)
            if not self._state.adding:
                self._keep_stored_rates(changed)
            super().save(**options)
            if changed:
                self._publish_headline(changed)
        self.mark_rates()

    def _changed_rates(self, written: Collection[str] | None) -> dict[str, Decimal]:
        before = self._loaded_rates or {}
        rates = {name: Decimal(str(self.__dict__[name])) for name in RATES if name in self.__dict__}
        return {
            name: rate
            for name, rate in rates.items()
            if (written is None or name in written) and rate != before.get(name, Decimal(0))
        }

    def _keep_stored_rates(self, changed: Collection[str]) -> None:
        rows = AIModel._base_manager.filter(pk=self.pk)
        # Who changes another rate at the same time waits here, and then sees this one.
        rows = rows.select_for_update() if changed else rows
        stored = rows.values(*RATES).first() or {}
        for name, rate in stored.items():
            if name not in changed:
                setattr(self, name, rate)

    def price_at(self, at: datetime) -> Price | None:
        """The price in force, of `prices`; None where none has begun."""
        begun = [row for row in self.prices.all() if row.effective_from <= at]
        return max(begun, key=lambda row: row.effective_from).value() if begun else None

    def why_no_default(self, at: datetime) -> str | None:
        """Why, as a default, it leaves accounts without a model, now or later."""
        if not self.is_active:
            return "it is not active"
        if self.retires_at is not None and not self.replaced_by:
            return f"it retires on {self.retires_at:%Y-%m-%d %H:%M} UTC without a successor"
        price = self.price_at(at)
        is_priced = price is not None and price.is_complete(self.model_type)
        return None if is_priced else "it has no complete price in force"

    def take_headline(self, at: datetime) -> None:
        """Put the headline rates in force in place of the stored ones, as if they were read."""
        if self.price_at(at) is not None:
            for name, text in self.headline_texts(at).items():
                setattr(self, name, Decimal(text))
            self.mark_rates()

    def fits_the_columns(self) -> bool:
        """Whether four decimals hold the rates."""
        return all(
            rate == round(rate, _RATE_DECIMALS) for rate in (self.input_rate, self.output_rate)
        )

    def headline_texts(self, at: datetime) -> dict[str, str]:
        """The headline rates in force, as the columns write them: at least four decimals."""
        price = self.price_at(at)
        rates = price.headline(self.model_type) if price else (Decimal(0), Decimal(0))
        return {name: rate_text(rate) for name, rate in zip(RATES, rates, strict=True)}

    def _publish_headline(self, changed: dict[str, Decimal]) -> None:
        """A price from now: the one in force with the changed rates in its place."""
        now = timezone.now()
        fresh = AIModel._base_manager.prefetch_related("prices__lines").get(pk=self.pk)
        before = fresh.price_at(now)
        rates = dict(zip(RATES, before.headline(self.model_type) if before else (), strict=False))
        if before is not None and all(rates[name] == rate for name, rate in changed.items()):
            return
        merged = {**dict.fromkeys(RATES, Decimal(0)), **rates, **changed}
        headline = headline_lines(self.model_type, [merged[name] for name in RATES])
        kept = [
            line
            for line in (before.lines if before else ())
            if line.written or line.meter not in HEADLINE[ModelType(self.model_type)]
        ]
        self.prices.model.publish(
            self, [*headline, *kept], effective_from=now, source="the model's headline rates"
        )

    def _clear_other_default(self, using: str | None) -> None:
        rows = AIModel.objects.using(using).filter(model_type=self.model_type)
        # Whoever switches the default of this type at the same time waits here, and then sees it.
        list(rows.order_by("pk").select_for_update().values_list("pk"))
        for other in rows.filter(is_default=True).exclude(pk=self.pk):
            other.is_default = False
            other.save(using=using, update_fields=["is_default", "updated_at"])

    def toggle_active(self) -> None:
        """Switch it, as it is stored: two clicks at once are two switches."""
        with transaction.atomic():
            mark_changed()
            stored = AIModel.objects.select_for_update().get(pk=self.pk)
            self.is_active = not stored.is_active
            self.save(update_fields=["is_active", "updated_at"])

    def make_default(self) -> None:
        """Make it its type's default; a default is active."""
        self.is_default = self.is_active = True
        self.save(update_fields=["is_default", "is_active", "updated_at"])
