"""Who answers an AI request: one file per provider, behind one Protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from igny8_core.ai.exceptions import ProviderNotConfigured
from igny8_core.ai.providers.base import Connection, Provider
from igny8_core.ai.providers.offline import OfflineProvider
from igny8_core.ai.providers.openai import OpenAIProvider

_PROVIDERS: Mapping[str, Callable[[Connection], Provider]] = MappingProxyType(
    {"openai": OpenAIProvider},
)


def provider_for(
    name: str,
    connections: Mapping[str, Connection],
    *,
    offline_answers: bool,
) -> Provider:
    """The provider of that name, or where it has no key, the offline one in its place.

    Raises ProviderNotConfigured where offline answers are turned off.
    """
    connection = connections.get(name)
    if connection and connection.api_key and name in _PROVIDERS:
        return _PROVIDERS[name](connection)
    if offline_answers:
        return OfflineProvider()
    raise ProviderNotConfigured(name)
