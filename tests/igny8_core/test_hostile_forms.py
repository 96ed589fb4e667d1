"""Whatever a tampered form or request says, it is no fault of the server's; a refusal names it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import models, transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waffle.models import Sample, Switch

from flags import publishing
from flags.models import AccountOverride, Flag, Rule, Segment, Trait, Variant
from igny8_core.modules.accounts.models import Account, Membership
from igny8_core.modules.system.errors import InvalidKey
from igny8_core.modules.system.models import (
    AIModel,
    AIPrompt,
    AIProvider,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
    IntegrationSettings,
    ModelAlias,
)
from igny8_core.modules.system.secrets import Secret
from tests.browser_post import opened
from tests.conftest import EXAMPLES, Manage

pytestmark = pytest.mark.django_db


def examples(number: int) -> settings:
    """Each example rolls back what it did, so the client may be the same."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=number * EXAMPLES, suppress_health_check=checks)


HOSTILE = [
    "",
    "abc",
    "a\0b",
    "\0",
    "\x1b[31m",
    "\u200bacme",
    "\u202eacme",
    "9" * 30,
    "-" + "9" * 30,
    "9" * 5_000,
    "9223372036854775808",
    "1_0",
    "٣",
    "1e999",
    "-0",
    "NaN",
    "Infinity",
    "9300000.00",
    "99999999999999999999.99",
    "0.00000000000001",
    '"\\ud800"',
    '{"a": "\\u0000"}',
    '{"\\ud800": 1}',
    "[1e999]",
    "[NaN]",
    "[" * 5_000,
    '{"a":' * 500 + "1" + "}" * 500,
    '[{"op": "in"}]',
    "[null]",
    "x" * 300_000,
    "api.example.com",
    "https://[::1",
    "https://a.example:99999",
    "https://a.example:0/",
    "0001-01-01",
    "9999-12-31",
    "99:99",
    "on",
]


def rows() -> dict[type[models.Model], models.Model]:
    account = Account.objects.create(key="zed", name="Zed", plan="pro")
    user = User.objects.create_user("zoe", password="x")
    Membership.objects.create(user=user, account=account)
    flag = Flag.objects.create(name="hostile")
    Variant.objects.create(flag=flag, key="on", value=True)
    Variant.objects.create(flag=flag, key="off", value=False)
    Rule.objects.create(flag=flag, rule_id="r", when=[], serve={"variant": "on"})
    made: list[models.Model] = [
        account,
        user,
        flag,
        Segment.objects.create(key="s", include=["zed"]),
        Trait.objects.create(name="seats", type="num"),
        Group.objects.create(name="g"),
        Switch.objects.create(name="s", active=False),
        Sample.objects.create(name="s", percent=10),
        AccountOverride.objects.create(account=account, flag=flag, variant="on", reason="why"),
        AIModel.objects.get(model_id="gpt-4.1"),
        AIProvider.named("google"),
        ModelAlias.objects.get(name="gpt-4o-2024-08-06"),
        GlobalAIPrompt.objects.create(task="generate_content", template="x"),
        AIPrompt.objects.create(account=account, task="generate_content", template="x"),
        IntegrationSettings.objects.create(account=account),
        GlobalIntegrationSettings.objects.get_or_create(pk=GlobalIntegrationSettings.PK)[0],
    ]
    platform = GlobalIntegrationSettings.load()
    platform.openai_api_key = "sk-0123456789"
    platform.save()
    publishing.publish()
    return {type(row): row for row in made}


# The forms that can be posted, by what their rows are.
FORMS = [
    Account,
    AccountOverride,
    AIModel,
    AIPrompt,
    AIProvider,
    Flag,
    GlobalAIPrompt,
    GlobalIntegrationSettings,
    Group,
    IntegrationSettings,
    ModelAlias,
    Sample,
    Segment,
    Switch,
    Trait,
    User,
]


@pytest.fixture
def staff(admin_client: Client) -> Client:
    admin_client.raise_request_exception = False
    return admin_client


def names_in(form: dict[str, list[str]]) -> list[str]:
    """Every input, those of a row that a script would add too."""
    names = [name.replace("__prefix__", "0") for name in form]
    return sorted({*names} - {"csrfmiddlewaretoken"})


def post(client: Client, page: str, form: dict[str, list[str]], name: str, value: str) -> Any:
    sent = {**form, name: [value]}
    if "-0-" in name:
        sent[name.partition("-0-")[0] + "-TOTAL_FORMS"] = ["1"]
    return client.post(page, sent)


@pytest.mark.parametrize("model", FORMS)
@examples(15)
@given(data=st.data())
def test_form__any_field_with_anything__is_no_fault_of_the_servers(
    model: type[models.Model], staff: Client, data: st.DataObject
) -> None:
    with transaction.atomic():
        row = rows()[model]
        page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        ends = [f"{row.pk}/change/", "add/"][: 1 if model is GlobalIntegrationSettings else 2]
        page += data.draw(st.sampled_from(ends))
        form = opened(staff, page)
        name = data.draw(st.sampled_from(names_in(form)))
        value = data.draw(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=50)))
        answer = post(staff, page, form, name, value)
        assert answer.status_code < 500, (page, name, value)
        if "\0" in value:
            assert answer.status_code == 400
            assert f"“{name}” has a NUL character in it." in answer.content.decode()
        transaction.set_rollback(True)


