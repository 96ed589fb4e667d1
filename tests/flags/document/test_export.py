"""Rows -> document -> rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from pytest_django import DjangoAssertNumQueries
from waffle.models import Switch

from flags import live, registry
from flags.document import export
from flags.document.check import check, checked
from flags.document.restore import restore
from flags.engine import Document, DocumentError, Subject, compile, parse  # noqa: A004
from flags.models import AccountOverride, Flag, Rule, Segment, SegmentMember, Trait, Variant
from igny8_core.modules.accounts.models import Account
from tests.benchmarks import tables
from tests.flags.engine import documents
from tests.flags.engine.documents import empty, flag, rule

pytestmark = pytest.mark.django_db

CASES = sorted((Path(__file__).parents[2] / "cases" / "engine").glob("*.json"))
ASKED = [
    Subject(key, {"plan": plan, "seats": 3, "tags": ["pro"]})
    for key in ("acme", "bolt", "cobalt", None)
    for plan in ("pro", "free")
]


def exported(wanted: Any) -> dict[str, Any]:
    restore(parse(wanted))
    return export.document()


def text(document: Any) -> str:
    """True is not 1, and 1 is not 1.0."""
    return json.dumps(document, sort_keys=True)


def assert_same_rows_and_answers(wanted: Any) -> None:
    first = exported(wanted)
    assert text(exported(first)) == text(first)
    before, after = compile(parse(wanted)), compile(parse(first))
    for name in wanted["flags"]:
        for subject in ASKED:
            for now in (0, 1_500, 10_000):
                old = before.evaluate(name, subject, now=now)
                assert after.evaluate(name, subject, now=now)._replace(number=old.number) == old


@given(documents.documents())
def test_restore__any_document__exports_the_same_and_answers_the_same(wanted: Any) -> None:
    assert_same_rows_and_answers(wanted)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_restore__case_file__exports_the_same_and_answers_the_same(path: Path) -> None:
    assert_same_rows_and_answers(json.loads(path.read_text())["document"])


NUMBERS = [1, 1.0, 1e22, 1e-7, -0.0, 0.1, 2**53 - 1, 5e-324, 1.7976931348623157e308]


def test_restore__numbers__stay_as_they_were_written() -> None:
    values = {f"v{index}": number for index, number in enumerate(NUMBERS)}
    deep: dict[str, Any] = {
        "json": {"list": NUMBERS, "none": None, "text": "ä\u2028", "empty": {}},
        "none": None,
    }
    wanted = empty(
        flags={
            "numbers": flag(kind="num", variants=values),
            "deep": flag(kind="json", variants=deep),
        }
    )
    found = exported(wanted)["flags"]
    assert text(found["numbers"]["variants"]) == text(values)
    assert text(found["deep"]["variants"]) == text(deep)


def yes_no(**parts: Any) -> dict[str, Any]:
    return flag(kind="bool", variants={"yes": True, "no": False, "never": False}, **parts)


@pytest.mark.parametrize(
    ("wanted", "everyone"),
    [
        (yes_no(force="yes"), True),
        (yes_no(force="no"), False),
        (yes_no(force="never", off="never"), False),
        (yes_no(force=None), None),
        (flag(force="b"), True),
        (flag(on=False), None),
    ],
)
def test_restore__force__is_waffles_everyone(wanted: Any, everyone: object) -> None:
    found = exported(empty(flags={"f": wanted}))["flags"]["f"]
    assert (found["force"], found["on"]) == (wanted["force"], wanted.get("on", True))
    assert Flag.objects.get().everyone is everyone


def test_restore__forced_to_a_second_false_variant__is_refused_with_nothing_changed() -> None:
    Flag.objects.create(name="there")
    with pytest.raises(DocumentError) as refusal:
        restore(parse(empty(flags={"f": yes_no(force="never", off="no")})))
    assert refusal.value.errors[0]["path"] == "/flags/f/force"
    assert refusal.value.errors[0]["value"] == "never"
    assert [row.name for row in Flag.objects.all()] == ["there"]


@pytest.mark.parametrize("key", ["from", "until"])
def test_restore__moment_beyond_the_calendar__is_refused(key: str) -> None:
    wanted = empty(flags={"f": flag(rules=[rule("r", **{key: 10**15})])})
    with pytest.raises(DocumentError) as refusal:
        restore(parse(wanted))
    assert refusal.value.errors[0]["path"] == f"/flags/f/rules/0/{key}"


PERCENT = {"op": "share", "salt": "f", "to": 125_000}


@pytest.mark.parametrize(
    ("last", "percent"),
    [
        (rule("percent", PERCENT), "12.5"),
        (rule("percent", {**PERCENT, "to": 125_500}), None),
        (rule("percent", {**PERCENT, "salt": "other"}), None),
        (rule("percent", {**PERCENT, "to": 1_000_000}), None),
        (rule("percent", {**PERCENT, "from": 1}), None),
        (rule("other", PERCENT), None),
    ],
)
def test_restore__last_rule_by_percent__is_waffles_percentage(last: Any, percent: object) -> None:
    for key in ("name", "from", "until", "group"):
        last = {**last, key: None}
    found = exported(empty(flags={"f": flag(salt="f", rules=[last])}))
    assert text(found["flags"]["f"]["rules"]) == text([last])
    row = Flag.objects.get()
    assert (row.percent and str(row.percent)) == percent
    assert row.rules.count() == (percent is None)


def test_restore__flag_that_stays__keeps_its_row_and_what_is_not_published(acme: Account) -> None:
    kept = Flag.objects.create(name="kept", note="mine", staff=True)
    Flag.objects.create(name="gone")
    AccountOverride.objects.create(account=acme, flag=kept, variant="on", reason="why")
    wanted = export.document()
    del wanted["flags"]["gone"]
    kept.percent = 10
    kept.save()
    restore(cast(Document, wanted))
    row = Flag.objects.get()
    assert (row.pk, row.note, row.staff, row.percent) == (kept.pk, "mine", True, None)
    assert row.overrides.count() == 1


@pytest.mark.parametrize("paused", [False, True])
def test_restore__document_without_a_flag_that_is_overridden__is_refused(
    acme: Account, paused: bool
) -> None:
    before = check()
    flag = Flag.objects.create(name="f")
    AccountOverride.objects.create(
        account=acme, flag=flag, variant="on", reason="why", paused=paused
    )
    with pytest.raises(DocumentError) as refusal:
        restore(before)
    (problem,) = refusal.value.errors
    assert problem["path"] == "/flags/f"
    assert problem["message"] == "It would go, and acme has an override of it."
    assert AccountOverride.objects.count() == 1


def test_restore__document_without_a_segment_that_has_a_long_list__is_refused() -> None:
    before = check()
    long_segment(10_001)
    with pytest.raises(DocumentError, match="with it its long list of accounts"):
        restore(before)
    assert SegmentMember.objects.count() == 10_001


def test_restore__text_longer_than_its_column__is_refused() -> None:
    source = export.document()
    rule = {"id": "r1", "name": "x" * 201, "when": [], "serve": {"variant": "on"}}
    source["flags"]["f"] = {
        "kind": "bool",
        "force": None,
        "variants": {"on": True, "off": False},
        "off": "off",
        "requires": [],
        "rules": [rule],
        "default": None,
    }
    with pytest.raises(DocumentError) as refusal:
        restore(checked(source))
    (problem,) = refusal.value.errors
    assert problem["path"] == "/flags/f/rules/0/name"
    assert "at most 200 characters (it has 201)" in problem["message"]


def test_restore__switches_and_traits__are_those_of_the_document() -> None:
    Trait.objects.all().delete()
    Switch.objects.create(name="gone")
    Switch.objects.create(name="provider.openai", active=True)
    Trait.objects.create(name="gone", type="str")
    Trait.objects.create(name="seats", type="str", note="mine")
    wanted = empty(switches={"provider.openai": False, "new": True}, traits={"seats": "num"})
    found = exported(wanted)
    assert (found["switches"], found["traits"]) == (wanted["switches"], wanted["traits"])
    assert Trait.objects.get().note == "mine"


# Long lists


def long_segment(include: int, exclude: int = 0, **parts: Any) -> Segment:
    segment = Segment(key="long", **parts)
    segment.set_lists(
        [f"in-{number}" for number in range(include)],
        [f"out-{number}" for number in range(exclude)],
    )
    return segment


def test_segment__ten_thousand_accounts__are_in_the_document() -> None:
    long_segment(10_000, 1)
    found = export.document()["segments"]["long"]
    assert (len(found["include"]), found["exclude"], found["rules"]) == (10_000, ["out-0"], [])
    assert not SegmentMember.objects.exists()


@pytest.mark.parametrize(("include", "exclude"), [(10_001, 2), (1, 10_001)])
def test_segment__more_accounts__are_rows_that_the_decision_reads(
    include: int, exclude: int
) -> None:
    pro = [[{"trait": "plan", "op": "in", "values": ["pro"]}]]
    long_segment(include, exclude, rules=pro)
    row = Flag.objects.create(name="f")
    Rule.objects.create(
        flag=row, when=[{"op": "segment", "values": ["long"]}], serve={"variant": "on"}
    )
    assert SegmentMember.objects.count() == include + exclude
    assert check()["segments"]["long"]["include"] == []
    for key, plan, expected in [
        ("in-0", "free", True),
        ("out-0", "pro", False),
        ("else", "pro", True),
        ("else", "free", False),
    ]:
        account = Account.objects.create(key=key, plan=plan)
        assert row.is_active_for_account(account) is expected, (key, plan)
        account.delete()


def test_segment__long_lists__export_restore_export_is_identity_and_keeps_the_rows() -> None:
    pro = [[{"trait": "plan", "op": "in", "values": ["pro"]}]]
    segment = long_segment(10_001, 1, rules=pro)
    first = export.document()
    assert text(exported(first)) == text(first)
    segment.refresh_from_db()
    assert (segment.is_long, segment.rules, segment.members.count()) == (True, pro, 10_002)
    segment.set_lists(["acme"], [])
    assert text(exported(first)) == text(first)


def test_segment__long_list_made_short__leaves_no_row() -> None:
    segment = long_segment(10_001)
    segment.set_lists(["acme"], [])
    assert check()["segments"]["long"]["include"] == ["acme"]
    assert not SegmentMember.objects.exists()


@pytest.mark.parametrize(
    ("include", "exclude", "sentence"),
    [
        (["acme"], ["acme"], "“acme” is both included and excluded."),
        (["bolt", "acme", "acme"], [], "“acme” is included twice."),
        ([], ["acme", "acme"], "“acme” is excluded twice."),
    ],
)
def test_segment__account_twice__is_refused(
    include: list[str], exclude: list[str], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Segment(key="s").set_lists(include, exclude)
    assert not Segment.objects.exists()


# Vocabularies


@pytest.mark.parametrize(
    ("value", "message"),
    [("gpt-5.2", None), ("gpt-9", "The vocabulary 'ai-model:text' has no 'gpt-9'.")],
)
def test_check__vocabulary__takes_what_the_catalogue_has(value: str, message: str | None) -> None:
    row = Flag.objects.create(name="f", kind="str", vocabulary="ai-model:text")
    Variant.objects.create(flag=row, key="a", value=value)
    if message is None:
        check()
        return
    with pytest.raises(DocumentError) as refusal:
        check()
    assert [each["message"] for each in refusal.value.errors] == [message]


def test_vocabulary__two_with_one_name__is_refused() -> None:
    def nothing(_sections: registry.Sections) -> dict[str, registry.WhyNot]:
        return {}

    registry.register_vocabulary("test:once", nothing)
    registry.register_vocabulary("test:once", nothing)
    with pytest.raises(ValueError, match="'test:once' is registered already"):
        registry.register_vocabulary("test:once", lambda _sections: {})


# Size


def test_snapshot__two_hundred_flags__takes_twelve_queries(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    live.current()
    restore(parse(tables.document()))
    with django_assert_num_queries(12):
        snapshot = live.current()
    assert len(snapshot.flags) == 200
    with django_assert_num_queries(0):
        assert live.current() is snapshot
