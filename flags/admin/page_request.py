"""A POST of an admin page: who sends it, and what is kept of it to show its forms again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from flags.admin.problems import problems_of, sentences


def author_of(request: HttpRequest) -> str:
    name: str = request.user.get_username()
    return name


class Bound:
    """The form of a request, with what was typed, in place of its class: it is not bound again."""

    def __init__(self, form: Any) -> None:
        self.base_fields = form.base_fields
        self._form = form

    def __call__(self, *_args: object, **_options: object) -> Any:
        return self._form


class PageRequest(HttpRequest):
    """What a page keeps of a POST, to show its forms again with the reason of a refusal."""

    form: Any
    formsets: Any
    # The forms' rows as they were before: with their keys, and whether they are new.
    rows: list[tuple[Model, Any, bool]]
    # Whether rows were written, and why that was refused, once it was.
    has_written: bool
    saved: Model | None
    refusal: Exception | None


def begin(request: PageRequest) -> None:
    request.form, request.formsets, request.rows = None, ([], []), []
    request.has_written, request.refusal, request.saved = False, None, None


def rows_of(forms: Iterable[Any]) -> list[tuple[Model, Any, bool]]:
    rows = [form.instance for form in forms]
    return [(row, row.pk, row._state.adding) for row in rows]


def told(request: HttpRequest, error: Exception) -> HttpResponse:
    for sentence in sentences(problems_of(error)):
        messages.error(request, sentence)
    return HttpResponseRedirect(request.get_full_path())


def forget_messages(request: HttpRequest) -> None:
    """What was said of a change that was rolled back is not true."""
    storage: Any = messages.get_messages(request)
    storage._queued_messages = []


def has_messages(request: HttpRequest) -> bool:
    """Whether the page says something of this request."""
    storage: Any = messages.get_messages(request)
    return bool(storage._queued_messages)
