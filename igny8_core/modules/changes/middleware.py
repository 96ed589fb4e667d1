"""Says of every request who acts in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.http import HttpRequest, HttpResponse

from flags.host import Actor, acting
from igny8_core.modules.accounts.guessing import client_address

# What says why: an input of a form, or a header of any other request.
WHY = "_why"
WHY_HEADER = "X-Change-Reason"


class ActorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting(partial(_actor, request)):
            return self.get_response(request)


def _actor(request: HttpRequest) -> Actor:
    user = getattr(request, "user", None)
    name = user.get_username() if user is not None and user.is_authenticated else ""
    is_form = request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}
    why = request.POST.get(WHY, "") if request.method == "POST" and is_form else ""
    why = why or request.headers.get(WHY_HEADER, "")
    return Actor(name, client_address(request), f"{request.method} {request.path}", why)
