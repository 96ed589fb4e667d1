"""One click on a model in the list: active, default; of one row or of those selected."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from flags.admin.asking import PublishingAdmin
from flags.admin.confirming import confirm_page, operate_by
from flags.admin.problems import problems_of, sentences
from flags.guarding import Unconfirmed
from igny8_core.modules.system.ai_models import AIModel


class OneClick(PublishingAdmin):
    """Buttons in the list's rows, each a POST of its own, and the same as actions."""

    actions: ClassVar = ["activate", "deactivate", "make_default"]
    # What rooms above this one have the list offer too.
    further_actions: ClassVar[list[Callable[..., Any]]] = []

    def click_urls(self) -> list[URLPattern]:
        own: list[tuple[str, Callable[..., HttpResponse]]] = [
            ("toggle-active", self.toggle_active),
            ("set-default", self.set_default),
        ]
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"system_aimodel_{name.replace('-', '_')}",
            )
            for name, view in own
        ]

    def _get_base_actions(self) -> list[Any]:
        actions: list[Any] = super()._get_base_actions()
        return [*actions, *(self.get_action(each) for each in self.further_actions)]

    @admin.display(description="Active", ordering="is_active")
    def active(self, model: AIModel) -> SafeString:
        return _toggle("toggle_active", model, is_on=model.is_active, words=("Active", "Inactive"))

    @admin.display(description="Default", ordering="is_default")
    def default(self, model: AIModel) -> SafeString:
        words = ("Default", "Make default")
        return _toggle(
            "set_default", model, is_on=model.is_default, words=words, is_fixed=model.is_default
        )

    def toggle_active(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button says which state it is for: two clicks on it are one switch."""
        said = {"on": True, "off": False}.get(request.POST.get("wanted", ""))
        return self._switch(request, pk, partial(AIModel.toggle_active, wanted=said))

    def set_default(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._switch(request, pk, AIModel.make_default)

    def _switch(
        self, request: HttpRequest, pk: int, switch: Callable[[AIModel], None]
    ) -> HttpResponse:
        """One click in the list: change one row, note it in its history, go back to the list."""
        if not self.has_change_permission(request):
            return HttpResponse(status=403)

        def switched() -> AIModel:
            model = get_object_or_404(AIModel, pk=pk)
            switch(model)
            return model

        try:
            model = operate_by(request, switched)
        except Unconfirmed as asked:
            return confirm_page(self.admin_site, request, asked)
        except self.shown as error:
            for sentence in sentences(problems_of(error)):
                messages.error(request, sentence)
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
        messages.success(request, _now(chosen.update(is_active=True), "active"))

    @admin.action(description="Deactivate the selected models", permissions=["change"])
    def deactivate(self, request: HttpRequest, chosen: QuerySet[AIModel]) -> None:
        messages.success(request, _now(chosen.update(is_active=False), "inactive"))

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


def _now(count: int, state: str) -> str:
    return f"1 model is now {state}." if count == 1 else f"{count} models are now {state}."


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
