"""What a call may ask of a model beside its prompt: bounds, and which layer's value wins."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from igny8_core.catalogue.models import CatalogueModel
from igny8_core.pricing.conditions import is_tier
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks.errors import InvalidParameter, UnknownParameter

Value = float | int | str
MAX_TEMPERATURE = 2.0
MAX_OUTPUT_TOKENS = 1_000_000
_SIDE = range(64, 4097)
_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")


class Layer(StrEnum):
    """Who gave a parameter its value; a later one wins over an earlier one."""

    TASK = "task"
    PLATFORM = "platform"
    ACCOUNT = "account"
    CALL = "call"


class Parameter(NamedTuple):
    name: str
    model_type: ModelType
    rule: str
    is_valid: Callable[[object], bool]


class Setting(NamedTuple):
    """A parameter's value and the layer that gave it; `is_limited` by what the model can do."""

    value: Value
    layer: Layer
    is_limited: bool = False


def _is_temperature(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= MAX_TEMPERATURE
    )


def _is_token_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= MAX_OUTPUT_TOKENS


def _is_size(value: object) -> bool:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return match is not None and all(int(side) in _SIDE for side in match.groups())


PARAMETERS = MappingProxyType(
    {
        parameter.name: parameter
        for parameter in (
            Parameter("temperature", ModelType.TEXT, "a number from 0 to 2", _is_temperature),
            Parameter(
                "max_tokens",
                ModelType.TEXT,
                f"a whole number from 1 to {MAX_OUTPUT_TOKENS}",
                _is_token_count,
            ),
            Parameter(
                "service_tier",
                ModelType.TEXT,
                "a service tier in small letters, such as flex",
                lambda value: isinstance(value, str) and is_tier(value),
            ),
            Parameter(
                "image_size",
                ModelType.IMAGE,
                "WIDTHxHEIGHT in pixels, each from 64 to 4096",
                _is_size,
            ),
            Parameter(
                "image_quality",
                ModelType.IMAGE,
                "a word in small letters, such as low, medium, high or hd",
                lambda value: isinstance(value, str) and is_tier(value),
            ),
        )
    },
)


def check(name: str, value: object) -> None:
    """Raises UnknownParameter, or InvalidParameter with what is allowed."""
    parameter = PARAMETERS.get(name)
    if parameter is None:
        raise UnknownParameter(name, PARAMETERS)
    if not parameter.is_valid(value):
        raise InvalidParameter(name, value, parameter.rule)


def merge(
    layers: Mapping[Layer, Mapping[str, Value]],
    model: CatalogueModel,
) -> dict[str, Setting]:
    """The parameters of one call, by name: those of the model's type that any layer sets.

    What the call itself asks for must suit the model; what platform or account set for all
    models is limited to what this one can do.
    """
    merged: dict[str, Setting] = {}
    for layer in Layer:
        for name, value in layers.get(layer, {}).items():
            check(name, value)
            if PARAMETERS[name].model_type == model.model_type:
                merged[name] = Setting(value, layer)
            elif layer is Layer.CALL:
                raise InvalidParameter(
                    name, value, f"left out for a model of type {model.model_type}"
                )
    asked = merged.get("max_tokens")
    if asked and isinstance(asked.value, int) and asked.value > model.max_tokens:
        if asked.layer is Layer.CALL:
            limit = f"at most {model.max_tokens}, what {model.model_id} can do"
            raise InvalidParameter("max_tokens", asked.value, limit)
        merged["max_tokens"] = Setting(model.max_tokens, asked.layer, is_limited=True)
    return merged
