"""The catalogue as a section of the document: dumped, checked, compared and restored."""

from __future__ import annotations

import copy
import json
import re
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from flags import publishing
from flags.document import diff, export
from flags.document.check import check, checked
from flags.document.stored import content
from flags.engine import DocumentError
from flags.models import Flag, Revision, Rule, Variant
from igny8_core.catalogue.models import price_of
from igny8_core.catalogue.section import compile_section, model_of, moment_of, moment_text
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, IntegrationSettings, ModelPrice
from igny8_core.modules.usage.models import Receipt
from igny8_core.pricing.meters import Meter
from igny8_core.pricing.prices import Price, RateLine
from tests.conftest import examples
from tests.flags.document.differences import applied

pytestmark = pytest.mark.django_db


def models(document: Any) -> Any:
    return document["sections"]["catalogue"]["models"]


def add(model_id: str = "m", *, rate: str = "1", **facts: Any) -> AIModel:
    given = {"display_name": model_id, "provider": "openai", "model_type": "text", **facts}
    model = AIModel(model_id=model_id, input_rate=Decimal(rate), output_rate=Decimal(rate), **given)
    model.save()
    return model


def lines(amount: str) -> list[RateLine]:
    return [
        RateLine(meter, Decimal(amount), 1_000_000)
        for meter in (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS)
    ]


# What it says


def test_document__model_and_price__are_in_it_exactly() -> None:
    add("m", rate="0.15", sort_order=3)
    (moment, price), *others = models(export.document())["m"].pop("prices").items()
    assert not others
    assert moment_text(moment_of(moment)) == moment
    assert price == {
        "currency": "USD",
        "is_free": False,
        "lines": [
            {"meter": "input_tokens", "amount": "0.15", "per": 1_000_000},
            {"meter": "output_tokens", "amount": "0.15", "per": 1_000_000},
        ],
        "source": "the model's headline rates",
    }


def test_compile__section_of_the_rows__is_what_the_rows_say() -> None:
    model = add("m", rate="0.15")
    model.prices.model.publish(model, lines("2"), effective_from=timezone.now() + timedelta(1))
    compiled = compile_section(export.document()["sections"]["catalogue"])
    found = compiled.models["m"]
    assert [price.lines for price in found.prices] == [
        row.value().lines for row in model.prices.order_by("effective_from")
    ]
    assert ModelPrice.key_of(found.prices[1]) == model.prices.latest("effective_from").pk
    again = compile_section(export.document()["sections"]["catalogue"], compiled)
    assert again.models["m"] is found


@pytest.mark.parametrize(
    ("where", "value", "path", "sentence"),
    [
        ((), [], "", "an object is wanted"),
        (("models", "m", "is_active"), 1, "/models/m/is_active", "valid boolean"),
        (("models", "m", "model_type"), "tea", "/models/m/model_type", "'text', 'image'"),
        (("models", "m", "max_tokens"), 0, "/models/m/max_tokens", "greater than or equal to 1"),
        (("models", "m", "colour"), "red", "/models/m/colour", "not permitted"),
        (("models", "m", "prices"), {"2026": {}}, "/models/m/prices/2026/currency", "required"),
        (("models", "n"), None, "/models/n", "valid dictionary"),
        (("models", "m", "display_name"), "a\nb", "/models/m/display_name", "match pattern"),
        (("models", "m", "display_name"), " a", "/models/m/display_name", "match pattern"),
    ],
)
def test_check__misshapen_section__is_refused_with_path_and_value(
    where: tuple[str, ...], value: Any, path: str, sentence: str
) -> None:
    add("m")
    document = export.document()
    *parents, last = ("sections", "catalogue", *where)
    target: Any = document
    for name in parents:
        target = target[name]
    target[last] = value
    with pytest.raises(DocumentError) as refusal:
        checked(document)
    first = refusal.value.errors[0]
    assert first["path"] == "/sections/catalogue" + path
    assert sentence in first["message"]


