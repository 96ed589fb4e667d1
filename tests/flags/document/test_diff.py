"""What differs between two documents."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given

from flags.document.diff import Difference, diff
from flags.document.sentences import sentences
from tests.flags.document.differences import applied
from tests.flags.engine.documents import documents, empty, flag, rule


def text(document: Any) -> str:
    return json.dumps({**document, "number": None}, sort_keys=True)


@given(documents(), documents())
def test_diff__of_any_two__applied_to_the_first_gives_the_second(one: Any, other: Any) -> None:
    kept = copy.deepcopy(one)
    assert text(applied(one, diff(one, other))) == text(other)
    assert one == kept
    assert diff(one, one) == []
    assert bool(sentences(one, other)) is (text(one) != text(other))


def test_diff__values_that_only_look_equal__differ() -> None:
    one, other = (empty(flags={"f": flag(variants={"a": value})}) for value in (1, True))
    assert [change.to_json() for change in diff(one, other)] == [
        {"path": "/flags/f/variants/a", "before": 1, "after": True}
    ]


def test_diff__number__does_not_count() -> None:
    assert diff(empty(number=7), empty(number=8)) == []


def test_change__told__leaves_out_what_is_absent() -> None:
    (change,) = diff(empty(), empty(switches={"a/b": True}))
    assert change.to_json() == {"path": "/switches/a~1b", "after": True}
    assert isinstance(change, Difference)


def share(to: int) -> dict[str, Any]:
    return {"op": "share", "salt": "s", "to": to}


BASE = empty(
    traits={"plan": "str"},
    segments={"eu": {"include": ["acme"], "exclude": [], "rules": []}},
    switches={"provider.openai": True},
    flags={
        "text": flag(
            rules=[
                {**rule("r1", share(100_000)), "name": "EU pro"},
                rule("r2", {"trait": "plan", "op": "in", "values": ["pro"]}),
            ]
        )
    },
)


def changed(**at: Any) -> Any:
    """The base with other values at these paths, written with two underscores."""
    document = copy.deepcopy(BASE)
    for path, value in at.items():
        *parents, last = (int(part) if part.isdigit() else part for part in path.split("__"))
        where: Any = document
        for part in parents:
            where = where[part]
        where[last] = value
    return document


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (
            changed(flags__text__rules__0__when__0__to=200_000),
            ["rule “EU pro” of flag text: 10 % of s → 20 % of s"],
        ),
        (
            changed(flags__text__rules__1__serve={"split": {"a": 1, "b": 3}}),
            ["rule r2 of flag text: serve a → 25 % a, 75 % b"],
        ),
        (
            changed(flags__text__rules__1__when=[]),
            ["rule r2 of flag text: when plan is pro → always"],
        ),
        (
            changed(flags__text__rules=BASE["flags"]["text"]["rules"][:1]),
            ["flag text: rule r2 removed"],
        ),
        (
            changed(flags__text__rules=BASE["flags"]["text"]["rules"][::-1]),
            ["flag text: rules in another order"],
        ),
        (
            changed(flags__text__rules=[*BASE["flags"]["text"]["rules"], rule("r3")]),
            ["flag text: rule r3 added"],
        ),
        (
            changed(flags__text__default={"variant": "a"}, flags__text__force="b"),
            ["flag text: force nothing → b", "flag text: default nothing → a"],
        ),
        (changed(flags__text__variants__a="Z"), ["variant a of flag text: A → Z"]),
        (changed(flags__new=flag()), ["flag new: added"]),
        (empty(**{**BASE, "flags": {}}), ["flag text: removed"]),
        (changed(segments__eu__include=["bolt", "dune"]), ["segment eu: included +2 −1"]),
        (
            changed(segments__eu__rules=[[{"trait": "plan", "op": "in", "values": ["pro"]}]]),
            ["segment eu: nobody → (plan is pro)"],
        ),
        (changed(traits__plan="num"), ["trait plan: str → num"]),
        (changed(**{"switches__provider.openai": False}), ["switch provider.openai: true → false"]),
    ],
)
def test_sentences__of_a_change__name_it(after: Any, told: list[str]) -> None:
    assert sentences(BASE, after) == told
    assert sentences(after, BASE)
