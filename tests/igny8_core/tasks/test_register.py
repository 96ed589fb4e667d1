"""Apps declare tasks of their own, each with its flag, instruction, needs and parameters."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks
from django.core.management import call_command

from flags import publishing
from flags.models import Flag
from flags.models.flag_names import KeptFlag
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.resolver import resolve
from igny8_core.errors import AIError
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.usage.models import Receipt
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks import Needs, Task, register
from igny8_core.tasks.tasks import TASKS
from tests.conftest import Manage

REVIEW = Task(
    "review_draft",
    ModelType.TEXT,
    Needs(json_mode=True),
    "Say what is wrong with this draft.",
    {"temperature": 0.1},
)


@pytest.fixture
def registered(tasks_again: None) -> None:
    """As an app's `ready()` would."""
    register(REVIEW)


def migrate() -> None:
    call_command("migrate", verbosity=0)
    publishing.publish()


@pytest.mark.django_db
def test_task__of_an_app__has_its_flag_after_migrate_and_runs(
    registered: None, acme: Account
) -> None:
    migrate()
    flag = Flag.objects.get(name="review_draft")
    assert (flag.kind, flag.vocabulary) == ("str", "ai-model:text")
    assert resolve(acme, "review_draft").model.model_id == "gpt-4o-mini"
    answer = AICore(acme).run_ai_request("review_draft", "A draft.")
    assert Receipt.objects.get(request_id=answer.request_id).task == "review_draft"
    with pytest.raises(KeptFlag, match="the task review_draft asks it"):
        flag.delete()


@pytest.mark.django_db
def test_parameters__of_a_task__hold_below_every_other(registered: None, manage: Manage) -> None:
    migrate()
    asked = ("resolve", "acme", "review_draft", "--explain")
    assert "0.1 (task)" in " ".join(manage(*asked).stdout.split())
    assert "1 (call)" in " ".join(manage(*asked, "--param=temperature=1").stdout.split())


def test_task__registered_twice_alike__is_one(registered: None) -> None:
    register(REVIEW)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"key": "text"}, "that is a type of model"),
        ({"key": "Review it"}, "small letters"),
        ({"key": "auto_cluster"}, "another task has that key"),
        ({"model_type": "sound"}, "'sound' is no type of model"),
        ({"parameters": {"image_size": "512x512"}}, "no parameter of a text model"),
        ({"parameters": {"temperature": 9}}, "temperature is 9"),
        ({"parameters": {"heat": 1}}, "no parameter 'heat'"),
    ],
)
def test_task__that_cannot_be__is_refused_with_why(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(AIError, match=why):
        register(REVIEW._replace(**changed))
    assert "review_draft" not in TASKS


@pytest.mark.django_db
def test_check__key_that_is_another_flags__is_an_error(registered: None) -> None:
    Flag.objects.create(name="review_draft")
    (found,) = [
        each for each in checks.run_checks(databases=["default"]) if each.id == "igny8.E002"
    ]
    assert "'review_draft' serves no text models" in found.msg
