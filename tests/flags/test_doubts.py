"""What can never match is told where it is typed, and saved all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from flags import doubts
from flags.models import Flag, Segment, Trait
from igny8_core.modules.accounts.models import Account

pytestmark = pytest.mark.django_db

SHARE = {"op": "share", "salt": "s"}


def flag(*when: Any, **parts: Any) -> dict[str, Any]:
    rule = {"id": "r", "name": None, "when": list(when), "serve": {"variant": "on"}}
    return {"rules": [rule], "default": None, **parts}


CASES: dict[str, tuple[dict[str, Any], str | None]] = {
    "an account that is not there": (
        flag({"trait": "key", "op": "in", "values": ["acme", "nobody"]}),
        "rule r: no account has the key “nobody”.",
    ),
    "a key that is none": (
        flag({"trait": "key", "op": "in", "values": ["No Key"]}),
        "rule r: no account can have the key “No Key”.",
    ),
    "a plan that none has": (
        flag({"trait": "plan", "op": "in", "values": ["pro", "prro"]}),
        "rule r: no account has the plan “prro”.",
    ),
    "a country that none has, deep": (
        flag({"op": "any", "values": [[{"trait": "country", "op": "in", "values": ["XX"]}]]}),
        "rule r: no account has the country “XX”.",
    ),
    "a bare 20": (
        flag({**SHARE, "to": 20}),
        "rule r: a share of 20 is 0.002 % of the accounts; 20 % is 200000.",
    ),
    "a real share": (flag({**SHARE, "to": 200_000}), None),
    "nobody": (flag({**SHARE, "to": 0}), None),
    "a split of one": (
        flag(default={"split": {"next": 50}}),
        "default: a split with next alone serves it to every account, whatever its weight.",
    ),
    "a split of two": (flag(default={"split": {"next": 50, "mini": 50}}), None),
    "a share of nobody": (
        flag({**SHARE, "from": 5, "to": 5}),
        "rule r: a share from 5 to 5 has no accounts.",
    ),
    "a status in capitals": (
        flag({"trait": "status", "op": "in", "values": ["Active"]}),
        "rule r: no account has the status “Active”.",
    ),
    "a status in capitals, any case": (
        flag({"trait": "status", "op": "in", "values": ["Active"], "fold": True}),
        None,
    ),
    "a pattern that none fits": (
        flag({"trait": "plan", "op": "glob", "values": ["p*", "PRO*"]}),
        "rule r: no account has a plan like “PRO*”.",
    ),
    "a beginning that none has": (
        flag({"trait": "plan", "op": "prefix", "values": ["x"], "not": True}),
        "rule r: no account has a plan that begins with “x”.",
    ),
    "two plans at once": (
        flag(
            {"trait": "plan", "op": "in", "values": ["pro"]},
            {"trait": "plan", "op": "in", "values": ["pro"], "not": True},
        ),
        "rule r: no account has a plan that fits its 2 conditions together.",
    ),
    "a plan that some have": (flag({"trait": "plan", "op": "in", "values": ["pro"]}), None),
}


@pytest.mark.parametrize("case", CASES)
def test_flag__that_says_something_in_vain__is_told(case: str, acme: Account) -> None:
    exported, expected = CASES[case]
    assert acme.plan == "pro"
    assert [*doubts.of_flag("f", exported)] == ([] if expected is None else [expected])


def test_flag__named_nearly_as_a_task__is_told() -> None:
    told = [*doubts.of_flag("generate_contents", flag())]
    assert told == ["no task asks a flag generate_contents; there is generate_content."]
    assert not [*doubts.of_flag("generate_content", flag())]
    assert not [*doubts.of_flag("beta", flag())]


TRAITS = {
    "undeclared": ({"x": 1}, "No trait 'x' is declared, so no rule can ask it."),
    "of another type": ({"seats": "3"}, "seats is declared as num, so 3 matches no rule."),
    "a list of another type": (
        {"tags": ["a", 1]},
        'tags is declared as [str], so ["a", 1] matches no rule.',
    ),
    "right": ({"seats": 3, "tags": ["a"]}, None),
    "null": ({"seats": None}, None),
}


@pytest.mark.parametrize("case", TRAITS)
def test_traits__that_no_rule_can_ask__are_told_on_the_account(
    case: str, admin_client: Client, acme: Account
) -> None:
    Trait.objects.create(name="seats", type="num")
    Trait.objects.create(name="tags", type="[str]")
    traits, expected = TRAITS[case]
    data = {"name": "x", "plan": "pro", "status": "active", "traits": json.dumps(traits)}
    data |= {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    page = admin_client.post(f"/admin/accounts/account/{acme.pk}/change/", data, follow=True)
    told = [str(each) for each in page.context["messages"] if each.level_tag == "warning"]
    assert told == ([] if expected is None else [expected])
    acme.refresh_from_db()
    assert acme.traits == traits


def test_pages__what_is_saved_in_vain__is_told(admin_client: Client, acme: Account) -> None:
    data = {"key": "s", "include": "acme\nnobody\nBad Key", "exclude": "", "rules": ""}
    page = admin_client.post("/admin/flags/segment/add/", data, follow=True)
    told = [str(each) for each in page.context["messages"] if each.level_tag == "warning"]
    assert told == [
        "It is saved, but included: no account can have the key “Bad”.",
        "It is saved, but included: no account can have the key “Key”.",
        "It is saved, but included: no account has the key “nobody”.",
    ]
    assert Segment.objects.get().include[0] == acme.key
    row = Flag.objects.create(name="f", kind="bool")
    url = f"/admin/flags/flag/{row.pk}/change/"
    form = {"name": "f", "kind": "bool", "is_on": "on", "default": '{"split": {"on": 50}}'}
    for rows in ("variants", "rules"):
        form |= {f"{rows}-TOTAL_FORMS": "0", f"{rows}-INITIAL_FORMS": "0"}
    page = admin_client.post(url, form, follow=True)
    told = [str(each) for each in page.context["messages"] if each.level_tag == "warning"]
    (sentence,) = told
    assert sentence.startswith("It is saved, but default: a split with on alone serves it to every")
