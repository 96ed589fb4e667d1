"""A page publishes what was saved on it, and nothing else; a refusal loses nothing."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from flags import publishing
from flags.models import Flag, Revision, Segment, Trait

pytestmark = pytest.mark.django_db


def test_form__invalid_beside_unpublished_changes__publishes_nothing(admin_client: Client) -> None:
    Flag.objects.create(name="f")
    before = publishing.publish().number
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flags_flag SET is_on = false")
    page = admin_client.post("/admin/flags/trait/add/", {"name": "no name", "type": "str"})
    assert page.status_code == 200
    assert "is not a trait" in page.content.decode()
    assert Revision.objects.latest("number").number == before


def test_form__invalid_while_the_tables_do_not_check__keeps_what_was_typed(
    admin_client: Client,
) -> None:
    Flag.objects.create(name="bad", requires=[{"flag": "typo"}])
    page = admin_client.post(
        "/admin/flags/trait/add/", {"name": "no name", "type": "str", "note": "typed by hand"}
    )
    assert page.status_code == 200
    assert "typed by hand" in page.content.decode()


def test_action__refused__says_nothing_of_success(admin_client: Client) -> None:
    segment = Segment.objects.create(key="s")
    Segment.objects.create(key="names", rules=[[{"op": "segment", "values": ["s"]}]])
    publishing.publish()
    data = {"action": "delete_selected", "_selected_action": [str(segment.pk)], "post": "yes"}
    page = admin_client.post("/admin/flags/segment/", data, follow=True)
    told = [each.level_tag for each in page.context["messages"]]
    assert told == ["error"]
    assert Segment.objects.filter(key="s").exists()


def test_form__refused_and_mended__is_saved_once(admin_client: Client) -> None:
    url, data = "/admin/flags/segment/add/", {"key": "s", "include": "", "exclude": ""}
    data["rules"] = '[[{"trait": "seats", "op": "gt", "values": [1]}]]'
    for _ in range(2):
        page = admin_client.post(url, data)
        assert page.status_code == 200
        assert not Segment.objects.filter(key="s").exists()
    Trait.objects.create(name="seats", type="num")
    assert admin_client.post(url, data).status_code == 302
    assert Segment.objects.filter(key="s").count() == 1
