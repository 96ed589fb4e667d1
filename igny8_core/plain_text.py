"""Refuses what no database keeps, in every request: NUL, and halves of surrogate pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse

_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}


def fault_of(text: str) -> str | None:
    """What is wrong with a text, as the end of a sentence."""
    if "\0" in text:
        return "has a NUL character in it"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "has half of a surrogate pair in it"
    return None


class PlainText:
    """A middleware: an address or a form with such a text is answered 400, naming the field."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        for name, value in _texts(request):
            fault = fault_of(name) or fault_of(value)
            if fault:
                return _refused(request, name, fault)
        return self.get_response(request)


def _texts(request: HttpRequest) -> Iterator[tuple[str, str]]:
    yield "address", request.path
    sent = [request.GET]
    if request.content_type in _FORMS:
        sent.append(request.POST)
    for fields in sent:
        for name, values in fields.lists():
            for value in values:
                yield name, str(value)


def _refused(request: HttpRequest, name: str, fault: str) -> HttpResponse:
    shown = ascii(name)[1:-1]
    message = f"“{shown}” {fault}."
    if request.path.startswith("/api/"):
        body = {"code": "unstorable_text", "message": message, "path": shown}
        return JsonResponse(body, status=HTTPStatus.BAD_REQUEST)
    return HttpResponse(
        f"{message} Nothing was changed; go back and correct it.\n",
        status=HTTPStatus.BAD_REQUEST,
        content_type="text/plain; charset=utf-8",
    )
