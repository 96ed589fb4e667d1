"""The first publish in schema 2 says who gets another answer; schema 1 means what it meant."""

from __future__ import annotations

import json

import pytest

from flags import live, publishing
from flags.document import stored
from flags.document.stored import canonical, checksum_of, content
from flags.document.storing import store
from flags.engine import Subject
from flags.models import Flag, Revision
from flags.moved import moved
from igny8_core.modules.accounts.models import Account

pytestmark = pytest.mark.django_db


def of_schema_1() -> Revision:
    """A child whose boolean parent is off by default, published before schema 2."""
    Flag.objects.create(name="parent", default={"variant": "off"})
    Flag.objects.create(name="child", requires=[{"flag": "parent"}], default={"variant": "on"})
    row = publishing.publish()
    text = canonical({**json.loads(row.text), "schema": 1})
    Revision.objects.filter(pk=row.pk).update(text=text, checksum=checksum_of(text))
    live.forget()
    return stored.revision(row.number)


def test_publish__first_in_schema_2__lists_the_accounts_that_move(acme: Account) -> None:
    old = of_schema_1()
    bolts = [Account(key=f"bolt-{number}", name="x", plan="free") for number in range(6)]
    Account.objects.bulk_create(bolts)
    new = publishing.publish(remarks=moved)
    assert new.number == old.number + 1
    assert new.summary == [
        "flag child: requires parent (off or on) → parent",
        "flag child: 7 accounts get true → null: acme, bolt-0, bolt-1, bolt-2, bolt-3, …",
    ]


def test_revision__of_schema_1__is_resolved_compared_and_applied_as_it_was() -> None:
    old = of_schema_1()
    new = publishing.publish()
    for number, expected in ((old.number, True), (new.number, None)):
        ruleset = live.at_revision(number).ruleset
        assert ruleset.evaluate("child", Subject("acme"), now=0).value is expected
    back = publishing.roll_back(old.number)
    assert Flag.objects.get(name="child").requires == [
        {"flag": "parent", "variants": ["off", "on"]}
    ]
    assert content(back)["flags"] == content(old)["flags"]
    assert back.summary == ["flag child: requires parent → parent (off or on)"]


def test_store__of_what_schema_1_said__is_schema_2() -> None:
    old = of_schema_1()
    row = store(content(old), old, author="", comment="", summary=[])
    assert json.loads(row.text)["schema"] == 2
