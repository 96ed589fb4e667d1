"""Providers and other names of models are rows, part of the document, and what calls go by."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_httpserver import HTTPServer
from waffle.models import Switch

from flags import publishing
from flags.engine import DocumentError
from flags.models import Revision
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers.base import Connection
from igny8_core.catalogue.errors import UnknownProvider
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.errors import KeyForAnotherAddress, ProviderInUse
from igny8_core.modules.system.models import (
    AIModel,
    AIProvider,
    GlobalIntegrationSettings,
    ModelAlias,
    ModelPrice,
    ProviderKey,
    RateLine,
)
from igny8_core.modules.usage.models import Receipt
from tests.conftest import Manage
from tests.igny8_core.test_admin import form

pytestmark = pytest.mark.django_db

KEY = "sk-planted-0123456789"
LIST = "/admin/system/aiprovider/"


def groq(url: str = "https://api.groq.example/openai/v1", **said: Any) -> AIProvider:
    return AIProvider.objects.create(
        name="groq", display_name="Groq", protocol="openai", base_url=url, **said
    )


def llama(provider: str = "groq") -> AIModel:
    model = AIModel.objects.create(
        model_id="llama-3.3-70b",
        display_name="Llama 3.3",
        provider=provider,
        model_type="text",
        input_rate="0.59",
        output_rate="0.79",
    )
    return AIModel.objects.get(pk=model.pk)


def answering(server: HTTPServer, **said: Any) -> HTTPServer:
    body = {
        "model": "llama-3.3-70b",
        "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500},
    }
    server.expect_request("/openai/v1/chat/completions").respond_with_json({**body, **said})
    return server


@pytest.fixture
def asked(acme: Account, httpserver: HTTPServer, settings: Settings) -> AICore:
    """Of a model of a provider that is a row alone, with the platform's key for it."""
    settings.AI_PLAIN_HTTP = True
    groq(httpserver.url_for("/openai/v1"))
    llama()
    platform = GlobalIntegrationSettings.load()
    platform.set_key("groq", KEY)
    platform.save()
    return AICore(acme)


def ask(core: AICore) -> Receipt:
    answer = core.run_ai_request("generate_content", "hi", model="llama-3.3-70b")
    assert answer.content == "hello"
    return Receipt.objects.get(request_id=answer.request_id)


def test_providers__from_the_start__are_those_of_the_plan() -> None:
    rows = AIProvider.objects.values_list("name", "protocol", "base_url")
    assert {row[0] for row in rows} == {"openai", "anthropic", "runware", "google"}
    assert all(name == protocol and not url for name, protocol, url in rows)
    assert {name for name, _ in AIModel.PROVIDER_CHOICES} == {row[0] for row in rows}


def test_provider__that_is_a_row__answers_without_code(
    asked: AICore, httpserver: HTTPServer
) -> None:
    receipt = ask_with(asked, httpserver)
    assert (receipt.provider, receipt.status, receipt.cost) == ("groq", "ok", Decimal("0.000985"))
    ((request, _),) = httpserver.log
    assert request.headers["Authorization"] == f"Bearer {KEY}"


def ask_with(core: AICore, server: HTTPServer, **said: Any) -> Receipt:
    answering(server, **said)
    return ask(core)


