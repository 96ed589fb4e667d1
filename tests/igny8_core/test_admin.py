"""SEED-PLAN phases 4 and 7: the admin's pages, as a browser without scripts meets them."""

from __future__ import annotations

import html
import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from waffle.models import Sample, Switch

from flags.models import Flag
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.admin.ai_models import AIModelAdmin
from igny8_core.modules.system.models import (
    AIModel,
    AIPrompt,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
    IntegrationSettings,
)
from igny8_core.modules.usage.models import Receipt
from tests.igny8_core.modules.test_usage import receipt

pytestmark = pytest.mark.django_db

LIST = "/admin/system/aimodel/"


def change(model_id: str, end: str = "change/") -> str:
    return f"{LIST}{AIModel.objects.get(model_id=model_id).pk}/{end}"


def form(client: Client, url: str, **changes: Any) -> dict[str, Any]:
    """What the page's form would post, with these changes; None leaves a field out."""
    page = client.get(url)
    assert page.status_code == 200
    admin_form = page.context["adminform"].form
    values = {
        name: admin_form[name].value()
        for name in admin_form.fields
        if admin_form[name].value() is not None and admin_form[name].value() is not False
    }
    for inline in page.context["inline_admin_formsets"]:
        for field in inline.formset.management_form:
            values[field.html_name] = field.value()
    posted = {**values, **changes}
    return {name: value for name, value in posted.items() if value is not None}


def messages_of(page: Any) -> list[str]:
    return [str(message) for message in page.context["messages"]]


# Phase 4


def test_ai_model_admin__class__is_the_plans_to_the_letter() -> None:
    assert AIModelAdmin.list_display == [
        "model_id",
        "display_name",
        "provider",
        "model_type",
        "input_rate",
        "output_rate",
        "is_active",
        "is_default",
    ]
    assert AIModelAdmin.list_filter == ["provider", "model_type", "is_active", "is_default"]
    assert AIModelAdmin.search_fields == ["model_id", "display_name"]
    assert AIModelAdmin.ordering == ["sort_order", "display_name"]
    assert AIModelAdmin.fieldsets == (
        ("Identification", {"fields": ("model_id", "display_name", "provider", "model_type")}),
        ("Pricing", {"fields": ("input_rate", "output_rate")}),
        ("Capabilities", {"fields": ("max_tokens", "supports_json_mode", "supports_vision")}),
        ("Status", {"fields": ("is_active", "is_default", "sort_order")}),
    )


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [("activate", "is_active", True), ("deactivate", "is_active", False)],
)
def test_action__on_selected__switches_them(
    admin_client: Client, action: str, field: str, value: bool
) -> None:
    AIModel.objects.filter(model_id="gpt-4.1").update(is_active=not value)
    chosen = AIModel.objects.filter(model_id__in=["gpt-4o", "gpt-4.1"])
    data = {"action": action, "_selected_action": [row.pk for row in chosen]}
    page = admin_client.post(LIST, data, follow=True)
    assert messages_of(page) == [f"2 models are now {'active' if value else 'inactive'}."]
    assert all(getattr(row, field) is value for row in chosen.all())


def test_action__make_default__one_of_each_type(admin_client: Client) -> None:
    chosen = AIModel.objects.filter(model_id__in=["gpt-4o", "dall-e-2"])
    data = {"action": "make_default", "_selected_action": [row.pk for row in chosen]}
    admin_client.post(LIST, data)
    defaults = AIModel.objects.filter(is_default=True).values_list("model_id", flat=True)
    assert set(defaults) == {"gpt-4o", "dall-e-2"}


def test_action__make_default_of_two_of_a_type__is_refused(admin_client: Client) -> None:
    chosen = AIModel.objects.filter(model_id__in=["gpt-4o", "gpt-4.1"])
    data = {"action": "make_default", "_selected_action": [row.pk for row in chosen]}
    page = admin_client.post(LIST, data, follow=True)
    assert messages_of(page) == ["A type has one default: select at most one model of each."]
    assert AIModel.objects.get(model_type="text", is_default=True).model_id == "gpt-4o-mini"


