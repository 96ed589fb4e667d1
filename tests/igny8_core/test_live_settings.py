from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from constance import config, utils
from constance.models import Constance
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from flags import publishing
from flags.document.stored import content
from flags.models import Flag, Revision
from igny8_core import live_settings
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.errors import NoUsableModel
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import Receipt

pytestmark = pytest.mark.django_db


def test_seed__after_migration__every_setting_has_a_row() -> None:
    assert set(Constance.objects.values_list("key", flat=True)) == set(settings.CONSTANCE_CONFIG)


def test_seed__again__changes_nothing() -> None:
    config.AI_REQUEST_TIMEOUT_S = 5.0
    live_settings.seed()
    assert live_settings.load().request_timeout_s == 5.0


def test_load__defaults__in_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        live = live_settings.load()
    assert live == live_settings.LiveSettings(
        request_timeout_s=60.0,
        offline_answers=True,
        attempts=2,
        fallback=True,
        fallback_of_overrides=False,
        circuit_failures=5,
        circuit_open_s=30.0,
    )


def test_settings__each__is_in_one_group_and_explained() -> None:
    grouped = [name for names in settings.CONSTANCE_CONFIG_FIELDSETS.values() for name in names]
    assert sorted(grouped) == sorted(settings.CONSTANCE_CONFIG)
    assert all(len(str(options[1])) > 20 for options in settings.CONSTANCE_CONFIG.values())


@contextmanager
def unreadable_settings() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE constance_constance RENAME TO constance_away")
        yield
        transaction.set_rollback(True)


def test_load__without_the_database__is_what_was_known_last() -> None:
    config.AI_OFFLINE_ANSWERS = False
    assert not live_settings.load().offline_answers
    with unreadable_settings():
        assert not live_settings.load().offline_answers


def test_load__never_read_and_without_the_database__says_so() -> None:
    with (
        unreadable_settings(),
        pytest.raises(live_settings.LiveSettingsUnread, match=r"never were here: .*constance"),
    ):
        live_settings.LastKnownBackend().mget(["AI_OFFLINE_ANSWERS"])


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_call__without_the_settings__is_not_answered_offline_and_costs_nothing(
    acme: Account,
) -> None:
    """The whole way of a call: offline answers are off, and stay off while that cannot be read."""
    config.AI_OFFLINE_ANSWERS = False
    core = AICore(acme)
    with pytest.raises(NoUsableModel):
        core.run_ai_request("generate_content", "x")
    with unreadable_settings(), pytest.raises(NoUsableModel):
        core.run_ai_request("generate_content", "x")
    assert not Receipt.objects.exists()


UNREADABLE = ["garbage", '{"__type__": "default", "__value__": "x"}', "[]", "null"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_setting__that_cannot_be_read__stops_no_stop(text: str) -> None:
    Flag.objects.create(name="f", everyone=True)
    publishing.publish()
    Constance.objects.filter(key="REVISIONS_KEPT").update(value=text)
    call_command("flag", "off", "f")
    assert not content(Revision.objects.all()[0])["flags"]["f"]["on"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_setting__that_cannot_be_read__is_what_was_known_last_and_can_be_mended(
    text: str, admin_client: Client
) -> None:
    config.AI_OFFLINE_ANSWERS = False
    assert not live_settings.load().offline_answers
    Constance.objects.filter(key="AI_OFFLINE_ANSWERS").update(value=text)
    assert not live_settings.load().offline_answers
    assert admin_client.get("/admin/constance/config/").status_code == 200


@pytest.mark.parametrize("text", UNREADABLE)
def test_setting__that_never_could_be_read__answers_nothing_by_default(text: str) -> None:
    Constance.objects.filter(key="AI_OFFLINE_ANSWERS").update(value=text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils.config._backend, "_last_known", None)
        with pytest.raises(live_settings.LiveSettingsUnread, match="AI_OFFLINE_ANSWERS"):
            live_settings.load()
    config.AI_OFFLINE_ANSWERS = True
    assert live_settings.load().offline_answers


@pytest.mark.parametrize("name", ["REVISIONS_KEPT", "CHANGES_KEPT_DAYS"])
def test_setting__that_never_could_be_read__deletes_nothing_by_default(name: str) -> None:
    Constance.objects.filter(key=name).update(value="garbage")
    read = {"REVISIONS_KEPT": live_settings.revisions_kept}.get(
        name, live_settings.changes_kept_days
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils.config._backend, "_last_known", None)
        with pytest.raises(live_settings.LiveSettingsUnread, match=name):
            read()


def test_seed__over_what_cannot_be_read__leaves_it() -> None:
    """The default is that offline answers are on."""
    Constance.objects.filter(key="AI_OFFLINE_ANSWERS").update(value="garbage")
    live_settings.seed()
    assert Constance.objects.get(key="AI_OFFLINE_ANSWERS").value == "garbage"


def test_set__to_what_is_no_json__leaves_what_was() -> None:
    config.AI_OFFLINE_ANSWERS = False
    with pytest.raises(TypeError):
        config.AI_OFFLINE_ANSWERS = object()
    assert not live_settings.load().offline_answers