def test_failure__of_a_provider_that_is_a_row__names_it(
    asked: AICore, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/openai/v1/chat/completions").respond_with_data("no", status=500)
    with pytest.raises(Exception, match="groq"):
        asked.run_ai_request("generate_content", "hi", model="llama-3.3-70b")


@pytest.mark.parametrize("is_standard", [True, False])
def test_service_tier__that_the_row_calls_standard__is_billed_as_standard(
    asked: AICore, httpserver: HTTPServer, *, is_standard: bool
) -> None:
    AIProvider.objects.filter(name="groq").update(
        standard_tiers="on_demand, default" if is_standard else ""
    )
    receipt = ask_with(asked, httpserver, service_tier="on_demand")
    assert receipt.status == ("ok" if is_standard else "unpriced")


@pytest.mark.parametrize(
    ("served", "priced", "is_known"),
    [
        ("llama-3.3-70b", "llama-3.3-70b", True),
        ("openai/gpt-5.2", "gpt-5.2", True),
        ("openrouter/openai/gpt-5.2", "gpt-5.2", True),
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("openai/gpt-4o-2024-08-06", "gpt-4o", True),
        ("llama-of-tomorrow", "", False),
        ("x" * 300, "", False),
    ],
)
def test_served_name__is_looked_up_without_the_providers_and_as_an_alias(
    asked: AICore, httpserver: HTTPServer, served: str, priced: str, *, is_known: bool
) -> None:
    receipt = ask_with(asked, httpserver, model=served)
    assert (receipt.model_served, receipt.model_priced) == (served[:100], priced)
    assert receipt.is_name_known is is_known
    if not is_known:
        assert (receipt.status, receipt.cost) == ("unpriced", None)
        assert f"“{served[:100]}” is no known model." in receipt.usage_note
    elif priced != "llama-3.3-70b":
        assert receipt.usage_note == f"“{served}” is a model of openai."


def test_served_name__that_nobody_knows__is_billed_as_asked_where_the_row_says_so(
    asked: AICore, httpserver: HTTPServer
) -> None:
    AIProvider.objects.filter(name="groq").update(prices_unknown=True)
    receipt = ask_with(asked, httpserver, model="llama-of-tomorrow")
    assert (receipt.status, receipt.model_priced) == ("ok", "llama-3.3-70b")
    assert receipt.is_name_known is False
    assert receipt.usage_note == "“llama-of-tomorrow” is no known model: billed as llama-3.3-70b."


def test_alias__points_to_another_model_from_its_moment_on(
    asked: AICore, httpserver: HTTPServer
) -> None:
    for days, model_id in ((-2, "gpt-4o"), (-1, "gpt-4.1"), (1, "gpt-5.2")):
        ModelAlias.objects.create(
            name="best",
            model=AIModel.objects.get(model_id=model_id),
            effective_from=timezone.now() + timedelta(days=days),
        )
    assert ask_with(asked, httpserver, model="best").model_priced == "gpt-4.1"


@pytest.mark.parametrize(
    "own", [{"model_id": "openai/gpt-4o"}, {"model_id": "own-4o", "alias": "gpt-4o-2024-08-06"}]
)
def test_served_name__of_two_providers_models__is_the_answering_ones(
    asked: AICore, httpserver: HTTPServer, own: dict[str, str]
) -> None:
    model = AIModel.objects.create(
        model_id=own["model_id"],
        display_name="x",
        provider="groq",
        model_type="text",
        input_rate=100,
        output_rate=100,
    )
    if "alias" in own:
        ModelAlias.objects.create(name=f"groq/{own['alias']}", model=model)
    served = f"groq/{own['alias']}" if "alias" in own else "gpt-4o"
    receipt = ask_with(asked, httpserver, model=served)
    assert (receipt.model_priced, receipt.usage_note) == (own["model_id"], "")


@pytest.mark.parametrize(("bills_as_asked", "status"), [(False, "unpriced"), (True, "ok")])
@pytest.mark.parametrize("served", ["dall-e-3", "unpriced-model"])
def test_served_name__that_has_no_price_for_it__is_no_better_than_an_unknown_one(
    asked: AICore, httpserver: HTTPServer, served: str, status: str, *, bills_as_asked: bool
) -> None:
    AIModel.objects.create(
        model_id="unpriced-model",
        display_name="x",
        provider="groq",
        model_type="text",
        input_rate=0,
        output_rate=0,
    )
    AIProvider.objects.filter(name="groq").update(prices_unknown=bills_as_asked)
    receipt = ask_with(asked, httpserver, model=served)
    assert receipt.status == status
    assert f"“{served}” has no price of a text model" in receipt.usage_note


def test_usage__that_is_unclear_beside_an_unknown_name__says_nothing_of_a_bill(
    asked: AICore, httpserver: HTTPServer
) -> None:
    AIProvider.objects.filter(name="groq").update(prices_unknown=True)
    receipt = ask_with(asked, httpserver, model="llama-of-tomorrow", usage=None)
    assert (receipt.status, receipt.is_name_known) == ("unmetered", False)
    assert "billed" not in receipt.usage_note


def test_connection__that_is_given_without_an_address__goes_to_the_rows(
    acme: Account, asked: AICore, httpserver: HTTPServer
) -> None:
    ask_with(AICore(acme, connections={"groq": Connection("sk-given")}), httpserver)
    ((request, _),) = httpserver.log
    assert request.headers["Authorization"] == "Bearer sk-given"


def test_catalogue__that_is_empty__still_goes_by_the_providers(
    acme: Account, asked: AICore, httpserver: HTTPServer
) -> None:
    """The plan's models stand in, by the addresses that are published."""
    AIProvider.objects.filter(name="openai").update(base_url=httpserver.url_for("/openai/v1"))
    for model in AIModel.objects.all():
        model.delete()
    answering(httpserver, model="gpt-4o-mini")
    given = AICore(acme, connections={"openai": Connection(KEY)})
    assert given.run_ai_request("generate_content", "hi").content == "hello"


# What is refused


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Groq AI"}, "name"),
        ({"name": "openai"}, "name"),
        ({"standard_tiers": "x" * 60}, "standard_tiers"),
        ({"base_url": ""}, "base_url"),
        ({"base_url": "api.groq.example"}, "base_url"),
        ({"protocol": "telepathy"}, "protocol"),
    ],
)
def test_page__of_a_provider__refuses_on_the_field(
    admin_client: Client, changes: dict[str, str], field: str
) -> None:
    page = f"{LIST}add/"
    sound = {
        "name": "groq",
        "display_name": "Groq",
        "protocol": "openai",
        "base_url": "https://api.groq.example/openai/v1",
    }
    answer = admin_client.post(page, form(admin_client, page, **{**sound, **changes}))
    assert field in answer.context["adminform"].form.errors
    assert admin_client.post(page, form(admin_client, page, **sound)).status_code == 302


