"""Admin pages whose changes are asked about first where they take something away."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpResponse

from flags.admin.confirming import operate_by
from flags.admin.page_request import PageRequest, begin, forget_messages, has_messages
from flags.admin.refusing import RefusingAdmin
from flags.document.blame import last_change
from flags.document.diff import Path
from flags.document.held import held_back
from flags.models import Revision


class AccountsAdmin(RefusingAdmin):
    """What is saved here is known of accounts; what takes a model from one is asked about first."""

    def perform(self, request: PageRequest, do: Callable[[], HttpResponse]) -> HttpResponse:
        return operate_by(request, partial(_anew, request, do), is_published=False)


def _anew(request: PageRequest, do: Callable[[], HttpResponse]) -> HttpResponse:
    """The POST once more, as if for the first time."""
    forget_messages(request)
    begin(request)
    for sent in request.FILES.values():
        sent.seek(0)  # type: ignore[union-attr]
    return do()


class PublishingAdmin(RefusingAdmin):
    """What is saved or deleted here is published with it: a document that checks, or nothing."""

    def entry_of(self, obj: Any) -> Path:
        """What of the document the row is."""
        raise NotImplementedError

    def changed_in(self, obj: Any, after: int | None) -> Revision | None:
        return last_change(self.entry_of(obj), after)

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
        anew = partial(_anew, request, do)
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
