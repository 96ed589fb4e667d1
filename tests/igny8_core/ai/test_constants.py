"""The plan's "Current State": MODEL_RATES and IMAGE_MODEL_RATES."""

from __future__ import annotations

import pytest

from igny8_core.ai.constants import IMAGE_MODEL_RATES, MODEL_RATES
from igny8_core.modules.system.models import AIModel

pytestmark = pytest.mark.django_db

PLAN_TEXT = {
    "gpt-4.1": {"input": 2.00, "output": 8.00},
    "gpt-4o-mini": {"input": 0.15, "output": 0.60},
    "gpt-4o": {"input": 2.50, "output": 10.00},
    "gpt-5.1": {"input": 1.25, "output": 10.00},
    "gpt-5.2": {"input": 1.75, "output": 14.00},
}
PLAN_IMAGES = {
    "dall-e-3": 0.040,
    "dall-e-2": 0.020,
    "gpt-image-1": 0.042,
    "gpt-image-1-mini": 0.011,
}


def test_rates__seeded_catalogue__have_the_plans_figures() -> None:
    assert {model: MODEL_RATES[model] for model in PLAN_TEXT} == PLAN_TEXT
    assert {model: IMAGE_MODEL_RATES[model] for model in PLAN_IMAGES} == PLAN_IMAGES


def test_rates__empty_catalogue__are_the_plans_figures() -> None:
    AIModel.objects.all().delete()
    assert dict(MODEL_RATES) == PLAN_TEXT
    assert dict(IMAGE_MODEL_RATES) == PLAN_IMAGES
    assert (len(MODEL_RATES), len(IMAGE_MODEL_RATES)) == (5, 4)


def test_rates__catalogue_changed__are_read_through() -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(input_rate="9.5")
    assert MODEL_RATES["gpt-4o"] == {"input": 9.5, "output": 10.0}
    assert MODEL_RATES["claude-3-haiku"]["output"] == 1.25
    assert IMAGE_MODEL_RATES["runware:97@1"] == 0.009


@pytest.mark.parametrize("model_id", ["nope", "dall-e-3"])
def test_rates__not_a_text_model__is_a_key_error(model_id: str) -> None:
    with pytest.raises(KeyError):
        MODEL_RATES[model_id]
    assert model_id not in MODEL_RATES


def test_rates__type_changed_in_the_catalogue__the_plans_figure_is_gone() -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(model_type="image")
    assert "gpt-4o" not in MODEL_RATES
    assert "gpt-4o" not in list(MODEL_RATES)


def test_rates__printed__look_like_a_dict() -> None:
    assert "'gpt-image-1-mini': 0.011" in repr(IMAGE_MODEL_RATES)


def test_rates__unpriced_model__is_a_key_error_and_never_free() -> None:
    AIModel.objects.filter(model_id="gpt-4o").update(output_rate=0)
    assert "gpt-4o" not in MODEL_RATES
    assert "gpt-4o" not in list(MODEL_RATES)
