"""The decision tables of tests/cases/engine, asked of the engine and of the referee."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from flags.engine import Decision, Ruleset, Subject, compile, parse  # noqa: A004
from tests.flags.engine import referee

FOLDER = Path(__file__).resolve().parents[2] / "cases" / "engine"
PARTS = ("value", "variant", "reason", "rule", "segment")


@cache
def table(file: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))
    return content


@cache
def ruleset(file: str) -> Ruleset:
    return compile(parse(table(file)["document"]))


@dataclass(frozen=True, slots=True)
class Case:
    file: str
    asked: dict[str, Any]

    @property
    def now(self) -> int | datetime:
        now: int | str = self.asked.get("now", 0)
        return now if isinstance(now, int) else datetime.fromisoformat(now)

    @property
    def expected(self) -> dict[str, Any]:
        expected: dict[str, Any] = self.asked["expect"]
        return expected

    def override(self, flag: str) -> str | None:
        variant: str | None = self.asked.get("overrides", {}).get(flag)
        return variant

    def usable(self, value: Any) -> str | None:
        reason: str | None = self.asked.get("unusable", {}).get(json.dumps(value, sort_keys=True))
        return reason

    def decide(self, *, trail: bool) -> Decision:
        return ruleset(self.file).evaluate(
            self.asked["flag"],
            Subject(self.asked["key"], self.asked["traits"]),
            now=self.now,
            override=self.override,
            usable=self.usable,
            trail=trail,
        )

    def referee(self) -> dict[str, Any]:
        answer = referee.decide(
            table(self.file)["document"],
            self.asked["flag"],
            self.asked["key"],
            self.asked["traits"],
            referee.read_time(self.now),
            self.override,
            self.usable,
        )
        return dict(zip(PARTS, answer, strict=True))


CASES = [
    pytest.param(Case(path.stem, asked), id=f"{path.stem}:{asked['name']}")
    for path in sorted(FOLDER.glob("*.json"))
    for asked in table(path.stem)["cases"]
]


def as_json(answer: dict[str, Any], expected: dict[str, Any]) -> str:
    """The parts that a case expects, as text: True is not 1, and 1 is not 1.0."""
    return json.dumps({part: answer[part] for part in expected}, sort_keys=True)


@pytest.mark.parametrize("case", CASES)
def test_case__engine_referee_and_trail__as_expected(case: Case) -> None:
    plain, told = case.decide(trail=False), case.decide(trail=True)
    expected = json.dumps(case.expected, sort_keys=True)
    assert as_json({part: getattr(plain, part) for part in PARTS}, case.expected) == expected
    assert as_json(case.referee(), case.expected) == expected
    assert told._replace(trail=()) == plain._replace(trail=())


def test_cases__names__are_unique_in_their_file() -> None:
    names = [case.id for case in CASES]
    assert len(names) == len(set(names)) >= 260


# What JSON cannot say.
PYTHON_TRAITS = [
    pytest.param("t", datetime(2026, 1, 1, tzinfo=UTC), True, id="an aware datetime"),
    pytest.param(
        "t",
        datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        True,
        id="an aware datetime of another zone",
    ),
    pytest.param(
        "t",
        datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        False,
        id="a microsecond before",
    ),
    pytest.param("t", datetime.max.replace(tzinfo=UTC), True, id="the last moment"),
    pytest.param("t", datetime(2026, 6, 1), None, id="a naive datetime"),  # noqa: DTZ001
    pytest.param("t", float("nan"), None, id="a time that is not a number"),
    pytest.param("t", 10**400, True, id="a time beyond any float"),
    pytest.param("n", float("nan"), None, id="not a number"),
    pytest.param("n", float("inf"), None, id="infinite"),
    pytest.param("n", float("-inf"), None, id="negative infinite"),
    pytest.param("n", 10**400, True, id="an integer beyond any float"),
    pytest.param("n", -(10**400), False, id="a negative integer beyond any float"),
    pytest.param("v", "9" * 5000, None, id="a version of five thousand digits"),
    pytest.param("v", "3.0.0-" + "9" * 5000, None, id="a pre-release of five thousand digits"),
    pytest.param("v", "3.0.0+" + "9" * 250, True, id="a version of 256 characters"),
    pytest.param("v", "3.0.0+" + "9" * 251, None, id="a version of 257 characters"),
    pytest.param("t", "2026-01-01T00:00:00." + "9" * 5000 + "Z", None, id="a very long fraction"),
    pytest.param("t", 1767225600001.0, None, id="milliseconds as a float"),
    pytest.param("t", float("inf"), None, id="an infinite time"),
    pytest.param("n", object(), None, id="an object"),
    pytest.param("v", b"3.0", None, id="bytes"),
]
FLOORS = {"t": "2026-01-01T00:00:00Z", "n": 5, "v": "2.0"}


@pytest.mark.parametrize(("trait", "given", "truth"), PYTHON_TRAITS)
def test_engine_and_referee__trait_beyond_json__agree(
    trait: str, given: object, truth: object
) -> None:
    document = at_least(trait)
    for flag, expected in (("plain", truth is True), ("negated", truth is False)):
        traits = {trait: given}
        decision = compile(parse(document)).evaluate(flag, Subject("acme", traits), now=0)
        assert decision.value is expected
        assert referee.decide(document, flag, "acme", traits, 0)[0] is expected


def at_least(trait: str) -> dict[str, Any]:
    def asking(*, negated: bool) -> dict[str, Any]:
        clause = {"trait": trait, "op": "ge", "values": [FLOORS[trait]], "not": negated}
        return {
            "kind": "bool",
            "force": None,
            "variants": {"no": False, "yes": True},
            "off": None,
            "requires": [],
            "rules": [{"id": "r", "when": [clause], "serve": {"variant": "yes"}}],
            "default": {"variant": "no"},
        }

    return {
        "schema": 1,
        "hash": "r1",
        "number": 1,
        "traits": {"t": "time", "n": "num", "v": "ver"},
        "segments": {},
        "flags": {"plain": asking(negated=False), "negated": asking(negated=True)},
        "switches": {},
        "sections": {},
    }
