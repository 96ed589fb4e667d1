"""What holds for the whole platform: the catalogue of AI models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models, transaction


class AIModelQuerySet(models.QuerySet["AIModel"]):
    """Writes many rows as one would write each: through `save()`, in one transaction.

    A catalogue is short; what `save()` keeps true (one default, an announcement) is worth a
    query a row.
    """

    def update(self, **values: Any) -> int:
        rows = list(self)
        with transaction.atomic(using=self.db):
            for row in rows:
                for name, value in values.items():
                    setattr(row, name, value)
                row.save(using=self.db, update_fields=[*values, "updated_at"])
        return len(rows)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[AIModel], *_args: Any, **options: Any) -> list[AIModel]:
        self._refuse(options)
        rows = list(objs)
        with transaction.atomic(using=self.db):
            for row in rows:
                row.save(using=self.db, force_insert=True)
        return rows

    def bulk_update(
        self,
        objs: Iterable[AIModel],
        fields: Iterable[str],
        batch_size: int | None = None,  # noqa: ARG002 - the signature is Django's
    ) -> int:
        rows = list(objs)
        with transaction.atomic(using=self.db):
            for row in rows:
                row.save(using=self.db, update_fields=[*fields, "updated_at"])
        return len(rows)

    @staticmethod
    def _refuse(options: dict[str, Any]) -> None:
        for name in ("ignore_conflicts", "update_conflicts"):
            if options.get(name):
                message = (
                    f"bulk_create({name}=True) would bypass save(); create the rows one by one."
                )
                raise ValueError(message)


class AIModel(models.Model):
    """Dynamic AI model configuration.

    Replaces hardcoded MODEL_RATES and IMAGE_MODEL_RATES.
    """

    PROVIDER_CHOICES: ClassVar = [
        ("openai", "OpenAI"),
        ("anthropic", "Anthropic"),
        ("runware", "Runware"),
        ("google", "Google AI"),
    ]
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
        help_text="Cost per 1M input tokens (text) or per request (image)",
    )
    output_rate = models.DecimalField(
        max_digits=10,
        decimal_places=4,
        default=0,
        help_text="Cost per 1M output tokens (text only)",
    )

    # Capabilities
    max_tokens = models.IntegerField(default=8192, help_text="Maximum tokens for this model")
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
    sort_order = models.IntegerField(default=0)

    # Metadata
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AIModelQuerySet.as_manager()

    class Meta:
        db_table = "igny8_ai_models"
        ordering: ClassVar = ["sort_order", "display_name"]
        verbose_name = "AI model"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["model_type"],
                condition=models.Q(is_default=True),
                name="one_default_ai_model_per_type",
                violation_error_message="Another model of this type is the default.",
            ),
            models.CheckConstraint(
                condition=models.Q(model_type__in=["text", "image", "embedding"]),
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

    def save(self, **options: Any) -> None:
        """Save; a default clears the type's old one first, by its own `save()`."""
        with transaction.atomic(using=options.get("using")):
            if self.is_default:
                self._clear_other_default(options.get("using"))
            super().save(**options)

    def _clear_other_default(self, using: str | None) -> None:
        rows = AIModel.objects.using(using).filter(model_type=self.model_type)
        # Whoever switches the default of this type at the same time waits here, and then sees it.
        list(rows.order_by("pk").select_for_update().values_list("pk"))
        for other in rows.filter(is_default=True).exclude(pk=self.pk):
            other.is_default = False
            other.save(using=using, update_fields=["is_default", "updated_at"])
