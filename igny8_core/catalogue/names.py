"""The names that the product gives to its parts of a document: sections, vocabularies, switches."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from igny8_core.pricing.meters import ModelType

# The section of a document that has the models and their prices.
SECTION: Final = "catalogue"
MODELS: Final = ("sections", SECTION, "models")
PROVIDER_ROWS: Final = ("sections", SECTION, "providers")
ALIASES: Final = ("sections", SECTION, "aliases")
# The fact about an account that says which models it prefers, by type.
PREFERENCES: Final = "preferences"
# The fact about an account that says which providers its calls can reach.
REACH: Final = "reach"
# A number flag: the percent that an account pays above the cost.
MARKUP_FLAG: Final = "pricing.markup_percent"
# `provider.openai`: a switch that is off has nobody use the provider's models.
PROVIDER_SWITCH: Final = "provider."
# `ai-model:text`: the values that a flag of that vocabulary may serve are the type's models.
VOCABULARY: Final = "ai-model:"

# Who answers where no provider is called.
OFFLINE: Final = "offline"
# The providers that are there from the start, each in its own protocol.
PROVIDERS: Final = MappingProxyType(
    {
        "openai": "OpenAI",
        "anthropic": "Anthropic",
        "runware": "Runware",
        "google": "Google AI",
    }
)


def vocabulary_of(model_type: ModelType) -> str:
    """The vocabulary of a flag that names models of the type."""
    return f"{VOCABULARY}{model_type}"
