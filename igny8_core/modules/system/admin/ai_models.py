"""The admin pages of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from flags import publishing
from flags.admin.refusing import PageRequest, PlacedProblem, PublishingAdmin, author_of, problems_of
from flags.engine import DocumentError
from igny8_core.catalogue.names import SECTION
from igny8_core.errors import AIError
from igny8_core.modules.system.admin.calculator import DEFAULT_QUANTITIES, PriceForm
from igny8_core.modules.system.ai_models import AIModel
from igny8_core.modules.system.headline import RATES
from igny8_core.pricing.money import money_text
from igny8_core.pricing.words import rate_text

AVAILABILITY = ("Availability", {"fields": ("available_to", "retires_at", "replaced_by")})


@admin.register(AIModel)
class AIModelAdmin(PublishingAdmin):
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
    actions: ClassVar = ["activate", "deactivate", "make_default"]
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
        rates = {"input_rate": "input_price", "output_rate": "output_price"}
        columns = [rates.get(column, column) for column in super().get_list_display(request)]
        if self.has_change_permission(request):
            buttons = {"is_active": "active", "is_default": "default"}
            columns = [buttons.get(column, column) for column in columns]
        return columns

    def get_fieldsets(self, request: HttpRequest, obj: AIModel | None = None) -> list[Any]:
        """The plan's, with the calculator beside the rates for those who may change them."""
        own = [*super().get_fieldsets(request, obj), AVAILABILITY]
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
        own: list[tuple[str, Callable[..., HttpResponse], str]] = [
            ("price-preview/", self.price_preview, "price_preview"),
            ("<int:pk>/toggle-active/", require_POST(self.toggle_active), "toggle_active"),
            ("<int:pk>/set-default/", require_POST(self.set_default), "set_default"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return [
            path(route, self.admin_site.admin_view(view), name=f"system_aimodel_{name}")
            for route, view, name in own
        ] + urls

    def get_queryset(self, request: HttpRequest) -> QuerySet[AIModel]:
        models: QuerySet[AIModel] = super().get_queryset(request)
        return models.prefetch_related("prices__lines")

    def get_object(self, *which: Any) -> AIModel | None:
        """The model with the headline rates in force; only another rate is then a change."""
        model: AIModel | None = super().get_object(*which)
        if model is not None:
            model.take_headline(timezone.now())
        return model

    def place(
        self, request: PageRequest, problem: PlacedProblem
    ) -> tuple[str | None, PlacedProblem]:
        """On the model's own field; what a flag has against it says by itself where."""
        own = problem.within("sections", SECTION, "models", request.POST.get("model_id", ""))
        if own is None or not own.parts:
            return None, problem._replace(parts=())
        return own.parts[0], own._replace(parts=own.parts[1:])

    @admin.display(description="Input rate", ordering="input_rate")
    def input_price(self, model: AIModel) -> str:
        return model.headline_texts(timezone.now())["input_rate"]

    @admin.display(description="Output rate", ordering="output_rate")
    def output_price(self, model: AIModel) -> str:
        return model.headline_texts(timezone.now())["output_rate"]

    @admin.display(description="Active", ordering="is_active")
    def active(self, model: AIModel) -> SafeString:
        return _toggle("toggle_active", model, is_on=model.is_active, words=("Active", "Inactive"))

    @admin.display(description="Default", ordering="is_default")
    def default(self, model: AIModel) -> SafeString:
        words = ("Default", "Make default")
        return _toggle(
            "set_default", model, is_on=model.is_default, words=words, is_fixed=model.is_default
        )

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
                "rates": [rate_text(line.value()) for line in row.lines.all()] or ["free"],
                "source": row.source,
            }
            for row in sorted(model.prices.all(), key=lambda row: row.effective_from, reverse=True)
        ]
        add = f"{reverse('admin:system_modelprice_add')}?model={model.pk}"
        return render_to_string("system/prices.html", {"prices": prices, "add": add})

    @admin.display(description="Price calculator")
    def price_calculator(self, _model: AIModel) -> SafeString:
        quantities = [
            (meter, _label(meter), quantity) for meter, quantity in DEFAULT_QUANTITIES.items()
        ]
        context = {"quantities": quantities, "url": reverse("admin:system_aimodel_price_preview")}
        return render_to_string("system/price_calculator.html", context)

    def price_preview(self, request: HttpRequest) -> HttpResponse:
        """What a call costs with the rates in the form, by the code that prices a call."""
        form = PriceForm(request.GET)
        faults = [f"{_label(name)}: {fault[0]}" for name, fault in form.errors.items()]
        context: dict[str, Any] = {"faults": faults}
        if not faults:
            try:
                quote = form.quote()
            except AIError as error:
                context = {"faults": [f"{error} Such a model is not usable."]}
            else:
                context = {
                    "lines": [
                        {
                            "text": f"{line.quantity:,} at {rate_text(line.line)}",
                            "amount": money_text(line.amount),
                        }
                        for line in quote.lines
                    ],
                    "cost": money_text(quote.cost),
                    "currency": quote.currency,
                }
        return render(request, "system/price_preview.html", context)

    def toggle_active(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._switch(request, pk, AIModel.toggle_active)

    def set_default(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._switch(request, pk, AIModel.make_default)

    def _switch(
        self, request: HttpRequest, pk: int, switch: Callable[[AIModel], None]
    ) -> HttpResponse:
        """One click in the list: change one row, note it in its history, go back to the list."""
        if not self.has_change_permission(request):
            return HttpResponse(status=403)
        model = get_object_or_404(AIModel, pk=pk)
        try:
            with publishing.change(author=author_of(request)):
                switch(model)
        except DocumentError as error:
            for problem in problems_of(error):
                messages.error(request, problem.message)
            return self._back(request)
        states = [
            "active" if model.is_active else "inactive",
            *(["the default"] if model.is_default else []),
        ]
        sentence = f"{model.model_id} is now {' and '.join(states)}."
        self.log_change(request, model, sentence)
        if model.is_default and not model.is_active:
            messages.warning(request, f"{sentence} Accounts without another choice get no model.")
        else:
            messages.success(request, sentence)
        return self._back(request)

    @staticmethod
    def _back(request: HttpRequest) -> HttpResponse:
        back = request.headers.get("Referer", "")
        if url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure()):
            return redirect(back)
        return redirect("admin:system_aimodel_changelist")

    @admin.action(description="Activate the selected models", permissions=["change"])
    def activate(self, request: HttpRequest, chosen: QuerySet[AIModel]) -> None:
        messages.success(request, f"{chosen.update(is_active=True)} models are now active.")

    @admin.action(description="Deactivate the selected models", permissions=["change"])
    def deactivate(self, request: HttpRequest, chosen: QuerySet[AIModel]) -> None:
        messages.success(request, f"{chosen.update(is_active=False)} models are now inactive.")

    @admin.action(
        description="Make the selected models their type's default", permissions=["change"]
    )
    def make_default(self, request: HttpRequest, chosen: QuerySet[AIModel]) -> None:
        types = [model.model_type for model in chosen]
        if len(set(types)) < len(types):
            messages.error(request, "A type has one default: select at most one model of each.")
            return
        for model in chosen:
            model.make_default()
            messages.success(
                request, f"{model.model_id} is now the default for {model.model_type}."
            )


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _toggle(
    view: str, model: AIModel, *, is_on: bool, words: tuple[str, str], is_fixed: bool = False
) -> SafeString:
    """A button in a row of the list: the form around the list posts to the button's address."""
    context = {
        "url": reverse(f"admin:system_aimodel_{view}", args=[model.pk]),
        "title": f"{model.model_id}: {words[0]}" if is_fixed else f"Switch {model.model_id}",
        "is_on": is_on,
        "is_fixed": is_fixed,
        "on_off": ",".join(words),
    }
    return render_to_string("system/toggle.html", context)