@pytest.mark.parametrize("value", ["-" + "9" * 30, "-1", "0"])
@pytest.mark.parametrize(
    ("model", "rows_below"), [(Account, "memberships"), (Flag, "rules"), (Flag, "variants")]
)
def test_row_below__said_to_be_new_and_there_already__is_refused_on_its_form(
    staff: Client, model: type[models.Model], rows_below: str, value: str
) -> None:
    page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{rows()[model].pk}/change/"
    answer = post(staff, page, opened(staff, page), f"{rows_below}-INITIAL_FORMS", value)
    assert answer.status_code == 200
    [formset] = [
        each.formset
        for each in answer.context["inline_admin_formsets"]
        if each.formset.prefix == rows_below
    ]
    assert "already exists" in str(formset.errors)


JSON_FIELDS = {Account: "traits", AIPrompt: "placeholders", GlobalAIPrompt: "placeholders"}


BAD_JSON = [
    '"\\ud800"',
    '["\\udfff"]',
    '{"a": "\\u0000"}',
    '{"\\ud800": 1}',
    "[1e999]",
    "[NaN]",
    "[" * 5_000,
]


@pytest.mark.parametrize("value", BAD_JSON)
@pytest.mark.parametrize("model", JSON_FIELDS)
def test_json__that_no_database_keeps__is_refused_on_its_field(
    staff: Client, model: type[models.Model], value: str
) -> None:
    page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/add/"
    assert rows()
    answer = post(staff, page, opened(staff, page), JSON_FIELDS[model], value)
    assert answer.status_code == 200
    assert JSON_FIELDS[model] in answer.context["adminform"].form.errors


@examples(30)
@given(data=st.data())
def test_live_settings__any_field_with_anything__is_no_fault_of_the_servers(
    staff: Client, data: st.DataObject
) -> None:
    page = "/admin/constance/config/"
    form = settings_form(staff.get(page).content.decode())
    name = data.draw(st.sampled_from(sorted(form)))
    answer = staff.post(page, {**form, name: data.draw(st.sampled_from(HOSTILE))})
    assert answer.status_code < 500


def settings_form(html: str) -> dict[str, str]:
    return dict.fromkeys(re.findall(r'name="([A-Za-z_]+)"', html), "1")


BODIES = st.dictionaries(
    st.sampled_from(
        ["model_id", "display_name", "provider", "model_type", "input_rate", "max_tokens"]
    )
    | st.text(max_size=5),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.sampled_from(HOSTILE),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ),
)


@examples(100)
@given(body=BODIES)
def test_api__any_body__is_no_fault_of_the_servers_and_names_the_field(
    staff: Client, body: dict[str, Any]
) -> None:
    text = json.dumps(body)
    answer = staff.post("/api/v1/admin/ai-models/", text, content_type="application/json")
    assert answer.status_code < 500
    if answer.status_code == 400 and "details" not in answer.json():
        assert answer.json().get("path") or answer.json()["code"] == "parse_error"


@pytest.mark.parametrize("value", ["\u200bZed", "Z\u202eed", "Zed\ufeff"])
def test_name__with_an_invisible_character__is_refused_on_its_field(
    staff: Client, value: str
) -> None:
    page = f"/admin/accounts/account/{rows()[Account].pk}/change/"
    answer = post(staff, page, opened(staff, page), "name", value)
    assert "has an invisible character in it: U+" in str(
        answer.context["adminform"].form.errors["name"]
    )


@pytest.mark.parametrize("value", ["1_0", "٣", "1_0.5"])
@pytest.mark.parametrize(
    ("model", "name"),
    [
        (AIModel, "input_rate"),
        (AIModel, "max_tokens"),
        (GlobalIntegrationSettings, "temperature"),
    ],
)
def test_number__as_python_alone_reads_it__is_refused_on_its_field(
    staff: Client, model: type[models.Model], name: str, value: str
) -> None:
    page = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{rows()[model].pk}/change/"
    answer = post(staff, page, opened(staff, page), name, value)
    assert name in answer.context["adminform"].form.errors


@pytest.mark.parametrize("way", ["toggle-active/", "set-default/"])
def test_click__on_a_model_that_somebody_has_just_deleted__is_answered(
    staff: Client, way: str
) -> None:
    for address in ("/admin/system/aimodel/999999/", "/api/v1/admin/ai-models/999999/"):
        assert staff.post(address + way).status_code in {302, 404}


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "text", "--account", "ac\udcffme"],
        ["override", "set", "acme", "text", "on", "--reason", "\udcff"],
        ["resolve", "generate_content", "--account", "\udcff"],
        ["override", "set", "acme", "text", "on", "--expires", "9999-12-31T23:59:59-14:00"],
        ["evaluate", "text", "--account", "acme", "--at", "0001-01-01T00:00:00+14:00"],
        ["quote", "gpt-4o", "--at", "9999-12-31T23:59:59-14:00"],
        ["quote", "gpt-4o", "--markup", "1_0"],
    ],
)
def test_command__word_that_makes_no_sense__is_bad_usage(manage: Manage, words: list[str]) -> None:
    done = manage(*words)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


def test_key__of_megabytes__is_refused() -> None:
    with pytest.raises(InvalidKey, match="at most 1,000 characters"):
        Secret.of("s" * 5_000_000)
