"""The admin pages of the ledger: to read, never to write, and quick however long it is.

No page counts all receipts, or looks through them for the values that there are.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import TextFilter

from flags.admin.read_only import ReadOnly
from flags.admin.row_keys import RowKeys
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import Adjustment, Receipt


class NewestPaginator(Paginator):  # type: ignore[type-arg]
    """Pages of the newest rows alone: rows are counted up to a bound."""

    MOST: Final = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class WholeFilter(TextFilter):
    """By the whole value of a column, as it is typed."""

    column: ClassVar[str]

    def queryset(self, _request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return rows.filter(**{self.column: value}) if value else rows


def whole(name: str, column: str = "") -> type[WholeFilter]:
    own = {"title": name, "parameter_name": name, "column": column or name}
    return type(f"{name.title()}Filter", (WholeFilter,), own)


class AdjustmentInline(ReadOnly, TabularInline):
    model = Adjustment
    extra = 0  # a blank row would have the moment of now, as if an entry had been written
    fields: ClassVar = ["created_at", "cost", "charge", "model_priced", "author"]
    readonly_fields = fields


@admin.register(Receipt)
class ReceiptAdmin(ReadOnly, RowKeys, ModelAdmin):
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
    list_filter: ClassVar = [
        "created_at",
        whole("account", "account__key"),
        whole("model", "model_asked"),
        whole("task"),
        whole("provider"),
        whole("status"),
        "state",
        "is_name_known",
    ]
    list_select_related: ClassVar = ["account"]
    search_fields: ClassVar = ["request_id"]  # so that there is a box; see below
    search_help_text = (
        f"A request's id, a run, or an account's key, whole. The newest {NewestPaginator.MOST:,} "
        "are listed."
    )
    paginator = NewestPaginator
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Each has an index, which an OR of them all would not use."""
        term = search_term.strip()
        if not term:
            return super().get_search_results(request, queryset, term)
        try:
            return queryset.filter(request_id=UUID(term)), False
        except ValueError:
            account = Account.objects.filter(key=term).first()
            found = {"account": account} if account else {"run": term}
            return queryset.filter(**found), False
