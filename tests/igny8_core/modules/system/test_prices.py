"""Dated prices as rows: what has begun stays, and the headline rates publish."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from flags import publishing
from flags.engine import DocumentError
from flags.models import Flag, Variant
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.ai.resolver import resolve
from igny8_core.catalogue.models import price_of
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.errors import ModelInUse, PriceHasBegun, PriceInThePast
from igny8_core.modules.system.models import AIModel, ModelPrice, RateLine
from igny8_core.pricing import prices, quotes
from igny8_core.pricing.conditions import parse_condition
from igny8_core.pricing.errors import InvalidAmount, InvalidCondition, RateTie
from igny8_core.pricing.meters import Meter
from tests.igny8_core.modules.test_usage import receipt

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def mini() -> AIModel:
    return AIModel.objects.get(model_id="gpt-4o-mini")


def line(meter: str, amount: str, **condition: Any) -> prices.RateLine:
    parsed = parse_condition(condition)
    return prices.RateLine(Meter(meter), Decimal(amount), 1_000_000, parsed, condition)


def lines(into: str, out: str) -> list[prices.RateLine]:
    return [line("input_tokens", into), line("output_tokens", out)]


def cost_at(at: datetime, model_id: str = "gpt-4o-mini", **meters: int) -> Decimal:
    model = ModelRegistry.find(model_id)
    assert model is not None
    return quotes.quote(price_of(model, at), meters, at=at).cost


def rates_of(model: AIModel) -> list[tuple[str, str]]:
    """Each price's headline, the oldest first."""
    prices = [price.value() for price in model.prices.order_by("effective_from")]
    return [tuple(str(rate.normalize()) for rate in price.headline("text")) for price in prices]  # type: ignore[misc]


def test_seed__every_model__has_its_price_and_costs_as_the_plan_says() -> None:
    assert {price.model.model_id for price in ModelPrice.objects.all()} == set(
        AIModel.objects.values_list("model_id", flat=True)
    )
    assert ModelRegistry.calculate_cost("gpt-5.2", 1000, 500) == 0.00875
    assert ModelRegistry.calculate_cost("dall-e-3", image_count=2) == 0.08


def test_price__that_starts_at_a_second__holds_from_it_with_nobody_publishing(
    mini: AIModel, acme: Account
) -> None:
    start = timezone.now().replace(microsecond=0) + timedelta(hours=1)
    ModelPrice.publish(mini, lines("1", "2"), effective_from=start)
    ModelRegistry.catalogue()
    assert cost_at(start - SECOND, input_tokens=1_000_000) == Decimal("0.15")
    assert cost_at(start, input_tokens=1_000_000) == 1
    with time_machine.travel(start - SECOND, tick=False):
        assert ModelRegistry.calculate_cost("gpt-4o-mini", 1_000_000) == 0.15
    with time_machine.travel(start, tick=False):
        assert ModelRegistry.calculate_cost("gpt-4o-mini", 1_000_000) == 1


def test_resolve__before_a_models_first_price__is_refused_as_unpriced(acme: Account) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(AIError, match="generate_content"):
        resolve(acme, "generate_content", at=long_ago)
    assert resolve(acme, "generate_content").model.model_id == "gpt-4o-mini"


# What has begun stays


def test_begun_price__edited_or_deleted__is_refused(mini: AIModel) -> None:
    price = mini.prices.get()
    rate = price.lines.get(meter="input_tokens")
    price.note = "other"
    rate.amount = Decimal("0.16")
    changes: list[Callable[[], object]] = [price.save, rate.save, price.delete, rate.delete]
    for change in changes:
        with (
            pytest.raises(PriceHasBegun, match="The price of gpt-4o-mini from"),
            transaction.atomic(),
        ):
            change()
    for change in (
        lambda: ModelPrice.objects.update(note="x"),
        lambda: RateLine.objects.update(amount=1),
        lambda: ModelPrice.objects.all().delete(),
        lambda: RateLine.objects.create(
            price=mini.prices.get(), meter="images", amount=Decimal(1), per=1
        ),
    ):
        with pytest.raises(PriceHasBegun), transaction.atomic():
            change()
    assert rates_of(mini) == [("0.15", "0.6")]


def test_new_price__that_would_change_the_past__is_refused(
    client: Client, admin_user: User, mini: AIModel
) -> None:
    begun = mini.prices.get().effective_from
    with time_machine.travel(begun + timedelta(days=30)):
        with pytest.raises(PriceInThePast, match="'gpt-4o-mini' had a price then"):
            ModelPrice.publish(mini, lines("1", "2"), effective_from=begun + timedelta(days=1))
        data = price_form(mini, INTO, OUT)
        data |= {"effective_from_0": f"{begun + timedelta(days=2):%Y-%m-%d}"}
        client.force_login(admin_user)
        page = client.post(ADD, data)
        assert list(page.context["adminform"].form.errors) == ["effective_from"]
        ModelPrice.publish(mini, lines("9", "9"), effective_from=begun - timedelta(days=1))
    assert rates_of(mini) == [("9", "9"), ("0.15", "0.6")]


