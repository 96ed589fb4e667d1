"""System checks of the product's own settings, each with what to type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name
from django.db import Error as DatabaseError

from igny8_core import live_settings
from igny8_core.errors import AIError

_SLOWEST_POLL_S = 5
_NEW_KEY = (
    "Make one: python -c 'from cryptography.fernet import Fernet; "
    "print(Fernet.generate_key().decode())'"
)


def check_settings(**_options: Any) -> list[CheckMessage]:
    """What would fail as soon as a provider's key is kept or read."""
    for number, key in enumerate(settings.ENCRYPTION_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            message = f"ENCRYPTION_KEYS: number {number} is no Fernet key."
            return [Error(message, _NEW_KEY, id="igny8.E001")]
    return []


def check_deployment(**_options: Any) -> list[CheckMessage]:
    """For `check --deploy`: what is fine on a machine of one's own, and open elsewhere."""
    return list(_open())


def _open() -> Iterator[CheckMessage]:
    try:
        answers_offline = live_settings.load().offline_answers
    except (AIError, DatabaseError):  # checks run before migrations, too
        answers_offline = True
    if answers_offline:
        message = "Where a provider has no key, the offline provider answers in its place."
        hint = "Turn AI_OFFLINE_ANSWERS off in the admin, under Constance."
        yield Warning(message, hint, id="igny8.W001")
    if not settings.ENCRYPTION_KEYS:
        message = "ENCRYPTION_KEYS is not set, so providers' keys cannot be kept."
        yield Warning(message, _NEW_KEY, id="igny8.W002")
    if settings.API_BASIC_AUTH:
        message = "API_BASIC_AUTH is on: the API takes passwords with each request."
        yield Warning(message, "Set API_BASIC_AUTH=false", id="igny8.W003")
    if settings.FLAGS_POLL_S > _SLOWEST_POLL_S:
        message = f"FLAGS_POLL_S is {settings.FLAGS_POLL_S}: a stop may take so long to be heard."
        yield Warning(message, "Set FLAGS_POLL_S=0.5", id="igny8.W004")
    if settings.AI_PLAIN_HTTP:
        message = "AI_PLAIN_HTTP is on: keys may be sent without TLS."
        yield Warning(message, "Set AI_PLAIN_HTTP=false", id="igny8.W005")
