from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from igny8_core.ai.exceptions import UnknownAccount
from igny8_core.modules.accounts.middleware import SESSION_KEY, AccountMiddleware
from igny8_core.modules.accounts.models import Account, Membership


def test_account__model__is_swappable() -> None:
    assert Account._meta.swappable == "FLAGS_ACCOUNT_MODEL"
    assert Account._meta.label == settings.FLAGS_ACCOUNT_MODEL


def test_by_key__known__is_found(acme: Account) -> None:
    assert Account.objects.by_key("acme") == acme


@pytest.mark.django_db
def test_by_key__unknown__names_it() -> None:
    with pytest.raises(UnknownAccount, match="There is no account 'nobody'"):
        Account.objects.by_key("nobody")


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["a", "0", "a.b_c-d"])
def test_key__allowed__is_accepted(key: str) -> None:
    Account(key=key, name="x").full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["A", "-a", "a b", "ä", "a\n", ""])
def test_key__not_allowed__is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="key"):
        Account(key=key, name="x").full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("country", ["de", "DEU", "D1"])
def test_country__not_two_capitals__is_refused(country: str) -> None:
    with pytest.raises(ValidationError, match=f"“{country}”"):
        Account(key="a", name="x", country=country).full_clean()


def test_status__unknown__the_database_refuses(acme: Account) -> None:
    with pytest.raises(IntegrityError, match="account_status_is_known"):
        Account.objects.filter(pk=acme.pk).update(status="asleep")


def test_membership__same_user_twice__the_database_refuses(acme: Account) -> None:
    alice = User.objects.create(username="alice")
    Membership.objects.create(account=acme, user=alice)
    with pytest.raises(IntegrityError):
        Membership.objects.create(account=acme, user=alice, role="owner")


def test_middleware__member__gives_the_account_in_one_query(
    acme: Account,
    client: Client,
    rf: RequestFactory,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    alice = User.objects.create(username="alice")
    Membership.objects.create(account=acme, user=alice)
    request = rf.get("/")
    request.user, request.session = alice, {}  # type: ignore[assignment]
    AccountMiddleware(lambda _request: HttpResponse())(request)  # type: ignore[arg-type]
    with django_assert_num_queries(1):
        assert request.account == acme  # type: ignore[attr-defined]
        assert request.account.plan == "pro"  # type: ignore[attr-defined]


@pytest.mark.parametrize("chosen", ["acme", "bolt"])
def test_middleware__member_of_two__the_session_chooses(
    acme: Account, bolt: Account, rf: RequestFactory, chosen: str
) -> None:
    alice = User.objects.create(username="alice")
    for account in (acme, bolt):
        Membership.objects.create(account=account, user=alice)
    request = rf.get("/")
    request.user, request.session = alice, {SESSION_KEY: chosen}  # type: ignore[assignment]
    AccountMiddleware(lambda _request: HttpResponse())(request)  # type: ignore[arg-type]
    assert request.account.key == chosen  # type: ignore[attr-defined]


def test_middleware__session_names_a_strangers_account__it_is_not_given(
    acme: Account, bolt: Account, rf: RequestFactory
) -> None:
    alice = User.objects.create(username="alice")
    Membership.objects.create(account=acme, user=alice)
    request = rf.get("/")
    request.user, request.session = alice, {SESSION_KEY: "bolt"}  # type: ignore[assignment]
    AccountMiddleware(lambda _request: HttpResponse())(request)  # type: ignore[arg-type]
    assert request.account == acme  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_middleware__nobody_or_no_account__is_falsy(rf: RequestFactory) -> None:
    for user in (AnonymousUser(), User.objects.create(username="bob")):
        request = rf.get("/")
        request.user, request.session = user, {}  # type: ignore[assignment]
        AccountMiddleware(lambda _request: HttpResponse())(request)  # type: ignore[arg-type]
        assert not request.account  # type: ignore[attr-defined]
