"""Refuses what no database keeps, in every request: NUL, and halves of surrogate pairs.

A request in another encoding than UTF-8 is refused too: Python knows some that are no text's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.http import parse_header_parameters

_MEDIA_TYPE = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
_UTF_8 = {"utf-8", "utf8", "us-ascii", "ascii"}
_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}


def fault_of(text: str) -> str | None:
    """What is wrong with a text, as the end of a sentence."""
    if "\0" in text:
        return "has a NUL character in it"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "has half of a surrogate pair in it"
    return None


class ReadAsUtf8(HttpRequest):
    """For request classes: no codec is used because a client names it.

    Some of Python's are no text's, and fail before any middleware is asked.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        found = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        self.content_type, self.content_params = found


class PlainTextMiddleware:
    """A middleware: an address or a form with such a text is refused, naming the field."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        charset = request.content_params.get("charset", "utf-8") if request.content_params else ""
        if charset and charset.lower() not in _UTF_8:
            return _refused(request, "charset", f"is {charset!a}: send UTF-8", _MEDIA_TYPE)
        for name, value in _texts(request):
            fault = fault_of(name) or fault_of(value)
            if fault:
                return _refused(request, name, fault)
        return self.get_response(request)


def _texts(request: HttpRequest) -> Iterator[tuple[str, str]]:
    yield "address", request.path
    yield from request.COOKIES.items()
    sent = [request.GET]
    if request.content_type in _FORMS:
        sent.append(request.POST)
    for fields in sent:
        for name, values in fields.lists():
            for value in values:
                yield name, str(value)


def _refused(
    request: HttpRequest, name: str, fault: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST
) -> HttpResponse:
    shown = ascii(name)[1:-1]
    message = f"“{shown}” {fault}."
    if request.path.startswith("/api/"):
        code = "unsupported_media_type" if status is _MEDIA_TYPE else "unstorable_text"
        body = {"code": code, "message": message, "path": shown}
        return JsonResponse(body, status=status)
    return HttpResponse(
        f"{message} Nothing was changed; go back and correct it.\n",
        status=status,
        content_type="text/plain; charset=utf-8",
    )
