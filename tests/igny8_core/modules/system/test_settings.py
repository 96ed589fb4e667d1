"""The plan's "Current Settings Architecture": settings and keys of the platform and of accounts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import FieldError, ValidationError
from django.db import IntegrityError, connection
from django.db.models import F
from pytest_django import Settings

from igny8_core.catalogue.errors import UnknownProvider
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.errors import (
    EncryptionNotConfigured,
    InvalidKey,
    ModelInUse,
    UnreadableKey,
)
from igny8_core.modules.system.models import (
    AIModel,
    GlobalIntegrationSettings,
    IntegrationSettings,
    ProviderKey,
)
from igny8_core.modules.system.secrets import Secret
from igny8_core.tasks.errors import InvalidParameter

pytestmark = pytest.mark.django_db

KEY = "sk-planted-0123456789"
# No column: Django's stubs do not know that it can be assigned.
ASSIGNED: dict[str, Any] = {"openai_api_key": KEY}


def _raw() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM system_providerkey")
        return str(cursor.fetchone()[0])


def test_global_settings__saved_twice__are_one_row() -> None:
    GlobalIntegrationSettings(temperature=0.5).save()
    GlobalIntegrationSettings(temperature=0.7).save()
    assert GlobalIntegrationSettings.objects.get().temperature == 0.7
    assert GlobalIntegrationSettings.load().temperature == 0.7


def test_global_settings__second_row_by_raw_write__the_database_refuses() -> None:
    GlobalIntegrationSettings().save()
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("UPDATE system_globalintegrationsettings SET id = 2")


def test_global_settings__never_saved__have_nothing_set() -> None:
    row = GlobalIntegrationSettings.load()
    assert row.parameters() == {}
    assert row.key_of("openai") is None
    assert not GlobalIntegrationSettings.objects.exists()


@pytest.mark.parametrize("how", ["save", "update", "bulk_update", "bulk_create"])
def test_key__written_any_way__is_encrypted_at_rest(how: str) -> None:
    row = GlobalIntegrationSettings(pk=1)
    if how == "bulk_create":
        row.openai_api_key = KEY
        GlobalIntegrationSettings.objects.bulk_create([row])
    else:
        row.save()
        row.openai_api_key = KEY
    if how == "save":
        row.save()
    elif how == "update":
        GlobalIntegrationSettings.objects.filter(pk=1).update(**ASSIGNED)
    elif how == "bulk_update":
        GlobalIntegrationSettings.objects.bulk_update([row], [*{"openai_api_key"}])
    assert KEY not in _raw()
    kept = GlobalIntegrationSettings.load().key_of("openai")
    assert kept is not None
    assert kept.reveal() == KEY


def test_key__printed_or_dumped__is_never_shown() -> None:
    row = GlobalIntegrationSettings.load()
    row.set_key("openai", KEY)
    row.save()
    dump = serializers.serialize("json", [row, *ProviderKey.objects.all()])
    assert KEY not in f"{row.openai_api_key} {row.openai_api_key!r} {vars(row)} {dump}"
    assert str(row.openai_api_key) == "sk-…6789"


def test_key__assigned_and_not_saved__is_masked_already() -> None:
    row = GlobalIntegrationSettings(**ASSIGNED)
    assert KEY not in f"{row.openai_api_key} {vars(row)} {row.key_of('openai')}"


@pytest.mark.parametrize("value", [b"sk-bytes", ["sk-list"], F("google_api_key"), 7])
def test_key__that_is_no_text__is_refused(value: object) -> None:
    GlobalIntegrationSettings.load().save()
    with pytest.raises(InvalidKey):
        GlobalIntegrationSettings.objects.update(**{**ASSIGNED, "openai_api_key": value})


def test_key__text_that_looks_like_a_dump__is_encrypted_all_the_same() -> None:
    row = GlobalIntegrationSettings.load()
    row.openai_api_key = "fernet:not-a-token"
    row.save()
    assert "not-a-token" not in _raw()
    kept = GlobalIntegrationSettings.load().key_of("openai")
    assert kept is not None
    assert kept.reveal() == "fernet:not-a-token"


def test_key__dumped_and_loaded__is_the_same() -> None:
    row = GlobalIntegrationSettings.load()
    row.set_key("openai", KEY)
    row.save()
    dump = serializers.serialize("json", ProviderKey.objects.all())
    ProviderKey.objects.all().delete()
    (loaded,) = serializers.deserialize("json", dump)
    loaded.save()
    kept = GlobalIntegrationSettings.load().key_of("openai")
    assert kept is not None
    assert kept.reveal() == KEY


@pytest.mark.parametrize(
    ("key", "shown"),
    [("sk-short", "sk-…"), ("A" * 11, "…"), ("A" * 8 + "1234", "…1234"), (KEY, "sk-…6789")],
)
def test_key__masked__shows_the_last_four_of_a_long_one(key: str, shown: str) -> None:
    assert str(Secret.of(key)) == shown


def test_key__looked_up__is_refused() -> None:
    with pytest.raises(FieldError):
        ProviderKey.objects.filter(secret=KEY).exists()
    assert not ProviderKey.objects.filter(secret__isnull=False).exists()


@pytest.mark.parametrize("key", ["with space", "sécret", "new\nline", "nul\0"])
def test_key__that_no_header_carries__is_refused_unseen(key: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        Secret.of(key)
    assert key not in str(caught.value)


def test_set_key__unknown_provider__is_refused() -> None:
    with pytest.raises(UnknownProvider, match=r"no provider 'acme'\. Known: anthropic"):
        GlobalIntegrationSettings().set_key("acme", KEY)


@pytest.mark.parametrize("keys", [[], ["not a fernet key"]])
def test_key__encryption_not_configured__is_refused(settings: Settings, keys: list[str]) -> None:
    settings.ENCRYPTION_KEYS = keys
    with pytest.raises(EncryptionNotConfigured, match="ENCRYPTION_KEYS"):
        Secret.of(KEY)


def test_key__encrypted_with_a_lost_key__is_unreadable_and_says_so(settings: Settings) -> None:
    secret = Secret.of(KEY)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert str(secret) == "(unreadable)"
    with pytest.raises(UnreadableKey, match="ENCRYPTION_KEYS no longer has"):
        secret.reveal()
    with pytest.raises(UnreadableKey):
        secret.rotated()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", float("nan")),
        ("max_tokens", 0),
        ("max_tokens", 1_000_001),
        ("image_size", "big"),
        ("image_size", "63x1024"),
        ("image_size", "1024x4097"),
    ],
)
def test_parameter__out_of_bounds__form_and_code_refuse(
    acme: Account, name: str, value: object
) -> None:
    row = IntegrationSettings(account=acme, **{name: value})
    with pytest.raises(ValidationError) as form:
        row.clean()
    assert list(form.value.message_dict) == [name]
    with pytest.raises(InvalidParameter, match=name):
        row.save()
    with pytest.raises(InvalidParameter, match=name):
        IntegrationSettings.objects.bulk_create([row])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0),
        ("temperature", 2),
        ("max_tokens", 1),
        ("max_tokens", 1_000_000),
        ("image_size", "64x4096"),
    ],
)
def test_parameter__just_within_bounds__is_kept(acme: Account, name: str, value: object) -> None:
    row = IntegrationSettings(account=acme, **{name: value})
    row.full_clean()
    row.save()
    assert IntegrationSettings.of(acme).parameters() == {name: value}


def test_preference__each_type__is_its_own(acme: Account) -> None:
    row = IntegrationSettings(account=acme, text_model=AIModel.objects.get(model_id="gpt-4.1"))
    row.save()
    assert IntegrationSettings.preferences_of(acme) == {"text": "gpt-4.1"}


def test_preference__of_another_type__code_and_form_refuse(acme: Account) -> None:
    row = IntegrationSettings(account=acme, text_model=AIModel.objects.get(model_id="dall-e-3"))
    with pytest.raises(InvalidParameter, match="'dall-e-3'; it must be a model of type"):
        row.save()
    with pytest.raises(ValidationError, match="a model of type text"):
        row.clean()


def test_preference__model_deleted__is_refused(acme: Account) -> None:
    model = AIModel.objects.get(model_id="gpt-4.1")
    IntegrationSettings(account=acme, text_model=model).save()
    with pytest.raises(ModelInUse, match="cannot be deleted: one account prefers it"):
        model.delete()


def test_settings__printed__name_their_owner(acme: Account) -> None:
    assert str(IntegrationSettings(account=acme)) == "Integration settings of acme"
    assert str(GlobalIntegrationSettings()) == "Global integration settings"
    assert json.loads(serializers.serialize("json", [IntegrationSettings(account=acme)]))
