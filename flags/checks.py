"""System checks: what in a host's settings would fail later, each with what to type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import DEFAULT_DB_ALIAS, router
from waffle.utils import get_setting

from flags.conf import NO_ACCOUNT_MODEL, account_model_name
from flags.models import Flag

_NUMBERS: Final = {
    "FLAGS_POLL_S": (0.05, 60, "E004", "FLAGS_POLL_S = 0.5"),
    "FLAGS_FACTS_TTL_S": (0.1, float("inf"), "E005", "FLAGS_FACTS_TTL_S = 60"),
    "FLAGS_FACTS_KEPT": (2, float("inf"), "E006", "FLAGS_FACTS_KEPT = 100_000"),
}
_MIDDLEWARE: Final = "waffle.middleware.WaffleMiddleware"


def check_settings(**_options: object) -> list[CheckMessage]:
    """For `django.core.checks.register`."""
    return [*_account_model(), *_numbers(), *_flag_model(), *_router(), *_middleware()]


def _account_model() -> Iterator[CheckMessage]:
    named = account_model_name()
    try:
        model: Any = apps.get_model(named)
    except (LookupError, ValueError):
        shown = "not set" if named == NO_ACCOUNT_MODEL else f"{named!r}, which is no model"
        hint = 'Set FLAGS_ACCOUNT_MODEL = "app_label.Model" to the model of your accounts.'
        yield Error(f"FLAGS_ACCOUNT_MODEL is {shown}.", hint, id="flags.E001")
        return
    label = model._meta.label
    key = next((field for field in model._meta.fields if field.name == "key"), None)
    if key is None or not key.unique:
        hint = "Add: key = models.CharField(max_length=100, unique=True)"
        yield Error(f"{label} has no unique field `key`, a stable text.", hint, id="flags.E002")
    if not callable(getattr(model, "flag_traits", None)):
        hint = 'Add: def flag_traits(self): return {"plan": self.plan}'
        yield Error(f"{label} has no method `flag_traits()`.", hint, id="flags.E003")


def _numbers() -> Iterator[CheckMessage]:
    for name, (least, most, number, hint) in _NUMBERS.items():
        value = getattr(settings, name, None)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        found = float(value) if is_number and value is not None else float("nan")
        if not least <= found <= most or found == float("inf"):
            bounds = f"from {least:g} on" if most == float("inf") else f"from {least:g} to {most:g}"
            yield Error(f"{name} is {value!r}, no number {bounds}.", hint, id=f"flags.{number}")


def _flag_model() -> Iterator[CheckMessage]:
    named = getattr(settings, "WAFFLE_FLAG_MODEL", None)
    if named != Flag._meta.label:
        message = f"WAFFLE_FLAG_MODEL is {named!r}, so waffle's calls do not ask the engine."
        yield Error(message, f'Set WAFFLE_FLAG_MODEL = "{Flag._meta.label}"', id="flags.E007")


def _router() -> Iterator[CheckMessage]:
    """A replica lags: what this process has just published would not be in force in it."""
    hint = (
        "Set WAFFLE_READ_FROM_WRITE_DB = True, or have DATABASE_ROUTERS answer "
        f'"{DEFAULT_DB_ALIAS}" for the app `flags` and for the account model. Both are written '
        f'to "{DEFAULT_DB_ALIAS}" alone.'
    )
    for model in _models():
        write = router.db_for_write(model)
        read = write if get_setting("READ_FROM_WRITE_DB") else router.db_for_read(model)
        if not read == write == DEFAULT_DB_ALIAS:
            message = f"{model._meta.label} is read from {read!r} and written to {write!r}."
            yield Error(message, hint, id="flags.E008")
            return


def _models() -> Iterator[Any]:
    """The rows of the app, and those that facts about accounts are read from."""
    yield from apps.get_app_config("flags").get_models()
    with suppress(LookupError, ValueError):  # E001
        yield apps.get_model(account_model_name())


def _middleware() -> Iterator[CheckMessage]:
    if _MIDDLEWARE not in settings.MIDDLEWARE:
        message = "Without waffle's middleware a flag's testing mode keeps no cookie."
        yield Error(message, f'Add "{_MIDDLEWARE}" to MIDDLEWARE, at its end.', id="flags.E009")
