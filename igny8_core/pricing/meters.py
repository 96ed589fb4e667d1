"""Meters: what is counted, what is part of what, and which a model of each type is priced by."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from igny8_core.pricing.errors import ImpossibleMeters, InvalidQuantity, UnknownMeter


class ModelType(StrEnum):
    TEXT = "text"
    IMAGE = "image"
    EMBEDDING = "embedding"


class Meter(StrEnum):
    """What is counted in an AI call; `meters.py` says which is part of which."""

    INPUT_TOKENS = "input_tokens"
    CACHED_INPUT_TOKENS = "cached_input_tokens"
    CACHE_WRITE_5M_TOKENS = "cache_write_5m_tokens"
    CACHE_WRITE_1H_TOKENS = "cache_write_1h_tokens"
    AUDIO_INPUT_TOKENS = "audio_input_tokens"
    CACHED_AUDIO_INPUT_TOKENS = "cached_audio_input_tokens"
    IMAGE_INPUT_TOKENS = "image_input_tokens"
    CACHED_IMAGE_INPUT_TOKENS = "cached_image_input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    REASONING_TOKENS = "reasoning_tokens"
    AUDIO_OUTPUT_TOKENS = "audio_output_tokens"
    IMAGE_OUTPUT_TOKENS = "image_output_tokens"
    IMAGES = "images"
    REQUESTS = "requests"
    WEB_SEARCHES = "web_searches"
    SECONDS = "seconds"
    CHARACTERS = "characters"


MAX_QUANTITY: Final = 10**15
PARENTS: Final[Mapping[Meter, Meter]] = MappingProxyType(
    {
        # Children before their parents.
        Meter.CACHED_AUDIO_INPUT_TOKENS: Meter.AUDIO_INPUT_TOKENS,
        Meter.CACHED_IMAGE_INPUT_TOKENS: Meter.IMAGE_INPUT_TOKENS,
        Meter.CACHED_INPUT_TOKENS: Meter.INPUT_TOKENS,
        Meter.CACHE_WRITE_5M_TOKENS: Meter.INPUT_TOKENS,
        Meter.CACHE_WRITE_1H_TOKENS: Meter.INPUT_TOKENS,
        Meter.AUDIO_INPUT_TOKENS: Meter.INPUT_TOKENS,
        Meter.IMAGE_INPUT_TOKENS: Meter.INPUT_TOKENS,
        Meter.REASONING_TOKENS: Meter.OUTPUT_TOKENS,
        Meter.AUDIO_OUTPUT_TOKENS: Meter.OUTPUT_TOKENS,
        Meter.IMAGE_OUTPUT_TOKENS: Meter.OUTPUT_TOKENS,
    }
)
# Without a rate of their own these are charged as the parent is: that is what providers do who
# give no discount. The others cost something else than the parent, so they need their own.
CHARGED_AS_PARENT: Final = frozenset(
    {
        Meter.CACHED_INPUT_TOKENS,
        Meter.CACHED_AUDIO_INPUT_TOKENS,
        Meter.CACHED_IMAGE_INPUT_TOKENS,
        Meter.REASONING_TOKENS,
    }
)
# What a model of each type must have a price for: one of these groups, whole.
REQUIRED: Final[Mapping[ModelType, tuple[frozenset[Meter], ...]]] = MappingProxyType(
    {
        ModelType.TEXT: (frozenset({Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS}),),
        ModelType.EMBEDDING: (frozenset({Meter.INPUT_TOKENS}),),
        ModelType.IMAGE: (frozenset({Meter.IMAGES}), frozenset({Meter.IMAGE_OUTPUT_TOKENS})),
    }
)
# What the headline rates are for: the input rate's meter, then the output rate's.
HEADLINE: Final[Mapping[ModelType, tuple[Meter, ...]]] = MappingProxyType(
    {
        ModelType.TEXT: (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS),
        ModelType.EMBEDDING: (Meter.INPUT_TOKENS,),
        ModelType.IMAGE: (Meter.IMAGES,),
    }
)
# A quantity of each meter, by its name. (Mapping's key is invariant, so Meter has its own.)
Meters = Mapping[str, int] | Mapping[Meter, int]


def meter_named(name: str) -> Meter:
    """Raises UnknownMeter."""
    try:
        return Meter(name)
    except ValueError:
        raise UnknownMeter(name, Meter) from None


def check_quantity(name: str, quantity: object) -> Meter:
    """Raises UnknownMeter, InvalidQuantity."""
    meter = meter_named(name)
    if type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
        raise InvalidQuantity(name, quantity, least=0, most=MAX_QUANTITY)
    return meter


def quantity_of(meter: Meter, meters: Meters) -> int:
    """0 where the meter was not read."""
    quantity: int = meters.get(meter, 0)
    return quantity


def exclusive(meters: Meters) -> dict[Meter, int]:
    """Each meter without what its children have of it; those of zero are left out.

    Raises UnknownMeter, InvalidQuantity, and ImpossibleMeters for children that have more than
    their parent.
    """
    left = {check_quantity(name, quantity): quantity for name, quantity in meters.items()}
    for meter, parent in PARENTS.items():
        if quantity := quantity_of(meter, meters):
            left[parent] = left.get(parent, 0) - quantity
    for meter, quantity in left.items():
        if quantity < 0:
            parts = [child for child, parent in PARENTS.items() if parent == meter]
            inside = {child: quantity_of(child, meters) for child in parts}
            named = {child.value: quantity for child, quantity in inside.items() if quantity}
            raise ImpossibleMeters(meter, quantity_of(meter, meters), named)
    return {meter: quantity for meter, quantity in left.items() if quantity}
