"""The admin page of the declared tasks: to read, never to write."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from unfold.admin import ModelAdmin

from flags.admin.read_only import ReadOnly
from flags.admin.row_keys import RowKeys
from igny8_core.modules.system.declared_tasks import AITask


@admin.register(AITask)
class AITaskAdmin(ReadOnly, RowKeys, ModelAdmin):
    """Apps declare tasks in code, and `migrate` writes them here."""

    list_display: ClassVar = [
        "key",
        "model_type",
        "needs_json_mode",
        "needs_vision",
        "needs_context_tokens",
        "parameters",
    ]
    list_filter: ClassVar = ["model_type"]
    search_fields: ClassVar = ["key", "prompt"]