def test_delete__receipts_name_it__is_refused_on_the_page(
    admin_client: Client, acme: Account
) -> None:
    receipt(acme).save()
    page = admin_client.post(change("gpt-4o", "delete/"), {"post": "yes"}, follow=True)
    assert "cannot be deleted: receipts name it" in messages_of(page)[0]
    chosen = [AIModel.objects.get(model_id=name).pk for name in ("gpt-4o", "gpt-4.1")]
    data = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    page = admin_client.post(LIST, data, follow=True)
    assert "cannot be deleted: receipts name it" in messages_of(page)[0]
    assert AIModel.objects.count() == 12


# Phase 7


def test_list__filtered_and_sorted__shows_those(admin_client: Client) -> None:
    page = admin_client.get(LIST, {"provider__exact": "anthropic", "o": "-6"})
    rows = [row.model_id for row in page.context["cl"].result_list]
    assert rows == ["claude-3-opus", "claude-3-sonnet", "claude-3-haiku"]
    page = admin_client.get(LIST, {"is_default__exact": "1"})
    assert [row.model_id for row in page.context["cl"].result_list] == ["gpt-4o-mini"]


def test_toggle__one_click__posts_and_comes_back_to_the_same_list(admin_client: Client) -> None:
    back = f"http://testserver{LIST}?provider__exact=openai"
    answer = admin_client.post(change("gpt-4o", "toggle-active/"), headers={"Referer": back})
    assert (answer.status_code, answer.headers["Location"]) == (302, back)
    assert not AIModel.objects.get(model_id="gpt-4o").is_active
    page = admin_client.get(back)
    assert messages_of(page) == ["gpt-4o is now inactive."]
    text = admin_client.get(change("gpt-4o", "history/")).content.decode()
    assert "gpt-4o is now inactive." in text


def test_toggle__referer_elsewhere__comes_back_to_our_list(admin_client: Client) -> None:
    answer = admin_client.post(
        change("gpt-4o", "set-default/"), headers={"Referer": "https://evil.example/"}
    )
    assert answer.headers["Location"] == LIST
    assert AIModel.objects.get(model_type="text", is_default=True).model_id == "gpt-4o"


@pytest.mark.parametrize("end", ["toggle-active/", "set-default/"])
def test_toggle__by_get__is_405(admin_client: Client, end: str) -> None:
    assert admin_client.get(change("gpt-4o", end)).status_code == 405


def test_list__for_a_reader__has_no_buttons_and_refuses_the_post(client: Client) -> None:
    reader = User.objects.create(username="alice", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_aimodel"))
    client.force_login(reader)
    text = client.get(LIST).content.decode()
    assert "toggle-active" not in text
    assert client.post(change("gpt-4o", "toggle-active/")).status_code == 403
    text = client.get(change("gpt-4o")).content.decode()
    assert "price-calculator" not in text


def test_form__default_ticked__switches_it(admin_client: Client) -> None:
    url = change("gpt-5.2")
    answer = admin_client.post(url, form(admin_client, url, is_default="on"))
    assert answer.status_code == 302
    assert AIModel.objects.get(model_type="text", is_default=True).model_id == "gpt-5.2"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"is_active": None}, "it is not active"),
        (
            {"retires_at_0": "2020-01-01", "retires_at_1": "00:00:00"},
            "it retires on 2020-01-01 00:00 UTC without a successor",
        ),
        ({}, None),
    ],
)
def test_form__default_that_cannot_serve__warns(
    admin_client: Client, changes: dict[str, Any], why: str | None
) -> None:
    AIModel.objects.get(model_id="dall-e-3").make_default()
    url = change("dall-e-3")
    data = form(admin_client, url, output_rate="0", **changes)
    page = admin_client.post(url, data, follow=True)
    warnings = [each for each in messages_of(page) if each.startswith("dall-e-3 is the default")]
    end = "accounts without another choice get no model."
    wanted = f"dall-e-3 is the default for image, but {why}: {end}"
    assert warnings == ([wanted] if why else [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_rate", "-1"),
        ("input_rate", "NaN"),
        ("output_rate", "0.00001"),
        ("output_rate", "1000000"),
        ("max_tokens", "0"),
        ("model_id", "gpt-4o"),
        ("provider", "nobody"),
        ("model_type", "video"),
    ],
)
def test_form__nonsense__is_refused_on_the_field(
    admin_client: Client, field: str, value: str
) -> None:
    url = change("gpt-5.2")
    page = admin_client.post(url, form(admin_client, url, **{field: value}))
    assert page.status_code == 200
    assert list(page.context["adminform"].form.errors) == [field]


