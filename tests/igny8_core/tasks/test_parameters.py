from __future__ import annotations

import pytest

from igny8_core.catalogue.fallback import FALLBACK_MODELS
from igny8_core.tasks.errors import InvalidParameter, UnknownParameter
from igny8_core.tasks.parameters import Layer, Setting, Value, check, merge

MINI = FALLBACK_MODELS["gpt-4o-mini"]
IMAGE = FALLBACK_MODELS["dall-e-3"]


def test_merge__three_layers__the_later_wins_each() -> None:
    layers: dict[Layer, dict[str, Value]] = {
        Layer.CALL: {"temperature": 0.3},
        Layer.PLATFORM: {"temperature": 0.1, "max_tokens": 100},
        Layer.ACCOUNT: {"temperature": 0.2, "max_tokens": 200},
    }
    assert merge(layers, MINI) == {
        "temperature": Setting(0.3, Layer.CALL),
        "max_tokens": Setting(200, Layer.ACCOUNT),
    }


def test_merge__set_for_another_type__is_left_out() -> None:
    layers: dict[Layer, dict[str, Value]] = {
        Layer.PLATFORM: {"temperature": 0.1, "image_size": "512x512"}
    }
    assert merge(layers, IMAGE) == {"image_size": Setting("512x512", Layer.PLATFORM)}


def test_merge__the_call_asks_for_another_types__is_refused() -> None:
    with pytest.raises(InvalidParameter, match="image_size is '512x512'; it must be left out"):
        merge({Layer.CALL: {"image_size": "512x512"}}, MINI)


@pytest.mark.parametrize(("asked", "limited"), [(8192, False), (8193, True)])
def test_merge__platform_asks_for_more_than_the_model_has__is_limited(
    asked: int, limited: bool
) -> None:
    merged = merge({Layer.PLATFORM: {"max_tokens": asked}}, MINI)
    assert merged["max_tokens"] == Setting(8192, Layer.PLATFORM, is_limited=limited)


def test_merge__the_call_asks_for_more_than_the_model_has__is_refused() -> None:
    assert merge({Layer.CALL: {"max_tokens": 8192}}, MINI)
    with pytest.raises(InvalidParameter, match="max_tokens is 8193; it must be at most 8192"):
        merge({Layer.CALL: {"max_tokens": 8193}}, MINI)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", True),
        ("temperature", "hot"),
        ("temperature", float("inf")),
        ("max_tokens", 1.5),
        ("max_tokens", True),
        ("image_size", 512),
        ("image_size", "512X512"),
        ("image_size", "512x512\n"),
    ],
)
def test_check__value_of_another_kind__is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidParameter, match=f"{name} is "):
        check(name, value)


def test_check__unknown__is_refused_with_the_known() -> None:
    with pytest.raises(UnknownParameter, match=r"'speed'\. Known: temperature, max_tokens"):
        check("speed", 1)
