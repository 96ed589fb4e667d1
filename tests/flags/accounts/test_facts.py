"""What is kept of accounts: read once, bounded, and forgotten when told."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
import time_machine
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries, Settings

from flags import live
from flags.accounts.cache import ALL_ACCOUNTS, cache
from flags.accounts.heard import hear_changes
from flags.accounts.lookup import facts_of, facts_of_key, facts_of_many, keys_to_read, read_again
from flags.models import AccountChange, AccountOverride, Flag, Segment
from flags.models.keys import EXCLUDED, INCLUDED
from flags.models.pending import changing, forget_ended_threads
from igny8_core.catalogue.names import PREFERENCES
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, IntegrationSettings

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
COMMITTED = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def database_is_asked() -> None:
    """As the thread does at the beginning of a turn."""
    cache.has_thread = True
    live._process.health.database_is_asked()


def database_has_answered() -> None:
    live._process.health.database_has_answered()


def keep_current() -> None:
    if keys := keys_to_read():
        read_again(keys)


@pytest.fixture
def flag(db: None) -> Flag:
    made: Flag = Flag.objects.create(name="f")
    return made


def overrides_of(account: Account) -> Any:
    return dict(facts_of(account).overrides)


def override(account: Account, flag: Flag, variant: str = "on") -> AccountOverride:
    return AccountOverride.objects.create(account=account, flag=flag, variant=variant, reason="why")


@COMMITTED
def test_facts__first_and_again__take_four_queries_and_none(
    acme: Account, bolt: Account, flag: Flag, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    override(acme, flag)
    for account in (acme, bolt):
        with django_assert_num_queries(4):
            first = facts_of(account)
        with django_assert_num_queries(0):
            assert facts_of(account) is first
            assert facts_of_key(account.key) is first


@COMMITTED
def test_override__changed_by_any_way__is_seen_at_once(acme: Account, flag: Flag) -> None:
    assert overrides_of(acme) == {}
    row = override(acme, flag)
    assert overrides_of(acme) == {"f": "on"}
    row.variant = "off"
    row.save()
    assert overrides_of(acme) == {"f": "off"}
    AccountOverride.objects.filter(pk=row.pk).update(variant="on")
    assert overrides_of(acme) == {"f": "on"}
    call_command("override", "clear", "f", "acme")
    assert overrides_of(acme) == {}
    call_command("override", "set", "f", "acme", "off", "--reason=why")
    assert overrides_of(acme) == {"f": "off"}
    AccountOverride.objects.all().delete()
    assert overrides_of(acme) == {}
    made = AccountOverride(account=acme, flag=flag, variant="on", reason="why")
    AccountOverride.objects.bulk_create([made])
    assert overrides_of(acme) == {"f": "on"}
    flag.delete()
    assert overrides_of(acme) == {}


@COMMITTED
def test_override__in_a_transaction__is_seen_within_and_gone_after_its_rollback(
    acme: Account, flag: Flag
) -> None:
    assert overrides_of(acme) == {}
    with transaction.atomic():
        with transaction.atomic():
            override(acme, flag)
            assert overrides_of(acme) == {"f": "on"}
            transaction.set_rollback(True)
        assert overrides_of(acme) == {}
        override(acme, flag, "off")
        assert overrides_of(acme) == {"f": "off"}
        transaction.set_rollback(True)
    assert overrides_of(acme) == {}


@COMMITTED
def test_account__changed__its_traits_are_seen_at_once(acme: Account) -> None:
    assert facts_of(acme).subject.traits["plan"] == "pro"
    acme.plan = "free"
    acme.save()
    assert facts_of_key("acme").subject.traits["plan"] == "free"


@COMMITTED
def test_account__changed_by_a_query__its_traits_are_seen_at_once(acme: Account) -> None:
    assert facts_of(acme).traits["plan"] == "pro"
    Account.objects.filter(key="acme").update(plan="free")
    assert facts_of(acme).traits["plan"] == "free"
    acme.plan = "starter"
    Account.objects.bulk_update([acme], ["plan"])
    assert facts_of(acme).traits["plan"] == "starter"


@COMMITTED
@pytest.mark.parametrize("by_query", [False, True])
def test_name__changed__is_the_new_one_in_the_facts_at_once(
    acme: Account, flag: Flag, by_query: bool
) -> None:
    def rename(row: Any, name: str, new: str) -> None:
        if by_query:
            type(row).objects.filter(pk=row.pk).update(**{name: new})
        else:
            setattr(row, name, new)
            row.save()

    override(acme, flag)
    segment = Segment(key="long")
    segment.set_lists([f"x{number}" for number in range(10_001)], ["acme"])
    model = AIModel.objects.get(model_id="gpt-5.2")
    IntegrationSettings.objects.create(account=acme, text_model=model)
    facts = facts_of(acme)
    assert (dict(facts.overrides), facts.traits[EXCLUDED]) == ({"f": "on"}, ["long"])
    rename(flag, "name", "g")
    assert overrides_of(acme) == {"g": "on"}
    rename(segment, "key", "longer")
    assert facts_of(acme).traits[EXCLUDED] == ["longer"]
    rename(model, "model_id", "gpt-6")
    assert facts_of(acme).host[PREFERENCES] == {"text": "gpt-6"}


@COMMITTED
def test_long_list__set_and_deleted__is_seen_at_once_and_told_once(acme: Account) -> None:
    assert facts_of(acme).subject.traits[INCLUDED] == []
    segment = Segment(key="long")
    before = AccountChange.objects.count()
    segment.set_lists(["acme", *(f"x{number}" for number in range(10_001))], [])
    assert facts_of(acme).subject.traits[INCLUDED] == ["long"]
    segment.set_lists([f"x{number}" for number in range(10_001)], ["acme"])
    assert facts_of(acme).subject.traits[INCLUDED] == []
    assert facts_of(acme).subject.traits[EXCLUDED] == ["long"]
    segment.delete()
    assert facts_of(acme).subject.traits[EXCLUDED] == []
    assert AccountChange.objects.count() - before <= 3


@COMMITTED
def test_facts__older_than_allowed__are_read_again(acme: Account, settings: Settings) -> None:
    settings.FLAGS_FACTS_TTL_S = 10
    with time_machine.travel(NOON, tick=False) as clock:
        first = facts_of(acme)
        clock.shift(9)
        assert facts_of(acme) is first
        clock.shift(1)
        second = facts_of(acme)
        assert second is not first
        clock.shift(-3_600)  # nothing of the future is fresh
        assert facts_of(acme) is not second


@COMMITTED
def test_facts__older_than_allowed_and_kept_by_the_thread__are_read_by_it(
    acme: Account, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.FLAGS_FACTS_TTL_S = 10
    with time_machine.travel(NOON, tick=False) as clock:
        first = facts_of(acme)
        database_is_asked()
        database_has_answered()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE accounts_account SET plan = 'free' WHERE key = 'acme'")
        clock.shift(10)
        with django_assert_num_queries(0):
            assert facts_of(acme) is first
        keep_current()
        with django_assert_num_queries(0):
            assert facts_of(acme).traits["plan"] == "free"
            keep_current()  # nothing is left to read


@COMMITTED
def test_facts__database_known_to_be_away__nobody_waits_for_it(
    acme: Account, bolt: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    known = facts_of(acme)
    database_is_asked()
    live._process.health.database_has_failed()
    database_is_asked()  # a new attempt is no answer
    cache.invalidate(ALL_ACCOUNTS)
    with django_assert_num_queries(0):
        assert facts_of(acme).traits == known.traits
        assert not facts_of(bolt).is_known
    database_is_asked()
    database_has_answered()
    keep_current()
    assert facts_of(bolt).is_known


@COMMITTED
def test_facts__of_more_accounts_than_are_kept__are_bounded(settings: Settings) -> None:
    settings.FLAGS_FACTS_KEPT = 20
    accounts = [Account(key=f"a{number}", name="x") for number in range(100)]
    Account.objects.bulk_create(accounts)
    often = facts_of(accounts[0])
    for account in accounts:
        facts_of(account)
        assert facts_of(accounts[0]) is often
    assert len(cache.newer) + len(cache.older) <= 20


@COMMITTED
def test_changes__heard__are_forgotten_and_old_ones_thinned(acme: Account) -> None:
    hear_changes()
    first = facts_of(acme)
    hear_changes()
    assert facts_of(acme) is first
    AccountChange.objects.create(key="acme")  # as another process does
    hear_changes()
    assert facts_of(acme) is not first
    AccountChange.objects.bulk_create([AccountChange(key="x") for _ in range(12_000)])
    hear_changes()
    assert AccountChange.objects.count() <= 10_001


@COMMITTED
def test_changes__committed_after_later_ones__are_heard(acme: Account) -> None:
    hear_changes()
    last = AccountChange.objects.create(key="x").pk
    AccountChange.objects.bulk_create(
        [AccountChange(pk=last + 2 + number, key="x") for number in range(300)]
    )
    hear_changes()
    first = facts_of(acme)
    hear_changes()
    assert facts_of(acme) is first
    AccountChange.objects.create(pk=last + 1, key="acme")
    hear_changes()
    assert facts_of(acme) is not first


@COMMITTED
def test_changes__of_a_restored_backup__are_heard(acme: Account) -> None:
    AccountChange.objects.create(pk=5_000, key="x")
    hear_changes()
    AccountChange.objects.all().delete()
    first = facts_of(acme)
    AccountChange.objects.create(pk=100, key="y")
    hear_changes()
    assert facts_of(acme) is not first
    first = facts_of(acme)
    AccountChange.objects.create(pk=101, key="acme")
    hear_changes()
    assert facts_of(acme) is not first


@COMMITTED
def test_change_heard_from_elsewhere__what_was_known_serves_until_the_thread_has_read(
    acme: Account, bolt: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    hear_changes()
    first, other = facts_of(acme), facts_of(bolt)
    database_is_asked()
    database_has_answered()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_account SET plan = 'free' WHERE key = 'acme'")
    AccountChange.objects.create(key="acme")
    hear_changes()
    with django_assert_num_queries(0):
        assert facts_of(acme) is first
    keep_current()
    with django_assert_num_queries(0):
        assert facts_of(acme).traits["plan"] == "free"
        assert facts_of(bolt) is other


@pytest.fixture
def accounts(db: None) -> list[Account]:
    """Two hundred, of which a raw write has left one whose traits are no mapping."""
    rows = [Account(key=f"a{number}", name="A", plan="pro") for number in range(200)]
    Account.objects.bulk_create(rows)
    Account.objects.filter(key="a77").update(traits=[1])
    return [*Account.objects.order_by("pk")]


def test_account_that_cannot_be_read__harms_itself_alone(
    accounts: list[Account], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        found = {account.key: facts.traits for account, facts in facts_of_many(accounts)}
        assert [key for key, traits in found.items() if traits.get("plan") != "pro"] == ["a77"]
        assert not facts_of(accounts[77]).is_known
        assert not facts_of_key("a77").is_known
    assert [each.getMessage().partition(" cannot")[0] for each in caplog.records] == [
        "Facts of account 'a77'"
    ]


@COMMITTED
@pytest.mark.parametrize("bad", ["a77", "a\0b", "a\ud800b"])
def test_refresh__with_an_account_that_cannot_be_read__reads_the_others(
    accounts: list[Account], bad: str
) -> None:
    database_is_asked()
    for account in accounts:
        facts_of(account)
    cache.mark_stale(ALL_ACCOUNTS)
    keys = {account.key: cache.invalidations(account.key) for account in accounts}
    keys |= {bad: cache.invalidations(bad)}
    cache.to_read |= dict.fromkeys(keys)
    read_again(keys)
    now_us = time.time_ns() // 1000
    assert not cache.to_read
    stale = [key for key in keys if key != bad and not cache.is_fresh(cache.newer[key], now_us)]
    assert stale == []


def test_many__asked_by_a_coroutine__are_refused_and_no_account_is_blamed(
    accounts: list[Account], caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> None:
        list(facts_of_many(accounts))

    with pytest.raises(SynchronousOnlyOperation):
        asyncio.run(ask())
    assert not caplog.records


def test_account__that_can_be_read_again__is_known(accounts: list[Account]) -> None:
    account = accounts[77]
    assert not facts_of(account).is_known
    account.traits = {}
    account.save()
    assert facts_of(account).traits["plan"] == "pro"


@COMMITTED
def test_transaction__committed_in_a_thread_that_ended__leaves_no_mark(acme: Account) -> None:
    def save(*, is_rolled_back: bool) -> None:
        with transaction.atomic():
            acme.save()
            transaction.set_rollback(is_rolled_back)
        connection.close()

    forget_ended_threads()  # of other tests
    for is_rolled_back in (False, True):
        thread = Thread(target=save, kwargs={"is_rolled_back": is_rolled_back})
        thread.start()
        thread.join()
        assert bool(changing) is is_rolled_back
    forget_ended_threads()
    assert not changing


def test_facts__database_away__no_more_accounts_wait_to_be_read_than_are_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FLAGS_FACTS_KEPT = 10
    monkeypatch.setattr(cache, "is_database_silent", lambda: True)
    monkeypatch.setattr(cache, "has_thread", True)
    for number in range(1_000):
        assert not facts_of_key(f"k{number}").is_known
    assert len(cache.to_read) <= 11
