"""`manage.py erase_account`: who it was goes, money and counts stay."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Sum

from flags.accounts import facts_of
from flags.models import AccountOverride, Flag, Revision, Rule, Segment, SegmentMember, Variant
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.replay.comparing import replay
from igny8_core.ai.resolver import resolve
from igny8_core.modules.accounts.models import Account, Membership
from igny8_core.modules.changes.models import Change
from igny8_core.modules.system.models import AIPrompt, IntegrationSettings, ProviderKey
from igny8_core.modules.usage.models import Receipt
from igny8_core.modules.usage.states import State
from tests.conftest import Manage

COMMITTED = pytest.mark.django_db(transaction=True, serialized_rollback=True)
TASK = "generate_content"
SECRETS = ("Acme GmbH", "tell-tale", "our own words", "because of Carol", "carols-run")


@pytest.fixture
def acme(manage: Manage) -> Account:
    """Of the demo data, with something in every table."""
    acme = Account.objects.by_key("acme")
    acme.name, acme.traits = "Acme GmbH", {"segment_of": "tell-tale"}
    acme.save()
    Membership.objects.create(account=acme, user=User.objects.create(username="carol"))
    flag = Flag.objects.get(name="text")
    Variant.objects.create(flag=flag, key="next", value="gpt-5.2")
    AccountOverride.objects.create(
        account=acme, flag=flag, variant="next", reason="because of Carol"
    )
    AIPrompt.objects.create(account=acme, task=TASK, template="our own words")
    settings = IntegrationSettings.of(acme)
    settings.temperature = 0.7
    settings.save()
    manage("set_key", "openai", "--account", "acme", stdin="sk-acme")
    Segment.objects.create(key="shorts", include=["acme", "bolt"])
    longs = Segment.objects.create(key="longs", is_long=True)
    SegmentMember.objects.create(segment=longs, key="acme")
    AICore(acme, connections={}, run_key="carols-run").run_ai_request(TASK, "x")
    return acme


def dump(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - our own tables
        return repr(cursor.fetchall())


@COMMITTED
def test_erase__with_yes__leaves_nothing_of_whom_and_all_of_the_money(
    manage: Manage, acme: Account
) -> None:
    others = Receipt.objects.exclude(account=acme)
    before, beside = Receipt.objects.filter(account=acme), list(others.values())
    kept = ("cost", "charge", "meters", "lines", "model_asked", "created_at", "request_id")
    money = list(before.order_by("pk").values(*kept))
    total = Receipt.objects.aggregate(Sum("cost"))
    told = manage("erase_account", "acme", "--yes", "--json")
    assert told.returncode == 0, told.stderr
    became = json.loads(told.stdout)["became"]
    account = Account.objects.by_key(became)
    assert (account.pk, account.name, account.country) == (acme.pk, "erased", "")
    assert (account.traits, account.status) == ({}, "closed")
    assert not Account.objects.filter(key="acme").exists()
    receipts = Receipt.objects.filter(account=account).order_by("pk")
    assert list(receipts.values(*kept)) == money
    assert Receipt.objects.aggregate(Sum("cost")) == total
    assert list(Receipt.objects.exclude(account=account).values()) == beside
    receipt = receipts.last()
    assert receipt is not None
    assert "layers" not in receipt.asked
    assert receipt.asked["at_us"]
    assert (receipt.parameters, receipt.run, receipt.usage_block) == ({}, "", "")
    tables = [table for table in connection.introspection.table_names() if "revision" not in table]
    for table in tables:
        content = dump(table)
        assert [secret for secret in SECRETS if secret in content] == [], table


@COMMITTED
def test_erase__lists__no_longer_have_it_and_who_did_it_is_told(
    manage: Manage, acme: Account
) -> None:
    assert facts_of(acme).overrides
    manage("erase_account", "acme", "--yes")
    shorts = Segment.objects.get(key="shorts")
    assert shorts.include == ["bolt"]
    assert not SegmentMember.objects.exists()
    assert not AIPrompt.objects.filter(account=acme.pk).exists()
    assert not ProviderKey.objects.filter(account=acme.pk).exists()
    assert not User.objects.get(username="carol").memberships.exists()
    account = Account.objects.get(pk=acme.pk)
    assert not facts_of(account).overrides
    assert resolve(account, TASK).model.model_id == "gpt-4o-mini"
    assert not Change.objects.filter(account="acme").exists()
    (entry,) = Change.objects.filter(account=account.key)
    assert (entry.via, entry.why, entry.before) == ("manage.py erase_account", "an erasure", {})
    assert Revision.objects.latest("number").comment == "an erasure"


@COMMITTED
def test_erase__its_receipts__are_priced_again_and_say_why_not_more(
    manage: Manage, acme: Account
) -> None:
    manage("erase_account", "acme", "--yes")
    for receipt in Receipt.objects.filter(account=acme):
        found = replay(receipt)
        assert found.agrees
        assert "It was not resolved again. Its account was erased" in " ".join(found.missing)
        assert "cost by the price" in [item.name for item in found.items]
        assert manage("receipt", str(receipt.pk), "--replay").returncode == 0


@COMMITTED
def test_erase__without_yes__says_what_would_go_and_changes_nothing(
    manage: Manage, acme: Account
) -> None:
    rule = {"trait": "key", "op": "in", "values": ["acme"]}
    Rule.objects.create(
        flag=Flag.objects.get(name="text"), when=[rule], serve={"variant": "next"}, rule_id="own"
    )
    before = {table: dump(table) for table in connection.introspection.table_names()}
    told = manage("erase_account", "acme")
    assert told.returncode == 0
    for line in (
        "overrides 1",
        "members 2",
        "prompts 1",
        "keys 1",
        "short lists 1",
        "long lists 1",
        "Rules name it; change them by hand: text, rule own.",
        "revisions have the text “acme”",
        "Nothing is changed. To erase acme, say --yes.",
    ):
        assert line in " ".join(told.stdout.split())
    assert {table: dump(table) for table in before} == before


@pytest.mark.django_db
def test_erase__request_under_way__is_refused(manage: Manage) -> None:
    row: dict[str, Any] = {"task": TASK, "model_asked": "gpt-4o", "provider": "openai"}
    row |= {"reason": "RULE", "prompt": "built-in", "status": "pending", "state": State.OPEN}
    acme = Account.objects.by_key("acme")
    Receipt.objects.create(account=acme, request_id=uuid4(), **row)
    told = manage("erase_account", "acme", "--yes")
    assert told.returncode == 1
    assert "1 receipts of acme are open" in told.stderr
    assert Account.objects.by_key("acme").name == acme.name
    assert "There is no account 'nobody'" in manage("erase_account", "nobody").stderr
