"""What platform and account have set for a call: keys, parameters, prompts, live settings.

It is read once and kept beside what is known of the account: a change of any of it ends both.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import QuerySet

from flags.accounts import facts_of
from igny8_core import live_settings
from igny8_core.ai.providers.base import Connection
from igny8_core.catalogue.models import CatalogueProvider
from igny8_core.live_settings import LiveSettings
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

Prompts = Mapping[str, ActivePrompt]


class AccountSettings(NamedTuple):
    """The account's own before the platform's; keys by provider, prompts in use by task."""

    own: IntegrationSettings
    platform: GlobalIntegrationSettings
    keys: Mapping[str, ProviderKey]
    own_prompts: Prompts
    platform_prompts: Prompts
    live: LiveSettings

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

    def prompt(self, task: Task) -> ActivePrompt:
        """The account's own, else the platform's, else the task's."""
        built_in = ActivePrompt(PromptOrigin.BUILT_IN, None, task.prompt)
        return self.own_prompts.get(task.key) or self.platform_prompts.get(task.key) or built_in

    def layers(self, task: Task, call: Mapping[str, Value]) -> dict[Layer, Mapping[str, Value]]:
        """The parameters that each layer sets."""
        return {
            Layer.TASK: task.parameters,
            Layer.PLATFORM: self.platform.parameters(),
            Layer.ACCOUNT: self.own.parameters(),
            Layer.CALL: call,
        }


def settings_of(account: Account) -> AccountSettings:
    """No query where they are kept; else six, of what is known now."""
    facts = facts_of(account)
    kept: AccountSettings | None = facts.beside
    if kept is None:
        kept = facts.beside = _read(account)
    return kept


def _read(account: Account) -> AccountSettings:
    return _platform_shared(
        AccountSettings(
            own=IntegrationSettings.of(account),
            platform=GlobalIntegrationSettings.load(),
            keys=ProviderKey.of(account),
            own_prompts=_prompts(AIPrompt.objects.filter(account=account), PromptOrigin.ACCOUNT),
            platform_prompts=_prompts(GlobalAIPrompt.objects.all(), PromptOrigin.PLATFORM),
            live=live_settings.load(),
        )
    )


def platform_settings() -> AccountSettings:
    """Of no account: what the platform has set. Four queries."""
    return AccountSettings(
        own=IntegrationSettings(),
        platform=GlobalIntegrationSettings.load(),
        keys={row.provider: row for row in ProviderKey.objects.filter(account=None)},
        own_prompts={},
        platform_prompts=_prompts(GlobalAIPrompt.objects.all(), PromptOrigin.PLATFORM),
        live=live_settings.load(),
    )


def _prompts(rows: QuerySet[Any], origin: PromptOrigin) -> Prompts:
    in_use = rows.filter(is_active=True).order_by().values_list("task", "version", "template")
    return {task: ActivePrompt(origin, version, template) for task, version, template in in_use}


class _Shared:
    """The platform's prompts as they were read last: many accounts have the same."""

    prompts: Prompts = MappingProxyType({})


def _platform_shared(read: AccountSettings) -> AccountSettings:
    if read.platform_prompts != _Shared.prompts:
        _Shared.prompts = read.platform_prompts
    return read._replace(platform_prompts=_Shared.prompts)
