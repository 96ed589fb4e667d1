"""What receipts and rules name stays: models and versions of prompts."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.db.models import Q
from django.db.models.signals import pre_delete

from flags.host import flags_naming
from igny8_core.catalogue.names import VOCABULARY
from igny8_core.modules.system.errors import ModelInUse
from igny8_core.modules.system.models import AIModel, AIPrompt, GlobalAIPrompt
from igny8_core.modules.system.naming import deleting, naming, renaming
from igny8_core.modules.usage.errors import PromptInUse
from igny8_core.modules.usage.receipts import Receipt
from igny8_core.tasks.prompts import PromptOrigin


def connect() -> None:
    """For `AppConfig.ready()`."""
    deleting.connect(_keep_what_is_named, sender=AIModel)
    naming.connect(_named_by_receipts)
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
    models = AIModel.objects.filter(model_id=model_id)
    if models.filter(_named_by_receipts()).exists():
        raise ModelInUse(model_id, change)
    if named := flags_naming(model_id, vocabulary=VOCABULARY):
        raise ModelInUse(model_id, change, ", ".join(named))


def _named_by_receipts(**_signal: object) -> Q:
    return reduce(
        or_,
        [
            Q(model_id__in=Receipt.objects.order_by().values(name))
            for name in ("model_asked", "model_served", "model_priced")
        ],
    )


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
