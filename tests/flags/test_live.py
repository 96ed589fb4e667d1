"""The snapshot of this process."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from flags import live
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


COMMITTED = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@COMMITTED
def test_current__tables_that_do_not_check__keeps_the_last_and_says_so_once(
    acme: Account, caplog: pytest.LogCaptureFixture
) -> None:
    row = Flag.objects.create(name="f", everyone=True)
    before = live.current()
    bad = Rule.objects.create(flag=row, serve={"variant": "purple"})
    for _ in range(3):
        assert live.current() is before
    assert row.is_active_for_account(acme)
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert "/flags/f/rules/0/serve/variant: The flag 'f' has no variant 'purple'." in record.message
    bad.delete()
    assert live.current() is not before


@COMMITTED
def test_current__transaction_rolled_back__leaves_nothing_behind(acme: Account) -> None:
    row = Flag.objects.create(name="f", everyone=True)
    heard: list[object] = []
    live.current()
    live.listen(lambda _before, after: heard.append(after))
    with transaction.atomic():
        row.everyone = False
        row.save()
        assert not row.is_active_for_account(acme)
        transaction.set_rollback(True)
    Rule.objects.create(flag=row, serve={"variant": "purple"})  # what is stored does not check
    assert Flag.get("f").is_active_for_account(acme)
    live._process.listeners.pop()
    assert not heard


@COMMITTED
def test_listener__that_fails__is_logged_and_fails_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    live.current()

    def fail(_before: object, _after: object) -> None:
        raise ZeroDivisionError

    live.listen(fail)
    Flag.objects.create(name="f")
    assert "f" in live.current().flags
    live._process.listeners.pop()
    assert "ZeroDivisionError" in caplog.text


@COMMITTED
def test_head__many_changes_in_a_transaction__is_written_once() -> None:
    Flag.objects.create(name="f")
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        for name in ("a", "b", "c"):
            Flag.objects.create(name=name)
    written = [query for query in queries if 'UPDATE "flags_head" SET "version"' in query["sql"]]
    assert len(written) == 1


@COMMITTED
def test_current__one_flag_changed__the_others_are_not_compiled_again() -> None:
    row = Flag.objects.create(name="f")
    Flag.objects.create(name="other")
    before = live.current().ruleset
    row.everyone = True
    row.save()
    after = live.current().ruleset
    assert after._plans["other"] is before._plans["other"]
    assert after._plans["f"] is not before._plans["f"]
