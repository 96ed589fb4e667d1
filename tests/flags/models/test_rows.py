"""Overrides, rules' ids, and JSON in a column."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django import forms
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from flags.models import AccountOverride, Flag, Rule, Trait, Variant
from flags.models.fields import JsonFormField, to_text
from flags.models.rule import next_rule_id
from igny8_core.modules.accounts.models import Account

pytestmark = pytest.mark.django_db


@pytest.fixture
def flag() -> Flag:
    made: Flag = Flag.objects.create(name="f")
    return made


def override(account: Account, flag: Flag, **facts: Any) -> AccountOverride:
    options = {"variant": "on", "reason": "why", **facts}
    return AccountOverride.objects.create(account=account, flag=flag, **options)


def test_override__second_live_one__is_refused(acme: Account, flag: Flag) -> None:
    override(acme, flag)
    with pytest.raises(IntegrityError), transaction.atomic():
        override(acme, flag)
    twin = AccountOverride(account=acme, flag=flag, variant="on", reason="why")
    with pytest.raises(ValidationError, match="has a live override of this flag already"):
        twin.full_clean()


def test_override__paused_or_expired_one__does_not_stand_in_the_way(
    acme: Account, bolt: Account, flag: Flag
) -> None:
    override(acme, flag, paused=True)
    over = override(acme, flag, expires_at=timezone.now() - timedelta(seconds=1))
    assert over.state == "expired"
    new = AccountOverride(account=acme, flag=flag, variant="off", reason="why")
    new.full_clean()
    over.refresh_from_db()
    assert not over.paused
    new.save()
    override(bolt, flag)
    over.refresh_from_db()
    assert (over.state, new.state) == ("paused", "live")
    assert set(AccountOverride.objects.in_force(timezone.now()).values_list("account__key")) == {
        ("acme",),
        ("bolt",),
    }


@pytest.mark.parametrize("variant", ["purple", "", "On"])
def test_override__variant_that_the_flag_has_not__is_refused(
    acme: Account, flag: Flag, variant: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        override(acme, flag, variant=variant)
    assert refusal.value.message_dict == {
        "variant": [f"The flag “f” has no variant “{variant}”; it has “on”, “off”."]
    }


@pytest.mark.parametrize(
    ("used", "expected"),
    [([], "r1"), (["r1", "r3"], "r4"), (["percent", "x9", "r"], "r1"), (["r" + "9" * 20], "r1")],
)
def test_rule__without_an_id__gets_the_next_number(used: list[str], expected: str) -> None:
    assert next_rule_id(used) == expected


def test_rule__saved_without_an_id__has_one(flag: Flag) -> None:
    for _ in range(2):
        Rule.objects.create(flag=flag, serve={"variant": "on"})
    assert [rule.rule_id for rule in flag.rules.all()] == ["r1", "r2"]


@pytest.mark.parametrize("name", ["key", "in_segments", "out_of_segments", "a b", "1a", ""])
def test_trait__reserved_or_malformed_name__is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Trait(name=name, type="str").full_clean()
    assert list(refusal.value.message_dict) == ["name"]


VALUES: list[Any] = [
    None,
    True,
    0,
    1.5,
    1e22,
    "",
    "text",
    "[1]",
    [],
    {"a": [None]},
    "ä\u2028\ud800",
]


@pytest.mark.parametrize("value", VALUES)
def test_json_column__value__comes_back_and_through_a_fixture(flag: Flag, value: Any) -> None:
    Variant.objects.create(flag=flag, key="a", value=value)
    stored = Variant.objects.get()
    assert (stored.value, type(stored.value)) == (value, type(value))
    out = StringIO()
    call_command("dumpdata", "flags.variant", stdout=out)
    Variant.objects.all().delete()
    for each in serializers.deserialize("json", out.getvalue()):
        each.save()
    assert json.dumps(Variant.objects.get().value) == json.dumps(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_json_column__no_json__is_refused(flag: Flag, value: object) -> None:
    with pytest.raises((ValueError, TypeError), match="JSON"):
        Variant.objects.create(flag=flag, key="a", value=value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1", "This is not JSON: Expecting ',' delimiter at line 1, column 3."),
        ('{"a": 1, "a": 2}', "The key 'a' is here twice."),
        ("NaN", "nan is not a finite number."),
        ("[" * 300 + "]" * 300, "This nests deeper than 100 levels."),
        ('"\\u0000"', "'\\x00' has a NUL or half of a surrogate pair in it."),
    ],
)
def test_json_typed__that_is_none__is_refused_with_why(text: str, message: str) -> None:
    with pytest.raises(forms.ValidationError) as refusal:
        JsonFormField().clean(text)
    assert refusal.value.messages == [message]


def test_json_typed__empty__is_the_columns_default() -> None:
    assert JsonFormField(required=False, empty=list).clean(" ") == []
    with pytest.raises(forms.ValidationError, match="required"):
        JsonFormField().clean("")


@pytest.mark.parametrize("value", [None, [], [1, {"a": "ä"}], {"a": 1}, "x", 3])
def test_json_shown__typed_again__is_the_same_and_unchanged(value: Any) -> None:
    field = JsonFormField(required=False)
    assert field.clean(to_text(value)) == value
    assert not field.has_changed(value, to_text(value))
    assert field.has_changed(value, "[7]")
    assert field.has_changed(value, "[")
