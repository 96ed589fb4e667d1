"""Other names of models as rows: what a provider calls a model, from a moment on."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from flags.host import Published
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.naming import check_model_id
from igny8_core.modules.system.saved_rows import SavedRowsQuerySet


class ModelAlias(Published):
    """A dated snapshot or another name, under which a provider says that a model answered."""

    name = models.CharField(
        max_length=100,
        validators=[check_model_id],
        help_text="As the provider writes it, such as gpt-4o-2024-08-06.",
    )
    model = models.ForeignKey(
        AIModel,
        on_delete=models.CASCADE,
        related_name="aliases",
        help_text="Answers under that name are billed as this model's.",
    )
    effective_from = models.DateTimeField(
        default=timezone.now,
        blank=True,
        help_text="The first moment that it holds for, UTC; empty: now.",
    )

    objects = SavedRowsQuerySet.as_manager()

    class Meta:
        db_table = "igny8_ai_model_aliases"
        ordering: ClassVar = ["name", "-effective_from"]
        verbose_name = "model alias"
        verbose_name_plural = "model aliases"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name", "effective_from"], name="one_model_per_alias_and_moment"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} is {self.model.model_id} from {self.effective_from:%Y-%m-%d %H:%M:%S}"

    def clean(self) -> None:
        super().clean()
        if AIModel.objects.filter(model_id=self.name).exists():
            message = f"“{self.name}” is a model of its own, so it is no other name of one."
            raise ValidationError({"name": message})

    def save(self, **options: Any) -> None:
        self.effective_from = self.effective_from or timezone.now()
        super().save(**options)
