"""An operator at work: adds a model, sees its price, switches it, edits a prompt."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from igny8_core.modules.system.models import AIModel, GlobalAIPrompt

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def test_operator__adds_a_model_and_switches_it(admin: Page, live_server: LiveServer) -> None:
    admin.goto(f"{live_server.url}/admin/system/aimodel/add/")
    admin.get_by_label("Model id").fill("gpt-6")
    admin.get_by_label("Display name").fill("GPT-6")
    admin.locator("#id_provider").select_option("openai")
    admin.locator("#id_model_type").select_option("text")
    admin.locator("#id_input_rate").fill("2")
    preview = admin.locator("#price-preview")
    expect(preview).to_contain_text("has no price for output_tokens")
    admin.locator("#id_output_rate").fill("10")
    expect(preview).to_contain_text("This call, in USD")
    expect(admin.locator("#price-preview-cost")).to_have_text("0.007")
    admin.get_by_label("Input tokens").fill("1000000")
    expect(admin.locator("#price-preview-cost")).to_have_text("2.005")
    expect(admin.get_by_label("Images")).to_be_hidden()
    admin.get_by_role("button", name="Save", exact=True).click()

    admin.wait_for_url(re.compile("/aimodel/$"))
    row = admin.locator("tr", has_text="gpt-6")
    row.get_by_role("button", name="Switch gpt-6").first.click()
    expect(admin.get_by_text("gpt-6 is now inactive.")).to_be_visible()
    row.get_by_role("button", name="Switch gpt-6").last.click()
    expect(admin.get_by_text("gpt-6 is now active and the default.")).to_be_visible()
    assert AIModel.objects.get(model_type="text", is_default=True).model_id == "gpt-6"


def test_operator__makes_a_mistake__sees_it_on_the_field(
    admin: Page, live_server: LiveServer
) -> None:
    model = AIModel.objects.get(model_id="gpt-4o")
    admin.goto(f"{live_server.url}/admin/system/aimodel/{model.pk}/change/")
    admin.locator("#id_output_rate").evaluate("field => { field.removeAttribute('min') }")
    admin.locator("#id_output_rate").fill("-3")
    expect(admin.locator("#price-preview")).to_contain_text("Output rate: Ensure this value")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(
        admin.get_by_text("Ensure this value is greater than or equal to 0.").first
    ).to_be_visible()
    model.refresh_from_db()
    assert model.output_rate == 10


def test_operator__edits_a_prompt__adds_a_version(admin: Page, live_server: LiveServer) -> None:
    first = GlobalAIPrompt.objects.create(task="generate_content", template="Write.")
    admin.goto(f"{live_server.url}/admin/system/globalaiprompt/{first.pk}/change/")
    admin.locator("#id_template").fill("Write in a {{tone}} tone.")
    admin.locator("#id_placeholders").fill('["tone"]')
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_text("The prompt in use has no placeholder tone")).to_be_visible()
    admin.get_by_role("button", name="Yes, change it").click()
    expect(admin.get_by_text("The new text is version 2.")).to_be_visible()
    assert GlobalAIPrompt.objects.get(is_active=True).version == 2
