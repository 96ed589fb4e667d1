"""SEED-PLAN phase 6: the endpoints of the catalogue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from igny8_core.api.ai_models import AIModelSerializer, AIModelViewSet
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel, IntegrationSettings
from igny8_core.wsgi import application
from tests.conftest import examples
from tests.igny8_core.modules.test_usage import receipt

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/ai-models/"
NEW = {
    "model_id": "gpt-6",
    "display_name": "GPT-6",
    "provider": "openai",
    "model_type": "text",
    "input_rate": "1.5",
    "output_rate": "6",
}


def detail(model_id: str, end: str = "") -> str:
    return f"{URL}{AIModel.objects.get(model_id=model_id).pk}/{end}"


def send(client: Client, method: str, url: str, body: object = None) -> Any:
    return client.generic(method, url, json.dumps(body), content_type="application/json")


def test_list__staff__is_paginated(admin_client: Client) -> None:
    page = admin_client.get(URL, {"page_size": 5}).json()
    assert set(page) == {"count", "next", "previous", "results"}
    assert (page["count"], len(page["results"]), page["previous"]) == (12, 5, None)
    assert admin_client.get(page["next"]).json()["results"][0]["model_id"] == "claude-3-sonnet"


def test_list__row__has_every_field_money_as_text(admin_client: Client) -> None:
    row = admin_client.get(URL).json()["results"][0]
    assert row.pop("created_at")
    assert row.pop("updated_at")
    assert row == {
        "id": AIModel.objects.get(model_id="gpt-4o-mini").pk,
        "model_id": "gpt-4o-mini",
        "display_name": "GPT-4o Mini",
        "provider": "openai",
        "model_type": "text",
        "input_rate": "0.1500",
        "output_rate": "0.6000",
        "max_tokens": 8192,
        "context_window": 128_000,
        "supports_json_mode": True,
        "supports_vision": False,
        "is_active": True,
        "is_default": True,
        "sort_order": 0,
    }


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"model_type": "image", "provider": "runware"}, ["runware:97@1"]),
        ({"is_default": "true"}, ["gpt-4o-mini"]),
        ({"search": "OPUS"}, ["claude-3-opus"]),
        ({"ordering": "-output_rate", "page_size": "2"}, ["claude-3-opus", "claude-3-sonnet"]),
        ({"search": "nothing"}, []),
    ],
)
def test_list__filtered_searched_sorted__has_those(
    admin_client: Client, query: dict[str, str], ids: list[str]
) -> None:
    page = admin_client.get(URL, query).json()
    assert [row["model_id"] for row in page["results"]] == ids


def test_create__complete__is_201_with_the_row(admin_client: Client) -> None:
    answer = send(admin_client, "POST", URL, {**NEW, "is_default": True})
    assert answer.status_code == 201
    assert answer.json()["input_rate"] == "1.5000"
    assert AIModel.objects.get(is_default=True).model_id == "gpt-6"


def test_update__put_and_patch__change_the_row(admin_client: Client) -> None:
    url = detail("gpt-4o")
    assert send(admin_client, "PUT", url, {**NEW, "model_id": "gpt-4o"}).status_code == 200
    answer = send(admin_client, "PATCH", url, {"output_rate": "7.25"})
    assert (answer.status_code, answer.json()["output_rate"]) == (200, "7.2500")
    row = admin_client.get(url).json()
    assert (row["display_name"], row["input_rate"]) == ("GPT-6", "1.5000")


def test_delete__unused__is_204(admin_client: Client) -> None:
    assert admin_client.delete(detail("dall-e-2")).status_code == 204
    assert not AIModel.objects.filter(model_id="dall-e-2").exists()


@pytest.mark.parametrize("column", ["model_asked", "model_served"])
def test_delete__receipts_name_it__is_409(admin_client: Client, acme: Account, column: str) -> None:
    receipt(acme, **{"model_asked": "x", column: "gpt-4o"}).save()
    answer = admin_client.delete(detail("gpt-4o"))
    assert answer.status_code == 409
    assert answer.json() == {
        "code": "model_in_use",
        "message": "Model 'gpt-4o' cannot be deleted: receipts name it. Deactivate it instead.",
    }
    assert AIModel.objects.filter(model_id="gpt-4o").exists()


def test_rename__receipts_name_it__is_409(admin_client: Client, acme: Account) -> None:
    answer = send(admin_client, "PATCH", detail("gpt-4o"), {"model_id": "other"})
    assert answer.status_code == 200
    receipt(acme, model_asked="gpt-4.1").save()
    answer = send(admin_client, "PATCH", detail("gpt-4.1"), {"model_id": "new"})
    assert (answer.status_code, answer.json()["code"]) == (409, "model_in_use")
    assert "cannot be renamed" in answer.json()["message"]


def test_delete__an_account_prefers_it__is_409(admin_client: Client, acme: Account) -> None:
    model = AIModel.objects.get(model_id="gpt-4o")
    IntegrationSettings.objects.create(account=acme, text_model=model)
    answer = admin_client.delete(detail("gpt-4o"))
    assert (answer.status_code, answer.json()["code"]) == (409, "model_in_use")


def test_toggle_active__twice__is_200_with_the_row(admin_client: Client) -> None:
    for expected in (False, True):
        answer = admin_client.post(detail("gpt-4o", "toggle-active/"))
        assert (answer.status_code, answer.json()["is_active"]) == (200, expected)


def test_set_default__other_model__is_200_and_clears_the_first(admin_client: Client) -> None:
    answer = admin_client.post(detail("gpt-4o", "set-default/"))
    assert (answer.status_code, answer.json()["is_default"]) == (200, True)
    assert AIModel.objects.get(model_type="text", is_default=True).model_id == "gpt-4o"


@pytest.mark.parametrize("end", ["toggle-active/", "set-default/"])
def test_action__by_get__is_405(admin_client: Client, end: str) -> None:
    answer = admin_client.get(detail("gpt-4o", end))
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.fixture
def clients(client: Client) -> dict[str, Client]:
    made = {"nobody": client}
    reader = Permission.objects.get(codename="view_aimodel")
    for name, staff in (("user", False), ("staff", True)):
        user = User.objects.create(username=name, is_staff=staff)
        user.user_permissions.add(reader)
        made[name] = Client()
        made[name].force_login(user)
    return made


@pytest.mark.parametrize(
    ("who", "method", "status"),
    [
        ("nobody", "GET", 401),
        ("user", "GET", 403),
        ("staff", "GET", 200),
        ("staff", "POST", 403),
    ],
)
def test_list__by_each__is_for_staff_and_writing_for_those_who_may(
    clients: dict[str, Client], who: str, method: str, status: int
) -> None:
    answer = send(clients[who], method, URL, NEW)
    assert answer.status_code == status
    if status != 200:
        assert set(answer.json()) == {"code", "message"}


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"input_rate": "-1"}, "input_rate", "min_value"),
        ({"input_rate": "NaN"}, "input_rate", "invalid"),
        ({"input_rate": "1e30"}, "input_rate", "max_digits"),
        ({"output_rate": "0.00001"}, "output_rate", "max_decimal_places"),
        ({"max_tokens": 0}, "max_tokens", "min_value"),
        ({"max_tokens": 10**30}, "max_tokens", "max_value"),
        ({"provider": "nobody"}, "provider", "invalid_choice"),
        ({"model_type": "video"}, "model_type", "invalid_choice"),
        ({"model_id": "gpt-4o"}, "model_id", "unique"),
        ({"model_id": ""}, "model_id", "blank"),
        ({"model_id": "a\0"}, "model_id", "unstorable_text"),
        ({"display_name": None}, "display_name", "null"),
        ({"is_active": "maybe"}, "is_active", "invalid"),
        ({"provider": "\ud800"}, "provider", "unstorable_text"),
        ({"model_type": "\ud800"}, "model_type", "unstorable_text"),
    ],
)
def test_create__nonsense__is_400_with_the_path(
    admin_client: Client, change: dict[str, object], path: str, code: str
) -> None:
    answer = send(admin_client, "POST", URL, {**NEW, **change})
    assert answer.status_code == 400
    body = answer.json()
    assert (body["path"], body["code"]) == (path, code)
    assert body["message"]


def test_create__several_faults__are_all_in_details(admin_client: Client) -> None:
    answer = send(admin_client, "POST", URL, {**NEW, "input_rate": "x", "provider": "y"})
    details = answer.json()["details"]
    assert [fault["path"] for fault in details] == ["provider", "input_rate"]


@pytest.mark.parametrize(
    ("method", "url", "body", "status"),
    [
        ("GET", f"{URL}999999/", "", 404),
        ("GET", f"{URL}{10**17}/", "", 404),
        ("GET", f"{URL}?page=0", "", 404),
        ("GET", f"{URL}?page=x", "", 404),
        ("GET", f"{URL}?is_active=maybe", "", 400),
        ("GET", f"{URL}?provider=nobody", "", 400),
        ("GET", f"{URL}?search=%00", "", 400),
        ("GET", f"{URL}?ordering=password", "", 400),
        ("POST", URL, "[" * 200_000, 400),
        ("POST", URL, "{", 400),
        ("POST", URL, "[]", 400),
        ("POST", URL, '"text"', 400),
        ("POST", URL, "null", 400),
        ("POST", URL, '{"model_id": "\\ud800"}', 400),
        ("POST", URL, "\xff", 400),
        ("DELETE", URL, "", 405),
        ("PATCH", f"{URL}999999/", "{}", 404),
    ],
)
def test_request__nonsense__is_never_a_500(
    admin_client: Client, method: str, url: str, body: str, status: int
) -> None:
    answer = admin_client.generic(method, url, body.encode("latin-1"), "application/json")
    assert answer.status_code == status
    if status >= 400:
        assert {"code", "message"} <= set(answer.json())


def test_request__other_content_type__is_415(admin_client: Client) -> None:
    answer = admin_client.generic("POST", URL, b"<x/>", "text/xml")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([*NEW, "max_tokens", "is_default", "sort_order"]), values))
def test_create__anything__is_created_or_refused(
    admin_client: Client, body: dict[str, object]
) -> None:
    answer = send(admin_client, "POST", URL, {**NEW, **body})
    assert answer.status_code in {201, 400}
    if answer.status_code == 201:
        admin_client.delete(f"{URL}{answer.json()['id']}/")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_request__other_charset_than_utf_8__is_415(admin_client: Client, method: str) -> None:
    content_type = "application/json; charset=utf-16"
    answer = admin_client.generic(method, URL, b"{}", content_type)
    assert answer.status_code == 415


@pytest.mark.parametrize("charset", ["rot13", "hex", "nonsense"])
def test_application__charset_that_is_none__is_no_500(charset: str) -> None:
    started: list[str] = []
    environ = RequestFactory()._base_environ(  # type: ignore[attr-defined]
        PATH_INFO=URL,
        QUERY_STRING="search=x",
        CONTENT_TYPE=f"application/json; charset={charset}",
    )
    answer = application(environ, lambda status, _headers: started.append(status))  # type: ignore[arg-type]
    answer.close()
    assert started == ["415 Unsupported Media Type"]


@pytest.mark.parametrize(("right", "status"), [("add_aimodel", 403), ("change_aimodel", 200)])
@pytest.mark.parametrize("end", ["toggle-active/", "set-default/"])
def test_action__needs_the_right_to_change(
    client: Client, end: str, right: str, status: int
) -> None:
    user = User.objects.create(username="staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=right))
    client.force_login(user)
    assert client.post(detail("gpt-4o", end)).status_code == status


def test_patch__names_another_field__does_not_take_the_default_back() -> None:
    stale = AIModel.objects.get(model_id="gpt-4o-mini")
    AIModel.objects.get(model_id="gpt-4o").make_default()
    serializer = AIModelSerializer(stale, data={"display_name": "Mini"}, partial=True)
    serializer.is_valid(raise_exception=True)
    serializer.save()
    assert AIModel.objects.get(model_type="text", is_default=True).model_id == "gpt-4o"
    stale.refresh_from_db()
    assert stale.display_name == "Mini"


def test_etag__stale_if_match__is_412_and_nothing_is_written(admin_client: Client) -> None:
    url = detail("gpt-4o")
    etag = admin_client.get(url)["ETag"]
    assert admin_client.get(url)["ETag"] == etag

    def patch(match: str, **body: Any) -> Any:
        text = json.dumps(body)
        return admin_client.patch(
            url, text, content_type="application/json", headers={"If-Match": match}
        )

    done = patch(etag, display_name="one")
    assert done.status_code == 200
    assert done["ETag"] == admin_client.get(url)["ETag"] != etag
    for match in (etag, '"other", "another"'):
        stale = patch(match, display_name="two")
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
        assert "last by admin (revision " in stale.json()["message"]
    assert AIModel.objects.get(model_id="gpt-4o").display_name == "one"
    assert patch("*", display_name="three").status_code == 200
    headers = {"If-Match": etag}
    assert admin_client.post(f"{url}toggle-active/", headers=headers).status_code == 412
    assert admin_client.delete(url, headers=headers).status_code == 412


@pytest.mark.parametrize("column", ["display_name", "sort_order", "input_rate"])
def test_etag__after_update__is_another(admin_client: Client, column: str) -> None:
    url = detail("gpt-4o")
    etag = admin_client.get(url)["ETag"]
    AIModel.objects.filter(model_id="gpt-4o").update(**{column: 7})
    assert admin_client.get(url)["ETag"] != etag


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_write__row_that_somebody_deletes_meanwhile__is_404(
    admin_client: Client, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted after it was found and before it is locked."""
    url, found = detail("gpt-4o"), AIModelViewSet.get_object

    def deleted(view: AIModelViewSet) -> AIModel:
        model = found(view)
        AIModel.objects.filter(pk=model.pk).delete()
        return model

    monkeypatch.setattr(AIModelViewSet, "get_object", deleted)
    answer = send(admin_client, method, url, NEW)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("value", ["1_0", "٣", "0x1", "1e", " "])
@pytest.mark.parametrize("name", ["input_rate", "max_tokens", "sort_order"])
def test_number__as_python_alone_reads_it__is_refused_by_name(
    admin_client: Client, name: str, value: str
) -> None:
    answer = send(admin_client, "PATCH", detail("gpt-4.1"), {name: value})
    assert (answer.status_code, answer.json()["path"]) == (400, name)


def test_set_default__says_who_has_got_another_model(admin_client: Client, acme: Account) -> None:
    answer = admin_client.post(detail("gpt-4.1", "set-default/"))
    (told,) = answer.json()["moved"]
    assert told.startswith("1 account moves from gpt-4o-mini to gpt-4.1 for ")
    assert "moved" not in send(admin_client, "PATCH", detail("gpt-4.1"), {"sort_order": 7}).json()
