"""One feed says who changed what, when, from where and why, by whatever way it was changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from secrets import randbelow
from typing import Any

import pytest
import time_machine
from constance import config
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from flags import publishing
from flags.models import AccountOverride, Flag, Segment
from igny8_core.modules.accounts.models import Account, Membership
from igny8_core.modules.changes.entries import expire
from igny8_core.modules.changes.errors import ChangeIsFixed
from igny8_core.modules.changes.models import Change
from igny8_core.modules.system.models import (
    AIModel,
    AIPrompt,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
    IntegrationSettings,
    ProviderKey,
)
from tests.conftest import Manage
from tests.igny8_core.test_admin import form

pytestmark = pytest.mark.django_db

KEY = "sk-planted-0123456789"


def last(object_type: str) -> Change:
    return Change.objects.filter(object_type=object_type)[0]


def overridden(account: Account) -> AccountOverride:
    flag = Flag.objects.create(name="f")
    return AccountOverride.objects.create(account=account, flag=flag, variant="on", reason="why")


def told(change: Change) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    return change.action, change.account, change.before, change.after


def test_form__saved__tells_who_from_where_why_and_what_differs(
    admin_client: Client, acme: Account
) -> None:
    url = f"/admin/accounts/account/{acme.pk}/change/"
    data = form(admin_client, url, plan="free", _why="They left the pro plan.")
    admin_client.post(url, data, REMOTE_ADDR="10.0.0.7")
    change = last("accounts.account")
    assert told(change) == ("changed", "acme", {"plan": "pro"}, {"plan": "free"})
    assert (change.actor, change.address, change.why) == (
        "admin",
        "10.0.0.7",
        "They left the pro plan.",
    )
    assert (change.via, change.object_key) == (f"POST {url}", "acme")


def test_form__of_what_is_published__tells_the_revision_with_why(admin_client: Client) -> None:
    publishing.publish()
    url = f"/admin/system/aimodel/{AIModel.objects.get(model_id='gpt-4o').pk}/change/"
    admin_client.post(url, form(admin_client, url, display_name="Omni", _why="A new name."))
    change = last("flags.revision")
    assert (change.actor, change.why) == ("admin", "A new name.")
    assert "gpt-4o" in str(change.after["summary"])


def test_program__saves_updates_deletes__each_is_told(acme: Account) -> None:
    override = overridden(acme)
    change = last("flags.accountoverride")
    assert (change.actor, change.via, change.action) == ("", "program", "added")
    assert (change.account, change.after["variant"]) == ("acme", "on")
    assert (change.after["reason"], change.why) == ("why", "why")
    AccountOverride.objects.filter(pk=override.pk).update(reason="because")
    assert told(last("flags.accountoverride")) == (
        "changed",
        "acme",
        {"reason": "why"},
        {"reason": "because"},
    )
    override.refresh_from_db()
    override.delete()
    change = last("flags.accountoverride")
    assert (change.action, change.before["reason"], change.after) == ("deleted", "because", {})


CHANGES: list[tuple[str, Callable[[Account], object], dict[str, Any]]] = [
    ("accounts.account", lambda _: Account.objects.update(plan="free"), {"plan": "free"}),
    (
        "accounts.membership",
        lambda acme: Membership.objects.create(
            account=acme, user=User.objects.create(username="zoe")
        ),
        {"account": "acme", "user": "zoe", "role": "member"},
    ),
    (
        "system.globalaiprompt",
        lambda _: GlobalAIPrompt.objects.create(task="generate_ideas", template="Go."),
        {"task": "generate_ideas", "version": 1, "template": "Go.", "is_active": True},
    ),
    (
        "system.aiprompt",
        lambda acme: AIPrompt.objects.create(account=acme, task="generate_ideas", template="Go."),
        {
            "account": "acme",
            "task": "generate_ideas",
            "version": 1,
            "template": "Go.",
            "is_active": True,
        },
    ),
    (
        "system.integrationsettings",
        lambda acme: IntegrationSettings.objects.create(account=acme, max_tokens=7),
        {"account": "acme", "max_tokens": 7},
    ),
    (
        "constance.constance",
        lambda _: setattr(config, "REVISIONS_KEPT", 7),
        {"value": '{"__type__": "default", "__value__": 7}'},
    ),
    ("auth.group", lambda _: Group.objects.create(name="g"), {"name": "g"}),
]


@pytest.mark.parametrize(("object_type", "change", "after"), CHANGES)
def test_row__of_every_kind__is_told(
    acme: Account,
    object_type: str,
    change: Callable[[Account], object],
    after: dict[str, Any],
) -> None:
    change(acme)
    assert last(object_type).after == after


def test_key__set_and_removed__is_told_but_not_shown(acme: Account) -> None:
    row = GlobalIntegrationSettings.load()
    for key in (KEY, KEY + "2", ""):
        row.openai_api_key = key
        row.save()
    removed, changed, added = Change.objects.filter(object_type="system.providerkey")[:3]
    assert (added.action, added.after["secret"]) == ("added", "(hidden)")
    assert (changed.before["secret"], changed.after["secret"]) == ("(hidden)", "(hidden)")
    assert removed.action == "deleted"
    assert KEY not in json.dumps(list(Change.objects.values()), default=str)


def test_user__password_and_rights__are_told_and_the_password_is_not(acme: Account) -> None:
    zoe = User.objects.create_user("zoe", password="planted-password")
    zoe.set_password("planted-other")
    zoe.save()
    change = last("auth.user")
    assert (change.before, change.after) == ({"password": "(hidden)"}, {"password": "(hidden)"})
    group = Group.objects.create(name="g")
    zoe.groups.add(group)
    assert last("auth.user").after == {"groups (added)": ["g"]}
    everything = json.dumps(list(Change.objects.values()), default=str)
    assert "planted" not in everything
    assert "md5$" not in everything


def test_update__of_many_rows__is_one_entry() -> None:
    rows = [Account(key=f"k{number}", name="x", plan="pro") for number in range(150)]
    Account.objects.bulk_create(rows)
    Account.objects.filter(key__startswith="k").update(plan="free")
    changed, added = Change.objects.filter(object_type="accounts.account")
    assert (added.action, added.object_key) == ("added", "150 accounts")
    assert (changed.object_key, changed.after) == ("150 accounts", {"many": "plan"})


def test_login__refused__is_told_with_its_address_and_once_it_is_throttled_no_more() -> None:
    address = f"10.1.{randbelow(256)}.{randbelow(256)}"  # a cache server remembers other tests'
    for _ in range(13):
        sent = {"username": "ann", "password": "planted"}
        Client().post("/admin/login/", sent, REMOTE_ADDR=address)
    changes = Change.objects.filter(object_type="login")
    assert changes.count() == 10
    assert (changes[0].action, changes[0].object_key, changes[0].address) == (
        "refused",
        "ann",
        address,
    )


def test_command__that_changes_something__is_told_as_what_it_is(manage: Manage) -> None:
    done = manage("set_key", "openai", "--account=acme", stdin=KEY)
    assert done.returncode == 0, done.stderr
    change = last("system.providerkey")
    assert (change.via, change.account) == ("manage.py set_key", "acme")
    assert change.actor


def test_change__that_is_rolled_back__is_not_told(admin_client: Client, acme: Account) -> None:
    before = Change.objects.count()
    url = f"/admin/accounts/account/{acme.pk}/change/"
    admin_client.post(url, form(admin_client, url, plan="", _why="x"))
    assert Change.objects.count() == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda: Change.objects.update(actor="x"),
        lambda: Change.objects.all().delete(),
        lambda: Change.objects.latest("pk").save(),
        lambda: Change.objects.latest("pk").delete(),
    ],
)
def test_feed__is_only_ever_added_to(acme: Account, edit: Callable[[], object]) -> None:
    with pytest.raises(ChangeIsFixed):
        edit()


@pytest.mark.parametrize(("days", "left"), [(400, 1), (0, 2)])
def test_feed__is_kept_as_long_as_its_live_setting_says(days: int, left: int) -> None:
    config.CHANGES_KEPT_DAYS = days
    ages = (timedelta(days=400, minutes=1), timedelta(days=399))
    Change.objects.expire(timezone.now(), most=9)
    for age in ages:
        Change.objects.create(at=timezone.now() - age, action="added", object_type="x")
    expire()
    assert Change.objects.count() == left


def test_command__prints_a_line_of_json_each__filtered(manage: Manage) -> None:
    Account.objects.filter(key="acme").update(plan="free")
    done = manage("changes", "--account=acme", "--object=accounts.account")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["after"] == {"plan": "free"}
    assert {line["account"] for line in lines} == {"acme"}
    assert manage("changes", "--since=2999-01-01").stdout == ""


def test_page__lists_filters_and_shows_an_entry(admin_client: Client, acme: Account) -> None:
    Account.objects.filter(key="acme").update(plan="<b>free</b>")
    page = admin_client.get(
        "/admin/changes/change/", {"account": "acme", "actor": "", "action__exact": "changed"}
    )
    assert "&lt;b&gt;free&lt;/b&gt;" in page.content.decode()
    whole = admin_client.get(f"/admin/changes/change/{last('accounts.account').pk}/change/")
    assert whole.status_code == 200
    assert "a program" in whole.content.decode()


# What no row's own save() tells.


def entries(object_type: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The oldest first, from now on."""
    found = Change.objects.filter(object_type=object_type).order_by("pk")
    return [(change.action, change.object_key, change.after) for change in found]


