"""The WSGI application that a server imports."""

from __future__ import annotations

import os

from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application

from igny8_core.plain_text import ReadAsUtf8

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "igny8_core.settings")


class Request(ReadAsUtf8, WSGIRequest):
    pass


application = get_wsgi_application()
application.request_class = Request
