"""What waffle documents, asked of waffle's own calls, and what it gets wrong by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any, cast

import pytest
import waffle
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.cache import caches
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone
from django.views import View
from pytest_django import Settings
from waffle import flag_is_active, views
from waffle.decorators import waffle_flag
from waffle.middleware import WaffleMiddleware
from waffle.mixins import WaffleFlagMixin
from waffle.models import Sample, Switch
from waffle.testutils import override_flag, override_sample, override_switch

from flags.decisions import decide
from flags.models import AccountOverride, Flag, Rule, Variant
from igny8_core.modules.accounts.models import Account, Membership

pytestmark = pytest.mark.django_db

Ask = Callable[..., HttpRequest]
NAME = "new"


@pytest.fixture
def ask(rf: RequestFactory) -> Ask:
    """A request, of this user and account."""

    def request(
        path: str = "/", user: Any = None, account: Any = None, **options: Any
    ) -> HttpRequest:
        asked = rf.get(path, **options)
        asked.user = user or AnonymousUser()
        asked.account = account  # type: ignore[attr-defined]
        return asked

    return request


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create(username="alice")


def flag(**facts: Any) -> Flag:
    made: Flag = Flag.objects.create(name=NAME, **{"superusers": False, **facts})
    return made


# Flags: each attribute that waffle documents


@pytest.mark.parametrize("everyone", [True, False])
def test_everyone__yes_or_no__stands_above_all_else(
    ask: Ask, alice: User, acme: Account, everyone: bool
) -> None:
    row = flag(everyone=everyone, percent=50, authenticated=True, testing=True, languages="de")
    row.users.add(alice)
    AccountOverride.objects.create(
        account=acme, flag=row, variant="off" if everyone else "on", reason="why"
    )
    request = ask("/?dwft_new=1", user=alice, account=acme)
    assert flag_is_active(request, NAME) is everyone
    assert row.is_active_for_user(alice) is everyone
    assert row.is_active_for_account(acme) is everyone
    assert decide(NAME, acme).value is everyone


def test_everyone__no__turns_a_listed_user_off(ask: Ask, alice: User) -> None:
    row = flag(everyone=False)
    row.users.add(alice)
    row.groups.add(Group.objects.create(name="g"))
    alice.groups.add(Group.objects.get())
    assert row.is_active_for_user(alice) is False
    assert flag_is_active(ask(user=alice), NAME) is False


@pytest.mark.parametrize(
    ("field", "who"),
    [
        ("authenticated", {}),
        ("staff", {"is_staff": True}),
        ("superusers", {"is_superuser": True}),
    ],
)
def test_people__of_that_sort__have_it(ask: Ask, field: str, who: dict[str, bool]) -> None:
    row = flag(**{field: True})
    of_them = User.objects.create(username="of-them", **who)
    assert flag_is_active(ask(user=of_them), NAME) is True
    assert row.is_active_for_user(of_them) is True
    assert flag_is_active(ask(), NAME) is False


def test_superusers__by_default__have_it(ask: Ask) -> None:
    Flag.objects.create(name=NAME)
    assert flag_is_active(ask(user=User.objects.create(is_superuser=True)), NAME) is True


def test_users__listed__have_it(ask: Ask, alice: User) -> None:
    flag().users.add(alice)
    assert flag_is_active(ask(user=alice), NAME) is True
    assert flag_is_active(ask(user=User.objects.create(username="bob")), NAME) is False


def test_groups__members__have_it(ask: Ask, alice: User) -> None:
    group = Group.objects.create(name="g")
    flag().groups.add(group)
    assert flag_is_active(ask(user=alice), NAME) is False
    alice.groups.add(group)
    assert flag_is_active(ask(user=alice), NAME) is True


@pytest.mark.parametrize(("language", "expected"), [("de", True), ("en", False), (None, False)])
def test_languages__of_the_request__decide(ask: Ask, language: str | None, expected: bool) -> None:
    flag(languages="fr, de")
    request = ask()
    if language is not None:
        request.LANGUAGE_CODE = language
    assert flag_is_active(request, NAME) is expected


@pytest.mark.parametrize(
    ("path", "headers", "cookie", "expected"),
    [
        ("/?dwft_new=1", {}, None, True),
        ("/?dwft_new=0", {}, None, False),
        ("/", {"dwft-new": "1"}, None, True),
        ("/", {}, "True", True),
        ("/", {}, "False", False),
        ("/", {}, None, False),
    ],
)
def test_testing__by_address_header_or_cookie__is_as_asked(
    ask: Ask, path: str, headers: dict[str, str], cookie: str | None, expected: bool
) -> None:
    flag(testing=True)
    request = ask(path, headers=headers)
    if cookie is not None:
        request.COOKIES["dwft_new"] = cookie
    assert flag_is_active(request, NAME) is expected


def test_testing__by_address__is_kept_in_a_cookie(ask: Ask) -> None:
    flag(testing=True)
    request = ask("/?dwft_new=1")
    flag_is_active(request, NAME)
    response = WaffleMiddleware(lambda _request: HttpResponse()).process_response(
        request, HttpResponse()
    )
    assert response.cookies["dwft_new"].value == "True"


@pytest.mark.parametrize(("path", "expected"), [("/?new=1", True), ("/?new=0", False)])
@pytest.mark.parametrize("facts", [{"everyone": True}, {"everyone": False}, {"is_on": False}])
def test_override_setting__by_address__stands_above_everyone(
    ask: Ask, path: str, expected: bool, facts: dict[str, bool]
) -> None:
    flag(**facts)
    with override_settings(WAFFLE_OVERRIDE=True):
        assert flag_is_active(ask(path), NAME) is expected
    assert flag_is_active(ask(path), NAME) is facts.get("everyone", False)


@pytest.mark.parametrize("default", [True, False])
def test_missing_flag__asked__answers_the_default(ask: Ask, acme: Account, default: bool) -> None:
    with override_settings(WAFFLE_FLAG_DEFAULT=default):
        assert flag_is_active(ask(account=acme), "missing") is default
        assert Flag.get("missing").is_active_for_account(acme) is default


def test_missing_flag__create_missing__is_created_once(ask: Ask) -> None:
    with override_settings(WAFFLE_CREATE_MISSING_FLAGS=True, WAFFLE_FLAG_DEFAULT=True):
        assert flag_is_active(ask(), "missing") is True
        assert flag_is_active(ask(), "missing") is True
    assert Flag.objects.get().everyone is True


def test_missing_flag__log_missing__is_logged(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(WAFFLE_LOG_MISSING_FLAGS=30):
        flag_is_active(ask(), "missing")
    assert "Flag missing not found" in caplog.text


# Percent: sticky by account, by user where there is none, never by cookie or chance


def accounts(count: int) -> list[Account]:
    return Account.objects.bulk_create(
        [Account(key=f"account-{number}", name="A") for number in range(count)]
    )


def test_percent__two_hundred_accounts__is_sticky_and_agrees_with_the_engine(ask: Ask) -> None:
    row = flag(percent=30)
    everyone = accounts(200)
    first = [flag_is_active(ask(account=account), NAME) for account in everyone]
    assert [flag_is_active(ask(account=account), NAME) for account in everyone] == first
    assert [row.is_active_for_account(account) for account in everyone] == first
    assert [decide(NAME, account).value is True for account in everyone] == first
    assert 40 <= sum(map(bool, first)) <= 80


def test_percent__raised__removes_nobody(ask: Ask) -> None:
    row = flag(percent=10)
    everyone = accounts(200)
    before = {each.key for each in everyone if row.is_active_for_account(each)}
    row.percent = 60
    row.save()
    after = {each.key for each in everyone if row.is_active_for_account(each)}
    assert before < after


def test_percent__user_without_account__is_sticky_by_user(ask: Ask) -> None:
    flag(percent=50)
    users = User.objects.bulk_create([User(username=f"u{number}") for number in range(100)])
    first = [flag_is_active(ask(user=user), NAME) for user in users]
    assert [flag_is_active(ask(user=user), NAME) for user in users] == first
    assert 30 <= sum(map(bool, first)) <= 70


def test_percent__two_users_of_an_account__have_the_same(ask: Ask, acme: Account) -> None:
    flag(percent=50)
    users = User.objects.bulk_create([User(username=f"u{number}") for number in range(50)])
    assert len({flag_is_active(ask(user=user, account=acme), NAME) for user in users}) == 1


@pytest.mark.parametrize("cookie", ["True", "False"])
def test_percent__cookie__is_neither_read_nor_written(ask: Ask, acme: Account, cookie: str) -> None:
    flag(percent=50)
    request = ask(account=acme)
    request.COOKIES["dwf_new"] = cookie
    assert flag_is_active(request, NAME) is decide(NAME, acme).is_decided
    response = WaffleMiddleware(lambda _request: HttpResponse()).process_response(
        request, HttpResponse()
    )
    assert not response.cookies


def test_percent__nobody__is_off(ask: Ask) -> None:
    flag(percent="99.9")
    assert flag_is_active(ask(), NAME) is False


def test_percent__another_name__deals_nobody_anew() -> None:
    row = flag(percent=50)
    everyone = accounts(100)
    before = [row.is_active_for_account(each) for each in everyone]
    row.name = "renamed"
    row.save()
    assert [row.is_active_for_account(each) for each in everyone] == before


# Rules, overrides and the account


def test_rule__account_matches__is_active_for_requests_of_the_account(
    ask: Ask, acme: Account, bolt: Account
) -> None:
    row = flag()
    Rule.objects.create(
        flag=row, when=[{"trait": "plan", "op": "in", "values": ["pro"]}], serve={"variant": "on"}
    )
    assert flag_is_active(ask(account=acme), NAME) is True
    assert flag_is_active(ask(account=bolt), NAME) is False


def test_request__through_the_middleware__has_its_users_account(
    client: Client, alice: User, acme: Account
) -> None:
    Membership.objects.create(account=acme, user=alice)
    row = flag(percent=50)
    client.force_login(alice)
    request = client.get("/admin/login/").wsgi_request
    assert flag_is_active(request, NAME) is row.is_active_for_account(acme)


def test_override__until_its_second__then_not(ask: Ask, acme: Account) -> None:
    row = flag()
    soon = timezone.now() + timedelta(minutes=1)
    AccountOverride.objects.create(
        account=acme, flag=row, variant="on", reason="why", expires_at=soon
    )
    assert flag_is_active(ask(account=acme), NAME) is True
    assert decide(NAME, acme, at=soon - timedelta(milliseconds=1)).value is True
    assert decide(NAME, acme, at=soon).value is None


def test_off__flag__is_off_for_all_but_keeps_its_rules(
    ask: Ask, alice: User, acme: Account
) -> None:
    row = flag(is_on=False, authenticated=True, percent=99)
    AccountOverride.objects.create(account=acme, flag=row, variant="on", reason="why")
    assert flag_is_active(ask(user=alice, account=acme), NAME) is False
    assert row.is_active_for_user(alice) is False
    row.is_on = True
    row.save()
    assert flag_is_active(ask(user=alice, account=acme), NAME) is True


def test_off__true_off_variant__is_what_all_get(ask: Ask, alice: User) -> None:
    row = flag(is_on=False, off_variant="on")
    assert flag_is_active(ask(user=alice), NAME) is True
    assert row.is_active_for_user(alice) is True


def test_text_flag__decided__is_active(ask: Ask, acme: Account, bolt: Account) -> None:
    row = flag(kind="str")
    Variant.objects.create(flag=row, key="a", value="A")
    Rule.objects.create(
        flag=row, when=[{"trait": "key", "op": "in", "values": ["acme"]}], serve={"variant": "a"}
    )
    assert flag_is_active(ask(account=acme), NAME) is True
    assert flag_is_active(ask(account=bolt), NAME) is False


def test_request__without_a_user__is_the_accounts(
    rf: RequestFactory, acme: Account, bolt: Account
) -> None:
    row = flag()
    AccountOverride.objects.create(account=acme, flag=row, variant="on", reason="why")
    for account, expected in ((acme, True), (bolt, False), (None, False)):
        request: Any = rf.get("/")
        request.account = account
        assert flag_is_active(request, NAME) is expected
    assert flag_is_active(rf.get("/"), NAME) is False


def test_everyone__with_a_false_active_variant__serves_a_true_one(ask: Ask, acme: Account) -> None:
    row = flag(everyone=True, active_variant="off")
    assert flag_is_active(ask(account=acme), NAME) is True
    assert decide(NAME, acme).value is True
    row.everyone, row.percent = None, 99
    row.save()
    assert decide(NAME, acme).variant in {"on", None}


def test_flag__held_while_its_lists_change__answers_by_the_new_ones(ask: Ask, alice: User) -> None:
    flag()
    held = Flag.get(NAME)
    held.users.add(alice)
    assert held.is_active(ask(user=alice)) is True
    held.users.clear()
    assert held.is_active(ask(user=alice)) is False
    Variant.objects.create(flag=held, key="only", value=True)
    assert held.values() == {"only": True}


def test_text_flag__everyone_without_a_variant__is_refused_on_the_field() -> None:
    for facts in ({"everyone": True}, {"percent": 10}):
        with pytest.raises(ValidationError) as refusal:
            Flag(name=NAME, kind="str", **facts).full_clean()
        assert list(refusal.value.message_dict) == ["active_variant"]


@pytest.mark.parametrize("name", ["Big", "with space", "", "-dash", "ä", "a\nb"])
def test_name__that_is_no_key__is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is not a key"):
        Flag.objects.create(name=name)


# What waffle gets wrong by itself


def test_users__cleared__leaves_no_stale_answer(ask: Ask, alice: User) -> None:
    row = flag()
    row.users.add(alice)
    assert flag_is_active(ask(user=alice), NAME) is True
    row.users.clear()
    assert flag_is_active(ask(user=alice), NAME) is False


def test_users__cleared_from_the_user__leaves_no_stale_answer(ask: Ask, alice: User) -> None:
    flag().users.add(alice)
    assert flag_is_active(ask(user=alice), NAME) is True
    cast(Any, alice).flag_set.clear()
    assert flag_is_active(ask(user=alice), NAME) is False


def test_queryset__updated__leaves_no_stale_answer(ask: Ask) -> None:
    flag()
    assert flag_is_active(ask(), NAME) is False
    Flag.objects.filter(name=NAME).update(everyone=True)
    assert flag_is_active(ask(), NAME) is True
    assert [each.everyone for each in Flag.get_all()] == [True]


def test_queryset__bulk_changes__leave_no_stale_answer(ask: Ask) -> None:
    assert flag_is_active(ask(), NAME) is False
    (row,) = Flag.objects.bulk_create([Flag(name=NAME, everyone=True)])
    assert flag_is_active(ask(), NAME) is True
    row.everyone = False
    Flag.objects.bulk_update([row], ["everyone"])
    assert flag_is_active(ask(), NAME) is False
    Flag.objects.filter(name=NAME).delete()
    with override_settings(WAFFLE_FLAG_DEFAULT=True):
        assert flag_is_active(ask(), NAME) is True


@pytest.mark.parametrize("in_bulk", [True, False])
def test_group__deleted_and_its_number_reused__leaves_no_stale_answer(
    ask: Ask, alice: User, in_bulk: bool
) -> None:
    group = Group.objects.create(name="g")
    flag().groups.add(group)
    alice.groups.add(group)
    assert flag_is_active(ask(user=alice), NAME) is True
    number = group.pk
    if in_bulk:
        Group.objects.filter(name="g").delete()
    else:
        group.delete()
    alice.groups.add(Group.objects.create(pk=number, name="another"))
    assert flag_is_active(ask(user=alice), NAME) is False


def test_user__deleted_and_the_number_reused__leaves_no_stale_answer(ask: Ask, alice: User) -> None:
    flag().users.add(alice)
    assert flag_is_active(ask(user=alice), NAME) is True
    number = alice.pk
    alice.delete()
    assert flag_is_active(ask(user=User.objects.create(pk=number, username="bob")), NAME) is False


def test_cache__full_of_an_old_flag__is_not_asked(ask: Ask, settings: Settings) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    }
    settings.WAFFLE_CACHE_NAME = "default"
    row = flag(everyone=True)
    caches["default"].set(Flag._cache_key(NAME), row)
    Flag.objects.filter(pk=row.pk).update(everyone=False)
    assert flag_is_active(ask(), NAME) is False


def test_flag__changed_without_saving__changes_no_answer(ask: Ask) -> None:
    flag()
    Flag.get(NAME).everyone = True
    assert flag_is_active(ask(), NAME) is False


# waffle's other ways to ask


@pytest.mark.parametrize(("everyone", "text"), [(True, "yes"), (False, "no")])
def test_template_tag__flag__shows_its_part(ask: Ask, everyone: bool, text: str) -> None:
    flag(everyone=everyone)
    source = "{% load waffle_tags %}{% flag new %}yes{% else %}no{% endflag %}"
    assert Template(source).render(Context({"request": ask()})) == text


def test_template_tag__account__decides(ask: Ask, acme: Account, bolt: Account) -> None:
    row = flag()
    AccountOverride.objects.create(account=acme, flag=row, variant="on", reason="why")
    source = Template("{% load waffle_tags %}{% flag 'new' %}yes{% else %}no{% endflag %}")
    texts = [source.render(Context({"request": ask(account=each)})) for each in (acme, bolt)]
    assert texts == ["yes", "no"]


@pytest.mark.parametrize(("name", "status"), [("new", 200), ("!new", 404)])
def test_decorator__flag__opens_or_hides_the_view(
    ask: Ask, acme: Account, name: str, status: int
) -> None:
    row = flag()
    AccountOverride.objects.create(account=acme, flag=row, variant="on", reason="why")

    @waffle_flag(name)
    def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse("here")

    assert _status(view, ask(account=acme)) == status


def test_mixin__flag__opens_or_hides_the_view(ask: Ask, acme: Account, bolt: Account) -> None:
    row = flag()
    AccountOverride.objects.create(account=acme, flag=row, variant="on", reason="why")

    class Page(WaffleFlagMixin, View):
        waffle_flag = NAME

        def get(self, _request: HttpRequest) -> HttpResponse:
            return HttpResponse("here")

    assert [_status(Page.as_view(), ask(account=each)) for each in (acme, bolt)] == [200, 404]


def _status(view: Callable[[HttpRequest], Any], request: HttpRequest) -> int:
    from django.http import Http404

    try:
        return int(view(request).status_code)
    except Http404:
        return 404


VIEWS: list[Any] = [views.waffle_json, views.wafflejs]


def test_views__javascript_and_json__tell_the_same(ask: Ask, acme: Account) -> None:
    row = flag()
    AccountOverride.objects.create(account=acme, flag=row, variant="on", reason="why")
    request = ask(account=acme)
    as_json, as_script = (view(request).content for view in VIEWS)
    assert json.loads(as_json)["flags"][NAME]["is_active"] is True
    assert "'new': true" in as_script.decode()


@pytest.mark.parametrize("active", [True, False])
def test_override_flag__within__is_as_asked_and_then_as_before(
    ask: Ask, acme: Account, active: bool
) -> None:
    row = flag(percent=50)
    before = row.is_active_for_account(acme)
    with override_flag(NAME, active=active):
        assert flag_is_active(ask(account=acme), NAME) is active
        assert decide(NAME, acme).value is active
    assert row.is_active_for_account(acme) is before
    with override_flag("missing", active=active):
        assert flag_is_active(ask(), "missing") is active
    assert not Flag.objects.filter(name="missing").exists()


def test_override_flag__as_decorator__holds_for_the_function(ask: Ask) -> None:
    @override_flag(NAME, active=True)
    def asked() -> bool | None:
        return flag_is_active(ask(), NAME)

    assert asked() is True


def test_switches_and_samples__of_waffle__stay_waffles() -> None:
    Switch.objects.create(name="s", active=True)
    Sample.objects.create(name="all", percent="100.0")
    Sample.objects.create(name="none", percent="0.0")
    assert waffle.switch_is_active("s")
    assert waffle.sample_is_active("all")
    assert not waffle.sample_is_active("none")
    with override_switch("s", active=False), override_sample("none", active=True):
        assert not waffle.switch_is_active("s")
        assert waffle.sample_is_active("none")


# waffle's commands


def test_command__waffle_flag__creates_and_changes_what_the_engine_answers(
    ask: Ask, alice: User, acme: Account
) -> None:
    out = StringIO()
    call_command("waffle_flag", NAME, "--everyone", "--create", stdout=out)
    assert decide(NAME, acme).value is True
    call_command("waffle_flag", NAME, "--deactivate", stdout=out)
    assert decide(NAME, acme).value is False
    group = Group.objects.create(name="g")
    call_command("waffle_flag", NAME, "--user", "alice", "--group", "g", stdout=out)
    row = Flag.objects.get()
    assert (row.everyone, list(row.users.all()), list(row.groups.all())) == (None, [alice], [group])
    assert flag_is_active(ask(user=alice), NAME) is True
    call_command("waffle_flag", NAME, "--percent", "40", stdout=out)
    assert decide(NAME, acme, trail=True).trail[0].rule == "percent"


def test_command__waffle_flag_list__names_every_flag() -> None:
    flag()
    out = StringIO()
    call_command("waffle_flag", "--list", stdout=out)
    assert "NAME: new" in out.getvalue()


def test_command__waffle_delete__deletes_the_flag(ask: Ask) -> None:
    flag(everyone=True)
    assert flag_is_active(ask(), NAME) is True
    call_command("waffle_delete", "--flags", NAME, stdout=StringIO())
    assert flag_is_active(ask(), NAME) is False