def test_long_list__replaced__is_told_by_its_accounts() -> None:
    row = Segment(key="s")
    many = [f"k{number}" for number in range(10_001)]
    row.set_lists(many, [])
    row.set_lists([*many[1:], "new"], ["gone"])
    told = entries("flags.segment")[-1]
    assert told == (
        "changed",
        "s",
        {"accounts (added)": ["gone (out)", "new"], "accounts (removed)": ["k0"]},
    )


def test_members__from_either_side_and_cleared__are_told_by_name() -> None:
    zoe, group = User.objects.create(username="zoe"), Group.objects.create(name="g")
    flag = Flag.objects.create(name="f")
    group.user_set.add(zoe)
    zoe.groups.add(group)  # is one already
    zoe.groups.clear()
    flag.users.add(zoe)
    assert entries("auth.user")[1:] == [
        ("changed", "zoe", {"groups (added)": ["g"]}),
        ("changed", "zoe", {"groups (removed)": ["g"]}),
    ]
    assert entries("flags.flag") == [("changed", "f", {"users (added)": ["zoe"]})]


def test_keys__by_update_and_rotated__are_told_and_not_shown(acme: Account) -> None:
    row = GlobalIntegrationSettings.load()
    row.openai_api_key = KEY
    row.save()
    ProviderKey.objects.update(origin="https://evil.example:443")
    ProviderKey.rotate()
    moved, rotated = entries("system.providerkey")[1:]
    assert moved[2] == {"origin": "https://evil.example:443"}
    assert rotated[2] == {"secret": "(hidden)"}


