"""The catalogue's rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction

from flags.host import check_key, check_visible, mark_changed
from igny8_core.catalogue.names import PROVIDERS
from igny8_core.modules.system.headline import HeadlineRates
from igny8_core.modules.system.naming import NamedQuerySet, check_model_id, deleting, renaming
from igny8_core.modules.system.providers import NamesProvider
from igny8_core.pricing.meters import ModelType

_INTEGER = 2**31 - 1  # what every database holds
_COUNT = [MinValueValidator(1), MaxValueValidator(_INTEGER)]
# What a check constraint is about.
_VALIDATED = ("model_type", "input_rate", "output_rate", "max_tokens")
# The fields that say which model is the default of which type.
_DEFAULT = frozenset({"is_default", "model_type"})


class AIModel(NamesProvider, HeadlineRates):
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
        validators=[check_model_id],
        help_text="Model identifier (e.g., 'gpt-4o-mini', 'claude-3-sonnet')",
    )
    display_name = models.CharField(
        max_length=200,
        validators=[check_visible],
        help_text="User-friendly name (e.g., 'GPT-4o Mini')",
    )
    provider = models.CharField(max_length=50, choices=PROVIDER_CHOICES)
    model_type = models.CharField(max_length=20, choices=MODEL_TYPE_CHOICES)

    # Capabilities
    max_tokens = models.IntegerField(
        default=8192,
        validators=_COUNT,
        help_text="Maximum tokens for this model",
    )
    context_window = models.IntegerField(
        null=True,
        blank=True,
        validators=_COUNT,
        help_text="How many tokens prompt and answer may have together; empty: not checked.",
    )
    supports_json_mode = models.BooleanField(
        default=True, help_text="Whether model supports JSON response format"
    )
    supports_vision = models.BooleanField(
        default=False, help_text="Whether model supports image input"
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

    objects = NamedQuerySet.as_manager()

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
        """A form may make it the default while another one is: `save()` clears that first.

        What the other constraints keep true, the fields' own validators have checked already.
        """
        super().validate_constraints({*(exclude or ()), "is_default", *_VALIDATED})

    def save(self, **options: Any) -> None:
        """Save; a default clears the type's old one first, by its own `save()`.

        A refusal comes before the first write. As in Django's own `save()`, a fault of the database
        breaks the transaction around it.
        """
        written = options.get("update_fields")
        if not self._state.adding and (written is None or "model_id" in written):
            renaming.send(sender=AIModel, instance=self)
        with transaction.atomic(using=options.get("using"), savepoint=False):
            mark_changed()
            if self.is_default and (written is None or not _DEFAULT.isdisjoint(written)):
                self._clear_other_default(options.get("using"))
            super().save(**options)

    def delete(
        self,
        using: str | None = None,
        keep_parents: bool = False,  # noqa: FBT001, FBT002 - Django's
    ) -> tuple[int, dict[str, int]]:
        """Raises ModelInUse."""
        deleting.send(sender=AIModel, instance=self)
        return super().delete(using, keep_parents)

    def why_no_default(self, at: datetime) -> str | None:
        """Why, as a default, it leaves accounts without a model, now or later."""
        if not self.is_active:
            return "it is not active"
        if self.retires_at is not None and not self.replaced_by:
            return f"it retires on {self.retires_at:%Y-%m-%d %H:%M} UTC without a successor"
        price = self.price_at(at)
        is_priced = price is not None and price.is_complete(self.model_type)
        return None if is_priced else "it has no complete price in force"

    def _clear_other_default(self, using: str | None) -> None:
        rows = AIModel.objects.using(using).filter(model_type=self.model_type)
        # Whoever switches the default of this type at the same time waits here, and then sees it.
        list(rows.order_by("pk").select_for_update().values_list("pk"))
        for other in rows.filter(is_default=True).exclude(pk=self.pk):
            other.is_default = False
            other.save(using=using, update_fields=["is_default", "updated_at"])

    def toggle_active(self, *, wanted: bool | None = None) -> None:
        """Make it active or not; the other of what is stored where nothing is wanted."""
        with transaction.atomic():
            mark_changed()
            stored = AIModel.objects.select_for_update().get(pk=self.pk)
            self.is_active = not stored.is_active if wanted is None else wanted
            self.save(update_fields=["is_active", "updated_at"])

    def make_default(self) -> None:
        """Make it its type's default; a default is active."""
        self.is_default = self.is_active = True
        self.save(update_fields=["is_default", "is_active", "updated_at"])