MOMENT = "2026-01-01T00:00:00.000000Z"
LINE = {"meter": "input_tokens", "amount": "1.00", "per": 1_000_000}


@pytest.mark.parametrize(
    ("moment", "price", "code"),
    [
        ("2026-01-01", {"lines": [LINE]}, "malformed"),
        ("2026-01-01T00:00:00.0Z", {"lines": [LINE]}, "malformed"),
        (MOMENT, {"lines": [LINE], "is_free": True}, "free_with_lines"),
        (MOMENT, {"lines": [LINE, LINE]}, "rate_tie"),
        (MOMENT, {"lines": [{**LINE, "amount": "0.00"}]}, "invalid_amount"),
        (MOMENT, {"lines": [{**LINE, "amount": "NaN"}]}, "string_pattern_mismatch"),
        (MOMENT, {"lines": [{**LINE, "amount": 1.5}]}, "string_type"),
        (MOMENT, {"lines": [{**LINE, "condition": {"tea": "x"}}]}, "invalid_condition"),
        (MOMENT, {"lines": [{**LINE, "per": 0}]}, "greater_than_equal"),
        (MOMENT, {"lines": [], "currency": "EUR"}, "literal_error"),
    ],
)
def test_check__price_that_cannot_be_quoted_with__is_refused(
    moment: str, price: Any, code: str
) -> None:
    add("m")
    document = export.document()
    models(document)["m"]["prices"] = {moment: {"currency": "USD", "is_free": False, **price}}
    with pytest.raises(DocumentError) as refusal:
        checked(document)
    assert code in [each["code"] for each in refusal.value.errors]


def test_check__two_defaults_or_an_unknown_section__are_refused() -> None:
    add("m")
    document = export.document()
    models(document)["m"]["is_default"] = True
    with pytest.raises(DocumentError, match="gpt-4o-mini is the default for text already"):
        checked(document)
    document["sections"] = {"tea": {}}
    with pytest.raises(DocumentError, match="There is no section 'tea'"):
        checked(document)


# What changed


def test_sentences__rates_and_facts__are_told_as_a_person_would() -> None:
    model = add("m", rate="14")
    publishing.publish()
    model.output_rate = Decimal(12)
    model.max_tokens = 16_000
    model.save()
    model.prices.model.publish(model, lines("9"), effective_from=datetime(2040, 1, 1, tzinfo=UTC))
    *told, scheduled = publishing.publish().summary
    assert told[0] == "model m: max_tokens 8192 → 16000"
    assert re.fullmatch(
        r"model m: output_tokens 14\.00 → 12\.00 from 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", told[1]
    )
    assert scheduled == (
        "model m: input_tokens 14.00 → 9.00, output_tokens 12.00 → 9.00 from 2040-01-01 00:00:00"
    )
    model.prices.latest("effective_from").delete()
    assert publishing.publish().summary == ["model m: price from 2040-01-01 00:00:00 cancelled"]
    model.delete()
    assert publishing.publish().summary == ["model m: removed"]


# Going back


def in_force(document: Any, model_id: str, at: datetime) -> Any:
    """The rates that a document says are in force."""
    price = price_of(model_of(model_id, models(document)[model_id]), at)
    return (price.is_free, price.lines)


def without_prices(document: Any) -> Any:
    stripped = copy.deepcopy(dict(document))
    for entry in models(stripped).values():
        del entry["prices"]
    return stripped


EDITS = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "delete", "rate", "schedule", "cancel", "default", "toggle", "free"]
        ),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["1", "2.5", "3"]),
    ),
    min_size=1,
    max_size=5,
)


