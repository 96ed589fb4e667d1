"""Gives a request its account: `request.account`, falsy where there is none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from igny8_core.modules.accounts.models import Account, Membership


class AccountRequest(HttpRequest):
    if TYPE_CHECKING:
        account: Account | None


class AccountMiddleware:
    """Looks the account up when a view first asks for it: one query, none for the anonymous."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: AccountRequest) -> HttpResponse:
        request.account = SimpleLazyObject(partial(_account_of, request))  # type: ignore[assignment]
        return self.get_response(request)


def _account_of(request: AccountRequest) -> Account | None:
    if not request.user.is_authenticated:
        return None
    return Membership.objects.account_of(request.user.pk)
