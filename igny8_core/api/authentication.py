"""Who asks: a session with its CSRF token, or where a setting allows it a name and password."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.permissions import SAFE_METHODS, DjangoModelPermissions
from rest_framework.request import Request

from igny8_core.modules.accounts.guessing import succeeded, wait_s


class Session(SessionAuthentication):
    """An anonymous answer is 401, and no browser asks for a password because of it."""

    def authenticate_header(self, _request: Request) -> str:
        return "Session"


class Basic(BasicAuthentication):
    """For scripts. A browser that remembers a password sends it with other sites' forms too.

    So a request that may change something needs a header that no form can send.
    """

    HEADER = "X-Requested-With"

    def authenticate(self, request: Request) -> Any:
        found = super().authenticate(request)
        if found and request.method not in SAFE_METHODS and self.HEADER not in request.headers:
            raise PermissionDenied(f"With basic authentication, send the header {self.HEADER}.")
        return found

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> Any:
        try:
            found = super().authenticate_credentials(userid, password, request)
        except AuthenticationFailed:
            seconds = wait_s(request)
            if seconds:
                raise Throttled(seconds) from None
            raise
        succeeded(request, userid)
        return found


class MayView(DjangoModelPermissions):
    """Reading needs the right to view, too."""

    perms_map = {  # noqa: RUF012 - DRF's own form
        **DjangoModelPermissions.perms_map,
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
        "OPTIONS": ["%(app_label)s.view_%(model_name)s"],
    }
