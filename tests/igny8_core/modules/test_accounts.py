from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from flags.accounts.reading import UnknownAccount
from igny8_core.modules.accounts.errors import AccountKeyIsFixed
from igny8_core.modules.accounts.middleware import AccountMiddleware
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


def test_key__changed_later__is_refused(acme: Account) -> None:
    acme.key = "other"
    with pytest.raises(AccountKeyIsFixed, match="'acme' cannot become 'other'"):
        acme.save()
    acme = Account.objects.get()
    acme.key = "other"
    with pytest.raises(AccountKeyIsFixed):
        acme.save()


@pytest.mark.django_db
def test_key__written_past_the_form__is_refused() -> None:
    with pytest.raises(ValidationError, match="“Not a key” is not a key"):
        Account.objects.create(key="Not a key", name="x")


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["nobody\0", "half \udcff", "Ä"])
def test_by_key__what_no_key_can_be__is_unknown(key: str) -> None:
    with pytest.raises(UnknownAccount):
        Account.objects.by_key(key)


@pytest.mark.django_db
@pytest.mark.parametrize("traits", [[], "a", 1])
def test_traits__not_an_object__are_refused(traits: object) -> None:
    with pytest.raises(ValidationError, match="JSON object"):
        Account(key="a", name="x", traits=traits).full_clean()


def test_membership__unknown_role__the_database_refuses(acme: Account) -> None:
    with pytest.raises(IntegrityError, match="membership_role_is_known"):
        Membership.objects.create(
            account=acme, user=User.objects.create(username="alice"), role="boss"
        )


def test_membership__same_user_twice__the_database_refuses(acme: Account) -> None:
    alice = User.objects.create(username="alice")
    Membership.objects.create(account=acme, user=alice)
    with pytest.raises(IntegrityError):
        Membership.objects.create(account=acme, user=alice, role="owner")


def test_middleware__member__gives_the_account_in_one_query(
    acme: Account,
    rf: RequestFactory,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    alice = User.objects.create(username="alice")
    Membership.objects.create(account=acme, user=alice)
    request = rf.get("/")
    request.user = alice
    AccountMiddleware(lambda _request: HttpResponse())(request)  # type: ignore[arg-type]
    with django_assert_num_queries(1):
        assert request.account == acme  # type: ignore[attr-defined]
        assert request.account.plan == "pro"  # type: ignore[attr-defined]


def test_middleware__member_of_two__is_the_first_joined(
    acme: Account, bolt: Account, rf: RequestFactory
) -> None:
    alice = User.objects.create(username="alice")
    for account in (bolt, acme):
        Membership.objects.create(account=account, user=alice)
    request = rf.get("/")
    request.user = alice
    AccountMiddleware(lambda _request: HttpResponse())(request)  # type: ignore[arg-type]
    assert request.account == bolt  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_middleware__nobody_or_no_account__is_falsy(rf: RequestFactory) -> None:
    for user in (AnonymousUser(), User.objects.create(username="bob")):
        request = rf.get("/")
        request.user = user
        AccountMiddleware(lambda _request: HttpResponse())(request)  # type: ignore[arg-type]
        assert not request.account  # type: ignore[attr-defined]