def test_page__of_a_model__offers_the_rows_and_the_api_does(admin_client: Client) -> None:
    groq()
    page = "/admin/system/aimodel/add/"
    choices = dict(admin_client.get(page).context["adminform"].form.fields["provider"].choices)
    assert choices["groq"] == "Groq"
    data = form(
        admin_client,
        page,
        model_id="llama-3.3-70b",
        display_name="Llama",
        provider="groq",
        model_type="text",
    )
    assert admin_client.post(page, data).status_code == 302
    offered = admin_client.options("/api/v1/admin/ai-models/").json()["actions"]["POST"]
    assert "groq" in {each["value"] for each in offered["provider"]["choices"]}
    listed = admin_client.get("/api/v1/admin/ai-models/?provider=groq").json()
    assert [row["model_id"] for row in listed["results"]] == ["llama-3.3-70b"]
    sent = {"model_id": "x", "display_name": "x", "provider": "grok", "model_type": "text"}
    refused = admin_client.post("/api/v1/admin/ai-models/", sent, content_type="application/json")
    assert refused.json()["path"] == "provider"


@pytest.mark.parametrize(
    ("way", "why"), [("model", r"models name it \(llama"), ("key", "a key is kept for it")]
)
def test_provider__that_is_named__is_not_deleted(way: str, why: str) -> None:
    row = groq()
    if way == "model":
        llama()
    else:
        ProviderKey.objects.create(provider="groq", secret=KEY)
    for delete in (row.delete, AIProvider.objects.filter(name="groq").delete):
        with pytest.raises(ProviderInUse, match=why):
            delete()


def test_provider__of_the_start__is_neither_deleted_nor_renamed() -> None:
    row = AIProvider.named("runware")
    with pytest.raises(ProviderInUse, match="from the start"):
        row.delete()
    row.name = "other"
    with pytest.raises(ProviderInUse, match="renamed"):
        row.save()


def test_model__of_a_provider_that_there_is_not__is_refused() -> None:
    model = AIModel.objects.get(model_id="gpt-4o")
    model.provider = "grok"
    with (
        pytest.raises(DocumentError, match="There is no provider 'grok'"),
        publishing.change(author="ann"),
    ):
        model.save()


def test_alias__of_a_model_of_its_own__is_refused(admin_client: Client) -> None:
    page = "/admin/system/modelalias/add/"
    to = str(AIModel.objects.get(model_id="gpt-4o").pk)
    answer = admin_client.post(page, form(admin_client, page, name="gpt-4.1", model=to))
    assert "is a model of its own" in str(answer.context["adminform"].form.errors["name"])
    sound = form(admin_client, page, name="gpt-4o-new", model=to)
    assert admin_client.post(page, sound).status_code == 302


def test_set_key__of_a_row__is_kept_and_of_none_is_refused(manage: Manage) -> None:
    groq()
    assert manage("set_key", "groq", stdin=KEY).returncode == 0
    assert ProviderKey.objects.get().origin == "https://api.groq.example:443"
    refused = manage("set_key", "grok", stdin=KEY)
    assert (refused.returncode, "no provider 'grok'" in refused.stderr) == (1, True)
    with pytest.raises(UnknownProvider):
        AIProvider.named("grok")


def test_key__whose_provider_is_gone__can_be_seen_and_removed(
    manage: Manage, admin_client: Client
) -> None:
    groq()
    assert manage("set_key", "groq", stdin=KEY).returncode == 0
    AIProvider.objects.filter(name="groq")._raw_delete("default")
    page = "/admin/system/globalintegrationsettings/1/change/"
    assert admin_client.get(page).status_code == 200
    assert manage("set_key", "groq", "--remove").returncode == 0
    assert not ProviderKey.objects.exists()


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "https://user:pw@h/", "https://h:0"])
def test_address__that_is_none_and_written_directly__is_held_back(url: str) -> None:
    groq()
    publishing.publish()
    AIProvider.objects.filter(name="groq").update(base_url=url)
    publishing.publish_pending()
    found = catalogue(Revision.objects.latest("number"))["providers"]["groq"]
    assert found["base_url"] == "https://api.groq.example/openai/v1"


