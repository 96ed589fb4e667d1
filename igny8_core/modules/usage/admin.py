"""The admin pages of the ledger: to read, never to write."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from flags.admin.row_keys import RowKeys
from igny8_core.modules.usage.receipts import Receipt


@admin.register(Receipt)
class ReceiptAdmin(RowKeys, ModelAdmin):
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

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Receipt | None = None) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Receipt | None = None) -> bool:
        return False
