from __future__ import annotations

import pytest
from django.contrib.admin import site
from django.test import Client
from django.urls import reverse

from igny8_core.modules.accounts.models import Account

OURS = ["accounts.Account", "system.AIModel", "usage.Receipt"]


@pytest.mark.parametrize("label", OURS)
def test_list__each_of_ours__opens(admin_client: Client, acme: Account, label: str) -> None:
    name = label.lower().replace(".", "_")
    assert admin_client.get(reverse(f"admin:{name}_changelist")).status_code == 200


def test_receipts__anyone__can_read_only(rf: object, admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:usage_receipt_add"))
    assert page.status_code == 403


def test_site__registered__has_ours() -> None:
    labels = {model._meta.label for model in site._registry}
    assert labels.issuperset(OURS)
