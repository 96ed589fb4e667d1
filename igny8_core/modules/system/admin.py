"""The admin pages of the catalogue."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from unfold.admin import ModelAdmin

from igny8_core.modules.system.global_settings_models import AIModel


@admin.register(AIModel)
class AIModelAdmin(ModelAdmin):
    list_display: ClassVar = [
        "model_id",
        "display_name",
        "provider",
        "model_type",
        "input_rate",
        "output_rate",
        "is_active",
        "is_default",
    ]
    list_filter: ClassVar = ["provider", "model_type", "is_active", "is_default"]
    search_fields: ClassVar = ["model_id", "display_name"]
    ordering: ClassVar = ["sort_order", "display_name"]
    fieldsets: ClassVar = (
        ("Identification", {"fields": ("model_id", "display_name", "provider", "model_type")}),
        ("Pricing", {"fields": ("input_rate", "output_rate")}),
        ("Capabilities", {"fields": ("max_tokens", "supports_json_mode", "supports_vision")}),
        ("Status", {"fields": ("is_active", "is_default", "sort_order")}),
    )