def preview(client: Client, **changes: str) -> str:
    values = {
        "model_type": "text",
        "input_rate": "1.75",
        "output_rate": "14",
        "input_tokens": "1000",
        "output_tokens": "500",
        "images": "1",
    }
    page = client.get(f"{LIST}price-preview/", {**values, **changes})
    assert page.status_code == 200
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page.content.decode())))


def test_preview__rates_and_quantities__is_what_the_call_costs(admin_client: Client) -> None:
    text = preview(admin_client)
    assert "1,000 at 1.75 per 1M input tokens 0.00175" in text
    assert "500 at 14.00 per 1M output tokens 0.007" in text
    assert "This call, in USD 0.00875" in text
    text = preview(admin_client, model_type="image", input_rate="0.04", images="3", input_tokens="")
    assert "3 at 0.04 per image 0.12" in text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"input_rate": "-1"}, "Input rate: Ensure this value is greater than or equal to 0."),
        ({"input_rate": "NaN"}, "Input rate: Enter a number."),
        ({"output_rate": ""}, "Output rate: This field is required."),
        ({"input_tokens": "-1"}, "Input tokens: Ensure this value is greater"),
        ({"input_tokens": ""}, "Input tokens: This field is required."),
        ({"input_tokens": "1.5"}, "Input tokens: Enter a whole number."),
        ({"input_tokens": str(10**18)}, "Input tokens: Ensure this value is less"),
        ({"model_type": "video"}, "Model type: Select a valid choice."),
        ({"output_rate": "0"}, "has no price for output_tokens. Such a model is not usable."),
    ],
)
def test_preview__nonsense__says_which_and_why(
    admin_client: Client, changes: dict[str, str], sentence: str
) -> None:
    assert sentence in preview(admin_client, **changes)


# Settings, prompts, accounts, receipts, waffle


def test_global_settings__key_typed_kept_and_removed(admin_client: Client) -> None:
    key = "sk-planted-0123456789"
    answer = admin_client.get("/admin/system/globalintegrationsettings/")
    url = answer.headers["Location"]
    admin_client.post(url, form(admin_client, url, openai_api_key=key, temperature="0.5"))
    text = admin_client.get(url).content.decode()
    assert "sk-…6789" in text
    assert key not in text
    admin_client.post(url, form(admin_client, url, openai_api_key="", temperature="0.6"))
    row = GlobalIntegrationSettings.load()
    assert row.temperature == 0.6
    assert row.openai_api_key is not None
    assert row.openai_api_key.reveal() == key
    data = form(admin_client, url, **{"openai_api_key": "", "openai_api_key-remove": "on"})
    admin_client.post(url, data)
    assert GlobalIntegrationSettings.load().openai_api_key is None


def test_global_settings__refused_beside_a_typed_key__asks_for_the_key_again(
    admin_client: Client,
) -> None:
    url = "/admin/system/globalintegrationsettings/1/change/"
    typed = form(admin_client, url, openai_api_key="sk-typed-0123456789", temperature="9")
    page = admin_client.post(url, typed).content.decode()
    assert page.count("type it again") == 1
    assert "sk-typed" not in page
    assert "type it again" not in admin_client.get(url).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", "3"),
        ("max_tokens", "0"),
        ("image_size", "big"),
        ("openai_api_key", "with space"),
    ],
)
def test_global_settings__nonsense__is_refused_on_the_field(
    admin_client: Client, field: str, value: str
) -> None:
    url = "/admin/system/globalintegrationsettings/1/change/"
    data = form(admin_client, url, **{"openai_api_key": "", field: value})
    page = admin_client.post(url, data)
    assert list(page.context["adminform"].form.errors) == [field]


def test_integration_settings__preference_of_another_type__is_refused(
    admin_client: Client, acme: Account
) -> None:
    url = reverse("admin:system_integrationsettings_add")
    wrong = AIModel.objects.get(model_id="dall-e-3").pk
    right = AIModel.objects.get(model_id="gpt-4o").pk
    page = admin_client.post(url, {"account": acme.pk, "text_model": wrong})
    assert list(page.context["adminform"].form.errors) == ["text_model"]
    assert admin_client.post(url, {"account": acme.pk, "text_model": right}).status_code == 302
    assert IntegrationSettings.preferences_of(acme) == {"text": "gpt-4o"}


