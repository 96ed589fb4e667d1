"""The admin pages of the ledger: to read, never to write."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from flags.admin.row_keys import RowKeys
from igny8_core.modules.usage.models import Adjustment, Receipt


class _ReadOnly:
    def has_add_permission(self, *_asked: Any) -> bool:
        return False

    def has_change_permission(self, *_asked: Any) -> bool:
        return False

    def has_delete_permission(self, *_asked: Any) -> bool:
        return False


class AdjustmentInline(_ReadOnly, TabularInline):
    model = Adjustment
    fields: ClassVar = ["created_at", "cost", "charge", "model_priced", "author"]
    readonly_fields = fields


@admin.register(Receipt)
class ReceiptAdmin(_ReadOnly, RowKeys, ModelAdmin):
    inlines: ClassVar = [AdjustmentInline]
    list_display: ClassVar = [
        "created_at",
        "account",
        "task",
        "model_served",
        "cost",
        "status",
        "provider",
        "reason",
        "input_tokens",
        "output_tokens",
        "images",
    ]
    list_filter: ClassVar = ["status", "is_name_known", "provider", "task"]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["=request_id", "account__key", "model_asked", "model_served"]
    date_hierarchy = "created_at"
