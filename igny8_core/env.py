"""Typed reads of the environment and `.env`; a value that makes no sense is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from redis import ConnectionPool

_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_DATABASES = ("sqlite", "postgres", "postgresql")
_CACHES = ("redis", "rediss")

_env = environ.Env()


def read_dotenv(path: Path) -> None:
    """Add the file's values to the environment, where that does not have them already."""
    if path.is_file():
        environ.Env.read_env(path)


def text(name: str, default: str = "") -> str:
    """Without blanks around it."""
    value: str = _env.str(name, default)
    return value.strip()


def required(name: str, *, hint: str) -> str:
    """A text; raises ImproperlyConfigured, with the hint, where there is none."""
    value = text(name)
    if not value:
        message = f"{name} is not set. {hint}"
        raise ImproperlyConfigured(message)
    return value


def boolean(name: str, *, default: bool) -> bool:
    """true, 1, yes or false, 0, no; raises ImproperlyConfigured for anything else."""
    value = text(name)
    if not value:
        return default
    if value.lower() not in _BOOLEANS:
        message = f"{name}={value!r} is neither true nor false."
        raise ImproperlyConfigured(message)
    return _BOOLEANS[value.lower()]


def number(name: str, default: float, *, least: float = 0, most: float = float("inf")) -> float:
    """A finite number within these bounds."""
    value = text(name)
    try:
        found = float(value) if value else default
    except ValueError:
        found = float("nan")
    if not least <= found <= most or found == float("inf"):
        bounds = f"from {least:g} on" if most == float("inf") else f"from {least:g} to {most:g}"
        message = f"{name}={value!r} is no number {bounds}."
        raise ImproperlyConfigured(message)
    return found


def names(name: str, default: list[str]) -> list[str]:
    """A comma-separated list."""
    value = text(name)
    return [part.strip() for part in value.split(",") if part.strip()] if value else default


def url(name: str, *, schemes: tuple[str, ...]) -> str:
    """An address, or "" where none is set; only its scheme is ever repeated in an error."""
    value = text(name)
    try:
        scheme = urlsplit(value).scheme
    except ValueError as error:
        message = f"{name} is not an address: {error}."
        raise ImproperlyConfigured(message) from None
    if value and scheme not in schemes:
        message = f"{name} starts with {scheme!r}; it may start with {', '.join(schemes)}."
        raise ImproperlyConfigured(message)
    return value


def key(name: str) -> str:
    """A key that is sent in a header; it is in no error."""
    value = text(name)
    if not (value.isascii() and value.isprintable() and " " not in value):
        message = f"{name} is not a key: it has a character other than printable ASCII."
        raise ImproperlyConfigured(message)
    return value


def database(name: str, *, default: Path) -> dict[str, Any]:
    """Django's settings of one database, SQLite at `default` where none is set."""
    value = url(name, schemes=_DATABASES)
    if not value:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": default}
    try:
        config: dict[str, Any] = _env.db_url_config(value)
    except ValueError as error:
        message = f"{name} is not a database address: {error}."
        raise ImproperlyConfigured(message) from None
    return config


def redis(name: str) -> str:
    """An address of Redis, or ""; raises ImproperlyConfigured."""
    value = url(name, schemes=_CACHES)
    fault = _redis_fault(value) if value else None
    if fault:
        message = f"{name} is not a Redis address: {fault}. In a password, write / as %2F."
        raise ImproperlyConfigured(message)
    return value


def _redis_fault(value: str) -> str | None:
    database = urlsplit(value).path.strip("/")
    if database and not database.isdigit():
        return "what follows the host is no number of a database"
    try:
        ConnectionPool.from_url(value).make_connection()
    except (ValueError, TypeError) as error:
        return str(error)
    return None


def web_address(name: str) -> str:
    """An address without a user, or ""; raises ImproperlyConfigured."""
    value = url(name, schemes=("http", "https"))
    if "@" in value:
        message = f"{name} has a user or a password in it: the key has a variable of its own."
        raise ImproperlyConfigured(message)
    return value
