"""Admin pages whose changes are all made, or refused with the reason and rolled back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final

from django.db import transaction
from django.db.models import TextField
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from flags.admin.confirming import confirm_page
from flags.admin.merging import MergesEdits
from flags.admin.page_request import (
    Bound,
    PageRequest,
    begin,
    forget_messages,
    rows_of,
    told,
)
from flags.admin.problems import ON_ROWS, PlacedProblem, problems_of, show
from flags.admin.row_keys import RowKeys
from flags.engine import DocumentError
from flags.guarding import Unconfirmed

SHORT_TEXTS: Final = {TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})}}


class RefusingAdmin(RowKeys, MergesEdits, ModelAdmin):
    """A POST is one transaction; what is refused in it is told on the page that it came from."""

    list_per_page = 25
    delete_confirmation_template = "flags/delete.html"
    formfield_overrides: ClassVar[Any] = SHORT_TEXTS
    # What the rows themselves raise for a refusal, with a sentence for people.
    refusals: ClassVar[tuple[type[Exception], ...]] = ()

    @property
    def shown(self) -> tuple[type[Exception], ...]:
        """The errors that are told on the page."""
        return (*self.refusals, DocumentError)

    def perform(self, _request: PageRequest, do: Callable[[], HttpResponse]) -> HttpResponse:
        """A POST in its transaction; raises Unconfirmed."""
        with transaction.atomic():
            return do()

    def changeform_view(self, request: PageRequest, *args: Any, **options: Any) -> HttpResponse:
        begin(request)
        view: Callable[..., HttpResponse] = super().changeform_view
        if request.method != "POST":
            return view(request, *args, **options)
        try:
            return self.perform(request, partial(view, request, *args, **options))
        except Unconfirmed as asked:
            forget_messages(request)
            return confirm_page(self.admin_site, request, asked)
        except self.shown as error:
            if request.form is None:
                return told(request, error)
            forget_messages(request)
            for row, key, is_new in request.rows:
                row.pk, row._state.adding = key, is_new
            request.refusal = error
            self._refuse(request, error)
        # Once more for the page: the same forms; nothing is bound, checked or saved again.
        return view(request, *args, **options)

    def _refuse(self, request: PageRequest, error: Exception) -> None:
        """Put what was refused on the fields that it is about; at least a word on top."""
        placed: dict[str | None, list[PlacedProblem]] = {}
        for problem in problems_of(error):
            field, told = self.place(request, problem)
            placed.setdefault(field, []).append(told)
        self.show_on_rows(request)
        placed.pop(ON_ROWS, None)
        if None not in placed:
            placed[None] = [PlacedProblem((), "Nothing was saved: the fields below say why.")]
        show(request.form, placed)

    def place(
        self,
        request: PageRequest,  # noqa: ARG002
        problem: PlacedProblem,
    ) -> tuple[str | None, PlacedProblem]:
        """The form's field that a problem is about, or ON_ROWS, and the problem as told there."""
        return None, problem

    def show_on_rows(self, request: PageRequest) -> None:
        """Put on the rows below the form what was refused of them."""

    def changelist_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self.or_messages(super().changelist_view, request, *args, **options)

    def delete_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self.or_messages(super().delete_view, request, *args, **options)

    def or_messages(
        self, view: Callable[..., HttpResponse], request: Any, *args: Any, **options: Any
    ) -> HttpResponse:
        """For pages without a form: a refusal is a message, and the only one."""
        if request.method != "POST":
            return view(request, *args, **options)
        begin(request)
        try:
            return self.perform(request, partial(view, request, *args, **options))
        except Unconfirmed as asked:
            forget_messages(request)
            return confirm_page(self.admin_site, request, asked)
        except self.shown as error:
            forget_messages(request)
            return told(request, error)

    def get_form(self, request: Any, obj: Any = None, **options: Any) -> Any:
        if getattr(request, "refusal", None):
            return Bound(request.form)
        return super().get_form(request, obj, **options)

    def save_form(self, request: PageRequest, form: Any, change: Any) -> Any:
        request.form = form
        request.rows += rows_of([form])
        return super().save_form(request, form, change)

    def _create_formsets(self, request: PageRequest, obj: Any, change: Any) -> Any:
        if request.refusal is None:
            request.formsets = super()._create_formsets(request, obj, change)
            for formset in request.formsets[0]:
                request.rows += rows_of(formset.forms)
        return request.formsets