def test_prompt__text_edited__is_a_new_version_and_the_old_one_stays(admin_client: Client) -> None:
    add = reverse("admin:system_globalaiprompt_add")
    first = {"task": "generate_ideas", "template": "One.", "placeholders": "[]", "is_active": "on"}
    assert admin_client.post(add, first).status_code == 302
    url = reverse("admin:system_globalaiprompt_change", args=[GlobalAIPrompt.objects.get().pk])
    data = form(admin_client, url, template="Be {{tone}}.", placeholders='["tone"]')
    _, token = admin_client.post(url, data).context["confirm"]
    page = admin_client.post(url, {**data, "_confirm": token}, follow=True)
    assert "The new text is version 2." in messages_of(page)
    rows = GlobalAIPrompt.objects.order_by("version")
    assert [(row.template, row.is_active) for row in rows] == [
        ("One.", False),
        ("Be {{tone}}.", True),
    ]
    note = form(admin_client, url, note="Kept for the record")
    admin_client.post(url, note)
    assert GlobalAIPrompt.objects.count() == 2


def test_prompt__second_one_added__is_the_active_version(admin_client: Client) -> None:
    add = reverse("admin:system_globalaiprompt_add")
    for template in ("One.", "Two."):
        data = {"task": "generate_ideas", "template": template, "placeholders": ""}
        assert admin_client.post(add, {**data, "is_active": "on"}).status_code == 302
    rows = GlobalAIPrompt.objects.order_by("version").values_list("version", "is_active")
    assert list(rows) == [(1, False), (2, True)]


def test_global_settings__changed_elsewhere_meanwhile__both_changes_stay(
    admin_client: Client,
) -> None:
    url = "/admin/system/globalintegrationsettings/1/change/"
    data = form(admin_client, url, openai_api_key="", temperature="0.5")
    row = GlobalIntegrationSettings.locked(pk=1)
    row.set_key("google", "planted-0123456789")
    row.save()
    admin_client.post(url, data)
    kept = GlobalIntegrationSettings.load()
    assert (kept.temperature, str(kept.key_of("google"))) == (0.5, "…6789")


def test_toggle__of_the_default__warns(admin_client: Client) -> None:
    page = admin_client.post(change("gpt-4o-mini", "toggle-active/"), follow=True)
    assert messages_of(page) == [
        "gpt-4o-mini is now inactive and the default. Accounts without another choice get no model."
    ]


def test_prompt__placeholder_not_declared__is_refused_on_the_field(
    admin_client: Client, acme: Account
) -> None:
    add = reverse("admin:system_aiprompt_add")
    data = {"account": acme.pk, "task": "generate_ideas", "template": "{{x}}", "placeholders": "[]"}
    page = admin_client.post(add, data)
    assert page.context["adminform"].form.errors == {
        "template": ["There is no placeholder 'x'."],
    }
    assert not AIPrompt.objects.exists()


def test_prompt__encryption_missing_or_deleted__says_so(
    admin_client: Client, settings: Any
) -> None:
    settings.ENCRYPTION_KEYS = []
    url = "/admin/system/globalintegrationsettings/1/change/"
    page = admin_client.post(url, form(admin_client, url, openai_api_key="sk-1"))
    errors = page.context["adminform"].form.errors
    assert errors == {
        "openai_api_key": ["Provider keys cannot be kept: ENCRYPTION_KEYS is not set."]
    }


def test_account__added_with_a_member_and_its_key_fixed(admin_client: Client) -> None:
    alice = User.objects.create(username="alice")
    url = reverse("admin:accounts_account_add")
    data = form(
        admin_client,
        url,
        key="cobalt",
        name="Cobalt",
        traits="{}",
        **{
            "memberships-TOTAL_FORMS": "1",
            "memberships-0-user": alice.pk,
            "memberships-0-role": "owner",
        },
    )
    assert admin_client.post(url, data).status_code == 302
    cobalt = Account.objects.get(key="cobalt")
    assert cobalt.memberships.get().user == alice
    change_url = reverse("admin:accounts_account_change", args=[cobalt.pk])
    member = cobalt.memberships.get()
    data = form(
        admin_client,
        change_url,
        key="other",
        name="New",
        **{
            "memberships-0-id": member.pk,
            "memberships-0-account": cobalt.pk,
            "memberships-0-user": alice.pk,
            "memberships-0-role": "member",
        },
    )
    admin_client.post(change_url, data)
    member.refresh_from_db()
    assert member.role == "member"
    assert list(Account.objects.values_list("key", "name")) == [("cobalt", "New")]


