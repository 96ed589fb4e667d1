"""resolve() over what is published and known: flags, overrides, availability, markup, time."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4
from weakref import ref

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_httpserver import HTTPServer
from waffle import get_waffle_switch_model

from flags import explain, live, publishing
from flags.accounts.lookup import facts_of
from flags.document.check import check
from flags.document.stored import UnknownRevision, revision
from flags.engine import DocumentError
from flags.engine import Reason as Decided
from flags.models import AccountOverride, Flag, Rule, Trait, Variant
from igny8_core.ai import resolver, words
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.errors import InvalidRunKey, ModelNotAvailable, NoUsableModel
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.resolution import Reason, Refusal
from igny8_core.ai.resolver import resolve, resolve_many
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, IntegrationSettings
from igny8_core.modules.usage.models import Receipt
from igny8_core.pricing.errors import InvalidMoment
from igny8_core.tasks.errors import UnknownTask
from igny8_core.tasks.needs import Needs
from tests.igny8_core.ai.test_ai_core import completion

COMMITTED = pytest.mark.django_db(transaction=True, serialized_rollback=True)
TASK = "generate_content"


@pytest.fixture
def text(acme: Account) -> Flag:
    """The flag of the text models, with three variants and nothing to say."""
    flag: Flag = Flag.objects.get(name="text")
    for key, model_id in (("mini", "gpt-4o-mini"), ("four", "gpt-4.1"), ("next", "gpt-5.2")):
        Variant.objects.create(flag=flag, key=key, value=model_id)
    return flag


def override(account: Account, flag: Flag, variant: str, **facts: Any) -> AccountOverride:
    return AccountOverride.objects.create(
        account=account, flag=flag, variant=variant, reason="why", **facts
    )


def model_of(account: Account, **options: Any) -> str:
    """With and without the trail, and asked again, the answer is the same."""
    answers = [resolve(account, TASK, **options) for _ in range(2)]
    answers.append(resolve(account, TASK, explain=True, **options))
    assert len({(answer.model.model_id, answer.reason) for answer in answers}) == 1
    return answers[0].model.model_id


@pytest.mark.django_db
def test_migration__flags_of_types_and_tasks__are_there_and_say_nothing() -> None:
    found = live.current().ruleset.document["flags"]
    assert set(found) == {
        "text",
        "image",
        "embedding",
        "auto_cluster",
        "generate_ideas",
        "generate_content",
        "generate_image_prompts",
        "generate_images",
        "embed_text",
        "pricing.markup_percent",
    }
    for name, flag in found.items():
        assert (flag["rules"], flag["default"], flag["off"], flag["force"]) == (
            [],
            None,
            None,
            None,
        )
        if name != "pricing.markup_percent":
            assert (flag["kind"], str(flag["vocabulary"])[:9]) == ("str", "ai-model:")


@COMMITTED
def test_operator__rule_split_and_default__decide_without_code(acme: Account, text: Flag) -> None:
    Trait.objects.get_or_create(name="plan", defaults={"type": "str"})
    acme.plan = "free"
    acme.save()
    Rule.objects.create(
        flag=text,
        when=[{"trait": "plan", "op": "in", "values": ["pro"]}],
        serve={"variant": "next"},
    )
    assert model_of(acme) == "gpt-4o-mini"
    acme.plan = "pro"
    acme.save()
    assert model_of(acme) == "gpt-5.2"
    answer = resolve(acme, TASK)
    assert (answer.reason, answer.flag, answer.rule) == (Reason.RULE, "text", "r1")
    assert answer.revision == revision(answer.revision or 0).number


@COMMITTED
def test_override__set_changed_and_cleared__is_in_force_at_once(acme: Account, text: Flag) -> None:
    assert model_of(acme) == "gpt-4o-mini"
    row = override(acme, text, "next")
    assert model_of(acme) == "gpt-5.2"
    row.variant = "four"
    row.save()
    assert model_of(acme) == "gpt-4.1"
    AccountOverride.objects.filter(pk=row.pk).update(paused=True)
    assert model_of(acme) == "gpt-4o-mini"


@COMMITTED
def test_override__expiring__stops_at_that_second_and_the_trail_says_so(
    acme: Account, text: Flag
) -> None:
    expires_at = timezone.now().replace(microsecond=0) + timedelta(seconds=60)
    override(acme, text, "next", expires_at=expires_at)
    with time_machine.travel(expires_at - timedelta(microseconds=1), tick=False):
        assert model_of(acme) == "gpt-5.2"
    with time_machine.travel(expires_at, tick=False):
        assert model_of(acme) == "gpt-4o-mini"
        trail = resolve(acme, TASK, explain=True).trail or ()
    assert (trail[0].candidate, trail[0].refusal) == (Reason.OVERRIDE, Refusal.OVERRIDE_EXPIRED)


@COMMITTED
def test_rule__with_a_beginning__begins_by_itself(acme: Account, text: Flag) -> None:
    begins = timezone.now().replace(microsecond=0) + timedelta(seconds=60)
    Rule.objects.create(flag=text, serve={"variant": "next"}, starts_at=begins)
    with time_machine.travel(begins - timedelta(microseconds=1), tick=False):
        assert model_of(acme) == "gpt-4o-mini"
        assert model_of(acme, at=begins) == "gpt-5.2"
    with time_machine.travel(begins, tick=False):
        assert model_of(acme) == "gpt-5.2"


@COMMITTED
def test_preference__changed__is_in_force_at_once(acme: Account) -> None:
    assert model_of(acme) == "gpt-4o-mini"
    settings = IntegrationSettings.of(acme)
    settings.text_model = AIModel.objects.get(model_id="gpt-4.1")
    settings.save()
    assert model_of(acme) == "gpt-4.1"
    settings.delete()
    assert model_of(acme) == "gpt-4o-mini"


@COMMITTED
def test_provider_switch__off__its_models_are_not_used(acme: Account) -> None:
    get_waffle_switch_model().objects.create(name="provider.openai", active=False)
    with pytest.raises(NoUsableModel) as nothing:
        resolve(acme, TASK)
    assert nothing.value.trail[-1].refusal == Refusal.PROVIDER_OFF
    assert nothing.value.available == ["claude-3-sonnet", "claude-3-opus", "claude-3-haiku"]
    with pytest.raises(ModelNotAvailable) as pinned:
        resolve(acme, TASK, model="gpt-4o")
    assert pinned.value.available == nothing.value.available


@COMMITTED
def test_restricted_model__by_its_flag__is_for_some_accounts(acme: Account, text: Flag) -> None:
    early = Flag.objects.create(name="early", off_variant="off")
    AIModel.objects.filter(model_id="gpt-5.2").update(available_to="early")
    Rule.objects.create(flag=text, serve={"variant": "next"})
    assert model_of(acme) == "gpt-4o-mini"
    override(acme, early, "on")
    assert model_of(acme) == "gpt-5.2"
    Flag.objects.get(name="early").delete()
    with pytest.raises(DocumentError, match="There is no boolean flag 'early'"):
        check()


@pytest.mark.django_db
def test_restricted_model__of_an_account_that_cannot_be_read__is_refused(acme: Account) -> None:
    from django.db import OperationalError, connection

    Flag.objects.create(name="early")
    AIModel.objects.filter(model_id="gpt-4o-mini").update(available_to="early")
    live.current()

    def away(*_query: Any) -> Any:
        raise OperationalError("gone")

    with connection.execute_wrapper(away), pytest.raises(NoUsableModel) as nothing:
        resolve(acme, TASK)
    assert nothing.value.trail[-1].refusal == Refusal.AVAILABILITY_UNREADABLE


@COMMITTED
def test_retired_model__its_successor_serves_and_the_answer_says_so(acme: Account) -> None:
    now = timezone.now()
    AIModel.objects.filter(model_id="gpt-4o-mini").update(retires_at=now, replaced_by="gpt-4.1")
    answer = resolve(acme, TASK)
    assert (answer.model.model_id, answer.replaces) == ("gpt-4.1", "gpt-4o-mini")
    assert resolve(acme, TASK, at=now - timedelta(microseconds=1)).replaces is None


@COMMITTED
def test_revision__older_one__answers_as_it_did(acme: Account, text: Flag) -> None:
    before = resolve(acme, TASK)
    Rule.objects.create(flag=text, serve={"variant": "next"})
    after = resolve(acme, TASK)
    assert [each.model.model_id for each in (before, after)] == ["gpt-4o-mini", "gpt-5.2"]
    again = resolve(acme, TASK, revision=before.revision)
    assert (again.model, again.reason, again.revision) == (
        before.model,
        before.reason,
        before.revision,
    )
    assert resolve(acme, TASK, revision=after.revision).model == after.model
    odd: list[Any] = [10**6, 0, -1, 1.5, "1", True]
    for number in odd:
        with pytest.raises(UnknownRevision):
            resolve(acme, TASK, revision=number)


@COMMITTED
def test_keep__usable__stands_above_all_but_a_pinned_model(acme: Account, text: Flag) -> None:
    override(acme, text, "next")
    assert resolve(acme, TASK, keep="gpt-4.1").reason == Reason.KEPT
    assert resolve(acme, TASK, keep="gpt-4.1", model="gpt-4o").reason == Reason.PINNED
    assert resolve(acme, TASK, keep="dall-e-3").model.model_id == "gpt-5.2"


@COMMITTED
def test_fallbacks__are_the_next_usable_candidates(acme: Account, text: Flag) -> None:
    override(acme, text, "next")
    IntegrationSettings.objects.create(
        account=acme, text_model=AIModel.objects.get(model_id="gpt-4.1")
    )
    answer = resolve(acme, TASK)
    assert [(each.reason, each.model.model_id) for each in answer.fallbacks] == [
        (Reason.PREFERENCE, "gpt-4.1"),
        (Reason.TYPE_DEFAULT, "gpt-4o-mini"),
    ]


@COMMITTED
def test_run__with_a_key__keeps_the_model_of_each_type(acme: Account, text: Flag) -> None:
    one, two = str(uuid4()), str(uuid4())  # a process remembers the runs that it has met
    run = AICore(acme, connections={}, run_key=one)
    assert run.run_ai_request(TASK, "x").resolution.reason == Reason.TYPE_DEFAULT
    Rule.objects.create(flag=text, serve={"variant": "next"})
    again = AICore(acme, connections={}, run_key=one).run_ai_request(TASK, "x").resolution
    assert (again.reason, again.model.model_id) == (Reason.KEPT, "gpt-4o-mini")
    other = AICore(acme, connections={}, run_key=two).run_ai_request(TASK, "x").resolution
    assert other.model.model_id == "gpt-5.2"


@pytest.mark.parametrize("key", ["", "x" * 201, 7, "a\nb", "a\0"])
def test_run_key__that_is_none__is_refused(acme: Account, key: Any) -> None:
    with pytest.raises(InvalidRunKey):
        AICore(acme, run_key=key)


@COMMITTED
def test_markup__rule_and_override__are_on_the_receipt_with_what_decided(
    acme: Account, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_json(completion())
    core = AICore(acme, connections={"openai": Connection("sk-1", httpserver.url_for("/v1"))})
    flag = Flag.objects.get(name="pricing.markup_percent")
    Variant.objects.create(flag=flag, key="third", value=33.333333333333)
    Variant.objects.create(flag=flag, key="half", value=50)
    Rule.objects.create(flag=flag, serve={"variant": "third"})
    markup = resolve(acme, TASK).markup
    assert (markup.percent, markup.reason, markup.rule) == (
        Decimal("33.333333333333"),
        "RULE",
        "r1",
    )
    core.run_ai_request(TASK, "x")
    override(acme, flag, "half")
    core.run_ai_request(TASK, "x")
    second, first = Receipt.objects.order_by("-pk")
    assert (first.markup_percent, first.markup_by) == (Decimal("33.333333333333"), "RULE r1")
    assert (second.markup_percent, second.markup_by) == (Decimal(50), "OVERRIDE")
    assert first.cost is not None
    assert first.charge == round(first.cost * Decimal("1.33333333333333"), 12)
    assert second.cost is not None
    assert second.charge == second.cost * Decimal("1.5")
    assert first.revision == resolve(acme, TASK).revision


@COMMITTED
def test_receipt__of_a_resolution__keeps_what_was_known_of_the_account(
    acme: Account, text: Flag
) -> None:
    retired = timezone.now() - timedelta(days=1)
    AIModel.objects.filter(model_id="gpt-5.2").update(retires_at=retired, replaced_by="gpt-5.1")
    override(acme, text, "next")
    gone = Flag.objects.create(name="gone")
    override(acme, gone, "on", expires_at=timezone.now() + timedelta(seconds=1))
    resolve(acme, TASK)
    preferred = AIModel.objects.get(model_id="gpt-4.1")
    IntegrationSettings.objects.create(account=acme, text_model=preferred)
    with time_machine.travel(timezone.now() + timedelta(seconds=2)):
        AICore(acme, connections={}).run_ai_request(TASK, "x")
    receipt = Receipt.objects.get()
    assert (receipt.model_asked, receipt.replaces) == ("gpt-5.1", "gpt-5.2")
    facts = receipt.account_facts
    assert facts["overrides"] == {"text": "next"}
    assert facts["preferences"] == {"text": "gpt-4.1"}
    assert (facts["traits"]["plan"], facts["traits"]["country"]) == ("pro", "DE")
    assert datetime.fromisoformat(facts["traits"]["created_at"]) == acme.created_at


@pytest.mark.django_db
def test_markup__its_flag_deleted__is_said(acme: Account) -> None:
    Flag.objects.get(name="pricing.markup_percent").delete()
    told = words.markup_text(resolve(acme, TASK).markup)
    assert told == "none, there is no flag pricing.markup_percent"


@pytest.mark.django_db
@pytest.mark.parametrize("value", [True, "abc", "NaN", None, [1]])
def test_markup__that_is_no_number__is_refused_and_stops_nothing_else(value: Any) -> None:
    flag = Flag.objects.get(name="pricing.markup_percent")
    Variant.objects.create(flag=flag, key="odd", value=value)
    with pytest.raises(DocumentError, match=r"/flags/pricing\.markup_percent/variants/odd"):
        publishing.publish()


@pytest.mark.django_db
def test_provider_switch__of_no_provider__is_refused() -> None:
    get_waffle_switch_model().objects.create(name="provider.opnai", active=False)
    with pytest.raises(DocumentError, match="There is no provider 'opnai'"):
        publishing.publish()


@pytest.mark.django_db
def test_markup__nothing_said__the_charge_is_the_cost(acme: Account) -> None:
    markup = resolve(acme, TASK).markup
    assert (markup.percent, markup.reason, markup.rule) == (Decimal(0), "ABSTAINED", None)


@pytest.mark.django_db
@pytest.mark.parametrize("percent", [-100.5, 1e9, 1e-13])
def test_markup__that_no_charge_can_be_made_with__is_refused(percent: float) -> None:
    flag = Flag.objects.get(name="pricing.markup_percent")
    Variant.objects.create(flag=flag, key="odd", value=percent)
    with pytest.raises(DocumentError, match=r"The variant 'odd' of the flag pricing\.markup"):
        publishing.publish()


# Why, in words


@COMMITTED
def test_refusals__in_words__say_what_was_seen(acme: Account, text: Flag) -> None:
    moment = timezone.now().replace(year=2026, month=1, day=1, hour=0, minute=0)
    AIModel.objects.filter(model_id="gpt-4.1").update(retires_at=moment, replaced_by="gpt-5.1")
    AIModel.objects.filter(model_id="gpt-5.2").update(retires_at=moment)
    Rule.objects.create(flag=text, serve={"variant": "next"})
    live.forget()
    for model_id, sentence in {
        "gpt-4.1": "it is retired since 2026-01-01 00:00 UTC. gpt-5.1 serves in its place.",
        "dall-e-3": "its type is image, and the task takes text.",
    }.items():
        with pytest.raises(ModelNotAvailable) as refused:
            resolve(acme, TASK, model=model_id)
        assert str(refused.value).endswith(f"]. {model_id}: {sentence}")
    with pytest.raises(NoUsableModel) as nothing:
        resolve(acme, TASK, needs=Needs(context_tokens=9_999_999))
    assert "it holds 128,000 tokens, and 9,999,999 are needed" in str(nothing.value)
    trail = resolve(acme, TASK, explain=True).trail
    assert trail is not None
    of_rule = next(step for step in trail if step.flag == "text")
    assert of_rule[:3] == (Reason.RULE, None, Refusal.NOTHING_USABLE)
    document = live.current().ruleset.document
    assert of_rule.decision is not None
    first, last = explain.steps(of_rule.decision, document)
    assert first == (
        "rule r1: serves next, which cannot be used: gpt-5.2: "
        "it is retired since 2026-01-01 00:00 UTC (RETIRED)"
    )
    assert last == "abstained: nothing to serve"


@COMMITTED
def test_override__explained__says_which_until_when_and_what_stood_in_its_way(
    acme: Account, text: Flag
) -> None:
    needed = Flag.objects.create(name="needed")
    until = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    override(acme, text, "next", expires_at=until)

    def told(**options: Any) -> Any:
        trail = resolve(acme, TASK, explain=True, **options).trail or ()
        return next(step for step in trail if step.candidate is Reason.OVERRIDE)

    assert told().why == "next, until 2030-01-02 03:04:05 UTC"
    assert told(at=until).why == "the override to next expired at 2030-01-02 03:04:05 UTC"
    text.requires = [{"flag": "needed", "variants": ["on"]}]
    text.save()
    assert told().refusal == Refusal.PREREQUISITE_NOT_MET
    needed.everyone = True
    needed.save()
    assert told().refusal is None


@COMMITTED
def test_restricted_model__explained__has_the_decision_of_its_flag(acme: Account) -> None:
    Flag.objects.create(name="early", everyone=False)
    AIModel.objects.filter(model_id="gpt-4o-mini").update(available_to="early")
    with pytest.raises(NoUsableModel) as nothing:
        resolve(acme, TASK)
    decision = nothing.value.trail[-1].decision
    assert decision is not None
    assert (decision.flag, decision.value, decision.reason) == ("early", False, Decided.FORCED)


@COMMITTED
def test_answer__kept_at_hand__is_what_it_is_when_asked_anew_at_any_moment(
    acme: Account, text: Flag
) -> None:
    """Whatever time changes: windows, expiries, retirements, the account's own times."""
    begins = datetime(2027, 1, 1, tzinfo=UTC)
    hours = [begins + timedelta(hours=each) for each in range(9)]
    Trait.objects.create(name="signed_up", type="time")
    acme.traits = {"signed_up": hours[6].isoformat()}
    acme.save()
    new = [{"trait": "signed_up", "op": "within", "values": ["1h"]}]
    Rule.objects.create(flag=text, when=new, serve={"variant": "next"})
    Rule.objects.create(flag=text, serve={"variant": "next"}, starts_at=hours[1], ends_at=hours[2])
    Rule.objects.create(flag=text, serve={"variant": "four"}, starts_at=hours[5])
    override(acme, text, "four", expires_at=hours[0])
    AIModel.objects.filter(model_id="gpt-4o-mini").update(
        retires_at=hours[3], replaced_by="gpt-5.1"
    )
    AIModel.objects.filter(model_id="gpt-5.1").update(retires_at=hours[4], replaced_by="gpt-4o")
    steps = [timedelta(microseconds=us) for us in (-1000, -1, 0, 1, 1000)]
    moments = [hour + step for hour in hours for step in steps]
    order = Random(7)  # noqa: S311 - the same each time
    seen = set()
    for _ in range(6):
        for at in order.sample(moments, len(moments)):
            with time_machine.travel(at, tick=False):
                answers = [resolve(acme, TASK) for _ in range(2)]
                *_, last = resolve(acme, TASK, explain=True).trail or ()
            for answer in answers:
                assert (answer.reason, answer.chosen[1].asked) == (last.candidate, last.model_id)
                assert answer.replaces == (last.model_id if last.successor else None)
            seen.add((answers[0].model.model_id, answers[0].reason))
    assert seen == {
        ("gpt-4.1", "OVERRIDE"),
        ("gpt-4o-mini", "TYPE_DEFAULT"),
        ("gpt-5.2", "RULE"),
        ("gpt-5.1", "TYPE_DEFAULT"),
        ("gpt-4o", "TYPE_DEFAULT"),
        ("gpt-4.1", "RULE"),
    }


