"""The login's form, which says when to try again, and its answer, which is 429 then."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from unfold.forms import AuthenticationForm

from igny8_core.modules.accounts.guessing import told, wait_s


class LoginForm(AuthenticationForm):  # type: ignore[misc]
    def get_invalid_login_error(self) -> ValidationError:
        seconds = wait_s(self.request)
        if seconds:
            return ValidationError(told(seconds), code="throttled")
        error: ValidationError = super().get_invalid_login_error()
        return error


class LoginMiddleware:
    """Gives a login that was not tried its status."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        seconds = wait_s(request)
        if seconds:
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
            response["Retry-After"] = str(seconds)
        return response
