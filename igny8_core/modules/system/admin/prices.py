"""The admin pages of dated prices."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import JSONField, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextareaWidget

from flags.admin.asking import PublishingAdmin
from flags.admin.page_request import author_of
from flags.host import Path
from igny8_core.catalogue.names import MODELS
from igny8_core.catalogue.section import moment_text
from igny8_core.errors import AIError
from igny8_core.modules.system.prices import ModelPrice
from igny8_core.modules.system.rate_lines import RateLine
from igny8_core.pricing.prices import Price


class RateLineFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """The lines of one price, checked together."""

    def clean(self) -> None:
        super().clean()
        gone = self.deleted_forms
        forms = [form for form in self.forms if form not in gone and form.has_changed()]
        if not all(form.is_valid() for form in forms):
            return
        if bool(forms) is self.instance.is_free:
            raise ValidationError("A price has lines, or it is free.")
        try:
            Price("the model", [form.instance.value() for form in forms]).check_tiers()
        except AIError as error:
            raise ValidationError(str(error), code=error.code) from None


class RateLineInline(TabularInline):
    model = RateLine
    formset = RateLineFormSet
    formfield_overrides: ClassVar = {
        JSONField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 2})}
    }
    extra = 0


@admin.register(ModelPrice)
class ModelPriceAdmin(PublishingAdmin):
    """A price is added, and cancelled before it begins; it is never edited."""

    refusals: ClassVar = (AIError,)
    list_display: ClassVar = ["model", "effective_from", "state", "rates", "source", "author"]
    list_display_links: ClassVar = ["model", "effective_from"]
    list_select_related: ClassVar = ["model"]
    list_filter: ClassVar = ["model__provider", "is_free"]
    search_fields: ClassVar = ["model__model_id", "source", "note"]
    autocomplete_fields: ClassVar = ["model"]
    date_hierarchy = "effective_from"
    ordering: ClassVar = ["-effective_from"]
    inlines: ClassVar = [RateLineInline]
    list_per_page = 25

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelPrice]:
        prices: QuerySet[ModelPrice] = super().get_queryset(request)
        return prices.prefetch_related("lines", "model__prices")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(obj is None and super().has_change_permission(request, obj))

    def get_form(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        """A new price begins when it is saved, unless a moment is given."""
        form = super().get_form(request, obj, **options)
        if "effective_from" in form.base_fields:
            form.base_fields["effective_from"].initial = None
        return form

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Prices are cancelled one by one."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def entry_of(self, obj: ModelPrice) -> Path:
        return (*MODELS, obj.model.model_id, "prices", moment_text(obj.effective_from))

    def save_model(self, request: HttpRequest, obj: ModelPrice, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        obj.author = author_of(request)
        super().save_model(request, obj, form, change)

    def state(self, price: ModelPrice) -> str:
        now = timezone.now()
        if price.effective_from > now:
            return "scheduled"
        begun = [
            row.effective_from for row in price.model.prices.all() if row.effective_from <= now
        ]
        return "in force" if price.effective_from == max(begun) else "past"

    def rates(self, price: ModelPrice) -> str:
        if price.is_free:
            return "free"
        return "; ".join(line.words() for line in price.lines.all())
