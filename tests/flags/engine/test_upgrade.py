"""A document of schema 1 keeps its meaning, and what is compiled knows whom it asks."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from flags.engine import Subject, compile, parse  # noqa: A004
from flags.engine.upgrade import upgraded
from tests.flags.engine.documents import documents, empty, flag, rule

ON_OFF = {"on": True, "off": False}


def parent(**parts: Any) -> dict[str, Any]:
    return flag(kind="bool", variants=ON_OFF, default={"variant": "off"}, **parts)


def asking(**parts: Any) -> dict[str, Any]:
    asked = rule("r", {"op": "any", "values": [[{"op": "flag", "values": ["parent"]}]]})
    return flag(rules=[asked], **parts)


def test_upgraded__names_the_variants_of_boolean_flags_and_nothing_else() -> None:
    segments = {"s": {"include": [], "exclude": [], "rules": [asking()["rules"][0]["when"]]}}
    flags = {
        "parent": parent(),
        "text": flag(),
        "child": asking(requires=[{"flag": "parent"}, {"flag": "text"}]),
    }
    before: Any = empty(schema=1, flags=flags, segments=segments)
    after: Any = upgraded(before)
    named = [{"op": "flag", "values": ["parent=off", "parent=on"]}]
    assert after["segments"]["s"]["rules"][0][0]["values"] == [named]
    assert after["flags"]["child"]["rules"][0]["when"][0]["values"] == [named]
    assert after["flags"]["child"]["requires"] == [
        {"flag": "parent", "variants": ["off", "on"]},
        {"flag": "text"},
    ]
    assert after["flags"]["parent"] is before["flags"]["parent"]
    assert after["flags"]["text"] is before["flags"]["text"]
    assert before["flags"] == flags


@given(documents())
def test_upgraded__is_sound_and_stays_as_it_is(document: Any) -> None:
    once = parse(document)
    assert parse(once) == once
    assert upgraded(once) is once


def test_compile__asked_flag_of_another_kind__is_asked_anew() -> None:
    """What did not change is kept, but not what it means."""
    child = flag(requires=[{"flag": "parent"}], default={"variant": "a"})
    first = compile(parse(empty(flags={"parent": parent(), "child": child})))
    text = flag(default={"variant": "a"})
    second = compile(parse(empty(flags={"parent": text, "child": child})), first)
    assert first.evaluate("child", Subject("acme"), now=0).value is None
    assert second.evaluate("child", Subject("acme"), now=0).value == "A"
