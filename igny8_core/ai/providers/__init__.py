"""Who answers an AI request: one folder per provider, behind one Protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from igny8_core.ai.providers.anthropic.client import AnthropicProvider
from igny8_core.ai.providers.base import Connection, Provider
from igny8_core.ai.providers.errors import ProviderNotConfigured, ProviderNotImplemented
from igny8_core.ai.providers.google.client import GoogleProvider
from igny8_core.ai.providers.offline.client import OfflineProvider
from igny8_core.ai.providers.openai.client import OpenAIProvider
from igny8_core.catalogue.models import CatalogueProvider

_PROTOCOLS: Mapping[str, Callable[[str, Connection], Provider]] = MappingProxyType(
    {"openai": OpenAIProvider, "anthropic": AnthropicProvider, "google": GoogleProvider},
)


def provider_for(
    provider: CatalogueProvider, connection: Connection, *, offline_answers: bool
) -> Provider:
    """Whoever speaks the provider's protocol; where it has no key, the offline one in its place.

    Raises ProviderNotImplemented where it has a key and nothing here speaks so, and
    ProviderNotConfigured where it has none and offline answers are turned off.
    """
    if connection.api_key:
        if provider.protocol not in _PROTOCOLS:
            raise ProviderNotImplemented(provider.name)
        return _PROTOCOLS[provider.protocol](provider.name, connection)
    if offline_answers:
        return OfflineProvider()
    raise ProviderNotConfigured(provider.name)
