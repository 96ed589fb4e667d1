"""The resolver against decision tables, and against a slow reference on anything publishable."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flags.engine import DocumentError
from tests.conftest import examples
from tests.igny8_core.ai import reference, worlds

CASES = Path(__file__).parents[2] / "cases" / "resolve"
BASE = json.loads((CASES / "base.json").read_text())


def tables() -> list[Any]:
    read = {path.stem: json.loads(path.read_text()) for path in sorted(CASES.glob("*.json"))}
    return [
        pytest.param(case, table["at"], id=f"{name}: {case['name']}")
        for name, table in read.items()
        for case in table.get("cases", ())
    ]


def test_tables__are_as_many_as_promised() -> None:
    assert len(tables()) >= 150


@pytest.mark.parametrize(("case", "at"), tables())
def test_resolve__case__is_the_tables_answer(case: dict[str, Any], at: str) -> None:
    document = worlds.changed(BASE, case.get("set", {}))
    snapshot = worlds.snapshot_of(document)
    account, asked = worlds.account_of(case), worlds.asked_of(case, at)
    wanted = (case["model_served"], [tuple(look) for look in case["looks"]])
    assert worlds.answer(snapshot, account, asked) == wanted
    assert reference.resolve(document, snapshot.ruleset, account, asked) == wanted


# Anything that can be published

MODELS = list(BASE["sections"]["catalogue"]["models"])
TEXTS = [each for each in MODELS if each != "picture"]
PRICE = BASE["sections"]["catalogue"]["models"]["spare"]["prices"]
MOMENT = datetime(2026, 12, 1, tzinfo=UTC)
MOMENTS = [MOMENT + timedelta(days=days) for days in (-30, 0, 30)]
MODEL_CHANGES: dict[str, list[Any]] = {
    "is_active": [False],
    "retires_at": [f"{each:%Y-%m-%dT%H:%M:%S.%fZ}" for each in MOMENTS],
    "replaced_by": TEXTS,
    "available_to": ["early"],
    "provider": ["anthropic"],
    "supports_json_mode": [False],
    "supports_vision": [False],
    "context_window": [100, 4000, 50_000],
    "prices": [{}, {f"{MOMENTS[1]:%Y-%m-%dT%H:%M:%S.%fZ}": next(iter(PRICE.values()))}],
}
VARIANT = st.sampled_from(TEXTS)
SERVE = st.one_of(
    VARIANT.map(lambda variant: {"variant": variant}),
    st.dictionaries(VARIANT, st.integers(1, 100), min_size=1).map(lambda split: {"split": split}),
)
WHEN = st.sampled_from(
    [
        [{"trait": "plan", "op": "in", "values": ["pro"]}],
        [{"op": "share", "salt": "s", "from": 0, "to": 500_000}],
        [{"op": "flag", "values": ["early=on"]}],
    ]
)
TIME = st.sampled_from([None, *(f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in MOMENTS)])


@st.composite
def rules(draw: st.DrawFn) -> list[Any]:
    return [
        {"id": f"r{number}", "when": draw(WHEN), "from": draw(TIME), "serve": draw(SERVE)}
        for number in range(draw(st.integers(0, 3)))
    ]


@st.composite
def edits(draw: st.DrawFn) -> dict[str, Any]:
    """By JSON pointer."""
    found: dict[str, Any] = {}
    for model in draw(st.lists(VARIANT, max_size=5)):
        column = draw(st.sampled_from(sorted(MODEL_CHANGES)))
        value = draw(st.sampled_from(MODEL_CHANGES[column]))
        found[f"/sections/catalogue/models/{model}/{column}"] = value
    for flag in ("text", "generate_content"):
        found[f"/flags/{flag}/rules"] = draw(rules())
        found[f"/flags/{flag}/default"] = draw(st.one_of(st.none(), SERVE))
        found[f"/flags/{flag}/on"] = draw(st.sampled_from([True, True, True, False]))
        found[f"/flags/{flag}/off"] = draw(st.one_of(st.none(), VARIANT))
        found[f"/flags/{flag}/force"] = draw(st.sampled_from([None, None, None, *TEXTS]))
    found["/switches/provider.anthropic"] = draw(st.booleans())
    return found


@st.composite
def questions(draw: st.DrawFn) -> tuple[reference.Account, reference.Asked]:
    expiry = [worlds.NEVER, *(int(each.timestamp() * 1000) for each in MOMENTS)]
    flags = st.sampled_from(["text", "generate_content", "early"])
    answers = st.tuples(st.sampled_from([*TEXTS, "on", "off"]), st.sampled_from(expiry))
    account = reference.Account(
        draw(st.text(min_size=1, max_size=5)),
        {"plan": draw(st.sampled_from(["pro", "free"]))},
        draw(st.dictionaries(flags, answers)),
        draw(st.one_of(st.none(), st.sampled_from(MODELS))),
    )
    needs = draw(st.sampled_from([{}, {}, {"json_mode": True}, {"vision": True}]))
    model = draw(st.one_of(st.none(), st.none(), st.sampled_from([*MODELS, "nobody"])))
    keep = draw(st.one_of(st.none(), st.sampled_from([*MODELS, "nobody"])))
    task = draw(st.sampled_from(["generate_content", "auto_cluster", "generate_images"]))
    return account, reference.Asked(task, needs, model, keep, draw(st.sampled_from(MOMENTS)))


@examples(400)
@given(edits(), st.lists(questions(), min_size=3, max_size=6))
def test_resolve__anything_publishable__is_what_the_reference_says_and_usable(
    changes: dict[str, Any], asked: list[tuple[reference.Account, reference.Asked]]
) -> None:
    document = worlds.changed(BASE, changes)
    try:
        snapshot = worlds.snapshot_of(document)
    except DocumentError:
        assume(False)  # noqa: FBT003 - Hypothesis's own word
    for account, question in asked:
        wanted = reference.resolve(document, snapshot.ruleset, account, question)
        assert worlds.answer(snapshot, account, question) == wanted
