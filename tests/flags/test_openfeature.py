"""The provider, asked through the OpenFeature SDK's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from django.db import transaction
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails

from flags import live
from flags.accounts.facts import Facts
from flags.engine import Reason, Subject, compile, parse  # noqa: A004
from flags.models import AccountOverride, Flag, Rule, Segment, Variant
from flags.openfeature import FlagsProvider
from igny8_core.modules.accounts.models import Account
from tests.flags.engine.documents import empty, flag
from tests.flags.engine.test_cases import CASES, Case, ruleset, table

DEFAULTS: dict[str, Any] = {"bool": False, "str": "else", "int": -7, "num": -7.5, "json": {"e": 1}}
YES, NO = True, False
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_provider_left() -> Iterator[None]:
    yield
    api.clear_providers()


def client_of(provider: FlagsProvider) -> OpenFeatureClient:
    api.set_provider_and_wait(provider)
    return api.get_client()


def asked(
    client: OpenFeatureClient, kind: str, key: str, context: EvaluationContext
) -> FlagEvaluationDetails[Any]:
    ask = {
        "bool": client.get_boolean_details,
        "str": client.get_string_details,
        "int": client.get_integer_details,
        "num": client.get_float_details,
        "json": client.get_object_details,
    }[kind]
    details: FlagEvaluationDetails[Any] = ask(key, DEFAULTS[kind], context)  # type: ignore[operator]
    return details


@pytest.mark.parametrize("case", CASES)
def test_case__through_the_client__is_what_evaluate_says(case: Case) -> None:
    rules, name = ruleset(case.file), case.asked["flag"]
    now = case.now if isinstance(case.now, datetime) else EPOCH + timedelta(milliseconds=case.now)
    subject = Subject(case.asked["key"] or None, case.asked["traits"])  # the SDK drops an empty key
    expected = rules.evaluate(name, subject, now=case.now, override=case.override)
    provider = FlagsProvider(
        rulesets=lambda: rules,
        facts=lambda key: Facts(key, {}, case.asked.get("overrides", {})),
        clock=lambda: now,
    )
    kind = table(case.file)["document"]["flags"].get(name, {"kind": "bool"})["kind"]
    context = EvaluationContext(subject.key, case.asked["traits"])
    details = asked(client_of(provider), kind, name, context)
    is_object = kind != "json" or isinstance(expected.value, dict | list | None)
    if not is_object:
        assert details.error_code is ErrorCode.TYPE_MISMATCH
        return
    assert details.reason == expected.reason
    assert details.variant == expected.variant
    assert details.value == (DEFAULTS[kind] if expected.variant is None else expected.value)
    is_missing = expected.reason is Reason.ERROR
    assert details.error_code is (ErrorCode.FLAG_NOT_FOUND if is_missing else None)
    metadata = {"rule": expected.rule, "segment": expected.segment, "number": expected.number}
    told = {name: fact for name, fact in metadata.items() if fact is not None and not is_missing}
    assert details.flag_metadata == told


KINDS = compile(
    parse(
        empty(
            flags={
                kind: flag(kind=kind, variants={"a": value}, default={"variant": "a"})
                for kind, value in [
                    ("bool", True),
                    ("str", "A"),
                    ("int", 3),
                    ("num", 2.5),
                    ("json", {"deep": [1, None]}),
                ]
            }
            | {"whole": flag(kind="num", variants={"a": 3}, default={"variant": "a"})}
        )
    )
)


@pytest.mark.parametrize("kind", DEFAULTS)
@pytest.mark.parametrize("name", [*DEFAULTS, "whole"])
def test_type__other_than_the_flags__is_a_mismatch_with_the_default(name: str, kind: str) -> None:
    client = client_of(FlagsProvider(rulesets=lambda: KINDS, facts=lambda *_: Facts(None)))
    details = asked(client, kind, name, EvaluationContext())
    if name == kind or (name, kind) in {("int", "num"), ("whole", "num"), ("whole", "int")}:
        assert (details.error_code, details.variant) == (None, "a")
        assert type(details.value) is type(DEFAULTS[kind])
        return
    assert details.error_code is ErrorCode.TYPE_MISMATCH
    assert details.value == DEFAULTS[kind]
    assert f"The flag {name!r} answers" in (details.error_message or "")


ASYNC: dict[str, Any] = {
    "bool": True,
    "str": "A",
    "int": 3,
    "num": 2.5,
    "json": {"deep": [1, None]},
}


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("kind", ASYNC)
def test_client__inside_a_loop__answers_from_the_database_too(kind: str) -> None:
    with transaction.atomic():
        row = Flag.objects.create(name="f", kind=kind, default={"variant": "a"})
        Variant.objects.create(flag=row, key="a", value=ASYNC[kind])
    client = client_of(FlagsProvider())
    name = {"bool": "boolean", "str": "string", "int": "integer", "num": "float", "json": "object"}
    ask = getattr(client, f"get_{name[kind]}_details_async")
    details = asyncio.run(ask("f", DEFAULTS[kind], EvaluationContext("acme")))
    assert (details.value, details.reason) == (ASYNC[kind], "DEFAULT")


@pytest.mark.django_db
def test_account__by_its_key__has_its_traits_and_overrides(acme: Account, bolt: Account) -> None:
    row = Flag.objects.create(name="f")
    Rule.objects.create(
        flag=row, when=[{"trait": "plan", "op": "in", "values": ["pro"]}], serve={"variant": "on"}
    )
    client = client_of(FlagsProvider())
    context = EvaluationContext("bolt")
    assert client.get_boolean_value("f", NO, EvaluationContext("acme")) is True
    assert client.get_boolean_value("f", NO, context) is False
    assert client.get_boolean_value("f", NO, EvaluationContext("bolt", {"plan": "pro"})) is True
    assert client.get_boolean_value("f", NO, EvaluationContext("none", {"plan": "pro"})) is True
    assert client.get_boolean_value("f", YES, EvaluationContext()) is True
    AccountOverride.objects.create(account=bolt, flag=row, variant="on", reason="why")
    assert client.get_boolean_details("f", NO, context).reason == "OVERRIDE"


@pytest.mark.django_db
def test_long_list__of_a_key_without_an_account__counts() -> None:
    Segment(key="long").set_lists([f"k{number}" for number in range(10_001)], [])
    row = Flag.objects.create(name="f")
    Rule.objects.create(
        flag=row, when=[{"op": "segment", "values": ["long"]}], serve={"variant": "on"}
    )
    client = client_of(FlagsProvider())
    assert client.get_boolean_value("f", NO, EvaluationContext("k1")) is True
    assert client.get_boolean_value("f", NO, EvaluationContext("x1")) is False


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_change__met__is_an_event_that_names_the_flags() -> None:
    row = Flag.objects.create(name="f")
    Flag.objects.create(name="other")
    live.current()
    client = client_of(FlagsProvider())
    heard: list[EventDetails] = []
    came = Event()

    def hear(details: EventDetails) -> None:
        heard.append(details)
        came.set()

    client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, hear)
    Variant.objects.create(flag=row, key="only", value=True)
    client.get_boolean_value("f", NO)
    assert came.wait(5)
    assert [each.flags_changed for each in heard] == [["f"]]
    Flag.objects.filter(name="f").update(note="nothing that answers")
    client.get_boolean_value("f", NO)
    came.clear()
    Segment.objects.create(key="s")
    client.get_boolean_value("f", NO)
    assert came.wait(5)
    assert [each.flags_changed for each in heard] == [["f"], ["f", "other"]]


@pytest.mark.django_db
def test_attribute__that_says_a_long_list__is_not_believed(acme: Account) -> None:
    many = [f"k{number}" for number in range(10_001)]
    Segment(key="long").set_lists(many, [])
    row = Flag.objects.create(name="f")
    asked = [{"op": "segment", "values": ["long"]}]
    Rule.objects.create(flag=row, when=asked, serve={"variant": "on"})
    context = EvaluationContext("acme", {"in_segments": ["long"], "key": "k1"})
    assert client_of(FlagsProvider()).get_boolean_value("f", NO, context) is False


@pytest.mark.django_db
def test_provider__replaced__listens_no_more() -> None:
    client_of(FlagsProvider())
    listeners = len(live._process.listeners)
    api.clear_providers()
    assert len(live._process.listeners) == listeners - 1
