"""A provider that models or keys name, or that is there from the start, stays."""

from __future__ import annotations

from typing import Final

from igny8_core.catalogue.names import PROVIDERS
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.errors import ProviderInUse
from igny8_core.modules.system.keys import ProviderKey
from igny8_core.modules.system.naming import deleting
from igny8_core.modules.system.providers import AIProvider

_TOLD: Final = 3


def connect() -> None:
    """For `AppConfig.ready()`."""
    deleting.connect(_keep_what_is_named, sender=AIProvider)


def _keep_what_is_named(instance: AIProvider, **_signal: object) -> None:
    """Raises ProviderInUse. Two queries."""
    if instance.name in PROVIDERS:
        raise ProviderInUse(instance.name, "deleted", "it is there from the start")
    models = AIModel.objects.filter(provider=instance.name).values_list("model_id", flat=True)
    if models:
        told = ", ".join(models[:_TOLD]) + (" …" if len(models) > _TOLD else "")
        raise ProviderInUse(instance.name, "deleted", f"models name it ({told})")
    keys = ProviderKey.objects.filter(provider=instance.name).count()
    if keys:
        who = "a key is kept for it" if keys == 1 else f"{keys:,} keys are kept for it"
        raise ProviderInUse(instance.name, "deleted", who)
