"""Every form of the admin, opened in two tabs: nothing that either saves is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.test import Client
from django.urls import reverse
from waffle.models import Sample, Switch

from flags import publishing
from flags.models import AccountOverride, Flag, Revision, Rule, Segment, Trait, Variant
from igny8_core.modules.accounts.models import Account, Membership
from igny8_core.modules.changes.models import Change
from igny8_core.modules.system.models import (
    AIModel,
    AIPrompt,
    AIProvider,
    AITask,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
    IntegrationSettings,
    ModelAlias,
    ModelPrice,
)
from igny8_core.modules.usage.models import Receipt
from tests.browser_post import opened, shown

pytestmark = pytest.mark.django_db


class Edit(NamedTuple):
    """An input of a form, what is typed into it, and how the row shows it."""

    name: str
    typed: str
    read: Callable[[Any], object]
    shown: object


class Form(NamedTuple):
    """A row, two edits that go together, and one that cannot be merged with another."""

    row: Callable[[Account], models.Model]
    first: Edit
    second: Edit
    whole: Edit | None = None


def flag_with_rule(_account: Account) -> Flag:
    flag: Flag = Flag.objects.create(name="f")
    Rule.objects.create(
        flag=flag,
        rule_id="r",
        when=[{"op": "share", "salt": "s", "to": 200_000}],
        serve={"variant": "on"},
    )
    return flag


def note(text: str) -> Edit:
    return Edit("note", text, lambda row: row.note, text)


FIFTY = '[{"op": "share", "salt": "s", "to": 500000}]'
FORMS: dict[type[models.Model], Form] = {
    Flag: Form(
        flag_with_rule,
        note("a"),
        Edit("salt", "other", lambda row: row.salt, "other"),
        Edit("rules-0-when", FIFTY, lambda row: row.rules.get().when[0]["to"], 500_000),
    ),
    Segment: Form(
        lambda _account: Segment.objects.create(key="s", include=["acme"]),
        note("a"),
        Edit("key", "t", lambda row: row.key, "t"),
        Edit("include", "acme\nbolt", lambda row: row.include, ["acme", "bolt"]),
    ),
    Trait: Form(
        lambda _account: Trait.objects.create(name="seats", type="num"),
        note("a"),
        Edit("type", "str", lambda row: row.type, "str"),
    ),
    Switch: Form(
        lambda _account: Switch.objects.create(name="s", active=False),
        note("a"),
        Edit("active", "on", lambda row: row.active, shown=True),
    ),
    Sample: Form(
        lambda _account: Sample.objects.create(name="s", percent=10),
        note("a"),
        Edit("percent", "20", lambda row: row.percent, 20),
    ),
    AccountOverride: Form(
        lambda account: AccountOverride.objects.create(
            account=account, flag=Flag.objects.create(name="f"), variant="on", reason="why"
        ),
        Edit("reason", "a", lambda row: row.reason, "a"),
        Edit("variant", "off", lambda row: row.variant, "off"),
    ),
    AIModel: Form(
        lambda _account: AIModel.objects.get(model_id="gpt-4o"),
        Edit("display_name", "a", lambda row: row.display_name, "a"),
        Edit("input_rate", "9", lambda row: row.input_rate, 9),
    ),
    AIProvider: Form(
        lambda _account: AIProvider.named("openai"),
        Edit("display_name", "a", lambda row: row.display_name, "a"),
        Edit("standard_tiers", "flex", lambda row: row.standard_tiers, "flex"),
    ),
    ModelAlias: Form(
        lambda _account: ModelAlias.objects.get(name="gpt-4o-2024-08-06"),
        Edit("name", "a", lambda row: row.name, "a"),
        Edit("name", "a", lambda row: row.name, "a"),
    ),
    Account: Form(
        lambda account: account,
        Edit("name", "a", lambda row: row.name, "a"),
        Edit("plan", "free", lambda row: row.plan, "free"),
        Edit("traits", '{"x": 1}', lambda row: row.traits, {"x": 1}),
    ),
    User: Form(
        lambda _account: User.objects.create_user("ann", password="x"),
        Edit("first_name", "a", lambda row: row.first_name, "a"),
        Edit("last_name", "b", lambda row: row.last_name, "b"),
    ),
    Group: Form(
        lambda _account: Group.objects.create(name="g"),
        Edit("name", "a", lambda row: row.name, "a"),
        Edit("name", "a", lambda row: row.name, "a"),
    ),
    GlobalIntegrationSettings: Form(
        lambda _account: saved(GlobalIntegrationSettings.load()),
        Edit("temperature", "0.5", lambda row: row.temperature, 0.5),
        Edit("max_tokens", "99", lambda row: row.max_tokens, 99),
    ),
    IntegrationSettings: Form(
        lambda account: IntegrationSettings.objects.create(account=account),
        Edit("temperature", "0.5", lambda row: row.temperature, 0.5),
        Edit("max_tokens", "99", lambda row: row.max_tokens, 99),
    ),
    GlobalAIPrompt: Form(
        lambda _account: GlobalAIPrompt.objects.create(task="generate_content", template="x"),
        note("a"),
        Edit("is_active", "", lambda row: row.is_active, shown=False),
    ),
    AIPrompt: Form(
        lambda account: AIPrompt.objects.create(
            account=account, task="generate_content", template="x"
        ),
        note("a"),
        Edit("is_active", "", lambda row: row.is_active, shown=False),
    ),
}
# Pages that only show, and those of rows that are never edited.
NOT_EDITED = {Revision, Receipt, ModelPrice, Change, AITask}


def saved(row: Any) -> Any:
    row.save()
    return row


def test_table__has_every_form_of_the_admin() -> None:
    """Of the site, but for those that other packages' pages keep."""
    ours = {model for model in admin.site._registry if "constance" not in model._meta.app_label}
    assert {*FORMS} | NOT_EDITED == {*ours}
    assert Membership not in ours
    assert Variant not in ours


