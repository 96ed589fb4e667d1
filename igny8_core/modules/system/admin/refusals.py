"""A refusal on an admin page is a message, not an error page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from igny8_core.errors import AIError


class RefusalAsMessage:
    """What the code below refuses is a message on the page that it was asked from."""

    def _or_message(
        self, view: Callable[..., HttpResponse], request: HttpRequest, *args: Any, **options: Any
    ) -> HttpResponse:
        try:
            with transaction.atomic():
                return view(request, *args, **options)
        except AIError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.get_full_path())

    def changelist_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._or_message(super().changelist_view, request, *args, **options)  # type: ignore[misc]

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._or_message(super().changeform_view, request, *args, **options)  # type: ignore[misc]

    def delete_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._or_message(super().delete_view, request, *args, **options)  # type: ignore[misc]
