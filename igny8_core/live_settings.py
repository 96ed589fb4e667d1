"""The settings that operators change while it runs: the only module that reads constance."""

from __future__ import annotations

from typing import NamedTuple

from constance import config
from constance.utils import get_values
from django.conf import settings

from igny8_core.errors import AIError


class InvalidLiveSetting(AIError):
    code = "invalid_live_setting"

    def __init__(self, name: str, value: object, rule: str) -> None:
        self.name = name
        self.value = value
        super().__init__(f"The live setting {name} is {value!r}; it must be {rule}.")


class LiveSettings(NamedTuple):
    request_timeout_s: float
    offline_answers: bool


def load() -> LiveSettings:
    """The values in force; raises InvalidLiveSetting. One query."""
    values = get_values()
    timeout_s = values["AI_REQUEST_TIMEOUT_S"]
    if not settings.LEAST_TIMEOUT_S <= timeout_s <= settings.MOST_TIMEOUT_S:
        rule = f"from {settings.LEAST_TIMEOUT_S} to {settings.MOST_TIMEOUT_S} seconds"
        raise InvalidLiveSetting("AI_REQUEST_TIMEOUT_S", timeout_s, rule)
    return LiveSettings(
        request_timeout_s=timeout_s,
        offline_answers=values["AI_OFFLINE_ANSWERS"],
    )


def revisions_kept() -> int:
    """How many of the last revisions are kept; all where 0. One query."""
    kept: int = get_values()["REVISIONS_KEPT"]
    return kept


def seed(**_signal: object) -> None:
    """Store the default of every setting that has no row, so that a read never writes.

    A receiver of `post_migrate`.
    """
    for name in settings.CONSTANCE_CONFIG:
        getattr(config, name)
