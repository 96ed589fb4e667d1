"""Addresses of providers: which are allowed, and where one ends and another begins."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from igny8_core.modules.system.errors import InsecureAddress

_is_url = URLValidator(schemes=["http", "https"])
_PORTS = {"http": 80, "https": 443}


def check_address(url: str) -> None:
    """A validator; raises ValidationError."""
    _is_url(url)
    if "@" in url:
        message = "An address has no user and no password: the key goes into its own field."
        raise ValidationError(message)
    try:
        refuse_insecure(url)
    except InsecureAddress as error:
        raise ValidationError(str(error), code=error.code) from None


def refuse_insecure(url: str) -> None:
    """Raises InsecureAddress for one without TLS, unless AI_PLAIN_HTTP allows it."""
    if url and urlsplit(url).scheme != "https" and not settings.AI_PLAIN_HTTP:
        raise InsecureAddress(url)


def origin_of(url: str) -> str:
    """`https://host:port`: whom a request to the address reaches; "" is the provider's own."""
    if not url:
        return ""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return f"{scheme}://{(parts.hostname or '').lower()}:{parts.port or _PORTS[scheme]}"


def environment_url(provider: str) -> str:
    """The address that the environment sets, or ""."""
    url: str = settings.AI_CONNECTIONS.get(provider, {}).get("base_url", "")
    return url
