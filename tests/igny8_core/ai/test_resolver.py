from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection

from igny8_core.ai.errors import ModelNotAvailable, NoUsableModel
from igny8_core.ai.resolution import Reason, Refusal, TrailEntry
from igny8_core.ai.resolver import resolve
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.models import AIModel
from igny8_core.tasks.errors import UnknownTask
from igny8_core.tasks.needs import Needs


def test_resolve__nothing_said__is_the_types_default(acme: Account) -> None:
    answer = resolve(acme, "generate_content")
    assert (answer.model.model_id, answer.reason) == ("gpt-4o-mini", Reason.TYPE_DEFAULT)
    assert (answer.account_key, answer.task, answer.trail) == ("acme", "generate_content", None)


def test_resolve__pinned__is_that_model(acme: Account) -> None:
    answer = resolve(acme, "generate_content", model="claude-3-haiku", explain=True)
    assert answer.reason == Reason.PINNED
    assert answer.trail == (TrailEntry(Reason.PINNED, "claude-3-haiku", None),)


def test_resolve__at_given__is_the_answers_moment(acme: Account) -> None:
    at = datetime(2026, 12, 1, tzinfo=UTC)
    assert resolve(acme, "generate_content", at=at).at == at


def test_resolve__database_away__the_constants_serve(
    acme: Account, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_query: Any) -> Any:
        raise OperationalError("gone")

    with connection.execute_wrapper(away):
        answer = resolve(acme, "generate_content", explain=True)
    assert answer.model.model_id == "gpt-4o-mini"
    assert answer.trail is not None
    assert answer.trail[0][:3] == (Reason.PREFERENCE, None, Refusal.PREFERENCE_UNREADABLE)
    assert "Facts of accounts cannot be read: gone" in caplog.text


def test_resolve__unknown_task__is_refused(acme: Account) -> None:
    with pytest.raises(UnknownTask):
        resolve(acme, "write")


def test_resolve__pinned_unknown__is_the_plans_sentence(acme: Account) -> None:
    with pytest.raises(ModelNotAvailable) as caught:
        resolve(acme, "generate_content", model="gpt-9")
    assert str(caught.value) == (
        "Model 'gpt-9' is not supported. Available models: ['gpt-4o-mini', 'gpt-4o', 'gpt-4.1', "
        "'gpt-5.1', 'gpt-5.2', 'claude-3-sonnet', 'claude-3-opus', 'claude-3-haiku']"
    )
    assert [step[:3] for step in caught.value.trail] == [
        (Reason.PINNED, "gpt-9", Refusal.UNKNOWN_MODEL)
    ]


@pytest.mark.parametrize(
    ("change", "needs", "refusal"),
    [
        ({"is_active": False}, Needs(), Refusal.INACTIVE),
        ({"model_type": "image"}, Needs(), Refusal.WRONG_TYPE),
        ({"input_rate": 0}, Needs(), Refusal.UNPRICED),
        ({"output_rate": 0}, Needs(), Refusal.UNPRICED),
        ({"supports_json_mode": False}, Needs(json_mode=True), Refusal.NO_JSON_MODE),
        ({}, Needs(vision=True), Refusal.NO_VISION),
        ({"context_window": 9999}, Needs(context_tokens=10_000), Refusal.CONTEXT_TOO_SMALL),
    ],
)
def test_resolve__model_not_usable__pinned_or_default_it_is_refused(
    acme: Account, change: dict[str, Any], needs: Needs, refusal: Refusal
) -> None:
    AIModel.objects.filter(model_id="gpt-4o-mini").update(**change, sort_order=0)
    with pytest.raises(ModelNotAvailable) as pinned:
        resolve(acme, "generate_content", model="gpt-4o-mini", needs=needs)
    assert pinned.value.trail[0].refusal == refusal
    assert "gpt-4o-mini" not in pinned.value.available
    if "model_type" in change:
        refusal = Refusal.NO_DEFAULT
    with pytest.raises(NoUsableModel) as default:
        resolve(acme, "generate_content", needs=needs)
    assert [step.refusal for step in default.value.trail] == [
        Refusal.NO_PREFERENCE,
        Refusal.ABSTAINED,
        Refusal.ABSTAINED,
        refusal,
    ]


@pytest.mark.parametrize(
    ("change", "needs"),
    [
        ({"supports_vision": True}, Needs(vision=True)),
        ({"context_window": 10_000}, Needs(context_tokens=10_000)),
    ],
)
def test_resolve__needs_just_met__is_usable(
    acme: Account, change: dict[str, Any], needs: Needs
) -> None:
    AIModel.objects.filter(model_id="gpt-4o-mini").update(**change)
    assert resolve(acme, "generate_content", needs=needs).model.model_id == "gpt-4o-mini"


def test_resolve__tasks_own_need_not_met__is_refused(acme: Account) -> None:
    AIModel.objects.filter(model_id="gpt-4o-mini").update(supports_json_mode=False)
    assert resolve(acme, "generate_content").model.model_id == "gpt-4o-mini"
    with pytest.raises(NoUsableModel, match="TYPE_DEFAULT gpt-4o-mini: it has no JSON mode"):
        resolve(acme, "auto_cluster")


def test_resolve__type_without_default__says_so(acme: Account) -> None:
    with pytest.raises(NoUsableModel) as caught:
        resolve(acme, "generate_images")
    assert str(caught.value) == (
        "No usable model for account 'acme' and task 'generate_images'. "
        "PREFERENCE: the account prefers none; "
        "DEFAULT of the flag generate_images: no rule matches, and it has no default; "
        "DEFAULT of the flag image: no rule matches, and it has no default; "
        "TYPE_DEFAULT: no model is marked as the default. Usable if chosen: dall-e-3, "
        "dall-e-2, gpt-image-1, runware:97@1."
    )


@pytest.mark.parametrize(
    ("task", "model"), [("generate_content", "gpt-4o-mini"), ("generate_images", "dall-e-3")]
)
def test_resolve__catalogue_empty__the_constants_serve(
    acme: Account, task: str, model: str
) -> None:
    AIModel.objects.all().delete()
    answer = resolve(acme, task, explain=True)
    assert (answer.model.model_id, answer.reason) == (model, Reason.CONSTANTS)
    assert answer.trail is not None
    assert [step[:3] for step in answer.trail if not step.flag] == [
        (Reason.PREFERENCE, None, Refusal.NO_PREFERENCE),
        (Reason.TYPE_DEFAULT, None, Refusal.CATALOGUE_EMPTY),
        (Reason.CONSTANTS, model, None),
    ]


def test_resolve__catalogue_empty__the_next_constant_that_is_usable_serves(acme: Account) -> None:
    AIModel.objects.all().delete()
    answer = resolve(acme, "generate_content", needs=Needs(context_tokens=500_000))
    assert answer.model.model_id == "gpt-4.1"
    with pytest.raises(NoUsableModel):
        resolve(acme, "embed_text")