def test_price_page__no_moment_given__begins_now(admin_client: Client, mini: AIModel) -> None:
    page = admin_client.get(ADD)
    assert page.context["adminform"].form["effective_from"].value() is None
    before = timezone.now()
    data = price_form(mini, INTO, OUT, effective_from_0="", effective_from_1="")
    assert admin_client.post(ADD, data).status_code == 302
    assert before <= mini.prices.latest("effective_from").effective_from <= timezone.now()


def test_headline__two_rates_written_by_two_stale_instances__both_hold(mini: AIModel) -> None:
    other = AIModel.objects.prefetch_related("prices__lines").get(pk=mini.pk)
    assert len(other.prices.all()) == 1
    mini.input_rate = Decimal("0.20")
    mini.save()
    other.output_rate = Decimal("0.90")
    other.save()
    assert rates_of(mini)[-1] == ("0.2", "0.9")


def test_future_price__can_be_changed_and_cancelled(mini: AIModel) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    ModelPrice.publish(mini, lines("1", "2"), effective_from=tomorrow)
    price = mini.prices.get(effective_from=tomorrow)
    rate = price.lines.get(meter="input_tokens")
    rate.amount = Decimal(3)
    rate.save()
    assert rates_of(mini)[1] == ("3", "2")
    price.delete()
    assert rates_of(mini) == [("0.15", "0.6")]


def test_model__deleted__takes_its_prices_unless_a_receipt_names_it(
    mini: AIModel, acme: Account
) -> None:
    AIModel.objects.get(model_id="gpt-4o").delete()
    assert not ModelPrice.objects.filter(model__model_id="gpt-4o").exists()
    AIModel.objects.filter(model_id="gpt-4.1").delete()
    receipt(acme, request_id=uuid4(), model_asked="gpt-4o-mini", price=mini.prices.get()).save()
    with pytest.raises((ModelInUse, ProtectedError)), transaction.atomic():
        mini.delete()


def test_model__that_a_flag_serves__stays_under_its_name(mini: AIModel) -> None:
    flag = Flag.objects.get(name="text")
    Variant.objects.create(flag=flag, key="a", value="gpt-4o-mini")
    mini.model_id = "other"
    for change in (mini.save, AIModel.objects.get(pk=mini.pk).delete):
        with (
            pytest.raises(ModelInUse, match="it is the variant a of flag text"),
            transaction.atomic(),
        ):
            change()


