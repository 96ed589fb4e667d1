"""Who answers an AI request: one folder per provider, behind one Protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from igny8_core.ai.providers.anthropic.client import AnthropicProvider
from igny8_core.ai.providers.base import Connection, Provider
from igny8_core.ai.providers.errors import ProviderNotConfigured, ProviderNotImplemented
from igny8_core.ai.providers.google.client import GoogleProvider
from igny8_core.ai.providers.offline.client import OfflineProvider
from igny8_core.ai.providers.openai.client import OpenAIProvider
from igny8_core.ai.providers.runware.client import RunwareProvider
from igny8_core.ai.providers.usage import Usage, read
from igny8_core.catalogue import protocols
from igny8_core.catalogue.models import CatalogueProvider

_implemented: Final[dict[str, type[Provider]]] = {
    "openai": OpenAIProvider,
    "anthropic": AnthropicProvider,
    "google": GoogleProvider,
    "runware": RunwareProvider,
}
# By protocol, as they are at each look.
IMPLEMENTED: Final[Mapping[str, type[Provider]]] = MappingProxyType(_implemented)


def register(protocol: str, label: str, provider: type[Provider]) -> None:
    """Have providers' rows of this protocol answered by the class; for `AppConfig.ready()`.

    `label` is its name for people. Raises ValueError for a protocol that is there already.
    """
    protocols.add(protocol, label)
    _implemented[protocol] = provider


def usage_of(protocol: str, model_type: str, text: str) -> Usage:
    """A usage block that a receipt kept, read again."""
    reader = IMPLEMENTED[protocol].meters.get(model_type) if protocol in IMPLEMENTED else None
    if reader is None or not text:
        return Usage(None, None, "No usage block is kept that could be read.")
    return read(json.loads(text), reader)


def provider_for(
    provider: CatalogueProvider, connection: Connection, *, offline_answers: bool
) -> Provider:
    """Whoever speaks the provider's protocol; where it has no key, the offline one in its place.

    Raises ProviderNotImplemented; ProviderNotConfigured where it has none and offline answers are
    turned off.
    """
    if provider.protocol not in IMPLEMENTED:
        raise ProviderNotImplemented(provider.name, provider.protocol)
    if connection.api_key:
        return IMPLEMENTED[provider.protocol](provider.name, connection)
    if offline_answers:
        return OfflineProvider()
    raise ProviderNotConfigured(provider.name)