@COMMITTED
def test_override__not_usable__its_flags_rules_are_not_asked_and_the_trail_says_so(
    acme: Account, text: Flag
) -> None:
    AIModel.objects.filter(model_id="gpt-4.1").update(is_active=False)
    Rule.objects.create(flag=text, serve={"variant": "next"})
    override(acme, text, "four")
    answer = resolve(acme, TASK, explain=True)
    assert answer.trail is not None
    told = [(step.candidate, step.refusal, step.decision) for step in answer.trail if step.flag]
    assert told[0] == (Reason.OVERRIDE, Refusal.INACTIVE, None)
    assert told[-1] == (Reason.DEFAULT, Refusal.OVERRIDDEN, None)
    assert answer.reason == Reason.TYPE_DEFAULT


@pytest.mark.django_db
@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001 - the case
        datetime(1, 1, 1, tzinfo=timezone.get_fixed_timezone(840)),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone.get_fixed_timezone(-840)),
        "2026-01-01T00:00:00Z",
    ],
    ids=str,
)
def test_at__no_moment__is_refused(acme: Account, at: Any) -> None:
    with pytest.raises(InvalidMoment, match="is not a moment of the years 1 to 9999"):
        resolve(acme, TASK, at=at)


# Many


@pytest.mark.django_db
def test_resolve_many__unknown_task__is_refused_at_once(acme: Account) -> None:
    with pytest.raises(UnknownTask):
        resolve_many([acme], "write")


