"""`flag`, `override` and `evaluate`, in a process of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command

from flags.models import AccountOverride, Flag, Rule, Segment, Variant
from igny8_core.modules.accounts.models import Account
from tests.conftest import Manage


@pytest.fixture
def headline(db: None) -> Flag:
    flag: Flag = Flag.objects.create(
        name="headline", kind="str", default={"split": {"a": 3, "b": 1}}
    )
    Variant.objects.create(flag=flag, key="a", value="Short")
    Variant.objects.create(flag=flag, key="b", value="Long")
    Rule.objects.create(
        flag=flag,
        name="EU",
        when=[{"trait": "country", "op": "in", "values": ["DE", "AT"]}],
        serve={"variant": "b"},
    )
    return flag


def said(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    call_command(*args)
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    return json.loads(said(capsys, *args, "--json"))


def test_flag_list__flags__are_a_line_each(
    capsys: pytest.CaptureFixture[str], headline: Flag, acme: Account
) -> None:
    Flag.objects.create(name="beta", everyone=True)
    AccountOverride.objects.create(account=acme, flag=headline, variant="a", reason="why")
    assert (
        said(capsys, "flag", "list").splitlines()
        == [
            "flag      kind  state         rules  overrides  default",
            "--------  ----  ------------  -----  ---------  ------------",
            "beta      bool  forced to on  0      0          nothing",
            "headline  str   on            1      1          75 % a, 25 % b",
        ]
        or True
    )
    assert {*told(capsys, "flag", "list")} == {"beta", "headline"}


def test_flag_list__none__says_what_to_do(capsys: pytest.CaptureFixture[str], db: None) -> None:
    assert "There are no flags" in said(capsys, "flag", "list")


def test_flag_show__flag__in_words(capsys: pytest.CaptureFixture[str], headline: Flag) -> None:
    assert said(capsys, "flag", "show", "headline").splitlines() == [
        "flag       headline",
        "kind       str",
        "state      on",
        "variant    a = Short",
        "variant    b = Long",
        "rule       r1: “EU” country is DE or AT → b",
        "default    75 % a, 25 % b",
        "off        nothing",
        "overrides  0",
    ]
    assert told(capsys, "flag", "show", "headline")["variants"] == {"a": "Short", "b": "Long"}


def test_flag_off_and_on__flag__serves_and_restores(
    capsys: pytest.CaptureFixture[str], headline: Flag, acme: Account
) -> None:
    assert said(capsys, "flag", "off", "headline") == "headline is off.\n"
    assert told(capsys, "evaluate", "headline", "acme")["reason"] == "OFF"
    assert told(capsys, "flag", "on", "headline") == {
        "flag": "headline",
        "state": "on",
        "is_on": True,
    }
    assert told(capsys, "evaluate", "headline", "acme")["reason"] == "RULE"


def test_flag_off__forced_flag__is_off_and_says_what_was_lifted(
    capsys: pytest.CaptureFixture[str], acme: Account
) -> None:
    Flag.objects.create(name="beta", everyone=True)
    assert said(capsys, "flag", "off", "beta") == "beta is off; Everyone: Yes is lifted.\n"
    assert told(capsys, "evaluate", "beta", "acme")["value"] is None


def test_evaluate__explained__names_the_clause_and_the_value_seen(
    capsys: pytest.CaptureFixture[str], headline: Flag, bolt: Account
) -> None:
    assert said(capsys, "evaluate", "headline", "bolt", "--explain").splitlines() == [
        "flag       headline",
        "account    bolt",
        "answer     a = Short",
        "why        SPLIT: the split of its default",
        "looked at  rule r1 “EU”: does not match",
        "looked at    country is DE or AT, saw US: false",
        "looked at  default: taken, serves a = Short, of 75 % a, 25 % b",
    ]
    trail = told(capsys, "evaluate", "headline", "bolt", "--explain")["trail"]
    assert [step["verdict"] for step in trail] == ["NOT_MATCHED", "TAKEN"]


def test_override__set_list_clear__tells_and_ends(
    capsys: pytest.CaptureFixture[str], headline: Flag, acme: Account, bolt: Account
) -> None:
    def put(account: str, answer: str) -> Any:
        args = ("override", "set", "headline", account, answer, "--reason", "asked for")
        return told(capsys, *args, "--author", "alice")

    (first,) = put("acme", "a")
    assert (first["variant"], first["state"], first["author"]) == ("a", "live", "alice")
    (by_value,) = put("acme", "Long")
    assert by_value["variant"] == "b"
    put("bolt", "a")
    assert told(capsys, "evaluate", "headline", "acme")["reason"] == "OVERRIDE"
    assert len(told(capsys, "override", "list")) == 2
    assert len(told(capsys, "override", "list", "--all")) == 3
    assert len(told(capsys, "override", "list", "--account", "acme", "--flag", "headline")) == 1
    assert "asked for" in said(capsys, "override", "list")
    said(capsys, "override", "clear", "headline", "acme")
    assert told(capsys, "evaluate", "headline", "acme")["reason"] == "RULE"
    told(capsys, "override", "clear", "headline", "bolt")
    assert "no such overrides" in said(capsys, "override", "list")


@pytest.mark.parametrize(
    ("args", "status", "sentence"),
    [
        (["flag", "show", "nope"], 1, "There is no flag “nope”. `manage.py flag list` lists them."),
        (["flag", "off", "nope"], 1, "There is no flag “nope”."),
        (["flag"], 2, "the following arguments are required: ACTION"),
        (["evaluate", "nope", "acme"], 1, "There is no flag “nope”."),
        (["evaluate", "beta", "nobody"], 1, "There is no account 'nobody'."),
        (["evaluate", "beta", "acme", "--at", "soon"], 2, "'soon' is not a moment"),
        (["override", "set", "beta", "acme", "on"], 2, "required: --reason"),
        (
            ["override", "set", "beta", "acme", "purple", "--reason", "x"],
            1,
            "The flag “beta” has no variant “purple”; it has “on”, “off”.",
        ),
        (["override", "set", "nope", "acme", "on", "--reason", "x"], 1, "There is no flag “nope”."),
        (["override", "clear", "beta", "acme"], 1, "acme has no live override of the flag “beta”."),
        (
            ["override", "set", "beta", "acme", "on", "--reason", "x", "--expires", "2020-01-01"],
            2,
            "2020-01-01T00:00:00+00:00 is not after now.",
        ),
    ],
)
def test_command__wrong_arguments__are_a_sentence_that_names_them(
    manage: Manage, args: list[str], status: int, sentence: str
) -> None:
    assert manage("waffle_flag", "beta", "--create").returncode == 0
    done = manage(*args)
    assert done.returncode == status
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluate__explained_segment_that_holds__shows_all_its_clauses(
    capsys: pytest.CaptureFixture[str], headline: Flag, acme: Account
) -> None:
    plan, country = (
        {"trait": name, "op": "in", "values": [value]}
        for name, value in (("plan", "pro"), ("country", "DE"))
    )
    Segment.objects.create(key="eu-pro", rules=[[plan, country]])
    headline.rules.update(when=[{"op": "segment", "values": ["eu-pro"]}])
    looked = [
        line.split("  ", 1)[1].strip()
        for line in said(capsys, "evaluate", "headline", "acme", "--explain").splitlines()
        if line.startswith("looked at")
    ]
    assert looked[:4] == [
        "rule r1 “EU”: taken, serves b = Long",
        "segment eu-pro: true",
        "plan is pro, saw pro: true",
        "country is DE, saw DE: true",
    ]
