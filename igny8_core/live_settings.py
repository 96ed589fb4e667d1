"""The settings that operators change while it runs: the only module that reads constance."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from constance import utils
from constance.backends.database import DatabaseBackend
from constance.codecs import dumps, loads
from constance.models import Constance
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from igny8_core.errors import AIError

logger = logging.getLogger(__name__)

# The rows in which they are stored: a key, and a value as JSON.
STORED = Constance
OFFLINE_ANSWERS: Final = "AI_OFFLINE_ANSWERS"


class InvalidLiveSetting(AIError):
    code = "invalid_live_setting"

    def __init__(self, name: str, value: object, rule: str) -> None:
        self.name = name
        self.value = value
        super().__init__(f"The live setting {name} is {value!r}; it must be {rule}.")


class LiveSettingsUnread(AIError):
    code = "live_settings_unread"

    def __init__(self, fault: str) -> None:
        super().__init__(f"The live settings cannot be read, and never were here: {fault}")


class Known(NamedTuple):
    """What is stored, by name; `lost` cannot be read, and never could be here."""

    values: Mapping[str, Any]
    lost: frozenset[str]


class LastKnownBackend(DatabaseBackend):  # type: ignore[misc]
    """Constance's, but without the database the values are what they were, not the defaults."""

    def __init__(self) -> None:
        super().__init__()
        self._last_known: Known | None = None

    def read(self) -> Known:
        """One query; raises LiveSettingsUnread."""
        try:
            stored = dict(Constance.objects.values_list("key", "value"))
        except DatabaseError as error:
            if self._last_known is None:
                raise LiveSettingsUnread(str(error)) from error
            return self._last_known
        self._last_known = self._read(stored)
        return self._last_known

    def mget(self, keys: Iterable[str]) -> dict[str, Any]:
        """The stored values of these, for the settings' own page. Raises LiveSettingsUnread."""
        known = self.read().values
        return {key: known[key] for key in keys if key in known}

    def get(self, key: str) -> Any:
        """Raises LiveSettingsUnread: constance would store the default in its place."""
        return _value(self.read(), key)

    def set(self, key: str, value: Any) -> None:
        """In place of what cannot be read, too; raises TypeError for what is no JSON."""
        dumps(value)
        with transaction.atomic():
            try:
                super().set(key, value)
            except (ValueError, TypeError, LookupError):
                Constance.objects.filter(key=key).delete()
                super().set(key, value)

    def _read(self, stored: Mapping[str, str]) -> Known:
        """Their values; of one that cannot be read, the last that could."""
        known = self._last_known.values if self._last_known else {}
        found, lost = {}, set()
        for name, text in stored.items():
            try:
                found[name] = _checked(name, loads(text))
            except (ValueError, TypeError, LookupError) as error:
                logger.error("The live setting %s cannot be read: %s", name, error)  # noqa: TRY400
                if name in known:
                    found[name] = known[name]
                else:
                    lost.add(name)
        return Known(found, frozenset(lost))


def _value(stored: Known, name: str) -> Any:
    """The default where nothing is stored; raises LiveSettingsUnread."""
    if name in stored.lost:
        raise LiveSettingsUnread(f"what is stored of {name} is no value")
    return stored.values.get(name, settings.CONSTANCE_CONFIG[name][0])


def _checked(name: str, value: Any) -> Any:
    """Raises TypeError for a value of another type than the default's."""
    default = settings.CONSTANCE_CONFIG.get(name, (None,))[0]
    is_flag = isinstance(default, bool)
    wanted = bool if is_flag else (int, float) if isinstance(default, int | float) else object
    if not isinstance(value, wanted) or (isinstance(value, bool) and not is_flag):
        message = f"{value!r} is of another type than {default!r}"
        raise TypeError(message)
    return value


class LiveSettings(NamedTuple):
    """`attempts` are those at each model, the first one too.

    A model is left alone for `circuit_open_s` after `circuit_failures` in a row; 0: never.
    """

    request_timeout_s: float
    offline_answers: bool
    attempts: int
    fallback: bool
    fallback_of_overrides: bool
    circuit_failures: int
    circuit_open_s: float


def _read() -> Known:
    """By the backend that the settings' own page asks too. One query; raises LiveSettingsUnread."""
    backend: LastKnownBackend = utils.config._backend
    return backend.read()


def load() -> LiveSettings:
    """The values in force; raises InvalidLiveSetting, LiveSettingsUnread. One query."""
    stored = _read()
    timeout_s = _value(stored, "AI_REQUEST_TIMEOUT_S")
    if not settings.LEAST_TIMEOUT_S <= timeout_s <= settings.MOST_TIMEOUT_S:
        rule = f"from {settings.LEAST_TIMEOUT_S} to {settings.MOST_TIMEOUT_S} seconds"
        raise InvalidLiveSetting("AI_REQUEST_TIMEOUT_S", timeout_s, rule)
    return LiveSettings(
        request_timeout_s=timeout_s,
        offline_answers=_value(stored, OFFLINE_ANSWERS),
        attempts=max(_value(stored, "AI_ATTEMPTS"), 1),
        fallback=_value(stored, "AI_FALLBACK"),
        fallback_of_overrides=_value(stored, "AI_FALLBACK_OF_OVERRIDES"),
        circuit_failures=_value(stored, "AI_CIRCUIT_FAILURES"),
        circuit_open_s=_value(stored, "AI_CIRCUIT_OPEN_S"),
    )


def offline_answers() -> bool:
    """Whether the offline provider answers where a key is missing. One query.

    Raises LiveSettingsUnread.
    """
    is_on: bool = _value(_read(), OFFLINE_ANSWERS)
    return is_on


def revisions_kept() -> int:
    """How many of the last are kept; all where 0. Raises LiveSettingsUnread. One query."""
    kept: int = _value(_read(), "REVISIONS_KEPT")
    return kept


def changes_kept_days() -> int:
    """How many days the feed is kept; for ever where 0. Raises LiveSettingsUnread. One query."""
    days: int = _value(_read(), "CHANGES_KEPT_DAYS")
    return days


def seed(**_signal: object) -> None:
    """Store the default of every setting that has no row, so that a read never writes.

    A receiver of `post_migrate`, also of a part of the migrations.
    """
    if Constance._meta.db_table not in connection.introspection.table_names():
        return
    there = {*Constance.objects.values_list("key", flat=True)}
    missing = {
        name: default
        for name, (default, *_) in settings.CONSTANCE_CONFIG.items()
        if name not in there
    }
    Constance.objects.bulk_create(
        Constance(key=name, value=dumps(default)) for name, default in missing.items()
    )