def test_price__two_at_one_moment__is_refused(mini: AIModel) -> None:
    now = timezone.now()
    ModelPrice.publish(mini, lines("1", "2"), effective_from=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelPrice.publish(mini, lines("1", "2"), effective_from=now)


@pytest.mark.parametrize(
    ("made", "error"),
    [
        ([line("input_tokens", "1"), line("input_tokens", "2")], RateTie),
        ([line("input_tokens", "0.0000001")], InvalidAmount),
        ([line("input_tokens", "0")], InvalidAmount),
    ],
)
def test_publish__what_cannot_be_quoted_with__leaves_nothing(
    mini: AIModel, made: list[prices.RateLine], error: type[AIError]
) -> None:
    with pytest.raises(error):
        ModelPrice.publish(mini, made)
    assert mini.prices.count() == 1


def test_line__condition_that_is_none__is_refused(mini: AIModel) -> None:
    price = ModelPrice(model=mini)
    with pytest.raises(InvalidCondition, match="tier"):
        RateLine(
            price=price, meter="images", amount=Decimal(1), per=1, condition={"tier": 1}
        ).save()


def test_catalogue__price_that_cannot_be_quoted_with__is_not_published(mini: AIModel) -> None:
    price = ModelPrice.objects.create(model=mini)
    for _ in range(2):
        RateLine.objects.create(price=price, meter="input_tokens", amount=Decimal(1))
    with pytest.raises(DocumentError, match="the more specific"):
        publishing.publish()


# Headline rates


def test_headline__written__publishes_a_price_from_now(mini: AIModel) -> None:
    before = timezone.now()
    mini.input_rate = Decimal("0.20")
    mini.save()
    assert rates_of(mini) == [("0.15", "0.6"), ("0.2", "0.6")]
    assert mini.prices.latest("effective_from").effective_from >= before
    mini.save()
    assert mini.prices.count() == 2


def test_headline__stale_instance_saved_for_another_field__reverts_nothing(mini: AIModel) -> None:
    stale = AIModel.objects.get(pk=mini.pk)
    mini.input_rate = Decimal("0.20")
    mini.save()
    stale.sort_order = 9
    stale.save()
    stored = AIModel.objects.get(pk=mini.pk)
    assert (stored.input_rate, stored.sort_order) == (Decimal("0.20"), 9)
    assert rates_of(mini)[-1] == ("0.2", "0.6")


def test_headline__written_beside_conditions__keeps_them(mini: AIModel) -> None:
    batch = line("input_tokens", "0.05", processing="batch")
    cached = line("cached_input_tokens", "0.01")
    ModelPrice.publish(mini, [*lines("0.15", "0.60"), batch, cached])
    AIModel.objects.filter(pk=mini.pk).update(output_rate="0.70")
    price = mini.prices.latest("effective_from").value()
    assert {(each.meter, each.amount.normalize()) for each in price.lines} == {
        ("input_tokens", Decimal("0.15")),
        ("input_tokens", Decimal("0.05")),
        ("cached_input_tokens", Decimal("0.01")),
        ("output_tokens", Decimal("0.7")),
    }


def test_headline__zero__takes_the_line_away_and_the_model_is_unpriced(
    mini: AIModel, acme: Account
) -> None:
    mini.output_rate = Decimal(0)
    mini.save()
    with pytest.raises(AIError, match="output_tokens"):
        cost_at(timezone.now(), output_tokens=1)
    with pytest.raises(AIError):
        resolve(acme, "generate_content")


def test_headline__read_in_part__changes_nothing(mini: AIModel) -> None:
    part = AIModel.objects.only("model_id", "sort_order").get(pk=mini.pk)
    part.sort_order = 3
    part.save()
    assert mini.prices.count() == 1


def test_shown_rate__is_that_of_the_price_in_force_in_full(
    admin_client: Client, mini: AIModel
) -> None:
    ModelPrice.publish(mini, [line("input_tokens", "0.012345"), line("output_tokens", "2")])
    row = admin_client.get(f"/api/v1/admin/ai-models/{mini.pk}/").json()
    assert (row["input_rate"], row["output_rate"]) == ("0.012345", "2.0000")
    assert "0.012345" in admin_client.get("/admin/system/aimodel/").content.decode()
    page = admin_client.get(f"/admin/system/aimodel/{mini.pk}/change/")
    assert "input_rate" not in page.context["adminform"].form.fields
    assert "0.012345 per 1M input tokens" in page.content.decode()
    configured = ModelRegistry.get_model("gpt-4o-mini")
    assert configured
    assert configured["input_rate"] == Decimal("0.012345")


def test_patch__another_field__publishes_no_price(admin_client: Client, mini: AIModel) -> None:
    url = f"/api/v1/admin/ai-models/{mini.pk}/"
    options: Any = {"content_type": "application/json"}
    ModelPrice.publish(mini, lines("0.30", "0.60"))
    assert admin_client.patch(url, {"sort_order": 4}, **options).status_code == 200
    assert admin_client.patch(url, {"input_rate": "0.30"}, **options).status_code == 200
    assert mini.prices.count() == 2
    assert (
        admin_client.patch(url, {"input_rate": "0.31"}, **options).json()["input_rate"] == "0.3100"
    )
    assert rates_of(mini)[-1] == ("0.31", "0.6")


# The admin


def price_form(model: AIModel, *rates: dict[str, Any], **fields: Any) -> dict[str, Any]:
    data = {
        "model": model.pk,
        "effective_from_0": "2030-01-01",
        "effective_from_1": "00:00:00",
        "lines-TOTAL_FORMS": len(rates),
        "lines-INITIAL_FORMS": 0,
        **fields,
    }
    for index, rate in enumerate(rates):
        filled = {"per": 1_000_000, "condition": "", **rate}
        data |= {f"lines-{index}-{name}": value for name, value in filled.items()}
    return data


ADD = "/admin/system/modelprice/add/"
INTO, OUT = {"meter": "input_tokens", "amount": "1.5"}, {"meter": "output_tokens", "amount": "2"}


def test_price_page__future_price__is_added_listed_and_cancelled(
    admin_client: Client, mini: AIModel
) -> None:
    assert admin_client.post(ADD, price_form(mini, INTO, OUT, note="rise")).status_code == 302
    price = mini.prices.get(note="rise")
    assert (price.author, rates_of(mini)[-1]) == ("admin", ("1.5", "2"))
    listed = admin_client.get("/admin/system/modelprice/").content.decode()
    assert "scheduled" in listed
    assert "1.50 per 1M input tokens; 2.00 per 1M output tokens" in listed
    page = admin_client.get(f"/admin/system/aimodel/{mini.pk}/change/").content.decode()
    assert "scheduled" in page
    admin_client.post(reverse("admin:system_modelprice_delete", args=[price.pk]), {"post": "yes"})
    assert not mini.prices.filter(note="rise").exists()


def test_price_page__begun_price__is_read_and_its_deletion_refused(
    admin_client: Client, mini: AIModel
) -> None:
    price = mini.prices.get()
    url = f"/admin/system/modelprice/{price.pk}/"
    assert admin_client.get(f"{url}change/").status_code == 200
    assert admin_client.post(f"{url}change/", price_form(mini, INTO)).status_code == 403
    page = admin_client.post(f"{url}delete/", {"post": "yes"}, follow=True)
    assert "has begun" in str(next(iter(page.context["messages"])))
    assert mini.prices.count() == 1


@pytest.mark.parametrize(
    ("rates", "fields", "sentence"),
    [
        ([], {}, "A price has lines, or it is free."),
        ([INTO], {"is_free": "on"}, "A price has lines, or it is free."),
        ([INTO, INTO], {}, "may hold for the same call"),
        ([{**INTO, "condition": '{"context": "> 5"}'}], {}, "calls without a rate"),
        ([{**INTO, "condition": '{"tier": 5}'}], {}, "condition is &#x27;tier&#x27;"),
        ([{**INTO, "amount": "0"}], {}, "input_tokens at 0 per 1000000 is no rate"),
        ([{**INTO, "amount": "x"}], {}, "Enter a number."),
        ([{**INTO, "amount": "10000000"}], {}, "less than or equal to 9223372.0368"),
        ([{**INTO, "amount": "1e400"}], {}, "less than or equal to 9223372.0368"),
        ([{**INTO, "amount": "1e999999999"}], {}, "less than or equal to 9223372.0368"),
        ([{**INTO, "amount": "1" * 60}], {}, "less than or equal to 9223372.0368"),
        ([{**INTO, "amount": "1", "per": "99999999999999999999"}], {}, "less than or equal to"),
        ([{**INTO, "meter": "nope"}], {}, "nope is not one of the available choices"),
    ],
)
def test_price_page__nonsense__is_said_on_the_page_and_saves_nothing(
    admin_client: Client,
    mini: AIModel,
    rates: list[dict[str, Any]],
    fields: dict[str, str],
    sentence: str,
) -> None:
    page = admin_client.post(ADD, price_form(mini, *rates, **fields))
    assert page.status_code == 200
    assert sentence in page.content.decode()
    assert mini.prices.count() == 1


def test_price_page__amount_that_is_none__is_told_once(admin_client: Client, mini: AIModel) -> None:
    page = admin_client.post(ADD, price_form(mini, {**INTO, "amount": "x"}))
    (lines_below,) = page.context["inline_admin_formsets"]
    assert lines_below.formset.forms[0].errors == {"amount": ["Enter a number."]}


@pytest.mark.parametrize("amount", ["1e30", "1e400", "-1e400", "9300000"])
def test_rate_line__amount_too_large_to_keep__is_refused_by_name(amount: str) -> None:
    with pytest.raises(ValidationError, match=r"over 9\.2 million"):
        RateLine(meter="input_tokens", amount=Decimal(amount)).value()


def test_rate_line__amount_beyond_exact_arithmetic__is_no_rate() -> None:
    line = prices.RateLine(Meter.INPUT_TOKENS, Decimal("1e400"), 3)
    with pytest.raises(InvalidAmount, match="1E\\+400"):
        line.pico  # noqa: B018


def test_rate__changed_and_saved_without_it_first__is_published_when_it_is_written(
    mini: AIModel,
) -> None:
    mini.input_rate = Decimal("0.30")
    mini.save(update_fields=["is_active"])
    assert mini.prices.count() == 1
    mini.save(update_fields=["input_rate"])
    assert mini.prices.latest("effective_from").value().headline("text")[0] == Decimal("0.30")


def test_rate__not_read_and_set_to_nothing__is_a_change(mini: AIModel) -> None:
    part = AIModel.objects.defer("output_rate").get(pk=mini.pk)
    part.output_rate = Decimal(0)
    part.save(update_fields=["output_rate"])
    assert mini.prices.latest("effective_from").value().headline("text")[1] == Decimal(0)


def test_rename__refused_inside_a_transaction__leaves_it_usable(mini: AIModel) -> None:
    receipt(Account.objects.create(key="acme", name="Acme"), model_asked="gpt-4o-mini").save()
    mini.model_id = "other"
    with pytest.raises(ModelInUse):
        mini.save()
    assert AIModel.objects.filter(model_id="gpt-4o-mini").exists()
