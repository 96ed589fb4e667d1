"""A page publishes what was saved on it, and nothing else; a refusal loses nothing."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from flags import publishing
from flags.models import Flag, Revision, Rule, Segment, Trait

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


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_form__invalid_while_the_tables_do_not_check__keeps_what_was_typed(
    admin_client: Client,
) -> None:
    Flag.objects.bulk_create([Flag(name="bad", requires=[{"flag": "typo"}])])
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


def test_action__refused_for_a_hundred_flags__is_one_sentence_in_words(
    admin_client: Client,
) -> None:
    segment = Segment.objects.create(key="s")
    for number in range(100):
        flag = Flag.objects.create(name=f"f-{number:03}")
        when = [{"op": "segment", "values": ["s"]}]
        Rule.objects.create(flag=flag, when=when, serve={"variant": "on"})
    publishing.publish()
    data = {"action": "delete_selected", "_selected_action": [str(segment.pk)], "post": "yes"}
    page = admin_client.post("/admin/flags/segment/", data, follow=True)
    (told,) = [str(message) for message in page.context["messages"]]
    places = ", ".join(f"rule 1 of flag f-{number:03}" for number in range(3))
    assert told == f"There is no segment 's'. In {places} and 97 others."
    url = f"/admin/flags/segment/{segment.pk}/delete/"
    page = admin_client.post(url, {"post": "yes"}, follow=True)
    assert [str(message) for message in page.context["messages"]] == [told]


def test_action__done__says_so(admin_client: Client) -> None:
    flags = [Flag.objects.create(name=name) for name in ("a", "b")]
    publishing.publish()
    data = {"action": "disable_for_all", "_selected_action": [str(flag.pk) for flag in flags]}
    page = admin_client.post("/admin/flags/flag/", data, follow=True)
    assert [str(message) for message in page.context["messages"]] == ["2 flags changed."]
    assert not Flag.objects.exclude(everyone=False).exists()
