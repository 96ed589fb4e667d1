"""The plan's own paths and names stay importable, with their shapes."""

from __future__ import annotations

import pytest
from django.db import models

from igny8_core.ai.ai_core import AICore
from igny8_core.ai.constants import IMAGE_MODEL_RATES, MODEL_RATES
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.modules.system import global_settings_models
from igny8_core.modules.system.models import AIPrompt, IntegrationSettings
from tests.conftest import ROOT

FIELDS = {
    "model_id": models.CharField,
    "display_name": models.CharField,
    "provider": models.CharField,
    "model_type": models.CharField,
    "input_rate": models.DecimalField,
    "output_rate": models.DecimalField,
    "max_tokens": models.IntegerField,
    "supports_json_mode": models.BooleanField,
    "supports_vision": models.BooleanField,
    "is_active": models.BooleanField,
    "is_default": models.BooleanField,
    "sort_order": models.IntegerField,
    "created_at": models.DateTimeField,
    "updated_at": models.DateTimeField,
}


def test_model__has_the_plans_fields_and_choices() -> None:
    model = global_settings_models.AIModel
    assert {name: type(model._meta.get_field(name)) for name in FIELDS} == FIELDS
    assert model._meta.db_table == "igny8_ai_models"
    assert [key for key, _ in model.PROVIDER_CHOICES] == [
        "openai",
        "anthropic",
        "runware",
        "google",
    ]
    assert [key for key, _ in model.MODEL_TYPE_CHOICES] == ["text", "image", "embedding"]


@pytest.mark.django_db
def test_calls__of_the_plan__are_there() -> None:
    rows = [
        global_settings_models.GlobalIntegrationSettings,
        global_settings_models.GlobalAIPrompt,
        IntegrationSettings,
        AIPrompt,
    ]
    assert all(issubclass(row, models.Model) for row in rows)
    assert callable(AICore.run_ai_request)
    model = ModelRegistry.get_model("gpt-4o-mini")
    assert model is not None
    assert model["model_id"] == ModelRegistry.get_default_model()["model_id"]
    assert MODEL_RATES["gpt-4o"] == {"input": 2.5, "output": 10.0}
    assert IMAGE_MODEL_RATES["dall-e-3"] == 0.04


def test_top_level__is_the_plans() -> None:
    for name in ("igny8_core", "flags", "tests", "manage.py", "requirements.txt", "README.md"):
        assert (ROOT / name).exists()