def edit(what: str, model_id: str, rate: str) -> None:  # noqa: C901 - a case for each edit
    model = AIModel.objects.filter(model_id=model_id).first()
    now = timezone.now()
    match what, model:
        case "add", None:
            add(model_id, rate=rate)
        case _, None:
            return
        case "delete", _:
            model.delete()
        case "rate", _:
            model.input_rate = Decimal(rate)
            model.save()
        case "schedule", _:
            model.prices.model.publish(model, lines(rate), effective_from=now + timedelta(hours=1))
        case "cancel", _:
            for price in model.prices.filter(effective_from__gt=now):
                price.delete()
        case "default", _:
            model.make_default()
        case "toggle", _:
            model.toggle_active()
        case "free", _:
            model.prices.model.publish(model, [], is_free=True)


@examples(25)
@given(st.lists(EDITS, min_size=2, max_size=4), st.data())
def test_roll_back__after_random_edits__says_the_same_but_for_appended_prices(
    rounds: list[list[tuple[str, str, str]]], data: st.DataObject
) -> None:
    Revision.objects.all().delete()
    AIModel.objects.filter(model_id__in=["a", "b", "c"]).delete()
    for edits in rounds:
        for each in edits:
            edit(*each)
        publishing.publish()
    rows = [content(row) for row in Revision.objects.order_by("number")]
    chosen = data.draw(st.sampled_from(rows))
    assert chosen["number"] is not None
    done = content(publishing.roll_back(chosen["number"]))
    now = timezone.now()
    assert not diff.diff(without_prices(done), without_prices(chosen))
    for model_id, entry in models(chosen).items():
        restored = models(done)[model_id]["prices"]
        assert in_force(done, model_id, now) == in_force(chosen, model_id, now)
        scheduled = {key: each for key, each in entry["prices"].items() if key > text(now)}
        assert {key: each for key, each in restored.items() if key > text(now)} == scheduled
    for before, after in zip(rows, [*rows[1:], done], strict=True):
        assert not diff.diff(applied(before, diff.diff(before, after)), after)


def text(at: datetime) -> str:
    return moment_text(at)


def test_roll_back__past_prices__stay_as_they_were_billed() -> None:
    model = add("m", rate="1")
    first = publishing.publish()
    model.input_rate = Decimal(2)
    model.save()
    publishing.publish()
    before = list(model.prices.order_by("effective_from").values_list("pk", flat=True))
    publishing.roll_back(first.number)
    after = list(model.prices.order_by("effective_from").values_list("pk", flat=True))
    assert after[:-1] == before
    publishing.roll_back(first.number)
    assert model.prices.count() == len(after)


def test_roll_back__prices__the_headline_columns_say_the_price_in_force() -> None:
    model = add("m", rate="1")
    first = publishing.publish()
    model.input_rate = Decimal(2)
    model.save()
    publishing.publish()
    publishing.roll_back(first.number)
    model.refresh_from_db()
    assert model.input_rate == 1
    model.input_rate = Decimal(2)
    model.save()
    assert model.price_at(timezone.now()).headline("text")[0] == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("provider", "nobody"),
        ("source", "x" * 201),
        ("note", "x" * 501),
        ("source_url", "javascript:alert(1)"),
    ],
)
def test_apply__what_a_form_refuses__is_refused_with_its_path(column: str, value: str) -> None:
    document = export.document()
    entry = copy.deepcopy(models(document)["gpt-5.2"])
    models(document)["new"] = entry | {"is_default": False}
    target = entry
    path = f"/sections/catalogue/models/new/{column}"
    if column != "provider":
        moment, target = next(iter(entry["prices"].items()))
        path = f"/sections/catalogue/models/new/prices/{moment}/{column}"
    target[column] = value
    models(document)["new"] = entry | {"is_default": False}
    with pytest.raises(DocumentError) as refusal:
        publishing.apply(json.dumps(document))
    assert [each["path"] for each in refusal.value.errors] == [path]
    assert not AIModel.objects.filter(model_id="new").exists()