def test_save__over_a_row_that_was_not_read__tells_what_was_there() -> None:
    GlobalIntegrationSettings(max_tokens=7).save()
    GlobalIntegrationSettings(max_tokens=9).save()
    change = last("system.globalintegrationsettings")
    assert (change.action, change.before, change.after) == (
        "changed",
        {"max_tokens": 7},
        {"max_tokens": 9},
    )


def test_bulk_create__of_rows_that_may_be_there__does_not_say_that_they_were_added(
    acme: Account,
) -> None:
    Account.objects.bulk_create([Account(key="acme", name="EVIL")], ignore_conflicts=True)
    assert entries("accounts.account")[-1][1:] == (
        "1 account",
        {"many": "added, or there already"},
    )


def test_override__paused_or_deleted__has_not_the_why_that_it_was_made_for(acme: Account) -> None:
    override = overridden(acme)
    AccountOverride.objects.update(paused=True)
    assert last("flags.accountoverride").why == ""
    override.delete()
    assert last("flags.accountoverride").why == ""


def test_update__of_values__is_told_like_any(acme: Account) -> None:
    Account.objects.values("key").update(plan="free")
    assert last("accounts.account").after == {"plan": "free"}


def test_delete__of_many_rows__is_an_entry_a_kind() -> None:
    rows = [Account(key=f"k{number}", name="x") for number in range(150)]
    Account.objects.bulk_create(rows)
    zoe = User.objects.create(username="zoe")
    for account in Account.objects.filter(key__in=["k1", "k2"]):
        Membership.objects.create(account=account, user=zoe)
    before = Change.objects.count()
    Account.objects.filter(key__startswith="k").delete()
    told = Change.objects.order_by("pk")[before:]
    assert sorted((change.action, change.object_key) for change in told) == [
        ("deleted", "150 accounts"),
        ("deleted", "memberships of 150 accounts"),
    ]


