"""Admin pages whose changes are all made, or refused with the reason and rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.db import transaction
from django.db.models import Model, QuerySet, TextField
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from flags.admin.confirming import confirm_page, operate_by
from flags.admin.merging import MergesEdits
from flags.admin.page_request import (
    Bound,
    PageRequest,
    begin,
    forget_messages,
    has_messages,
    rows_of,
    told,
)
from flags.admin.problems import ON_ROWS, PlacedProblem, problems_of, show
from flags.admin.row_keys import RowKeys
from flags.document.diff import Path
from flags.document.held import held_back
from flags.engine import DocumentError
from flags.guarding import Unconfirmed

SHORT_TEXTS: Final = {TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})}}


class RefusingAdmin(RowKeys, MergesEdits, ModelAdmin):
    """A POST is one transaction; what is refused in it is told on the page that it came from."""

    list_per_page = 25
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


class PublishingAdmin(RefusingAdmin):
    """What is saved or deleted here is published with it: a document that checks, or nothing."""

    def entry_of(self, obj: Any) -> Path:
        """What of the document the row is."""
        raise NotImplementedError

    def render_change_form(self, request: Any, *args: Any, **options: Any) -> HttpResponse:
        """With what is held back of the row, as it was stored."""
        obj = options.get("obj")
        if request.method == "GET" and obj is not None:
            for each in held_back(self.entry_of(obj)):
                messages.warning(request, f"{each} What was last published goes on serving.")
        response: HttpResponse = super().render_change_form(request, *args, **options)
        return response

    def perform(self, request: PageRequest, do: Callable[[], HttpResponse]) -> HttpResponse:
        """As one change, which is tried first where it may take something away."""

        def anew() -> HttpResponse:
            forget_messages(request)
            begin(request)
            for sent in request.FILES.values():
                sent.seek(0)  # type: ignore[union-attr]
            return do()

        answer = operate_by(request, anew, unless=lambda: not request.has_written)
        for sentence in self.doubts(request.saved) if request.saved else ():
            messages.warning(request, f"It is saved, but {sentence}")
        return answer

    def save_related(self, request: Any, form: Any, *args: Any) -> None:
        super().save_related(request, form, *args)
        request.has_written, request.saved = True, form.instance

    def doubts(self, _obj: Any) -> Iterable[str]:
        """What the row says that no account can match."""
        return ()

    def delete_model(self, request: Any, obj: Model) -> None:
        super().delete_model(request, obj)
        request.has_written = True

    def response_action(self, request: Any, queryset: QuerySet[Any]) -> Any:
        request.has_written = True
        is_all = request.POST.get("select_across") == "1"
        count = queryset.count() if is_all else len(request.POST.getlist("_selected_action"))
        response = super().response_action(request, queryset)
        is_done = getattr(response, "status_code", None) == HTTPStatus.FOUND
        if is_done and count and not has_messages(request):
            one, many = self.opts.verbose_name, self.opts.verbose_name_plural
            what = str(one if count == 1 else many).lower()
            messages.success(request, f"{count:,} {what} changed.")
        return response
