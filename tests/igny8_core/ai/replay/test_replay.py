"""`manage.py receipt --replay`: what was decided and priced is decided and priced so again."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from constance import config
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from flags import publishing
from flags.accounts import Facts
from flags.models import Flag, Revision, Rule, Variant
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers.base import Image
from igny8_core.ai.replay.comparing import Item, replay
from igny8_core.ai.replay.resolving import asked_of
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, AIProvider, GlobalIntegrationSettings
from igny8_core.modules.usage.models import Receipt
from igny8_core.tasks.needs import Needs
from tests.conftest import EXAMPLES, Manage, examples
from tests.igny8_core.ai.replay.random_world import World
from tests.igny8_core.ai.test_settle_receipts import know
from tests.igny8_core.ai.test_settle_receipts import receipt as unpriced

COMMITTED = pytest.mark.django_db(transaction=True, serialized_rollback=True)
TASK = "generate_content"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def differing(receipt: Receipt) -> list[Item]:
    receipt = Receipt.objects.get(pk=receipt.pk)
    return [item for item in replay(receipt).items if not item.agrees]


@COMMITTED
@pytest.mark.parametrize("seed", range(2 * EXAMPLES))
def test_replay__random_receipts_over_random_revisions__agrees_on_all(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    world = World(seed)
    made = []
    for number in range(40):
        world.change()
        if number % 10 == 9:
            world.roll_back()
        made += [receipt for _ in range(5) if (receipt := world.call())]
    world.roll_back()
    assert len(made) > 100
    assert len({receipt.revision for receipt in made}) > 20
    assert len({receipt.reason for receipt in made}) > 5
    for receipt in sorted(made, key=lambda each: each.revision or 0):
        found = replay(receipt)
        assert found.missing == ()
        assert [item for item in found.items if not item.agrees] == []
        assert len(found.items) > 9


ZONES: Any = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), None])
TIMES: Any = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - its zone comes beside it
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=ZONES,
)
TEXTS: Any = st.text(max_size=5) | TIMES.map(lambda at: at.isoformat())
NUMBERS: Any = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES: Any = (
    TEXTS | NUMBERS | st.booleans() | st.none() | TIMES | st.lists(TEXTS | NUMBERS, max_size=3)
)
NAMES: Any = st.sampled_from(["text", "image", "early"])
NOW_MS = 1_000


@given(
    traits=st.dictionaries(st.text(min_size=1, max_size=4), VALUES, max_size=5),
    overrides=st.dictionaries(NAMES, st.sampled_from(["a", "b"])),
    expiries=st.dictionaries(NAMES, st.integers(0, 2 * NOW_MS)),
    is_known=st.booleans(),
)
@examples(100)
def test_facts__through_json__are_what_they_were(
    traits: dict[str, Any], overrides: dict[str, str], expiries: dict[str, int], is_known: bool
) -> None:
    host = {"preferences": {"text": "gpt-4o"}, "reach": {"offline": False, "keys": {"openai": ""}}}
    facts = Facts("acme", traits, overrides, expiries, host, is_known)
    again = Facts.from_json("acme", json.loads(json.dumps(facts.to_json(NOW_MS))))
    assert again.traits == traits
    assert {name: type(value) for name, value in again.traits.items()} == {
        name: type(value) for name, value in traits.items()
    }
    in_force, then = facts.override_at(NOW_MS), again.override_at(NOW_MS)
    for flag in ("text", "image", "early"):
        assert (in_force and in_force(flag)) == (then and then(flag))
    assert (again.host, again.is_known, again.key) == (host, is_known, "acme")


@COMMITTED
def test_run__that_keeps_a_model__says_which_and_replays_so(acme: Account) -> None:
    AICore(acme, connections={}, run_key="run").run_ai_request(TASK, "x")
    flag = Flag.objects.get(name="text")
    Variant.objects.create(flag=flag, key="next", value="gpt-5.2")
    Rule.objects.create(flag=flag, serve={"variant": "next"})
    AICore(acme, connections={}, run_key="run").run_ai_request(TASK, "x")
    kept, first = Receipt.objects.all()
    assert (kept.reason, kept.asked["keep"]) == ("KEPT", "gpt-4o-mini")
    assert first.asked["keep"] is None
    assert differing(kept) == differing(first) == []
    Receipt.objects.filter(pk=kept.pk).update(asked={"model": None, "needs": None})
    kept.refresh_from_db()
    assert asked_of(kept).keep == "gpt-4o-mini"
    assert differing(kept) == []


@COMMITTED
def test_picture_that_is_shown__is_a_need_that_the_receipt_keeps(acme: Account) -> None:
    AIModel.objects.filter(model_id="gpt-4o-mini").update(supports_vision=True)
    AICore(acme, connections={}).run_ai_request(TASK, "x", images=[Image(b64=PIXEL)])
    receipt = Receipt.objects.get()
    assert asked_of(receipt).needs == Needs(vision=True)
    assert differing(receipt) == []


@COMMITTED
def test_keys__for_another_address__were_and_are_of_no_use(
    acme: Account, settings: Settings
) -> None:
    """Whatever the environment says by the time of the replay."""
    world = World(0)
    config.AI_OFFLINE_ANSWERS = False
    settings.AI_CONNECTIONS = {
        "openai": {"api_key": "k", "base_url": "https://old.example"},
        "anthropic": {"api_key": "k", "base_url": "https://claude.example"},
    }
    AIProvider.objects.filter(name="openai").update(base_url="https://new.example")
    world.accounts = [acme]
    world.random.choice = lambda seq: seq[0]  # type: ignore[method-assign]
    receipt = world.call()
    assert receipt is not None
    assert receipt.asked["astray"] == ["openai"]
    assert receipt.model_asked.startswith("claude")
    settings.AI_CONNECTIONS = {}
    assert differing(receipt) == []


@COMMITTED
def test_parameters_and_prompt__set_by_the_platform__are_replayed(acme: Account) -> None:
    row = GlobalIntegrationSettings.load()
    row.temperature, row.max_tokens = 0.3, 999_999
    row.save()
    AICore(acme, connections={}).run_ai_request(TASK, "x", parameters={"temperature": 1.5})
    receipt = Receipt.objects.get()
    assert receipt.asked["layers"]["call"] == {"temperature": 1.5}
    assert receipt.parameters["max_tokens"] < 999_999
    row.temperature = 0.4
    row.save()
    assert differing(receipt) == []


# What does not agree, and what cannot be replayed.


@pytest.fixture
def served(acme: Account) -> Receipt:
    AICore(acme, connections={}).run_ai_request(TASK, "x")
    return Receipt.objects.select_related("account", "price__model").get()


CHANGED: dict[str, dict[str, Any]] = {
    "model": {"model_asked": "gpt-5.2"},
    "reason": {"reason": "RULE"},
    "variant": {"variant": "next"},
    "prompt": {"prompt": "platform"},
    "prompt version": {"prompt_version": 7},
    "parameters": {"parameters": {"temperature": 2}},
    "markup": {"markup_percent": Decimal(3)},
    "lines": {"lines": []},
    "cost by the price": {"cost_computed": Decimal(1)},
    "cost": {"cost": Decimal(1)},
    "charge": {"charge": Decimal(1)},
}


@COMMITTED
@pytest.mark.parametrize("name", CHANGED)
def test_receipt__that_was_changed__differs(served: Receipt, name: str) -> None:
    assert differing(served) == []
    Receipt.objects.filter(pk=served.pk).update(**CHANGED[name])
    assert name in [item.name for item in differing(served)]


@COMMITTED
def test_receipt__whose_revision_is_gone__is_priced_again_and_says_so(served: Receipt) -> None:
    assert served.revision is not None
    AIModel.objects.filter(model_id="gpt-4o").update(sort_order=99)
    publishing.publish()
    Revision.objects.filter(number=served.revision).delete()
    found = replay(served)
    assert found.agrees
    assert [item.name for item in found.items][-3:] == ["cost by the price", "cost", "charge"]
    assert any(f"There is no revision {served.revision}" in each for each in found.missing)


@COMMITTED
def test_receipt__of_the_plans_figures__is_priced_by_them(served: Receipt) -> None:
    Receipt.objects.filter(pk=served.pk).update(revision=None, price=None)
    served = Receipt.objects.get()
    found = replay(served)
    assert found.agrees
    assert "It names no revision" in found.missing[0]
    assert "cost by the price" in [item.name for item in found.items]


@COMMITTED
def test_receipt__of_before__is_replayed_by_what_it_holds(served: Receipt) -> None:
    Receipt.objects.filter(pk=served.pk).update(asked={"model": None, "needs": None})
    found = replay(Receipt.objects.get())
    assert found.agrees
    assert [each.split(":")[0] for each in found.missing] == [
        "It does not say when it was resolved",
        "It does not say which prompts and parameters were set",
    ]


# The command.


@COMMITTED
def test_command__of_the_demo__shows_it_in_full_and_agrees(manage: Manage) -> None:
    acme = Account.objects.by_key("acme")
    answer = AICore(acme).run_ai_request(TASK, "x")
    told = manage("receipt", str(answer.request_id), "--replay")
    assert told.returncode == 0, told.stdout
    for part in ("account   acme", "TYPE_DEFAULT: it is the default for text", "✓"):
        assert part in told.stdout
    number = str(Receipt.objects.get(request_id=answer.request_id).pk)
    assert f"receipt   {number}" in manage("receipt", number).stdout
    as_json = json.loads(manage("receipt", number, "--json", "--replay").stdout)
    assert (as_json["account"], as_json["model_asked"]) == ("acme", "gpt-4o-mini")
    assert as_json["replay"]["agrees"]


@COMMITTED
def test_command__where_something_differs__says_what_and_fails(manage: Manage) -> None:
    acme = Account.objects.by_key("acme")
    number = AICore(acme).run_ai_request(TASK, "x") and str(Receipt.objects.latest("pk").pk)
    Receipt.objects.filter(pk=number).update(cost=Decimal(7), model_asked="gpt-5.2")
    told = manage("receipt", number, "--replay")
    assert told.returncode == 1
    assert "✗  model" in told.stdout
    assert "differ." in told.stdout
    assert manage("receipt", number).returncode == 0


@pytest.mark.django_db
def test_command__adjusted_receipt__shows_what_is_known_since(manage: Manage) -> None:
    AIProvider.objects.filter(name="openai").update(prices_unknown=False)
    row = unpriced(Account.objects.by_key("acme"))
    know()
    manage("settle_receipts")
    told = manage("receipt", str(row.pk)).stdout
    assert "cost          not known" in told
    assert "cost since    0.00045 USD, at the price of gpt-4o-mini" in told
    assert "charge since  0.000495 USD" in told


@pytest.mark.django_db
def test_command__unknown_or_ambiguous__is_refused(manage: Manage) -> None:
    assert "There is no receipt '0'" in manage("receipt", "0").stderr
    assert "There is no receipt 'abc'" in manage("receipt", "abc").stderr
    assert "There is no receipt '0000" in manage("receipt", str(UUID(int=0))).stderr
    first = unpriced(Account.objects.by_key("acme"))
    other = unpriced(Account.objects.by_key("bolt"), request_id=first.request_id)
    told = manage("receipt", str(first.request_id))
    assert told.returncode == 1
    assert f"name a receipt: {first.pk}, {other.pk}." in told.stderr
