"""What no page links to, in addresses and posted forms: never a fault of the server's."""

from __future__ import annotations

import pytest
from django.test import Client, RequestFactory

from igny8_core.wsgi import application

pytestmark = pytest.mark.django_db

HUGE = "9" * 30
JUNK = ["abc", HUGE, "\0", "-1"]
LISTS = [
    "accounts/account",
    "auth/user",
    "flags/accountoverride",
    "flags/flag",
    "flags/segment",
    "system/aimodel",
    "system/modelprice",
    "usage/receipt",
    "waffle/switch",
]


@pytest.fixture
def staff(admin_client: Client) -> Client:
    admin_client.raise_request_exception = False
    return admin_client


@pytest.mark.parametrize("value", ["abc", HUGE, "%00", "-1", ""])
@pytest.mark.parametrize(
    "address",
    [
        "system/modelprice/add/?model={}",
        "flags/accountoverride/add/?account={0}&flag={0}",
        "system/integrationsettings/add/?account={}",
        "autocomplete/?app_label=system&model_name=modelprice&field_name=model&term={}",
        "autocomplete/?app_label=system&model_name=modelprice&field_name=model&page={}",
        "autocomplete/?app_label={0}&model_name={0}&field_name={0}",
        "flags/flag/?id__exact={}",
        "flags/flag/{}/change/",
        "flags/accountoverride/?flag__id__exact={}",
        "flags/revision/{}/change/",
        "flags/revision/{}/rollback/",
        "flags/revision/compare/?before={}&after=1",
        "flags/revision/?created_at__year={}",
        "system/aimodel/?_facets=1&is_active__exact={}",
        "usage/receipt/?created_at__gte={}",
        "usage/receipt/{}/change/",
    ],
)
def test_address__with_junk__is_answered(staff: Client, address: str, value: str) -> None:
    assert staff.get("/admin/" + address.format(value)).status_code < 500


@pytest.mark.parametrize("value", JUNK)
@pytest.mark.parametrize("rows", LISTS)
def test_list__asked_with_junk__is_answered(staff: Client, rows: str, value: str) -> None:
    asked = dict.fromkeys(("p", "o", "q", "e", "all", "junk"), value)
    assert staff.get(f"/admin/{rows}/", asked).status_code < 500


@pytest.mark.parametrize("rows", LISTS)
def test_action__on_what_is_no_key__is_a_bad_request(staff: Client, rows: str) -> None:
    for value in ("abc", HUGE, "\0"):
        posted = {"action": "delete_selected", "_selected_action": [value]}
        assert staff.post(f"/admin/{rows}/", posted).status_code == 400


@pytest.mark.parametrize("value", JUNK)
@pytest.mark.parametrize("lines", [{}, {"lines-TOTAL_FORMS": "0", "lines-INITIAL_FORMS": "0"}])
@pytest.mark.parametrize(
    "form",
    ["system/modelprice", "flags/accountoverride", "system/integrationsettings", "flags/flag"],
)
def test_form__posted_with_junk__is_answered(
    staff: Client, form: str, lines: dict[str, str], value: str
) -> None:
    names = ("model", "account", "flag", "text_model", "image_model", "variant", "reason", "users")
    more = ("effective_from_0", "expires_at_0", "lines-TOTAL_FORMS", "lines-INITIAL_FORMS")
    posted = {**dict.fromkeys((*names, *more), value), **lines}
    assert staff.post(f"/admin/{form}/add/", posted).status_code < 500


CHARSETS = ["undefined", "punycode", "idna", "hex", "base64", "rot13", "zip", "utf-16", "latin-1"]


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=b"])
def test_charset__that_is_no_utf_8__is_refused_by_every_address(charset: str, kind: str) -> None:
    """By the application that a server imports: Django's own reads with whatever is named."""
    body = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n%ff\r\n--b--\r\n"
    sent = RequestFactory().generic("POST", "/", body, f"{kind}; charset=utf-8").environ
    for address in ("/livez", "/admin/login/", "/api/v1/admin/ai-models/"):
        for method in ("GET", "POST"):
            started: list[str] = []
            where = {"PATH_INFO": address, "REQUEST_METHOD": method, "QUERY_STRING": "a=%ff"}
            named = {**sent, **where, "CONTENT_TYPE": f"{kind}; charset={charset}"}
            answer = application(named, lambda status, _headers: started.append(status))  # type: ignore[arg-type] # noqa: B023
            assert b"send UTF-8" in b"".join(answer)
            answer.close()
            assert started == ["415 Unsupported Media Type"]


def test_cookie__with_a_nul__is_refused(client: Client) -> None:
    answer = client.get("/admin/login/", headers={"cookie": 'sessionid="abcdefgh\\000ijkl"'})
    assert (answer.status_code, "sessionid" in answer.content.decode()) == (400, True)


@pytest.mark.parametrize("rows", LISTS)
def test_list__filtered_by_no_moment__is_answered(staff: Client, rows: str) -> None:
    for asked in (
        "created_at__year=0",
        "created_at__year=99999",
        "at__year=9999&at__month=12&at__day=31",
        "created_at__gte=9999-12-31T23:59:59-14:00",
    ):
        assert staff.get(f"/admin/{rows}/?{asked}").status_code < 500
    assert (
        staff.get(f"/admin/changes/change/?{asked.replace('created_at', 'at')}").status_code < 500
    )


def test_revision__number_of_thousands_of_digits__is_none(staff: Client) -> None:
    assert staff.get(f"/admin/flags/revision/{'1' * 5_001}/change/").status_code in {302, 404}


def test_api__digits_of_another_script__name_no_row(staff: Client) -> None:
    assert staff.delete("/api/v1/admin/ai-models/%D9%A1/").status_code == 404
