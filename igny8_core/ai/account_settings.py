"""What platform and account have set for a call: keys, parameters, prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.conf import settings

from igny8_core.ai.providers.base import Connection
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import (
    AIPrompt,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
    IntegrationSettings,
)
from igny8_core.tasks.parameters import Layer, Value
from igny8_core.tasks.prompts import ActivePrompt, PromptOrigin
from igny8_core.tasks.tasks import Task


class AccountSettings(NamedTuple):
    """The two rows, the account's own before the platform's."""

    own: IntegrationSettings
    platform: GlobalIntegrationSettings

    def connection(self, provider: str) -> Connection:
        """How a provider is reached: the account's key, the platform's, else the environment's.

        Only the key that is used is decrypted; raises UnreadableKey.
        """
        environment = Connection(**settings.AI_CONNECTIONS.get(provider, {"api_key": ""}))
        secret = self.own.key_of(provider) or self.platform.key_of(provider)
        return Connection(
            api_key=secret.reveal() if secret else environment.api_key,
            base_url=self.platform.base_url_of(provider) or environment.base_url,
        )

    def layers(self, call: Mapping[str, Value]) -> dict[Layer, Mapping[str, Value]]:
        """The parameters that each layer sets."""
        return {
            Layer.PLATFORM: self.platform.parameters(),
            Layer.ACCOUNT: self.own.parameters(),
            Layer.CALL: call,
        }


def settings_of(account: Account) -> AccountSettings:
    """Two queries."""
    return AccountSettings(IntegrationSettings.of(account), GlobalIntegrationSettings.load())


def prompt_of(account: Account, task: Task) -> ActivePrompt:
    """The account's own prompt for a task, else the platform's, else the task's. Two queries."""
    own = AIPrompt.objects.filter(account=account, task=task.key, is_active=True).first()
    if own:
        return ActivePrompt(PromptOrigin.ACCOUNT, own.version, own.template)
    platform = GlobalAIPrompt.objects.filter(task=task.key, is_active=True).first()
    if platform:
        return ActivePrompt(PromptOrigin.PLATFORM, platform.version, platform.template)
    return ActivePrompt(PromptOrigin.BUILT_IN, None, task.prompt)
