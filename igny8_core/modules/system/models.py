"""What an account sets for itself: its own keys, preferred models, parameters and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from igny8_core.ai.exceptions import AIError, InvalidParameter
from igny8_core.ai.values import ModelType
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.abstract_models import (
    Parameters,
    Prompt,
    ProviderKeys,
    SavedRowsQuerySet,
)
from igny8_core.modules.system.global_settings_models import (
    AIModel,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
)
from igny8_core.modules.system.price_models import ModelPrice, RateLine

__all__ = [
    "AIModel",
    "AIPrompt",
    "GlobalAIPrompt",
    "GlobalIntegrationSettings",
    "IntegrationSettings",
    "ModelPrice",
    "RateLine",
]


def _preference(model_type: ModelType) -> models.ForeignKey[AIModel | None, AIModel | None]:
    return models.ForeignKey(
        AIModel,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        limit_choices_to={"model_type": model_type.value},
        help_text=f"The account's own choice of {model_type} model, used where it is usable.",
    )


class IntegrationSettings(ProviderKeys, Parameters):
    """One account's settings; its keys are used before the platform's."""

    account = models.OneToOneField(
        settings.FLAGS_ACCOUNT_MODEL,
        on_delete=models.CASCADE,
        related_name="integration_settings",
    )
    text_model = _preference(ModelType.TEXT)
    image_model = _preference(ModelType.IMAGE)
    embedding_model = _preference(ModelType.EMBEDDING)

    objects = SavedRowsQuerySet.as_manager()

    # From an account to what it prefers.
    PREFERENCES: ClassVar = tuple(f"integration_settings__{each}_model" for each in ModelType)

    class Meta:
        verbose_name = "integration settings"
        verbose_name_plural = "integration settings"

    def __str__(self) -> str:
        return f"Integration settings of {self.account}"

    @classmethod
    def of(cls, account: Account) -> IntegrationSettings:
        """The account's row; an unsaved one with nothing set where it has none. One query."""
        preferences = [f"{model_type}_model" for model_type in ModelType]
        rows = cls.objects.filter(account=account).select_related(*preferences)
        return rows.first() or cls(account=account)

    def clean(self) -> None:
        super().clean()
        try:
            self._check_preferences()
        except AIError as error:
            raise ValidationError(str(error), code=error.code) from None

    def save(self, **options: Any) -> None:
        """Raises InvalidParameter, for a preference of another type too."""
        self._check_preferences()
        super().save(**options)

    def _check_preferences(self) -> None:
        for model_type in ModelType:
            model: AIModel | None = getattr(self, f"{model_type}_model")
            if model and model.model_type != model_type:
                rule = f"a model of type {model_type}"
                raise InvalidParameter(f"{model_type}_model", model.model_id, rule)

    @classmethod
    def preferences_of(cls, account: Account) -> dict[str, str]:
        """The ids of the models that the account prefers, by type; no query with PREFERENCES."""
        settings: IntegrationSettings | None = getattr(account, "integration_settings", None)
        preferred = {each: getattr(settings, f"{each}_model", None) for each in ModelType}
        return {each.value: model.model_id for each, model in preferred.items() if model}

    @classmethod
    def preferences_of_many(cls, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        """The same by the accounts' keys, of those that prefer any. One query."""
        columns = [f"{each}_model__model_id" for each in ModelType]
        rows = cls.objects.filter(account__key__in=keys).values_list("account__key", *columns)
        found = {
            key: {each.value: name for each, name in zip(ModelType, names, strict=True) if name}
            for key, *names in rows
        }
        return {key: preferred for key, preferred in found.items() if preferred}


class AIPrompt(Prompt):
    """An account's own instruction for a task, a row a version; the active one overrides ours."""

    account = models.ForeignKey(
        settings.FLAGS_ACCOUNT_MODEL,
        on_delete=models.CASCADE,
        related_name="ai_prompts",
    )

    FIXED: ClassVar = (*Prompt.FIXED, "account_id")

    class Meta(Prompt.Meta):
        verbose_name = "AI prompt"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "task", "version"],
                name="one_ai_prompt_per_account_task_and_version",
            ),
            models.UniqueConstraint(
                fields=["account", "task"],
                condition=models.Q(is_active=True),
                name="one_active_ai_prompt_per_account_and_task",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {super().__str__()}"

    def siblings(self) -> models.QuerySet[AIPrompt]:
        return AIPrompt.objects.filter(account=self.account, task=self.task)
