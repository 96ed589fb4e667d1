"""The page that asks before a change takes something away, and the answer to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from flags.actors import actor
from flags.guarding import Unconfirmed, operate, token_of

Result = TypeVar("Result")
CONFIRM: Final = "_confirm"
_NOT_THE_CHANGE: Final = {CONFIRM, "csrfmiddlewaretoken"}


def ask(request: HttpRequest, taken: list[str]) -> None:
    """Raises Unconfirmed unless the POST confirms just this."""
    token = token_of(None, json.dumps([_key(request), taken]))
    if request.POST.get(CONFIRM) != token:
        raise Unconfirmed(taken, token)


def operate_by(request: HttpRequest, do: Callable[[], Result], **options: Any) -> Result:
    """An operator's POST as one change; raises Unconfirmed where it is to be asked about."""
    options.setdefault("comment", actor().why)
    return operate(
        do,
        author=request.user.get_username(),
        key=_key(request),
        confirmed=request.POST.get(CONFIRM, ""),
        report=partial(messages.info, request),
        **options,
    )


def confirm_page(site: AdminSite, request: HttpRequest, asked: Unconfirmed) -> HttpResponse:
    """What would be taken away; its button posts the same once more."""
    context = {
        **site.each_context(request),
        "title": "Go on?",
        "taken": asked.taken,
        "posted": _posted(request),
        "files": [(name, sent.name) for name, sent in _sent(request)],
        "confirm": (CONFIRM, asked.token),
        "back": request.headers.get("Referer", ""),
    }
    return TemplateResponse(request, "flags/confirm.html", context)


def _key(request: HttpRequest) -> str:
    """Which change a POST asks for."""
    return json.dumps([request.get_full_path(), sorted(_posted(request)), [*_files(request)]])


def _files(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """The SHA-256 of each file, by its input."""
    for name, sent in _sent(request):
        sent.seek(0)
        yield name, hashlib.sha256(sent.read()).hexdigest()
        sent.seek(0)


def _sent(request: HttpRequest) -> list[tuple[str, Any]]:
    return sorted(request.FILES.items())


def _posted(request: HttpRequest) -> list[tuple[str, str]]:
    """As the browser sent it: a form that is merged is merged anew when it is confirmed."""
    sent: Any = getattr(request, "first_post", request.POST)
    return [
        (name, str(value))
        for name, values in sent.lists()
        if name not in _NOT_THE_CHANGE
        for value in values
    ]