@pytest.mark.django_db
def test_resolve_many__each_account__is_what_resolve_says(acme: Account, text: Flag) -> None:
    Rule.objects.create(
        flag=text,
        when=[{"op": "share", "salt": "s", "from": 0, "to": 500_000}],
        serve={"variant": "next"},
    )
    accounts = [Account(key=f"a{number}", name="x") for number in range(50)]
    Account.objects.bulk_create(accounts)
    override(Account.objects.get(key="a3"), text, "four")
    preferred = AIModel.objects.get(model_id="gpt-4o")
    IntegrationSettings.objects.create(account=Account.objects.get(key="a4"), text_model=preferred)
    found = {account.key: answer for account, answer in resolve_many(Account.objects.all(), TASK)}
    assert len(found) == 51
    for account in Account.objects.all():
        wanted, answer = resolve(account, TASK), found[account.key]
        assert not isinstance(answer, NoUsableModel)
        assert (answer.model, answer.reason) == (wanted.model, wanted.reason)
    assert found["a3"].model.model_id == "gpt-4.1"  # type: ignore[union-attr]
    assert found["a4"].reason == Reason.PREFERENCE  # type: ignore[union-attr]


@pytest.mark.django_db
def test_resolve_many__nothing_usable__is_said_of_each(acme: Account) -> None:
    ((account, answer),) = resolve_many([acme], TASK, needs=Needs(vision=True))
    assert account == acme
    assert isinstance(answer, NoUsableModel)


