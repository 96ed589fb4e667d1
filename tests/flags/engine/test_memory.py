"""What is not used any more is freed at once, without Python's garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from flags.engine import Ruleset, Subject, compile, parse  # noqa: A004
from tests.flags.engine.documents import empty, flag, rule

ACME = Subject("acme", {})


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def document() -> Any:
    on_off = {"on": True, "off": False}
    parent = flag(kind="bool", variants=on_off, default={"split": {"on": 1, "off": 1}})
    asked = rule("r", {"op": "flag", "values": ["parent=on"]})
    return empty(flags={"parent": parent, "child": flag(rules=[asked])})


def rulesets() -> int:
    return sum(type(each) is Ruleset for each in gc.get_objects())


def test_ruleset__asked_and_replaced__is_freed() -> None:
    before = rulesets()
    ruleset = compile(parse(document()))
    for _ in range(3):
        for trail in (False, True):
            ruleset.evaluate("child", ACME, now=0, trail=trail)
        ruleset = compile(parse(document()), ruleset)
    assert rulesets() == before + 1


def test_question__that_asks_another_flag__leaves_nothing_behind() -> None:
    ruleset = compile(parse(document()))
    ruleset.evaluate("child", ACME, now=0)
    before = len(gc.get_objects())
    for _ in range(50):
        ruleset.evaluate("child", ACME, now=0)
    assert len(gc.get_objects()) < before + 50


def test_decider__kept_without_its_ruleset__still_decides() -> None:
    decide = compile(parse(document())).decider("child")
    assert decide("acme", {}, 0, None, None, None).flag == "child"