def address(row: models.Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def typed(form: dict[str, list[str]], edit: Edit) -> dict[str, list[str]]:
    made = {**form, edit.name: [edit.typed]}
    if not edit.typed:
        made.pop(edit.name)
    return made


def fresh(row: models.Model) -> Any:
    publishing.publish()
    return type(row)._base_manager.get(pk=row.pk)


@pytest.fixture(params=FORMS, ids=lambda model: model.__name__)
def form(request: pytest.FixtureRequest) -> Form:
    return FORMS[request.param]


def prepared(form: Form, acme: Account) -> models.Model:
    row = form.row(acme)
    publishing.publish()
    return row


def test_form__untouched__changes_nothing_and_is_no_conflict(
    form: Form, admin_client: Client, acme: Account
) -> None:
    row = prepared(form, acme)
    tab = opened(admin_client, address(row))
    assert tab["_base"]
    assert admin_client.post(address(row), tab).status_code == 302
    assert admin_client.post(address(row), tab).status_code == 302


def test_form__two_tabs_two_fields__both_are_kept_and_it_is_said(
    form: Form, admin_client: Client, acme: Account
) -> None:
    if form.first.name == form.second.name:
        pytest.skip("the form has one field")
    row = prepared(form, acme)
    one, other = (opened(admin_client, address(row)) for _ in range(2))
    assert admin_client.post(address(row), typed(one, form.first)).status_code == 302
    page = admin_client.post(address(row), typed(other, form.second), follow=True)
    assert page.redirect_chain[0][1] == 302
    told = [str(message) for message in page.context["messages"]]
    assert any(
        each.startswith("admin (") and "changed this meanwhile, and that is kept: " in each
        for each in told
    )
    now = fresh(row)
    assert (form.first.read(now), form.second.read(now)) == (form.first.shown, form.second.shown)


def test_form__two_tabs_one_field__is_refused_with_who_when_and_what(
    form: Form, admin_client: Client, acme: Account
) -> None:
    row = prepared(form, acme)
    one, other = (opened(admin_client, address(row)) for _ in range(2))
    assert admin_client.post(address(row), typed(one, form.first)).status_code == 302
    mine = form.first._replace(typed="0.25" if form.first.typed == "0.5" else "mine")
    page = admin_client.post(address(row), typed(other, mine))
    assert page.status_code == 200
    (told,) = page.context["adminform"].form.non_field_errors()
    assert told.startswith("Nothing is saved: admin (")
    assert f"→ “{form.first.typed}”" in told
    assert form.first.name in page.context["adminform"].form.errors
    assert form.first.read(fresh(row)) == form.first.shown
    again = {**typed(other, mine), "_base": [page.context["base"]]}
    assert admin_client.post(address(row), again).status_code == 302
    assert form.first.read(fresh(row)) != form.first.shown


@pytest.mark.parametrize("model", [model for model, form in FORMS.items() if form.whole])
@pytest.mark.parametrize("is_whole_first", [True, False])
def test_form__rows_and_json__are_never_merged(
    model: type[models.Model], admin_client: Client, acme: Account, *, is_whole_first: bool
) -> None:
    form = FORMS[model]
    assert form.whole
    row = prepared(form, acme)
    first, second = (form.whole, form.first) if is_whole_first else (form.first, form.whole)
    before = second.read(row)
    one, other = (opened(admin_client, address(row)) for _ in range(2))
    assert admin_client.post(address(row), typed(one, first)).status_code == 302
    page = admin_client.post(address(row), typed(other, second))
    assert page.status_code == 200
    assert "Nothing is saved" in page.context["adminform"].form.non_field_errors()[0]
    now = fresh(row)
    assert (first.read(now), second.read(now)) == (first.shown, before)


@pytest.mark.parametrize("base", ["{}", "[1, 2]", "nope", '["2026-01-01", null, {"a": 1}]'])
def test_form__tampered_base__is_a_bad_request(
    base: str, admin_client: Client, acme: Account
) -> None:
    tab = opened(admin_client, address(acme))
    assert admin_client.post(address(acme), {**tab, "_base": [base]}).status_code == 400


def test_form__changed_by_a_program__says_which_revision(admin_client: Client) -> None:
    row = AIModel.objects.get(model_id="gpt-4o")
    publishing.publish()
    tab = opened(admin_client, address(row))
    with publishing.change(author="robot"):
        AIModel.objects.filter(pk=row.pk).update(display_name="theirs")
    page = admin_client.post(address(row), {**tab, "display_name": ["mine"]})
    assert (
        page.context["adminform"]
        .form.non_field_errors()[0]
        .startswith("Nothing is saved: robot (revision ")
    )


def test_form__other_rows_changed_by_a_program__names_the_one_that_changed_this(
    admin_client: Client,
) -> None:
    row = AIModel.objects.get(model_id="gpt-4o")
    publishing.publish()
    tab = opened(admin_client, address(row))
    with publishing.change(author="robot"):
        AIModel.objects.filter(pk=row.pk).update(display_name="theirs")
    with publishing.change(author="innocent"):
        Flag.objects.create(name="f")
    page = admin_client.post(address(row), {**tab, "display_name": ["mine"]})
    (told,) = page.context["adminform"].form.non_field_errors()
    assert told.startswith("Nothing is saved: robot (revision ")


def test_form__rule_deleted_in_one_tab_and_edited_in_another__can_be_put_back(
    admin_client: Client, acme: Account
) -> None:
    row = flag_with_rule(acme)
    Rule.objects.create(flag=row, rule_id="s", serve={"variant": "on"}, position=2)
    publishing.publish()
    one, other = (opened(admin_client, address(row)) for _ in range(2))
    assert admin_client.post(address(row), {**one, "rules-0-DELETE": ["on"]}).status_code == 302
    page = admin_client.post(address(row), {**other, "rules-0-when": [FIFTY]})
    assert page.status_code == 200
    assert [rule.rule_id for rule in row.rules.all()] == ["s"]
    again = shown(page)
    assert admin_client.post(address(row), again).status_code == 302
    assert {rule.rule_id: rule.when for rule in row.rules.all()}["r"][0]["to"] == 500_000


def test_form__conflict__keeps_what_only_the_other_has_changed(
    admin_client: Client, acme: Account
) -> None:
    """A rule deleted in one tab is not brought back by a note typed in another."""
    row = flag_with_rule(acme)
    publishing.publish()
    one, other = (opened(admin_client, address(row)) for _ in range(2))
    assert admin_client.post(address(row), {**one, "rules-0-DELETE": ["on"]}).status_code == 302
    page = admin_client.post(address(row), {**other, "note": ["mine"]})
    assert page.status_code == 200
    assert admin_client.post(address(row), shown(page)).status_code == 302
    assert fresh(row).note == "mine"
    assert not row.rules.exists()


def test_toggle__clicked_twice_in_two_tabs__is_one_switch(
    admin_client: Client, acme: Account
) -> None:
    row = AIModel.objects.get(model_id="gpt-4o")
    publishing.publish()
    page = admin_client.get("/admin/system/aimodel/").content.decode()
    assert 'name="wanted"' in page
    for _ in range(2):
        admin_client.post(f"/admin/system/aimodel/{row.pk}/toggle-active/", {"wanted": "off"})
        assert not AIModel.objects.get(pk=row.pk).is_active
    assert acme


def test_form__rows_added_meanwhile__says_that_they_stay(
    admin_client: Client, acme: Account
) -> None:
    row = flag_with_rule(acme)
    one, other = (opened(admin_client, address(row)) for _ in range(2))
    added = {
        "rules-TOTAL_FORMS": ["2"],
        "rules-1-id": [""],
        "rules-1-flag": [str(row.pk)],
        "rules-1-rule_id": ["mine"],
        "rules-1-when": [FIFTY],
        "rules-1-serve": ['{"variant": "on"}'],
        "rules-1-position": ["2"],
    }
    assert admin_client.post(address(row), {**one, **added}).status_code == 302
    page = admin_client.post(address(row), {**other, **added, "rules-1-rule_id": ["theirs"]})
    (told,) = page.context["adminform"].form.non_field_errors()
    assert told.endswith("Rows that were added meanwhile stay: open the page anew to see them.")
    assert row.rules.count() == 2


def test_segment__two_tabs_that_each_upload_a_long_list__lose_neither(
    admin_client: Client,
) -> None:
    row = Segment.objects.create(key="s")
    row.set_lists([f"k{number}" for number in range(10_001)], [])
    tabs = [opened(admin_client, address(row)) for _ in range(2)]

    def send(tab: dict[str, list[str]], last: str) -> Any:
        keys = "\n".join([*(f"k{number}" for number in range(10_001)), last])
        sent = SimpleUploadedFile("keys.txt", keys.encode())
        return admin_client.post(address(row), {**tab, "include_file": sent})

    assert send(tabs[0], "first").status_code == 302
    page = send(tabs[1], "second")
    (told,) = page.context["adminform"].form.non_field_errors()
    assert "Long lists “10,001 included and 0 excluded" in told
    assert "first" in fresh(row).lists()[0]


def test_settings__two_tabs_that_each_type_a_key__lose_neither(admin_client: Client) -> None:
    row = saved(GlobalIntegrationSettings.load())
    tabs = [opened(admin_client, address(row)) for _ in range(2)]
    keys = ["sk-first-0123456789", "sk-second-0123456789"]
    assert (
        admin_client.post(address(row), {**tabs[0], "openai_api_key": keys[0]}).status_code == 302
    )
    page = admin_client.post(address(row), {**tabs[1], "openai_api_key": keys[1]})
    assert "OpenAI key nothing → “admin " in page.context["adminform"].form.non_field_errors()[0]
    kept = GlobalIntegrationSettings.load().openai_api_key
    assert kept is not None
    assert kept.reveal() == keys[0]


def test_prompt__two_tabs_with_a_new_text_each__the_second_is_told(admin_client: Client) -> None:
    row = GlobalAIPrompt.objects.create(task="generate_ideas", template="old")
    tabs = [opened(admin_client, address(row)) for _ in range(2)]
    assert admin_client.post(address(row), {**tabs[0], "template": "first"}).status_code == 302
    page = admin_client.post(address(row), {**tabs[1], "template": "second"})
    assert "Is active “on” → nothing" in page.context["adminform"].form.non_field_errors()[0]
    assert GlobalAIPrompt.objects.get(is_active=True).template == "first"
