"""The admin pages of providers, and of other names of models."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget

from flags.admin.asking import PublishingAdmin
from flags.admin.page_request import PageRequest
from flags.admin.problems import PlacedProblem
from flags.host import Path
from igny8_core.catalogue.names import ALIASES, PROVIDER_ROWS, PROVIDERS
from igny8_core.errors import AIError
from igny8_core.modules.system.aliases import ModelAlias
from igny8_core.modules.system.keys import ProviderKey
from igny8_core.modules.system.providers import AIProvider


class ProviderChoice(forms.ChoiceField):
    """One of the rows; no query for those that are there from the start."""

    widget = UnfoldAdminSelectWidget

    def __init__(self) -> None:
        super().__init__(choices=lambda: [("", "---------"), *AIProvider.choices()])

    def valid_value(self, value: str) -> bool:
        return value in PROVIDERS or super().valid_value(value)


@admin.register(AIProvider)
class AIProviderAdmin(PublishingAdmin):
    """Only those who may change keys say where prompts and keys are sent."""

    refusals: ClassVar = (AIError,)
    list_display: ClassVar = ["name", "display_name", "protocol", "address", "standard_tiers"]
    search_fields: ClassVar = ["name", "display_name", "base_url"]
    fields: ClassVar = [
        "name",
        "display_name",
        "protocol",
        "base_url",
        "standard_tiers",
        "prices_unknown",
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self._may_direct(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_direct(request)

    def get_readonly_fields(self, request: HttpRequest, obj: AIProvider | None = None) -> list[str]:
        fixed = ["name"] if obj else []
        return fixed if self._may_direct(request) else [*fixed, "protocol", "base_url"]

    def _may_direct(self, request: HttpRequest) -> bool:
        return request.user.has_perm("system.change_providerkey")

    def entry_of(self, obj: AIProvider) -> Path:
        return (*PROVIDER_ROWS, obj.name)

    def place(
        self, request: PageRequest, problem: PlacedProblem
    ) -> tuple[str | None, PlacedProblem]:
        own = problem.within(*PROVIDER_ROWS, request.form.instance.name)
        if own is None or not own.parts:
            return None, problem._replace(parts=())
        return own.parts[0], own._replace(parts=own.parts[1:])

    def save_related(self, request: HttpRequest, form: Any, *args: Any) -> None:
        """Of another address: keys that were set for the one before are sent nowhere."""
        super().save_related(request, form, *args)
        if "base_url" not in form.changed_data:
            return
        row: AIProvider = form.instance
        lost = ProviderKey.objects.filter(provider=row.name).exclude(origin=row.origin).count()
        if lost:
            keys = "1 key was" if lost == 1 else f"{lost:,} keys were"
            sentence = f"{keys} set for another address of {row}: enter them again."
            messages.warning(request, sentence)

    @admin.display(description="Address", ordering="base_url")
    def address(self, row: AIProvider) -> str:
        return row.base_url or "its own"


@admin.register(ModelAlias)
class ModelAliasAdmin(PublishingAdmin):
    refusals: ClassVar = (AIError,)
    list_display: ClassVar = ["name", "model", "effective_from"]
    list_select_related: ClassVar = ["model"]
    search_fields: ClassVar = ["name", "model__model_id"]
    autocomplete_fields: ClassVar = ["model"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelAlias]:
        rows: QuerySet[ModelAlias] = super().get_queryset(request)
        return rows.select_related("model")

    def entry_of(self, obj: ModelAlias) -> Path:
        return (*ALIASES, obj.name)
