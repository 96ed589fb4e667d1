"""GlobalAIPrompt and AIPrompt: versions that receipts name, one of them active."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from igny8_core.ai.account_settings import settings_of
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.errors import PromptIsFixed
from igny8_core.modules.system.models import AIPrompt, GlobalAIPrompt
from igny8_core.modules.usage.errors import PromptInUse
from igny8_core.tasks import prompts
from igny8_core.tasks.errors import (
    InvalidCharacter,
    InvalidPlaceholders,
    InvalidVariable,
    MissingPlaceholder,
    UnknownPlaceholder,
    UnknownTask,
    UnusedPlaceholder,
)
from igny8_core.tasks.prompts import PromptOrigin
from igny8_core.tasks.tasks import get_task
from tests.igny8_core.modules.test_usage import receipt

TASK = "generate_content"


def add(template: str = "Write.", **facts: Any) -> GlobalAIPrompt:
    return GlobalAIPrompt.objects.create(
        **{"task": TASK, "template": template, "placeholders": [], **facts}
    )


@pytest.mark.django_db
def test_prompt__added_three_times__has_versions_and_one_active() -> None:
    for _ in range(3):
        add()
    rows = GlobalAIPrompt.objects.order_by("version").values_list("version", "is_active")
    assert list(rows) == [(1, False), (2, False), (3, True)]
    assert str(GlobalAIPrompt.objects.get(version=2)) == "generate_content, version 2"


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["save", "update", "bulk_update"])
def test_prompt__older_one_made_active__the_other_is_put_aside(how: str) -> None:
    first = add()
    add()
    first.refresh_from_db()
    first.is_active = True
    if how == "save":
        first.save()
    elif how == "update":
        GlobalAIPrompt.objects.filter(version=1).update(is_active=True)
    else:
        GlobalAIPrompt.objects.bulk_update([first], ["is_active"])
    assert GlobalAIPrompt.objects.get(is_active=True).version == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change", [{"template": "Other."}, {"task": "generate_ideas"}, {"version": 77}]
)
def test_prompt__a_version_edited__is_refused(change: dict[str, Any]) -> None:
    prompt = add()
    for name, value in change.items():
        setattr(prompt, name, value)
    with pytest.raises(PromptIsFixed, match=f"never edited .{next(iter(change))}."):
        prompt.save()
    with pytest.raises(PromptIsFixed):
        GlobalAIPrompt.objects.filter(version=1).update(**change)


BAD = [
    (
        {"template": "Hi {{name}}"},
        UnknownPlaceholder,
        "no placeholder 'name'",
        "template",
    ),
    (
        {"placeholders": ["tone"]},
        UnusedPlaceholder,
        "'tone' is declared and not",
        "template",
    ),
    ({"placeholders": "tone"}, InvalidPlaceholders, "are 'tone'", "placeholders"),
    ({"placeholders": [1]}, InvalidPlaceholders, r"are \[1\]", "placeholders"),
    (
        {"template": "{{a}}", "placeholders": ["a", "a"]},
        InvalidPlaceholders,
        r"are \['a', 'a'\]",
        "placeholders",
    ),
    (
        {"template": "{{brand-name}}", "placeholders": ["brand-name"]},
        InvalidPlaceholders,
        "brand-name",
        "placeholders",
    ),
    ({"template": "{{ user.name }}"}, UnknownPlaceholder, "'user.name'", "template"),
    ({"template": "a\0"}, InvalidCharacter, "at position 1", "template"),
    ({"task": "write"}, UnknownTask, "no task 'write'", "task"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("facts", "error", "sentence", "field"), BAD)
def test_prompt__content_that_makes_no_sense__code_and_form_refuse(
    facts: dict[str, Any], error: type[Exception], sentence: str, field: str
) -> None:
    with pytest.raises(error, match=sentence):
        add(**facts)
    with pytest.raises(ValidationError, match=sentence) as form:
        GlobalAIPrompt(**{"task": TASK, "template": "Write.", "placeholders": [], **facts}).clean()
    assert list(form.value.message_dict) == [field]


@pytest.mark.django_db
def test_prompt__stale_row_saved_for_another_field__the_active_one_stays() -> None:
    add()
    add()
    stale = GlobalAIPrompt.objects.get(is_active=True)
    GlobalAIPrompt.objects.filter(version=1).update(is_active=True)
    stale.note = "n"
    stale.save(update_fields=["note"])
    assert GlobalAIPrompt.objects.get(is_active=True).version == 1


def test_prompt_of__nothing_set__is_the_tasks_own(acme: Account) -> None:
    prompt = settings_of(acme).prompt(get_task(TASK))
    assert prompt == (PromptOrigin.BUILT_IN, None, get_task(TASK).prompt)


def test_prompt_of__platform_and_account_set__the_accounts_wins(
    acme: Account, bolt: Account
) -> None:
    add("Ours.")
    AIPrompt.objects.create(account=acme, task=TASK, template="Theirs.")
    assert settings_of(acme).prompt(get_task(TASK)) == (PromptOrigin.ACCOUNT, 1, "Theirs.")
    assert settings_of(bolt).prompt(get_task(TASK)) == (PromptOrigin.PLATFORM, 1, "Ours.")


def test_prompt_of__accounts_put_aside__the_platforms_is_back(acme: Account) -> None:
    add("Ours.")
    own = AIPrompt.objects.create(account=acme, task=TASK, template="Theirs.")
    own.is_active = False
    own.save()
    assert settings_of(acme).prompt(get_task(TASK)).origin == PromptOrigin.PLATFORM
    assert str(own) == "acme: generate_content, version 1"


def test_ai_prompt__two_accounts__count_their_own_versions(acme: Account, bolt: Account) -> None:
    for account in (acme, acme, bolt):
        AIPrompt.objects.create(account=account, task=TASK, template="x")
    assert AIPrompt.objects.get(account=bolt).version == 1
    assert AIPrompt.objects.filter(is_active=True).count() == 2


def test_render__all_filled_in__each_once_and_taken_as_it_is() -> None:
    text = prompts.render("{{a}} and {{ b }}, {{a}}", {"a": "{{b}}", "b": r"\1"})
    assert text == r"{{b}} and \1, {{b}}"
    assert prompts.placeholders("{{a}} and {{ b }}, {{a}} {c} {{1}}") == ["a", "b", "1"]


@pytest.mark.parametrize(
    ("values", "error", "name"),
    [
        ({}, MissingPlaceholder, "tone"),
        ({"tone": "x", "length": "y"}, UnknownPlaceholder, "length"),
        ({"tone": 3}, InvalidVariable, "tone"),
    ],
)
def test_render__missing_or_unknown__is_refused_with_its_name(
    values: dict[str, str], error: type[Exception], name: str
) -> None:
    with pytest.raises(error, match=f"'{name}'"):
        prompts.render("{{tone}}", values)


@pytest.mark.parametrize("value", ["a\0", "\ud800"])
def test_render__value_that_nothing_carries__is_refused(value: str) -> None:
    with pytest.raises(InvalidCharacter):
        prompts.render("{{tone}}", {"tone": value})


@pytest.mark.parametrize("origin", ["platform", "account"])
def test_prompt__receipts_name_the_version__it_is_not_deleted(acme: Account, origin: str) -> None:
    platform = add()
    own = AIPrompt.objects.create(account=acme, task=TASK, template="x")
    receipt(acme, prompt=origin, prompt_version=1).save()
    named, other = (platform, own) if origin == "platform" else (own, platform)
    refused = pytest.raises(PromptInUse, match="version 1 cannot be deleted")
    with refused, transaction.atomic():
        type(named).objects.all().delete()
    other.delete()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_prompt__versions_added_at_once__are_counted_one_by_one() -> None:
    barrier = threading.Barrier(3)
    faults: list[Exception] = []

    def write(template: str) -> None:
        try:
            barrier.wait(timeout=60)
            add(template)
        except Exception as fault:  # noqa: BLE001 - reported below
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=[name]) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    barrier.wait(timeout=60)
    for thread in threads:
        thread.join()
    assert faults == []
    rows = GlobalAIPrompt.objects.order_by("version").values_list("version", "is_active")
    assert list(rows) == [(1, False), (2, True)]