def test_roll_back__model_added_since__goes_or_becomes_inactive(acme: Account) -> None:
    first = publishing.publish()
    add("unused", is_default=True)
    named, preferred = add("named"), add("preferred")
    IntegrationSettings.objects.create(account=acme, text_model=preferred)
    receipt(acme, named.model_id)
    publishing.publish()
    done = content(publishing.roll_back(first.number))
    assert "unused" not in models(done)
    assert [models(done)[name]["is_active"] for name in ("named", "preferred")] == [False, False]
    assert models(done)["gpt-4o-mini"]["is_default"]
    assert IntegrationSettings.of(acme).text_model == preferred


def receipt(account: Account, model_id: str, revision: int | None = None) -> Receipt:
    from uuid import uuid4

    return Receipt.objects.create(
        request_id=uuid4(),
        account=account,
        task="generate_content",
        model_asked=model_id,
        provider="offline",
        reason="PINNED",
        prompt="built-in",
        latency_ms=1,
        status="unmetered",
        revision=revision,
    )


def test_restore__document_without_a_catalogue__leaves_the_models_alone() -> None:
    document = export.document()
    before = copy.deepcopy(models(document))
    del document["sections"]["catalogue"]
    publishing.apply(json.dumps(document))
    assert models(export.document()) == before


# A model that a rule serves


@pytest.fixture
def served() -> AIModel:
    model = AIModel.objects.get(model_id="gpt-5.2")
    flag = Flag.objects.get(name="text")
    Variant.objects.create(flag=flag, key="next", value="gpt-5.2")
    Rule.objects.create(flag=flag, name="EU pro", serve={"variant": "next"})
    publishing.publish()
    return model


SENTENCE = (
    "'gpt-5.2' cannot be served, because it is not active: rule “EU pro” of flag text serves it."
)


@pytest.fixture
def unchanged(served: AIModel) -> Any:
    before, last = export.document(), Revision.objects.first()
    yield
    assert not diff.diff(export.document(), before)
    assert Revision.objects.first() == last


def fields(model: AIModel) -> dict[str, Any]:
    names = ("model_id", "display_name", "provider", "model_type", "input_rate", "output_rate")
    return {name: getattr(model, name) for name in (*names, "max_tokens", "sort_order")}


def test_served_model__deactivated_in_the_form__is_refused_there(
    admin_client: Client, served: AIModel, unchanged: None
) -> None:
    served.take_headline(timezone.now())
    page = admin_client.post(
        reverse("admin:system_aimodel_change", args=[served.pk]),
        {**fields(served), "supports_json_mode": "on"},
    )
    assert page.status_code == 200
    assert page.context["adminform"].form.errors == {"__all__": [SENTENCE]}


@pytest.mark.parametrize("view", ["toggle", "action", "rest", "rest toggle"])
def test_served_model__deactivated_by_any_route__is_refused_naming_the_rule(
    admin_client: Client, served: AIModel, unchanged: None, view: str
) -> None:
    rest = f"/api/v1/admin/ai-models/{served.pk}/"
    match view:
        case "toggle":
            url = reverse("admin:system_aimodel_toggle_active", args=[served.pk])
            page = admin_client.post(url, follow=True)
        case "action":
            page = admin_client.post(
                reverse("admin:system_aimodel_changelist"),
                {"action": "deactivate", "_selected_action": [served.pk]},
                follow=True,
            )
        case "rest":
            data = {"is_active": False}
            page = admin_client.patch(rest, data, content_type="application/json")
        case _:
            page = admin_client.post(f"{rest}toggle-active/")
    said = json.dumps(page.json()) if "rest" in view else str([*page.context["messages"]])
    assert "rule \\u201cEU pro\\u201d of flag text" in said or "rule “EU pro” of flag text" in said
    assert page.status_code == (409 if "rest" in view else 200)


def test_served_model__deactivated_by_a_file__is_refused(
    served: AIModel, unchanged: None, tmp_path: Any
) -> None:
    document = export.document()
    models(document)["gpt-5.2"]["is_active"] = False
    file = tmp_path / "document.json"
    file.write_text(json.dumps(document))
    with pytest.raises((DocumentError, CommandError), match="rule “EU pro” of flag text serves it"):
        call_command("revisions", "apply", str(file))


