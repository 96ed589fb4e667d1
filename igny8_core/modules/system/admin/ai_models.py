"""The admin pages of the catalogue."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.filters import AllValuesFieldListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from flags.admin.page_request import PageRequest
from flags.admin.problems import PlacedProblem
from flags.host import Path
from igny8_core.catalogue.names import MODELS
from igny8_core.errors import AIError
from igny8_core.modules.system.admin.calculator import calculator, price_preview
from igny8_core.modules.system.admin.one_click import OneClick
from igny8_core.modules.system.admin.providers import ProviderChoice
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.headline import RATES
from igny8_core.modules.system.providers import AIProvider

CONTEXT = ("Context", {"fields": ("context_window",)})
AVAILABILITY = ("Availability", {"fields": ("available_to", "retires_at", "replaced_by")})


class AIModelForm(forms.ModelForm):  # type: ignore[type-arg]
    provider = ProviderChoice()

    def _get_validation_exclusions(self) -> set[str]:
        """A model id that is not changed is unique already: that saves a query."""
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        is_same = self.instance.pk is not None and "model_id" not in self.changed_data
        return excluded | ({"model_id"} if is_same else set())


@admin.register(AIModel)
class AIModelAdmin(OneClick):
    form = AIModelForm
    refusals: ClassVar = (AIError,)
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
    readonly_fields: ClassVar = ["price_calculator", "all_prices"]

    def save_model(self, request: HttpRequest, obj: AIModel, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        """Write what was changed on the page, and nothing that somebody else changed meanwhile."""
        if change:
            obj.save(update_fields=[*form.changed_data, "updated_at"])
        else:
            super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, *args: Any) -> None:
        super().save_related(request, form, *args)
        if not form.instance.is_default:
            return
        model = AIModel.objects.prefetch_related("prices__lines").get(pk=form.instance.pk)
        if why := model.why_no_default(timezone.now()):
            messages.warning(
                request,
                f"{model.model_id} is the default for {model.model_type}, but {why}: "
                "accounts without another choice get no model.",
            )

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The columns, the rates of the price in force, the states as buttons for editors."""
        rates = {
            "input_rate": "input_price",
            "output_rate": "output_price",
            "provider": "provider_name",
        }
        columns = [rates.get(column, column) for column in super().get_list_display(request)]
        if self.has_change_permission(request):
            buttons = {"is_active": "active", "is_default": "default"}
            columns = [buttons.get(column, column) for column in columns]
        return columns

    def get_fieldsets(self, request: HttpRequest, obj: AIModel | None = None) -> list[Any]:
        """The plan's, with the calculator beside the rates for those who may change them."""
        own = [*super().get_fieldsets(request, obj), CONTEXT, AVAILABILITY]
        if not self.has_change_permission(request, obj):
            return own
        shown = ("all_prices", "price_calculator") if obj else ("price_calculator",)
        return [
            (title, {"fields": (*options["fields"], *shown)})
            if title == "Pricing"
            else (title, options)
            for title, options in own
        ]

    def get_urls(self) -> list[URLPattern]:
        preview = path(
            "price-preview/",
            self.admin_site.admin_view(self.price_preview),
            name="system_aimodel_price_preview",
        )
        urls: list[URLPattern] = super().get_urls()
        return [preview, *self.click_urls(), *urls]

    def price_preview(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return price_preview(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AIModel]:
        models: QuerySet[AIModel] = super().get_queryset(request)
        rows = AIProvider.objects.filter(name=OuterRef("provider"))
        label = Subquery(rows.values("display_name")[:1])
        return models.prefetch_related("prices__lines").annotate(provider_label=label)

    def get_object(self, *which: Any) -> AIModel | None:
        """The model with the headline rates in force; only another rate is then a change."""
        model: AIModel | None = super().get_object(*which)
        if model is not None:
            model.take_headline(timezone.now())
        return model

    def entry_of(self, obj: AIModel) -> Path:
        return (*MODELS, obj.model_id)

    def place(
        self, request: PageRequest, problem: PlacedProblem
    ) -> tuple[str | None, PlacedProblem]:
        """On the model's own field; what a flag has against it says by itself where."""
        own = problem.within(*MODELS, request.POST.get("model_id", ""))
        if own is None or not own.parts:
            return None, problem._replace(parts=())
        return own.parts[0], own._replace(parts=own.parts[1:])

    @admin.display(description="Provider", ordering="provider")
    def provider_name(self, model: AIModel) -> str:
        return str(getattr(model, "provider_label", None) or model.provider)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """The providers that models have, and not only those that are there from the start."""
        filters = super().get_list_filter(request)
        return [
            (each, AllValuesFieldListFilter) if each == "provider" else each for each in filters
        ]

    @admin.display(description="Input rate", ordering="input_rate")
    def input_price(self, model: AIModel) -> str:
        return model.headline_texts(timezone.now())["input_rate"]

    @admin.display(description="Output rate", ordering="output_rate")
    def output_price(self, model: AIModel) -> str:
        return model.headline_texts(timezone.now())["output_rate"]

    def get_readonly_fields(self, request: HttpRequest, obj: AIModel | None = None) -> list[str]:
        """A rate that four decimals cannot hold is changed by a new price alone."""
        fields = list(super().get_readonly_fields(request, obj))
        return [*fields, *RATES] if obj and not obj.fits_the_columns() else fields

    @admin.display(description="Prices")
    def all_prices(self, model: AIModel) -> SafeString:
        """Each dated price, the one in force marked, and a way to add another."""
        now = timezone.now()
        in_force = model.price_at(now)
        prices = [
            {
                "from": row.effective_from,
                "is_in_force": in_force is not None and row.pk == in_force.key,
                "is_scheduled": row.effective_from > now,
                "rates": [line.words() for line in row.lines.all()] or ["free"],
                "source": row.source,
            }
            for row in sorted(model.prices.all(), key=lambda row: row.effective_from, reverse=True)
        ]
        add = f"{reverse('admin:system_modelprice_add')}?model={model.pk}"
        return render_to_string("system/prices.html", {"prices": prices, "add": add})

    @admin.display(description="Price calculator")
    def price_calculator(self, _model: AIModel) -> SafeString:
        return calculator(reverse("admin:system_aimodel_price_preview"))
