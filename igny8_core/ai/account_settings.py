"""What platform and account have set for a call: keys, parameters, prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from django.conf import settings

from igny8_core.ai.providers.base import Connection
from igny8_core.catalogue.models import CatalogueProvider
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.addresses import (
    environment_url,
    origin_of,
    refuse_insecure,
    url_of,
)
from igny8_core.modules.system.errors import KeyForAnotherAddress
from igny8_core.modules.system.models import (
    AIPrompt,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
    IntegrationSettings,
    ProviderKey,
)
from igny8_core.tasks.parameters import Layer, Value
from igny8_core.tasks.prompts import ActivePrompt, PromptOrigin
from igny8_core.tasks.tasks import Task


class AccountSettings(NamedTuple):
    """The two rows, the account's own before the platform's, and the keys of both."""

    own: IntegrationSettings
    platform: GlobalIntegrationSettings
    keys: Mapping[str, ProviderKey]

    def connection(self, provider: CatalogueProvider) -> Connection:
        """How a provider is reached: the account's key, the platform's, else the environment's.

        Only the key that is used is decrypted, and only for the origin that it was set for. Raises
        UnreadableKey, KeyForAnotherAddress, InsecureAddress.
        """
        url = url_of(provider.name, provider.base_url)
        key = self._key(provider.name, origin_of(url))
        if key:
            refuse_insecure(url)
        return Connection(api_key=key, base_url=url)

    def _key(self, provider: str, origin: str) -> str:
        if provider in self.keys:
            return self.keys[provider].reveal_for(origin)
        key: str = settings.AI_CONNECTIONS.get(provider, {}).get("api_key", "")
        own = origin_of(environment_url(provider))
        if key and own != origin:
            raise KeyForAnotherAddress(f"The environment's key for {provider}", own, origin)
        return key

    def layers(self, task: Task, call: Mapping[str, Value]) -> dict[Layer, Mapping[str, Value]]:
        """The parameters that each layer sets."""
        return {
            Layer.TASK: task.parameters,
            Layer.PLATFORM: self.platform.parameters(),
            Layer.ACCOUNT: self.own.parameters(),
            Layer.CALL: call,
        }


def settings_of(account: Account) -> AccountSettings:
    """Three queries."""
    own, platform = IntegrationSettings.of(account), GlobalIntegrationSettings.load()
    return AccountSettings(own, platform, ProviderKey.of(account))


def platform_settings() -> AccountSettings:
    """Of no account: the platform's keys and parameters. Two queries."""
    keys = {row.provider: row for row in ProviderKey.objects.filter(account=None)}
    return AccountSettings(IntegrationSettings(), GlobalIntegrationSettings.load(), keys)


def prompt_of(account: Account, task: Task) -> ActivePrompt:
    """The account's own prompt for a task, else the platform's, else the task's. Two queries."""
    own = AIPrompt.objects.filter(account=account, task=task.key, is_active=True).first()
    if own:
        return ActivePrompt(PromptOrigin.ACCOUNT, own.version, own.template)
    platform = GlobalAIPrompt.objects.filter(task=task.key, is_active=True).first()
    if platform:
        return ActivePrompt(PromptOrigin.PLATFORM, platform.version, platform.template)
    return ActivePrompt(PromptOrigin.BUILT_IN, None, task.prompt)
