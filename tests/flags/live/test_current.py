"""The snapshot of this process."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from flags import live, publishing
from flags.accounts.lookup import facts_of, facts_of_key
from flags.document.stored import checksum_of
from flags.models import AccountOverride, Flag, Head, Revision, Rule
from igny8_core.modules.accounts.models import Account
from tests.conftest import environment, run_manage

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
def test_current__tables_that_do_not_check__serves_the_rest_of_them_and_says_why_once(
    acme: Account, caplog: pytest.LogCaptureFixture
) -> None:
    row = Flag.objects.create(name="f", everyone=True)
    before = live.current()
    with transaction.atomic():
        bad = Rule.objects.create(flag=row, serve={"variant": "purple"})
    for _ in range(3):
        live._process.try_refresh()
        assert live.current().ruleset is before.ruleset
    assert row.is_active_for_account(acme)
    (record,) = [each for each in caplog.records if each.name == "flags.live.health"]
    assert "held back: flag f: The flag 'f' has no variant 'purple'." in record.message
    Flag.objects.create(name="other", everyone=True)
    assert live.current().number == (before.number or 0) + 1
    bad.delete()
    live._process.try_refresh()
    assert live._process.health.faults(has_thread=False) == {}


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
    assert not heard
    live._process.listeners.pop()
    with transaction.atomic():
        Rule.objects.create(flag=row, serve={"variant": "purple"})  # it does not check
    assert Flag.get("f").is_active_for_account(acme)


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


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_current__other_content_under_the_same_number__is_taken() -> None:
    Flag.objects.create(name="f")
    row = publishing.publish()
    assert "f" in live.current().ruleset.document["flags"]
    text = row.text.replace('"f":', '"g":')
    Revision.objects.filter(pk=row.pk).update(text=text, checksum=checksum_of(text))
    Head.objects.update(version="restored", published="restored")
    live._process.try_refresh()
    assert [*live.current().ruleset.document["flags"]] == ["g"]


def test_fixture__override_before_its_account__is_loaded(acme: Account, tmp_path: Path) -> None:
    flag = Flag.objects.create(name="f")
    AccountOverride.objects.create(account=acme, flag=flag, variant="on", reason="why")
    file = tmp_path / "rows.json"
    call_command("dumpdata", "flags.accountoverride", "flags.flag", "accounts", output=str(file))
    AccountOverride.objects.all().delete()
    call_command("loaddata", str(file), verbosity=0)
    assert AccountOverride.objects.get().account == acme


def test_facts__account_that_is_not_stored__are_not_another_askers() -> None:
    assert facts_of(Account(key="ghost", plan="pro")).subject.traits["plan"] == "pro"
    assert facts_of(Account(key="ghost", plan="free")).subject.traits["plan"] == "free"
    assert facts_of_key("ghost").subject.traits.get("plan") is None


def test_migrate__after_a_change_that_told_nobody__publishes_it(
    demo_database: Path, tmp_path: Path
) -> None:
    database = tmp_path / "db.sqlite3"
    database.write_bytes(demo_database.read_bytes())
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE flags_flag SET is_on = 0")
        connection.commit()
    done = run_manage("migrate", "--verbosity=0", env=environment(database))
    assert done.returncode == 0, done.stderr
    with contextlib.closing(sqlite3.connect(database)) as connection:
        newest = "SELECT comment FROM flags_revision ORDER BY number DESC LIMIT 1"
        assert connection.execute(newest).fetchone() == ("migrate",)
