"""What the platform and an account set: keys, parameters, preferred models."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.dispatch import receiver

from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.errors import ModelInUse
from igny8_core.modules.system.naming import deleting, naming
from igny8_core.modules.system.parameters import Parameters
from igny8_core.modules.system.saved_rows import SavedRowsQuerySet
from igny8_core.modules.system.shown_keys import ProviderKeys
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks.errors import InvalidParameter


class GlobalIntegrationSettings(ProviderKeys, Parameters):
    """The platform's provider keys and the parameters that hold where nobody says otherwise.

    One row. A type's default model is not here: it is the AIModel marked as default.
    """

    PK = 1

    objects = SavedRowsQuerySet.as_manager()

    class Meta:
        verbose_name = "global integration settings"
        verbose_name_plural = "global integration settings"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(pk=1),
                name="one_row_of_global_integration_settings",
            ),
        ]

    def __str__(self) -> str:
        return "Global integration settings"

    @classmethod
    def load(cls) -> GlobalIntegrationSettings:
        """The row; an unsaved one with nothing set where there is none. One query."""
        return cls.objects.filter(pk=cls.PK).first() or cls(pk=cls.PK)

    def key_account(self) -> None:
        """The platform's."""

    def save(self, **options: Any) -> None:
        self.pk = self.PK
        super().save(**options)


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

    def key_account(self) -> Account:
        return self.account

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

    @classmethod
    def preferring(cls, model: AIModel | OuterRef) -> models.QuerySet[IntegrationSettings]:
        """The settings of accounts that prefer the model."""
        return cls.objects.filter(
            reduce(or_, [Q(**{f"{model_type}_model": model}) for model_type in ModelType])
        )

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
        """By account's key the models that it prefers, of those that prefer any. One query."""
        columns = [f"{each}_model__model_id" for each in ModelType]
        rows = cls.objects.filter(account__key__in=keys).values_list("account__key", *columns)
        found = {
            key: {each.value: name for each, name in zip(ModelType, names, strict=True) if name}
            for key, *names in rows
        }
        return {key: preferred for key, preferred in found.items() if preferred}


@receiver(naming)
def _preferred(**_signal: object) -> Q:
    return Q(Exists(IntegrationSettings.preferring(OuterRef("pk"))))


@receiver(deleting, sender=AIModel)
def _keep_the_preferred(instance: AIModel, **_signal: object) -> None:
    """Raises ModelInUse."""
    count = IntegrationSettings.preferring(instance).count()
    if count:
        who = "one account prefers it" if count == 1 else f"{count:,} accounts prefer it"
        raise ModelInUse(instance.model_id, "deleted", who)
