"""A key is a row: set for one origin, sent to no other, and told where it cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission, User
from django.core import checks
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_httpserver import HTTPServer

from igny8_core.ai.account_settings import settings_of
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.model_registry import ModelRegistry
from igny8_core.catalogue.models import CatalogueProvider
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.addresses import check_address, origin_of
from igny8_core.modules.system.errors import (
    InsecureAddress,
    InvalidAddress,
    KeyForAnotherAddress,
    UnreadableKey,
)
from igny8_core.modules.system.models import (
    AIProvider,
    GlobalIntegrationSettings,
    IntegrationSettings,
    ProviderKey,
)
from tests.browser_post import opened
from tests.conftest import point
from tests.igny8_core.test_admin import form

pytestmark = pytest.mark.django_db

KEY = "sk-planted-0123456789"
OTHER = "https://other.example/v1"
PAGE = "/admin/system/globalintegrationsettings/1/change/"


@pytest.fixture
def platform() -> GlobalIntegrationSettings:
    point("openai", "https://first.example/v1")
    row = GlobalIntegrationSettings()
    row.set_by = "ann"
    row.set_key("openai", KEY)
    row.save()
    return row


def provider_page() -> str:
    return f"/admin/system/aiprovider/{AIProvider.named('openai').pk}/change/"


def openai() -> CatalogueProvider:
    """As a request would be sent to it now."""
    return ModelRegistry.catalogue().providers["openai"]


def test_key__is_a_row_with_who_set_it_when_and_for_which_origin(
    platform: GlobalIntegrationSettings,
) -> None:
    (row,) = ProviderKey.objects.all()
    assert (row.provider, row.account, row.set_by) == ("openai", None, "ann")
    assert row.origin == "https://first.example:443"
    assert (timezone.now() - row.set_at).total_seconds() < 60


def test_key__second_of_the_platform_for_one_provider__the_database_refuses(
    platform: GlobalIntegrationSettings,
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ProviderKey.objects.create(provider="openai", secret=KEY)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("", ""),
        ("https://A.example/v1", "https://a.example:443"),
        ("https://a.example:443/v2", "https://a.example:443"),
        ("https://a.example:8443", "https://a.example:8443"),
        ("http://a.example", "http://a.example:80"),
        ("https://[::1]:9/x", "https://[::1]:9"),
    ],
)
def test_origin__of_an_address__is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "https://[::1",
        "https://a.example:99999",
        "https://a.example:0/v1",
        "https://a.example/v1#b",
        "https://a.example/v1?b=c",
        "https://a\u200b.example/v1",
        "ftp://x",
        "https://user:password@x.example",
    ],
)
def test_address__that_is_none__is_refused_on_its_field(
    admin_client: Client, platform: GlobalIntegrationSettings, url: str
) -> None:
    page = provider_page()
    answer = admin_client.post(page, form(admin_client, page, base_url=url))
    assert "base_url" in answer.context["adminform"].form.errors


def test_origin__of_what_is_no_address__is_one_of_our_errors() -> None:
    with pytest.raises(InvalidAddress, match="99999"):
        origin_of("https://a.example:99999")


def test_address__another_path_of_the_same_origin__keeps_the_key(
    acme: Account, platform: GlobalIntegrationSettings
) -> None:
    point("openai", "https://first.example/v2")
    assert settings_of(acme).connection(openai()).api_key == KEY


@pytest.mark.parametrize("owner", ["platform", "account", "environment"])
def test_address__of_another_origin__is_sent_no_key(
    acme: Account,
    platform: GlobalIntegrationSettings,
    settings: Settings,
    httpserver: HTTPServer,
    owner: str,
) -> None:
    """A key of the platform, of an account, of the environment; and nothing reaches the server."""
    if owner == "account":
        own = IntegrationSettings(account=acme)
        own.set_key("openai", KEY)
        own.save()
    if owner == "environment":
        ProviderKey.objects.all().delete()
        settings.AI_CONNECTIONS = {"openai": {"api_key": KEY, "base_url": ""}}
    point("openai", httpserver.url_for("/v1"))
    with pytest.raises(KeyForAnotherAddress, match="Enter the key again"):
        AICore(acme).run_ai_request("generate_content", "x")
    assert httpserver.log == []


def test_page__of_a_provider_at_another_address__says_how_many_keys_are_sent_nowhere(
    admin_client: Client, acme: Account, platform: GlobalIntegrationSettings
) -> None:
    own = IntegrationSettings(account=acme)
    own.openai_api_key = KEY
    own.save()
    page = provider_page()
    told = admin_client.post(page, form(admin_client, page, base_url=OTHER), follow=True)
    sentence = "2 keys were set for another address of OpenAI: enter them again."
    assert sentence in told.content.decode()
    admin_client.post(PAGE, form(admin_client, PAGE, openai_api_key="sk-new-0123456789"))
    row = ProviderKey.objects.get(account=None)
    assert (row.origin, row.set_by) == ("https://other.example:443", "admin")


def test_address__without_tls__is_refused_unless_a_setting_allows_it(
    acme: Account, platform: GlobalIntegrationSettings, settings: Settings
) -> None:
    settings.AI_PLAIN_HTTP = False
    with pytest.raises(ValidationError, match="AI_PLAIN_HTTP"):
        check_address("http://first.example/v1")
    point("openai", "http://first.example/v1")
    ProviderKey.objects.update(origin="http://first.example:80")
    with pytest.raises(InsecureAddress, match="AI_PLAIN_HTTP"):
        settings_of(acme).connection(openai())
    settings.AI_PLAIN_HTTP = True
    assert settings_of(acme).connection(openai()).api_key == KEY


def test_key__that_cannot_be_read__is_shown_as_such_and_never_as_missing(
    acme: Account,
    admin_client: Client,
    platform: GlobalIntegrationSettings,
    settings: Settings,
) -> None:
    assert "Set by ann" in " ".join(admin_client.get(PAGE).content.decode().split())
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    page = admin_client.get(PAGE).content.decode()
    assert "A key is kept that ENCRYPTION_KEYS can no longer read" in page
    with pytest.raises(UnreadableKey, match="The key of the platform for openai"):
        settings_of(acme).connection(openai())


@pytest.mark.parametrize(
    ("keys", "ids"),
    [
        ([], []),
        ([Fernet.generate_key().decode()], []),
        (["short"], ["igny8.E001"]),
        ([Fernet.generate_key().decode(), "x" * 44], ["igny8.E001"]),
    ],
)
def test_check__encryption_keys__are_checked_at_start(
    settings: Settings, keys: list[str], ids: list[str]
) -> None:
    settings.ENCRYPTION_KEYS = keys
    assert [each.id for each in checks.run_checks() if str(each.id).startswith("igny8.E")] == ids


@pytest.mark.parametrize(
    ("changed", "warned"),
    [
        ({}, []),
        ({"ENCRYPTION_KEYS": []}, ["igny8.W002"]),
        ({"API_BASIC_AUTH": True}, ["igny8.W003"]),
        ({"FLAGS_POLL_S": 5.1}, ["igny8.W004"]),
        ({"FLAGS_POLL_S": 5}, []),
        ({"AI_PLAIN_HTTP": True}, ["igny8.W005"]),
    ],
)
def test_check__deploy__warns_of_what_is_open(
    settings: Settings, changed: dict[str, Any], warned: list[str]
) -> None:
    settings.AI_PLAIN_HTTP = False
    for name, value in changed.items():
        setattr(settings, name, value)
    found = checks.run_checks(include_deployment_checks=True)
    assert [each.id for each in found if str(each.id).startswith("igny8.W")] == [
        "igny8.W001",  # offline answers are on
        *warned,
    ]


def test_key__of_an_account__goes_with_its_settings(acme: Account) -> None:
    own = IntegrationSettings(account=acme)
    own.openai_api_key = KEY
    own.save()
    IntegrationSettings.objects.filter(account=acme).delete()
    assert not ProviderKey.objects.exists()


def test_page__without_the_right_to_change_keys__takes_neither_key_nor_address(
    client: Client, platform: GlobalIntegrationSettings
) -> None:
    staff = User.objects.create(username="staff", is_staff=True)
    rights = Permission.objects.filter(content_type__app_label="system")
    staff.user_permissions.set(rights.exclude(content_type__model="providerkey"))
    client.force_login(staff)
    assert "API key" not in client.get(PAGE).content.decode()
    data = form(client, PAGE, temperature="0.5", openai_api_key=KEY + "2")
    assert client.post(PAGE, data).status_code == 302
    page = provider_page()
    data = form(client, page, base_url=OTHER, standard_tiers="on_demand")
    assert client.post(page, data).status_code == 302
    provider = AIProvider.named("openai")
    assert (provider.base_url, provider.tiers) == ("https://first.example/v1", ["on_demand"])
    row = GlobalIntegrationSettings.load()
    assert row.temperature == 0.5
    assert row.openai_api_key is not None
    assert row.openai_api_key.reveal() == KEY
    assert client.get("/admin/system/aiprovider/add/").status_code == 403


def test_page__of_an_account__says_where_a_key_goes_and_that_it_moved_meanwhile(
    admin_client: Client, acme: Account, platform: GlobalIntegrationSettings
) -> None:
    row = IntegrationSettings.objects.create(account=acme)
    page = f"/admin/system/integrationsettings/{row.pk}/change/"
    assert "A new one is sent to https://first.example:443 only." in (
        admin_client.get(page).content.decode()
    )
    tab = opened(admin_client, page)
    point("openai", OTHER)
    answer = admin_client.post(page, {**tab, "openai_api_key": [KEY]})
    (told,) = answer.context["adminform"].form.non_field_errors()
    assert "Where OpenAI keys go “https://first.example:443” → “https://other.example:443”" in told
    assert ProviderKey.objects.filter(account=acme).count() == 0
