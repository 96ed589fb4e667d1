"""The ASGI application that a server imports."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest

from igny8_core.plain_text import ReadAsUtf8

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "igny8_core.settings")


class Request(ReadAsUtf8, ASGIRequest):
    pass


application = get_asgi_application()
application.request_class = Request
