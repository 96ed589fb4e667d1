"""The models' list tests those that are selected, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_httpserver import HTTPServer

from flags import publishing
from igny8_core.modules.system.models import AIModel, GlobalIntegrationSettings
from igny8_core.modules.usage.models import Receipt
from tests.conftest import point
from tests.igny8_core.ai.test_ai_core import completion

pytestmark = pytest.mark.django_db


@pytest.fixture
def reachable(httpserver: HTTPServer) -> HTTPServer:
    point("openai", httpserver.url_for("/v1"))
    publishing.publish_pending()
    row = GlobalIntegrationSettings()
    row.openai_api_key = "sk-planted-0123456789"
    row.save()
    return httpserver


def try_out(client: Client, model_ids: Iterable[str]) -> str:
    rows = AIModel.objects.filter(model_id__in=[*model_ids]).values_list("pk", flat=True)
    form = {"action": "try_models", "_selected_action": [*rows]}
    return client.post(reverse("admin:system_aimodel_changelist"), form, follow=True).text


def test_action__tells_of_each_model_how_fast_and_what_it_cost(
    admin_client: Client, reachable: HTTPServer
) -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}
    reachable.expect_request("/v1/chat/completions").respond_with_json(
        completion(model="gpt-4o-2024-08-06", usage=usage)
    )
    page = try_out(admin_client, ["gpt-4o", "claude-3-haiku"])
    assert "gpt-4o answered as gpt-4o-2024-08-06 in " in page
    assert "20 input tokens, 2 output tokens; cost 0.00007 USD." in page
    assert "claude-3-haiku: Provider &#x27;anthropic&#x27; has no key" in page
    assert not Receipt.objects.exists()


def test_action__of_a_model_that_fails_or_of_too_many__says_so(
    admin_client: Client, reachable: HTTPServer
) -> None:
    reachable.expect_request("/v1/chat/completions").respond_with_data("", status=529)
    page = try_out(admin_client, ["gpt-4o"])
    assert "gpt-4o: Provider &#x27;openai&#x27; is overloaded (HTTP 529)." in page
    page = try_out(admin_client, AIModel.objects.values_list("model_id", flat=True))
    assert "At most 10 models are tested at once." in page


def test_action__is_not_offered_to_those_who_only_look(
    client: Client, admin_client: Client
) -> None:
    assert "try_models" in admin_client.get(reverse("admin:system_aimodel_changelist")).text
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_aimodel"))
    client.force_login(viewer)
    assert "try_models" not in client.get(reverse("admin:system_aimodel_changelist")).text