def test_served_model__without_a_price__is_refused(served: AIModel) -> None:
    document = export.document()
    models(document)["gpt-5.2"]["prices"] = {}
    with pytest.raises(DocumentError) as refusal:
        checked(document)
    (problem,) = refusal.value.errors
    assert problem["path"] == "/flags/text/rules/0/serve"
    assert "because it has no complete price in force" in problem["message"]


INCOMPLETE = {"currency": "USD", "is_free": False, "lines": [LINE]}
LATER = "2090-01-01T00:00:00.000000Z"


def test_served_model__scheduled_to_be_without_a_complete_price__is_refused(
    served: AIModel,
) -> None:
    half = [RateLine(Meter.INPUT_TOKENS, Decimal(1), 1_000_000)]
    ModelPrice.publish(served, half, effective_from=timezone.now() + timedelta(1))
    with pytest.raises(DocumentError, match=r"its price from .* is not complete: rule “EU pro”"):
        check()


@pytest.mark.parametrize(
    ("rule", "is_refused"),
    [
        ({"from": "2091-01-01T00:00:00Z"}, True),
        ({"until": "2089-01-01T00:00:00Z"}, False),
        ({"until": "2091-01-01T00:00:00Z"}, True),
    ],
)
def test_served_model__by_a_rule_of_a_time__has_a_complete_price_then(
    served: AIModel, rule: dict[str, str], is_refused: bool
) -> None:
    document = export.document()
    models(document)["gpt-5.2"]["prices"][LATER] = INCOMPLETE
    document["flags"]["text"]["rules"][0] |= rule
    with pytest.raises(DocumentError) if is_refused else nullcontext():
        checked(document)


def test_launch__rule_from_the_day_of_the_first_price__is_accepted(served: AIModel) -> None:
    document = export.document()
    prices = models(document)["gpt-5.2"]["prices"]
    models(document)["gpt-5.2"]["prices"] = {LATER: next(iter(prices.values()))}
    document["flags"]["text"]["rules"][0]["from"] = "2090-01-01T00:00:00Z"
    assert checked(document)
    document["flags"]["text"]["rules"][0]["from"] = "2089-12-31T23:59:59Z"
    with pytest.raises(DocumentError, match="no complete price"):
        checked(document)


@pytest.mark.parametrize(
    "change",
    [
        {"on": False},
        {"force": "mini"},
        {"rules": [{"id": "r1", "when": [], "until": "2020-01-01T00:00:00Z"}]},
        {"rules": []},
    ],
)
def test_served_model__by_no_live_rule__may_be_deactivated(
    served: AIModel, change: dict[str, Any]
) -> None:
    document = export.document()
    models(document)["gpt-5.2"]["is_active"] = False
    flag = document["flags"]["text"]
    flag["variants"]["mini"] = "gpt-4o-mini"
    flag |= change
    for rule in flag["rules"]:
        rule["serve"] = {"variant": "next"}
    assert checked(document)


def test_price__of_a_section__equals_the_rows(served: AIModel) -> None:
    entry = models(export.document())["gpt-5.2"]
    (compiled,) = model_of("gpt-5.2", entry).prices
    assert isinstance(compiled, Price)
    assert compiled.lines == served.prices.get().value().lines


# Retention


@pytest.mark.usefixtures("served")
def test_retention__old_revisions__go_but_for_those_that_receipts_name(
    acme: Account, settings: Any
) -> None:
    from constance import config

    config.REVISIONS_KEPT = 2
    named = publishing.publish()
    receipt(acme, "gpt-5.2", revision=named.number)
    for index in range(4):
        add(f"m{index}")
        last = publishing.publish()
    numbers = list(Revision.objects.values_list("number", flat=True))
    assert numbers == [last.number, last.number - 1, named.number]
    config.REVISIONS_KEPT = 0
    for index in range(4, 8):
        add(f"m{index}")
        publishing.publish()
    assert Revision.objects.count() == 3 + 4
