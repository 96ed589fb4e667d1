"""Addresses of providers: which are allowed, and where one ends and another begins."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from flags.host import check_visible
from igny8_core.errors import AIError
from igny8_core.modules.system.errors import InsecureAddress, InvalidAddress

_is_url = URLValidator(schemes=["http", "https"])
_PORTS = {"http": 80, "https": 443}


def check_address(url: str) -> None:
    """A validator; raises ValidationError."""
    check_visible(url)
    _is_url(url)
    parts = urlsplit(url)
    if "@" in url:
        message = "An address has no user and no password: the key goes into its own field."
        raise ValidationError(message)
    if parts.query or parts.fragment:
        message = "An address ends with its path: what follows “?” or “#” would not be sent."
        raise ValidationError(message)
    try:
        origin_of(url)
        refuse_insecure(url)
    except AIError as error:
        raise ValidationError(str(error), code=error.code) from None


def refuse_insecure(url: str) -> None:
    """Raises InsecureAddress for one without TLS, unless AI_PLAIN_HTTP allows it."""
    if url and urlsplit(url).scheme != "https" and not settings.AI_PLAIN_HTTP:
        raise InsecureAddress(url)


def origin_of(url: str) -> str:
    """`https://host:port`: whom a request to the address reaches; "" is the provider's own.

    Raises InvalidAddress.
    """
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
        port = _PORTS[scheme] if parts.port is None else parts.port
    except (ValueError, KeyError):
        raise InvalidAddress(url) from None
    if not host or not port:
        raise InvalidAddress(url)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def url_of(provider: str, base_url: str) -> str:
    """Where the provider is reached; "" at its protocol's own address."""
    return base_url or environment_url(provider)


def environment_url(provider: str) -> str:
    """The address that the environment sets, or ""."""
    url: str = settings.AI_CONNECTIONS.get(provider, {}).get("base_url", "")
    return url