def test_update__of_a_hundred_rows__takes_few_queries(
    acme: Account, django_assert_max_num_queries: Any
) -> None:
    flags = Flag.objects.bulk_create(Flag(name=f"f{number}") for number in range(100))
    AccountOverride.objects.bulk_create(
        AccountOverride(account=acme, flag=flag, variant="on", reason="r") for flag in flags
    )
    with django_assert_max_num_queries(16):
        AccountOverride.objects.update(reason="because")
    assert last("flags.accountoverride").after == {"reason": "because"}


def test_text__of_megabytes__is_cut(acme: Account) -> None:
    acme.traits = {"a": ["x" * 100] * 1_000}
    acme.save()
    assert len(json.dumps(last("accounts.account").after)) < 5_000


def test_entry__written_over__is_refused(acme: Account) -> None:
    stored = Change.objects.latest("pk")
    with pytest.raises(IntegrityError), transaction.atomic():
        Change(pk=stored.pk, action="added", object_type="x").save()
    with pytest.raises(ChangeIsFixed):
        Change._base_manager.update(actor="x")
    with pytest.raises(ChangeIsFixed):
        Change.objects.bulk_create(
            [Change(pk=stored.pk)],
            update_conflicts=True,
            update_fields=["actor"],
            unique_fields=["id"],
        )


def test_expire__by_a_clock_far_ahead__takes_a_part_at_most() -> None:
    Change.objects.bulk_create(Change(action="added", object_type="x") for _ in range(1_200))
    with time_machine.travel(timezone.now() + timedelta(days=9_000)):
        assert expire() == 1_000
    config.CHANGES_KEPT_DAYS = 10**9
    assert expire() == 0


@pytest.mark.parametrize(("asked", "count"), [({"account": "acm"}, 0), ({"actor": "admin"}, 1)])
def test_page__filtered_by_actor_or_account__takes_the_whole_name(
    admin_client: Client, acme: Account, asked: dict[str, str], count: int
) -> None:
    url = f"/admin/accounts/account/{acme.pk}/change/"
    admin_client.post(url, form(admin_client, url, plan="free"))
    page = admin_client.get("/admin/changes/change/", asked)
    assert page.context["cl"].result_count == count


def test_delete__on_its_page__asks_why_and_keeps_it(admin_client: Client, acme: Account) -> None:
    url = f"/admin/flags/accountoverride/{overridden(acme).pk}/delete/"
    assert 'name="_why"' in admin_client.get(url).content.decode()
    admin_client.post(url, {"post": "yes", "_why": "No longer asked for."})
    assert last("flags.accountoverride").why == "No longer asked for."


def test_api__says_why_in_a_header(admin_client: Client) -> None:
    row = AIModel.objects.get(model_id="gpt-4.1")
    admin_client.patch(
        f"/api/v1/admin/ai-models/{row.pk}/",
        json.dumps({"sort_order": 9}),
        content_type="application/json",
        headers={"X-Change-Reason": "Sorted."},
    )
    assert last("flags.revision").why == "Sorted."
