"""What receipts and rules name stays: models and versions of prompts."""

from __future__ import annotations

from django.db.models.signals import pre_delete

from flags.host import flags_naming
from igny8_core.catalogue.names import VOCABULARY
from igny8_core.modules.system.ai_models import renaming
from igny8_core.modules.system.errors import ModelInUse
from igny8_core.modules.system.models import AIModel, AIPrompt, GlobalAIPrompt
from igny8_core.modules.usage.errors import PromptInUse
from igny8_core.modules.usage.receipts import Receipt
from igny8_core.tasks.prompts import PromptOrigin


def connect() -> None:
    """For `AppConfig.ready()`."""
    pre_delete.connect(_keep_what_is_named, sender=AIModel)
    renaming.connect(_keep_the_id_that_is_named)
    for prompts in (GlobalAIPrompt, AIPrompt):
        pre_delete.connect(_keep_the_versions_that_receipts_name, sender=prompts)


def _keep_what_is_named(instance: AIModel, **_signal: object) -> None:
    _refuse_if_named(instance.model_id, "deleted")


def _keep_the_id_that_is_named(instance: AIModel, **_signal: object) -> None:
    kept = AIModel.objects.filter(pk=instance.pk).values_list("model_id", flat=True).first()
    if kept is not None and kept != instance.model_id:
        _refuse_if_named(kept, "renamed")


def _refuse_if_named(model_id: str, change: str) -> None:
    """Raises ModelInUse where a receipt, or a flag that serves models, names it."""
    if _receipts_name(model_id):
        raise ModelInUse(model_id, change)
    if named := flags_naming(model_id, vocabulary=VOCABULARY):
        raise ModelInUse(model_id, change, ", ".join(named))


def _receipts_name(model_id: str) -> bool:
    names = ("model_asked", "model_served", "model_priced")
    return any(Receipt.objects.filter(**{name: model_id}).exists() for name in names)


def _keep_the_versions_that_receipts_name(
    instance: GlobalAIPrompt | AIPrompt, **_signal: object
) -> None:
    receipts = Receipt.objects.filter(task=instance.task, prompt_version=instance.version)
    receipts = (
        receipts.filter(prompt=PromptOrigin.ACCOUNT, account=instance.account)
        if isinstance(instance, AIPrompt)
        else receipts.filter(prompt=PromptOrigin.PLATFORM)
    )
    if receipts.exists():
        raise PromptInUse(str(instance))
