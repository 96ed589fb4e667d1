"""The snapshot of this process."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from flags import live
from flags.engine import DocumentError
from flags.models import Flag, Rule
from igny8_core.modules.accounts.models import Account

pytestmark = pytest.mark.django_db


def test_current__within_a_transaction__sees_its_own_writes_and_forgets_them() -> None:
    Flag.objects.create(name="kept")
    with transaction.atomic():
        Flag.objects.create(name="gone")
        with transaction.atomic():
            Flag.objects.create(name="inner")
            assert {*live.current().flags} == {"kept", "gone", "inner"}
            transaction.set_rollback(True)
        assert {*live.current().flags} == {"kept", "gone"}
        transaction.set_rollback(True)
    assert {*live.current().flags} == {"kept"}


def test_current__tables_that_do_not_check__keeps_the_last_and_says_so_once(
    acme: Account, caplog: pytest.LogCaptureFixture
) -> None:
    row = Flag.objects.create(name="f", everyone=True)
    before = live.current()
    bad = Rule.objects.create(flag=row, serve={"variant": "purple"})
    for _ in range(3):
        assert live.current() is before
    assert row.is_active_for_account(acme)
    (record,) = caplog.records
    assert "/flags/f/rules/0/serve/variant: The flag 'f' has no variant 'purple'." in record.message
    bad.delete()
    assert live.current() is not before


def test_current__first_tables_do_not_check__raises(fresh_process: Any) -> None:
    row = Flag.objects.create(name="f")
    Rule.objects.create(flag=row, serve={"variant": "purple"})
    with pytest.raises(DocumentError, match="purple"):
        live.current()


@pytest.fixture
def fresh_process() -> Any:
    """As a process that has no snapshot yet."""
    kept = live._Kept.snapshot
    live._Kept.snapshot = None
    yield
    live._Kept.snapshot = kept


def test_current__one_flag_changed__the_others_are_not_compiled_again() -> None:
    row = Flag.objects.create(name="f")
    Flag.objects.create(name="other")
    before = live.current().ruleset
    row.everyone = True
    row.save()
    after = live.current().ruleset
    assert after._plans["other"] is before._plans["other"]
    assert after._plans["f"] is not before._plans["f"]
