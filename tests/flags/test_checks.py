"""What is wrong in a host's settings is said by `manage.py check`, with what to type."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import router
from pytest_django import Settings

from tests.conftest import ROOT


class Replica:
    """Reads some models from another database than it writes to."""

    def __init__(self, *models: str) -> None:
        self._models = models

    def db_for_read(self, model: Any, **_hints: object) -> str | None:
        return "replica" if model._meta.label in self._models else None


WRONG: list[tuple[str, str, Any, str]] = [
    ("E001", "FLAGS_ACCOUNT_MODEL", "accounts.Nobody", "app_label.Model"),
    ("E002", "FLAGS_ACCOUNT_MODEL", "auth.Group", "key = models.CharField"),
    ("E002", "FLAGS_ACCOUNT_MODEL", "flags.Variant", "unique=True"),
    ("E003", "FLAGS_ACCOUNT_MODEL", "auth.Group", "def flag_traits(self)"),
    ("E004", "FLAGS_POLL_S", 0.01, "FLAGS_POLL_S = 0.5"),
    ("E004", "FLAGS_POLL_S", 61, "FLAGS_POLL_S = 0.5"),
    ("E004", "FLAGS_POLL_S", "0.5", "FLAGS_POLL_S = 0.5"),
    ("E005", "FLAGS_FACTS_TTL_S", 0, "FLAGS_FACTS_TTL_S = 60"),
    ("E006", "FLAGS_FACTS_KEPT", float("inf"), "FLAGS_FACTS_KEPT = 100_000"),
    ("E007", "WAFFLE_FLAG_MODEL", "waffle.Flag", 'WAFFLE_FLAG_MODEL = "flags.Flag"'),
    ("E009", "MIDDLEWARE", [], "waffle.middleware.WaffleMiddleware"),
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
    assert ("flags.E004" in found()) is is_wrong


@pytest.mark.parametrize("model", ["flags.Head", "flags.AccountChange", "accounts.Account"])
def test_router__that_reads_a_replica__is_an_error(
    monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setitem(router.__dict__, "routers", [Replica(model)])  # Django keeps them here
    assert "DATABASE_ROUTERS" in found()["flags.E008"][0]


def test_router__that_reads_a_replica__is_fine_where_the_primary_is_read(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setitem(router.__dict__, "routers", [Replica("flags.Head")])
    settings.WAFFLE_READ_FROM_WRITE_DB = True
    assert "flags.E008" not in found()


HOST = """
import sys
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "waffle", "flags"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=["waffle.middleware.WaffleMiddleware"],
    WAFFLE_FLAG_MODEL="flags.Flag",
    **%r,
)
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "check"])
"""


@pytest.mark.parametrize(
    ("named", "sentence"),
    [({}, "is not set"), ({"FLAGS_ACCOUNT_MODEL": "shop.Tenant"}, "'shop.Tenant', which is no")],
)
def test_host__without_an_account_model__is_told_at_its_start(
    named: dict[str, str], sentence: str
) -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", HOST % named],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "(flags.E001)" in done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