def test_alias__that_is_held_back__says_so_on_its_page(admin_client: Client) -> None:
    model = AIModel.objects.get(model_id="gpt-4o")
    publishing.publish()
    row = ModelAlias.objects.create(name="gpt-4.1", model=model)
    publishing.publish_pending()
    page = admin_client.get(f"/admin/system/modelalias/{row.pk}/change/").content.decode()
    assert "alias gpt-4.1" in page
    assert "one of the two has to go" in page


def test_name__that_receipts_use_where_no_provider_was_called__is_reserved(
    admin_client: Client,
) -> None:
    page = f"{LIST}add/"
    data = form(
        admin_client,
        page,
        name="offline",
        display_name="x",
        protocol="openai",
        base_url="https://a.example",
    )
    assert "take another name" in admin_client.post(page, data).content.decode()


# Part of the document


def catalogue(revision: Revision) -> dict[str, Any]:
    section: dict[str, Any] = json.loads(revision.text)["sections"]["catalogue"]
    return section


def test_going_back__to_another_address__restores_no_key(
    asked: AICore, httpserver: HTTPServer
) -> None:
    publishing.publish()
    before = Revision.objects.latest("number")
    AIProvider.objects.filter(name="groq").update(base_url="https://other.example/v1")
    ProviderKey.objects.filter(provider="groq").update(origin="https://other.example:443")
    publishing.publish()
    told = Revision.objects.latest("number").summary
    assert told[0].startswith("provider groq: base_url http://")
    assert told[0].endswith(" → https://other.example/v1")
    publishing.roll_back(before.number, author="ann")
    assert AIProvider.named("groq").base_url == httpserver.url_for("/openai/v1")
    with pytest.raises(KeyForAnotherAddress):
        ask_with(asked, httpserver)
    assert httpserver.log == []


def test_going_back__past_a_provider_and_an_alias__takes_them_away_and_forward_again() -> None:
    publishing.publish()
    before = Revision.objects.latest("number").number
    groq(standard_tiers="on_demand")
    llama()
    ModelAlias.objects.create(name="llama", model=AIModel.objects.get(model_id="llama-3.3-70b"))
    publishing.publish()
    after = Revision.objects.latest("number")
    publishing.roll_back(before, author="ann")
    assert not AIProvider.objects.filter(name="groq").exists()
    assert not ModelAlias.objects.filter(name="llama").exists()
    publishing.roll_back(after.number, author="ann")
    assert AIProvider.named("groq").tiers == ["on_demand"]
    found = catalogue(Revision.objects.latest("number"))
    assert found["aliases"] == catalogue(after)["aliases"]
    assert found["providers"] == catalogue(after)["providers"]


def test_going_back__to_the_newest__discards_a_provider_with_its_waiting_switch() -> None:
    publishing.publish()
    newest = Revision.objects.latest("number").number
    groq()
    Switch.objects.create(name="provider.groq", active=False)
    Switch.objects.create(name="provider.openai", active=False)
    publishing.roll_back(newest, author="ann")
    assert not AIProvider.objects.filter(name="groq").exists()
    document = json.loads(Revision.objects.latest("number").text)
    assert document["switches"] == {"provider.openai": False}


def test_going_back__past_an_alias_without_its_model__mends_it() -> None:
    publishing.publish()
    before = Revision.objects.latest("number").number
    ModelAlias.objects.filter(name="gpt-4o-2024-08-06").update(model_id=999_999)
    publishing.roll_back(before, author="ann")
    assert ModelAlias.objects.get(name="gpt-4o-2024-08-06").model.model_id == "gpt-4o"


def test_document__of_before_there_were_providers__leaves_them_alone() -> None:
    groq()
    publishing.publish()
    document = json.loads(Revision.objects.latest("number").text)
    for table in ("providers", "aliases"):
        del document["sections"]["catalogue"][table]
    publishing.apply(json.dumps(document), author="ann")
    assert AIProvider.named("groq").protocol == "openai"
    assert ModelAlias.objects.exists()


def test_price_of_a_row_alone__is_quoted(manage: Manage) -> None:
    groq()
    model = llama()
    price = ModelPrice.objects.get(model=model)
    assert RateLine.objects.filter(price=price).count() == 2
    assert "0.00059" in manage("quote", "llama-3.3-70b", "--meter", "input_tokens=1000").stdout
