"""What no page links to, in addresses and posted forms: never a fault of the server's."""

from __future__ import annotations

import pytest
from django.test import Client

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