@pytest.mark.parametrize(
    ("field", "value"),
    [("key", "Not a key"), ("country", "de"), ("traits", "[]"), ("status", "asleep")],
)
def test_account__nonsense__is_refused_on_the_field(
    admin_client: Client, field: str, value: str
) -> None:
    url = reverse("admin:accounts_account_add")
    data = form(admin_client, url, **{"key": "cobalt", "name": "C", "traits": "{}", field: value})
    page = admin_client.post(url, data)
    assert list(page.context["adminform"].form.errors) == [field]


@pytest.mark.parametrize("end", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_receipt__anyone__can_only_read(admin_client: Client, acme: Account, end: str) -> None:
    receipt(acme, request_id=uuid4()).save()
    row = Receipt.objects.get()
    url = f"/admin/usage/receipt/{end.format(pk=row.pk)}"
    assert admin_client.post(url, {"task": "other", "post": "yes"}).status_code == 403
    assert Receipt.objects.get().task == row.task


def test_waffle__flag_with_every_field__is_saved(admin_client: Client) -> None:
    alice = User.objects.create(username="alice")
    url = reverse("admin:flags_flag_add")
    fields = set(admin_client.get(url).context["adminform"].form.fields)
    elsewhere = {"id", "variants", "rules", "overrides", "created", "modified"}
    assert fields == {field.name for field in Flag._meta.get_fields()} - elsewhere
    data = form(
        admin_client,
        url,
        name="new",
        everyone="true",
        percent="12.5",
        languages="de",
        note="n",
        users=[alice.pk],
        superusers="on",
    )
    assert admin_client.post(url, data).status_code == 302
    flag = Flag.objects.get(name="new")
    assert (flag.name, flag.everyone, float(flag.percent or 0)) == ("new", True, 12.5)
    assert list(flag.users.all()) == [alice]


@pytest.mark.parametrize("action", ["enable_for_all", "disable_for_all"])
def test_waffle__action__switches_the_flag(admin_client: Client, action: str) -> None:
    flag = Flag.objects.create(name="new")
    data = {"action": action, "_selected_action": [flag.pk]}
    admin_client.post(reverse("admin:flags_flag_changelist"), data)
    flag.refresh_from_db()
    assert flag.everyone is (action == "enable_for_all")


def test_site__every_page__opens_on_the_products_theme(admin_client: Client, acme: Account) -> None:
    Flag.objects.create(name="f")
    Switch.objects.create(name="s")
    Sample.objects.create(name="a", percent=1)
    receipt(acme).save()
    for model in site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        page = admin_client.get(reverse(f"admin:{name}_changelist"), follow=True)
        assert page.status_code == 200, name
        assert b"unfold/" in page.content, name
        row = model._default_manager.first() if hasattr(model, "_default_manager") else None
        if row is not None:
            page = admin_client.get(reverse(f"admin:{name}_change", args=[row.pk]))
            assert page.status_code == 200, name


@pytest.mark.parametrize("value", ["-5", "nan", "0", "3601"])
def test_live_settings__nonsense__is_refused_on_the_page(admin_client: Client, value: str) -> None:
    url = reverse("admin:constance_config_changelist")
    page = admin_client.get(url).context["form"]
    shown = {name: page[name].value() for name in page.fields}
    data = {name: said for name, said in shown.items() if said not in {None, False}}
    data["AI_REQUEST_TIMEOUT_S"] = value
    page = admin_client.post(url, data)
    assert list(page.context["form"].errors) == ["AI_REQUEST_TIMEOUT_S"]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize(
    ("most", "changed"), [(40, {"input_rate": "2"}), (30, {"display_name": "x"})]
)
def test_model__saved_on_its_page__takes_few_statements(
    admin_client: Client, most: int, changed: dict[str, str]
) -> None:
    url = change("gpt-4o")
    data = form(admin_client, url, **changed)
    with CaptureQueriesContext(connection) as queries:
        assert admin_client.post(url, data).status_code == 302
    assert len(queries) <= most
