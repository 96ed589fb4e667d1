"""What is wrong in a host's settings is said by `manage.py check`, with what to type."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import router
from pytest_django import Settings


class Replica:
    """Reads from another database than it writes to."""

    def db_for_read(self, _model: object, **_hints: object) -> str:
        return "replica"


WRONG: list[tuple[str, str, Any, str]] = [
    ("E001", "FLAGS_ACCOUNT_MODEL", "accounts.Nobody", "app_label.Model"),
    ("E001", "FLAGS_ACCOUNT_MODEL", "auth.Group", "key = models.CharField"),
    ("E002", "FLAGS_ACCOUNT_MODEL", "auth.Group", "def flag_traits(self)"),
    ("E003", "FLAGS_POLL_S", 0.01, "FLAGS_POLL_S = 0.5"),
    ("E003", "FLAGS_POLL_S", 61, "FLAGS_POLL_S = 0.5"),
    ("E003", "FLAGS_POLL_S", "0.5", "FLAGS_POLL_S = 0.5"),
    ("E004", "FLAGS_FACTS_TTL_S", 0, "FLAGS_FACTS_TTL_S = 60"),
    ("E005", "FLAGS_FACTS_KEPT", float("inf"), "FLAGS_FACTS_KEPT = 100_000"),
    ("E006", "WAFFLE_FLAG_MODEL", "waffle.Flag", 'WAFFLE_FLAG_MODEL = "flags.Flag"'),
    ("E008", "MIDDLEWARE", [], "waffle.middleware.WaffleMiddleware"),
]


def found() -> dict[str | None, list[str]]:
    """The hints of the flags' checks, by id."""
    told: dict[str | None, list[str]] = {}
    for each in run_checks():
        if str(each.id).startswith("flags."):
            told.setdefault(each.id, []).append(str(each.hint))
    return told


def test_settings__of_this_product__are_right() -> None:
    assert found() == {}


@pytest.mark.parametrize(("number", "name", "value", "hint"), WRONG)
def test_setting__that_would_fail_later__is_an_error_with_what_to_type(
    settings: Settings, number: str, name: str, value: object, hint: str
) -> None:
    setattr(settings, name, value)
    assert any(hint in each for each in found()[f"flags.{number}"])


@pytest.mark.parametrize(("value", "is_wrong"), [(0.05, False), (0.049, True), (60, False)])
def test_poll__at_its_bounds__is_taken_or_refused(
    settings: Settings, value: float, is_wrong: bool
) -> None:
    settings.FLAGS_POLL_S = value
    assert ("flags.E003" in found()) is is_wrong


def test_router__that_reads_a_replica__is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(router.__dict__, "routers", [Replica()])  # Django keeps them here
    assert "DATABASE_ROUTERS" in found()["flags.E007"][0]
