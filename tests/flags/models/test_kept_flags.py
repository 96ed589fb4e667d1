"""Flags that the host asks by their names are neither renamed nor deleted, by any way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from flags import publishing
from flags.models import Flag, KeptFlag
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks.tasks import TASKS

pytestmark = pytest.mark.django_db

KEPT = [*TASKS, *ModelType]


def rename(flag: Flag) -> Any:
    flag.name = "other"
    return flag.save()


WAYS: dict[str, Callable[[Flag], Any]] = {
    "row renamed": rename,
    "rows renamed": lambda flag: Flag.objects.filter(pk=flag.pk).update(name="other"),
    "row deleted": lambda flag: flag.delete(),
    "rows deleted": lambda flag: Flag.objects.filter(pk=flag.pk).delete(),
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("way", WAYS)
def test_kept_flag__renamed_or_deleted__is_refused(way: str, name: str) -> None:
    flag, _ = Flag.objects.get_or_create(name=name, defaults={"kind": "str"})
    with pytest.raises(KeptFlag, match=r"cannot be (renamed|deleted): .+\. Turn it off instead"):
        WAYS[way](flag)
    assert Flag.objects.filter(name=name).exists()


def test_pages__kept_flag__is_refused_on_its_name_and_as_a_message(admin_client: Client) -> None:
    flag = Flag.objects.create(name="text", kind="str", vocabulary="ai-model:text")
    publishing.publish()
    address = f"/admin/flags/flag/{flag.pk}/"
    page = admin_client.post(f"{address}change/", {"name": "other", "kind": "str"})
    assert page.context["adminform"].form.errors["name"] == [
        "The flag text cannot be renamed: it chooses among the text models. Turn it off instead."
    ]
    page = admin_client.post(f"{address}delete/", {"post": "yes"}, follow=True)
    assert "cannot be deleted" in str(next(iter(page.context["messages"])))
    data = {"action": "delete_selected", "_selected_action": [str(flag.pk)], "post": "yes"}
    page = admin_client.post("/admin/flags/flag/", data, follow=True)
    assert "cannot be deleted" in str(next(iter(page.context["messages"])))
    assert Flag.objects.filter(name="text").exists()


def test_roll_back__to_before_a_kept_flag__lets_it_go() -> None:
    first = publishing.publish()
    Flag.objects.create(name="generate_content", kind="str", vocabulary="ai-model:text")
    publishing.publish()
    publishing.roll_back(first.number)
    assert not Flag.objects.filter(name="generate_content").exists()