@pytest.mark.django_db
def test_resolve_many__many_accounts__takes_four_queries_a_thousand(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    accounts = [Account(key=f"a{number}", name="x") for number in range(2_500)]
    live.current()
    with django_assert_num_queries(12):
        assert sum(1 for _ in resolve_many(accounts, TASK)) == 2_500


@COMMITTED
def test_resolve__warm__takes_no_query(
    acme: Account, text: Flag, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    override(acme, text, "next")
    publishing.publish()
    resolve(acme, TASK)
    with django_assert_num_queries(0):
        for _ in range(3):
            assert resolve(acme, TASK).markup.percent == 0


# What is at hand


@COMMITTED
def test_resolve__asked_about_another_moment_or_revision__keeps_what_is_at_hand(
    acme: Account,
) -> None:
    flag = Flag.objects.get(name="text")
    flag.everyone = False
    flag.save()
    before = live.current().number
    flag.everyone = None
    flag.save()
    assert resolve(acme, TASK, revision=before).revision == before
    assert resolve(acme, TASK).reason == Reason.TYPE_DEFAULT
    every = resolver._latest.candidates
    assert every is not None
    offered = every.by_question[TASK]
    resolve(acme, TASK, revision=before)
    with pytest.raises(NoUsableModel):
        resolve(acme, TASK, at=timezone.now() - timedelta(days=36_500))
    assert resolver._latest.candidates is every
    assert every.by_question[TASK] is offered


@COMMITTED
def test_answer__kept_at_hand__keeps_no_old_revision_in_memory(acme: Account, text: Flag) -> None:
    task = Flag.objects.get(name=TASK)
    Variant.objects.create(flag=task, key="mini", value="gpt-4o-mini")
    inside = [{"op": "flag", "values": ["text"]}]
    Rule.objects.create(flag=task, rule_id="r", when=inside, serve={"split": {"mini": 1}})
    gc.disable()  # a process that only follows makes so little that it hardly ever runs
    try:
        resolve(acme, TASK)
        assert resolver._latest.candidates is not None
        candidates = ref(resolver._latest.candidates.by_question[TASK])
        assert facts_of(acme).held is not None
        text.note = "changed"
        text.save()
        resolve(Account(key="other"), TASK)
        assert candidates() is None
    finally:
        gc.enable()
