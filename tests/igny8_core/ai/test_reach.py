"""A model is usable where its provider can be reached: by a key, or offline in its place."""

from __future__ import annotations

from decimal import Decimal

import pytest
from constance import config
from pytest_django import DjangoAssertNumQueries, Settings

from flags import publishing
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.errors import ModelNotAvailable, NoUsableModel
from igny8_core.ai.providers import IMPLEMENTED
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.resolution import Reason, Refusal, Resolution
from igny8_core.ai.resolver import resolve, resolve_many
from igny8_core.catalogue import protocols
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import (
    AIModel,
    AIProvider,
    GlobalIntegrationSettings,
    IntegrationSettings,
    ProviderKey,
)
from igny8_core.modules.usage.models import Receipt
from tests.conftest import point

pytestmark = pytest.mark.django_db

TASK = "generate_content"


@pytest.fixture(autouse=True)
def no_offline_answers() -> None:
    config.AI_OFFLINE_ANSWERS = False


def key_of(account: Account | None, provider: str, key: str = "sk-1") -> None:
    if account is None:
        row = GlobalIntegrationSettings.load()
    else:
        row = IntegrationSettings.objects.get_or_create(account=account)[0]  # type: ignore[assignment]
    row.set_key(provider, key)
    row.save()


def refusals(error: NoUsableModel | ModelNotAvailable) -> set[Refusal | None]:
    return {entry.refusal for entry in error.trail}


def test_model__without_any_key__is_not_usable_and_the_trail_says_so(acme: Account) -> None:
    with pytest.raises(NoUsableModel) as caught:
        resolve(acme, TASK)
    assert Refusal.NO_KEY in refusals(caught.value)
    assert "no key for its provider openai" in " ".join(
        entry.why or "" for entry in caught.value.trail
    )
    with pytest.raises(ModelNotAvailable) as pinned:
        resolve(acme, TASK, model="gpt-4o")
    assert refusals(pinned.value) == {Refusal.NO_KEY}


@pytest.mark.parametrize("whose", ["account", "platform", "environment"])
def test_model__by_each_kind_of_key__is_usable(
    acme: Account, bolt: Account, settings: Settings, whose: str
) -> None:
    match whose:
        case "account":
            key_of(acme, "openai")
        case "platform":
            key_of(None, "openai")
        case _:
            settings.AI_CONNECTIONS = {"openai": {"api_key": "sk-1", "base_url": ""}}
    assert resolve(acme, TASK).model.model_id == "gpt-4o-mini"
    if whose == "account":
        with pytest.raises(NoUsableModel):
            resolve(bolt, TASK)
    else:
        assert resolve(bolt, TASK).model.model_id == "gpt-4o-mini"


def test_key__set_removed_or_unreadable__is_seen_at_the_next_call(
    acme: Account, settings: Settings
) -> None:
    for row in (acme, None):
        key_of(row, "openai")
        assert resolve(acme, TASK).reason is Reason.TYPE_DEFAULT
        key_of(row, "openai", "")
        with pytest.raises(NoUsableModel):
            resolve(acme, TASK)
    config.AI_OFFLINE_ANSWERS = True
    assert resolve(acme, TASK).reason is Reason.TYPE_DEFAULT
    config.AI_OFFLINE_ANSWERS = False
    key_of(None, "openai")
    assert resolve(acme, TASK).reason is Reason.TYPE_DEFAULT
    ProviderKey.objects.filter(provider="openai").update(origin="https://elsewhere.example:443")
    with pytest.raises(NoUsableModel):
        resolve(acme, TASK)


def test_key__for_another_address__reaches_nothing(acme: Account) -> None:
    key_of(None, "openai")
    point("openai", "https://proxy.example/v1")
    publishing.publish_pending()
    with pytest.raises(NoUsableModel) as caught:
        resolve(acme, TASK)
    assert Refusal.NO_KEY in refusals(caught.value)


def test_rules__serve_another_model__where_the_first_ones_provider_has_no_key(
    acme: Account,
) -> None:
    """The next candidate decides, as for a provider that is switched off."""
    key_of(None, "anthropic")
    AIModel.objects.create(
        model_id="claude",
        display_name="Claude",
        provider="anthropic",
        model_type="text",
        input_rate=Decimal(1),
        output_rate=Decimal(2),
        is_default=True,
    )
    publishing.publish_pending()
    IntegrationSettings.objects.create(
        account=acme, text_model=AIModel.objects.get(model_id="gpt-4o")
    )
    found = resolve(acme, TASK, explain=True)
    assert (found.model.model_id, found.reason) == ("claude", Reason.TYPE_DEFAULT)
    assert found.trail is not None
    assert (Reason.PREFERENCE, Refusal.NO_KEY) in [
        (entry.candidate, entry.refusal) for entry in found.trail
    ]
    assert [each.model.model_id for each in found.fallbacks] == []
    assert found.account_facts["reach"] == {"offline": False, "keys": {"anthropic": ""}}


def test_many__are_judged_by_their_own_keys_each(acme: Account, bolt: Account) -> None:
    key_of(bolt, "openai")
    found = {
        account.key: answer for account, answer in resolve_many([acme, bolt], "generate_content")
    }
    assert isinstance(found["acme"], NoUsableModel)
    assert isinstance(found["bolt"], Resolution)


def test_call__with_keys_of_its_own__uses_models_of_these_providers(acme: Account) -> None:
    core = AICore(acme, connections={"openai": Connection("sk-1", "http://127.0.0.1:1/v1")})
    with pytest.raises(Exception, match="cannot be reached"):
        core.run_ai_request(TASK, "About tyres.")
    assert Receipt.objects.get().model_asked == "gpt-4o-mini"
    with pytest.raises(NoUsableModel):
        AICore(acme, connections={"google": Connection("sk-1")}).run_ai_request(TASK, "x")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_warm_resolution__with_keys__makes_no_query(
    acme: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key_of(None, "openai")
    resolve(acme, TASK)
    with django_assert_num_queries(0):
        resolve(acme, TASK)


def test_provider__whose_protocol_nobody_here_speaks__is_told(acme: Account) -> None:
    """Another process may speak it: the document is not refused for it."""
    config.AI_OFFLINE_ANSWERS = True
    AIProvider.objects.create(
        name="far", display_name="Far", protocol="smoke", base_url="https://far.example"
    )
    AIModel.objects.filter(model_id="gpt-4o").update(provider="far")
    publishing.publish_pending()
    with pytest.raises(ModelNotAvailable) as caught:
        resolve(acme, TASK, model="gpt-4o")
    assert refusals(caught.value) == {Refusal.NOT_IMPLEMENTED}


def test_protocols__offered_are_those_that_are_implemented() -> None:
    assert {*protocols.PROTOCOLS} == {*IMPLEMENTED}
