"""Who answers an AI request: one folder per provider, behind one Protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from igny8_core.ai.providers.anthropic.client import AnthropicProvider
from igny8_core.ai.providers.anthropic.meters import anthropic_meters
from igny8_core.ai.providers.base import Connection, Provider
from igny8_core.ai.providers.errors import ProviderNotConfigured
from igny8_core.ai.providers.google.client import GoogleProvider
from igny8_core.ai.providers.google.meters import google_meters
from igny8_core.ai.providers.offline.client import OfflineProvider
from igny8_core.ai.providers.openai.client import OpenAIProvider
from igny8_core.ai.providers.openai.meters import embedding_meters, image_meters, openai_meters
from igny8_core.ai.providers.runware.client import RunwareProvider
from igny8_core.ai.providers.usage import Reading, Usage, UsageBlock, read
from igny8_core.catalogue.models import CatalogueProvider
from igny8_core.pricing.meters import ModelType

_PROTOCOLS: Mapping[str, Callable[[str, Connection], Provider]] = MappingProxyType(
    {
        "openai": OpenAIProvider,
        "anthropic": AnthropicProvider,
        "google": GoogleProvider,
        "runware": RunwareProvider,
    },
)


# How each protocol's usage block is read, by the type of the model.
_READERS: Mapping[str, Mapping[str, Callable[[UsageBlock], Reading]]] = MappingProxyType(
    {
        "openai": {
            ModelType.TEXT: openai_meters,
            ModelType.IMAGE: image_meters,
            ModelType.EMBEDDING: embedding_meters,
        },
        "anthropic": {ModelType.TEXT: anthropic_meters},
        "google": dict.fromkeys(ModelType, google_meters),
    }
)


def usage_of(protocol: str, model_type: str, text: str) -> Usage:
    """A usage block that a receipt kept, read again."""
    reader = _READERS.get(protocol, {}).get(model_type)
    if reader is None or not text:
        return Usage(None, None, "No usage block is kept that could be read.")
    return read(json.loads(text), reader)


def provider_for(
    provider: CatalogueProvider, connection: Connection, *, offline_answers: bool
) -> Provider:
    """Whoever speaks the provider's protocol; where it has no key, the offline one in its place.

    Raises ProviderNotConfigured where it has none and offline answers are turned off.
    """
    if connection.api_key:
        return _PROTOCOLS[provider.protocol](provider.name, connection)
    if offline_answers:
        return OfflineProvider()
    raise ProviderNotConfigured(provider.name)
