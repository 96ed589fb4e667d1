"""What apps declare is in the document: a process that does not know a task is none the worse."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_httpserver import HTTPServer

from flags import publishing
from flags.document import export
from flags.document.stored import content
from flags.engine import Document, DocumentError
from flags.models import Flag, Head, Revision, Rule, Variant
from flags.models.flag_names import KeptFlag
from igny8_core.ai.ai_core import AICore
from igny8_core.ai.providers.base import Connection
from igny8_core.ai.resolver import resolve
from igny8_core.console.question import question
from igny8_core.console.touched import changed_tasks, touched_tasks
from igny8_core.modules.accounts.models import Account
from igny8_core.modules.system.declared_tasks import known_task, known_tasks
from igny8_core.modules.system.models import AIModel, AIPrompt, AITask, GlobalAIPrompt
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks import Needs, Task, register
from igny8_core.tasks.errors import UnknownTask
from igny8_core.tasks.tasks import _tasks
from tests.conftest import Manage
from tests.igny8_core.ai.test_ai_core import PATH, completion

REVIEW = Task(
    "review_draft",
    ModelType.TEXT,
    Needs(json_mode=True),
    "Say as JSON what is wrong with this draft.",
    {"temperature": 0.1},
)
LATER = REVIEW._replace(
    needs=Needs(vision=True), prompt="Say what is right with it.", parameters={"temperature": 0.7}
)


@pytest.fixture(autouse=True)
def _again(tasks_again: None) -> None:
    """Every test registers."""


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


def migrated(*tasks: Task) -> int:
    """`migrate` in a process that registers these; from then on this one knows none of them."""
    for task in tasks:
        _tasks.pop(task.key, None)
        register(task)
    call_command("migrate", verbosity=0)
    for task in tasks:
        _tasks.pop(task.key)
    return publishing.publish().number


def published() -> dict[str, Any]:
    """A copy: the document itself is kept."""
    return deepcopy(dict(content(Revision.objects.latest("number"))))


def declared() -> dict[str, Any]:
    found: dict[str, Any] = published()["sections"]["tasks"]["tasks"]
    return found


def file(**tasks: Any) -> str:
    """What is published, with these tasks too."""
    document = published()
    document["sections"]["tasks"]["tasks"].update(tasks)
    return json.dumps(document)


def without_section() -> str:
    """As every document was before tasks were in it."""
    document = published()
    document["sections"].pop("tasks")
    return json.dumps(document)


# Declared there, asked here


@pytest.mark.django_db
def test_task__of_another_process__resolves_by_its_flag_and_is_kept(acme: Account) -> None:
    migrated(REVIEW)
    assert known_task("review_draft") == REVIEW
    assert not resolve(acme, "review_draft").model.supports_vision
    flag = Flag.objects.get(name="review_draft")
    Variant.objects.create(flag=flag, key="next", value="gpt-5.2")
    Rule.objects.create(flag=flag, when=[], serve={"variant": "next"})
    publishing.publish()
    answer = resolve(acme, "review_draft")
    assert (answer.model.model_id, answer.flag) == ("gpt-5.2", "review_draft")
    for change in (flag.delete, Flag.objects.filter(pk=flag.pk).delete):
        with pytest.raises(KeptFlag, match="the task review_draft asks it"):
            change()
    flag.name = "other"
    with pytest.raises(KeptFlag, match="the task review_draft asks it"):
        flag.save()


@pytest.mark.django_db
def test_call__of_another_processes_task__has_its_prompt_needs_and_parameters(
    acme: Account, httpserver: HTTPServer
) -> None:
    migrated(REVIEW)
    httpserver.expect_request(PATH).respond_with_json(completion())
    there = {"openai": Connection(api_key="sk-1", base_url=httpserver.url_for("/v1"))}
    AICore(acme, connections=there).run_ai_request("review_draft", "A draft.")
    ((request, _),) = httpserver.log
    sent = json.loads(request.get_data())
    assert sent["messages"][0]["content"] == REVIEW.prompt
    assert (sent["temperature"], sent["response_format"]) == (0.1, {"type": "json_object"})


REGISTER = """
from django.core.management import call_command
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks import Needs, Task, register
register(Task("review_draft", ModelType.TEXT, Needs(), "Review.", {"temperature": 0.1}))
call_command("migrate", verbosity=0)
"""


def test_task__declared_by_a_process__is_resolved_and_published_around_by_another(
    manage_process: Manage,
) -> None:
    asked = ("resolve", "acme", "review_draft")
    unknown = manage_process(*asked)
    assert "There is no task 'review_draft'. Known: auto_cluster," in unknown.stderr
    assert manage_process("shell", "--verbosity=0", "--command", REGISTER).returncode == 0
    assert "0.1 (task)" in " ".join(manage_process(*asked).stdout.split())
    told = manage_process("publish", "--check")
    assert (told.returncode, told.stderr) == (0, ""), told
    assert manage_process("flag", "off", "long_articles").returncode == 0
    assert manage_process("migrate", "--verbosity=0").returncode == 0
    ran = manage_process("run_ai", "acme", "review_draft", "--prompt", "A draft.")
    assert ran.returncode == 0, ran.stderr
    assert "review_draft" in manage_process("resolve", "acme", "nothing").stderr


@pytest.mark.django_db
def test_publish__task_unknown_here__neither_takes_it_out_nor_holds_it_back() -> None:
    number = migrated(REVIEW)
    assert publishing.publish().number == number
    AIModel.objects.filter(model_id="gpt-4o").update(display_name="Other")
    assert publishing.publish().number == number + 1
    call_command("migrate", verbosity=0)
    assert publishing.publish().number == number + 1
    assert declared()["review_draft"]["prompt"] == REVIEW.prompt
    assert Head.objects.get().held == []


@pytest.mark.django_db
def test_task__nobody_knows__is_refused_with_those_that_are_known(acme: Account) -> None:
    migrated(REVIEW)
    with pytest.raises(UnknownTask, match="embed_text, review_draft") as refused:
        resolve(acme, "nothing")
    assert refused.value.known == [*known_tasks()]


# Declared anew


@pytest.mark.django_db
def test_migrate__declared_otherwise__is_a_revision_and_the_old_one_is_replayed(
    acme: Account,
) -> None:
    first = migrated(REVIEW)
    second = migrated(LATER)
    assert Revision.objects.get(number=second).summary == [
        "task review_draft: needs json_mode true → false",
        "task review_draft: needs vision false → true",
        "task review_draft: parameter temperature 0.1 → 0.7",
        "task review_draft: its prompt is now “Say what is right with it.”",
    ]
    AIModel.objects.update(supports_vision=True)
    publishing.publish()
    assert resolve(acme, "review_draft").origin.task == LATER
    assert resolve(acme, "review_draft", revision=first).origin.task == REVIEW


@pytest.mark.django_db
def test_task__process_and_document_disagree__the_document_wins_until_migrate(
    acme: Account,
) -> None:
    migrated(REVIEW)
    register(LATER)
    assert resolve(acme, "review_draft").origin.task == REVIEW
    AIModel.objects.update(supports_vision=True)
    call_command("migrate", verbosity=0)
    publishing.publish()
    assert resolve(acme, "review_draft").origin.task == LATER


@pytest.mark.django_db
def test_task__registered_and_not_migrated_yet__resolves_by_what_the_process_says(
    acme: Account,
) -> None:
    publishing.publish()
    register(REVIEW)
    assert resolve(acme, "review_draft").origin.task == REVIEW


# Back, and from a file

GOOD = {
    "model_type": "text",
    "needs": {"json_mode": False, "vision": False, "context_tokens": 0},
    "prompt": "",
    "parameters": {},
}


@pytest.mark.django_db
def test_roll_back__to_another_declaration__restores_it(acme: Account) -> None:
    first = migrated(REVIEW)
    migrated(LATER)
    publishing.roll_back(first)
    assert AITask.objects.get(key="review_draft").prompt == REVIEW.prompt
    assert export.document()["sections"]["tasks"]["tasks"] == declared()
    assert resolve(acme, "review_draft").origin.task == REVIEW


@pytest.mark.django_db
def test_roll_back__to_before_a_task__takes_it_back_until_migrate_and_receipts_are_replayed(
    acme: Account,
) -> None:
    before = publishing.publish().number
    number = migrated(REVIEW)
    publishing.roll_back(before)
    assert not AITask.objects.filter(key="review_draft").exists()
    with pytest.raises(UnknownTask):
        resolve(acme, "review_draft")
    assert resolve(acme, "review_draft", revision=number).origin.task == REVIEW
    register(REVIEW)
    assert resolve(acme, "review_draft").origin.task == REVIEW
    call_command("migrate", verbosity=0)
    publishing.publish()
    assert declared()["review_draft"]["prompt"] == REVIEW.prompt


@pytest.mark.django_db
def test_apply__document_of_before_tasks_were_in_it__leaves_them_alone(acme: Account) -> None:
    migrated(REVIEW)
    publishing.apply(without_section())
    assert AITask.objects.filter(key="review_draft").exists()
    assert resolve(acme, "review_draft").origin.task == REVIEW


@pytest.mark.django_db
def test_apply__file_of_another_place__brings_tasks_that_nobody_here_knows(acme: Account) -> None:
    publishing.publish()
    publishing.apply(file(summarise=GOOD))
    assert AICore(acme).run_ai_request("summarise", "A text.").resolution.task == "summarise"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("key", "changed", "path", "why"),
    [
        ("text", {}, "/text", "is a type of model"),
        ("Review it", {}, "/Review it", "small letters"),
        ("x", {"model_type": "sound"}, "/x/model_type", "'text', 'image' or 'embedding'"),
        ("x", {"parameters": {"heat": 1}}, "/x", "no parameter 'heat'"),
        ("x", {"parameters": {"image_size": "64x64"}}, "/x", "no parameter of a text model"),
        ("x", {"parameters": {"temperature": 9}}, "/x", "temperature is 9"),
        ("x", {"needs": {"json_mode": 1}}, "/x/needs/json_mode", "valid boolean"),
        (
            "x",
            {"needs": {"json_mode": True, "vision": True, "context_tokens": -1}},
            "/x",
            "from 0 to 2147483647 context_tokens",
        ),
        ("x", {"more": 1}, "/x/more", "Extra inputs"),
    ],
)
def test_apply__task_that_cannot_be__is_refused_with_its_path(
    key: str, changed: dict[str, Any], path: str, why: str
) -> None:
    publishing.publish()
    with pytest.raises(DocumentError) as refused:
        publishing.apply(file(**{key: {**GOOD, **changed}}))
    problem = refused.value.errors[0]
    assert problem["path"] == f"/sections/tasks/tasks{path}"
    assert why in problem["message"]


# What is told of a change


def documents(*numbers: int) -> list[Document]:
    return [content(Revision.objects.get(number=number)) for number in numbers]


@pytest.mark.django_db
def test_guard__task_of_another_process__is_asked_for_what_it_needs(acme: Account) -> None:
    first, second = documents(migrated(REVIEW), migrated(LATER))
    assert [task.key for task in touched_tasks(first, second)] == ["review_draft"]
    assert [task.key for task in changed_tasks(first, second)] == ["review_draft"]
    asked = question(first, second, frozenset())
    assert asked is not None
    assert {period.task.key for period in asked.periods} == {"review_draft"}


@pytest.mark.django_db
def test_guard__task_of_one_side_alone__is_not_asked(acme: Account) -> None:
    first, second = documents(publishing.publish().number, migrated(REVIEW))
    for before, after in ((first, second), (second, first)):
        assert touched_tasks(before, after) == changed_tasks(before, after) == []
    off: Any = {**second, "switches": {**second["switches"], "provider.openai": False}}
    asked = question(second, off, frozenset())
    assert asked is not None
    assert "review_draft" in {period.task.key for period in asked.periods}


# Pages and prompts


@pytest.mark.django_db
def test_prompt__of_another_processes_task__is_written_on_its_page(admin_client: Client) -> None:
    migrated(REVIEW)
    add = "/admin/system/globalaiprompt/add/"
    assert '<option value="review_draft"' in admin_client.get(add).content.decode()
    data = {"task": "review_draft", "template": "Be kind.", "placeholders": "[]", "is_active": "on"}
    assert admin_client.post(add, data).status_code == 302
    row = GlobalAIPrompt.objects.get(task="review_draft")
    page = admin_client.get(f"/admin/system/globalaiprompt/{row.pk}/change/").content.decode()
    assert "review_draft" in page
    page = admin_client.get("/admin/system/globalaiprompt/?task=review_draft").content.decode()
    assert "review_draft" in page
    form = admin_client.post(add, {**data, "task": "nothing"}).context["adminform"].form
    assert [*form.errors] == ["task"]


@pytest.mark.django_db
def test_prompt__of_a_task_that_has_gone__can_be_put_aside_and_no_new_one_is_added(
    acme: Account,
) -> None:
    before = publishing.publish().number
    migrated(REVIEW)
    row = AIPrompt.objects.create(account=acme, task="review_draft", template="Be kind.")
    publishing.roll_back(before)
    row.is_active = False
    row.full_clean()
    row.save()
    with pytest.raises(UnknownTask):
        AIPrompt.objects.create(account=acme, task="review_draft", template="Be strict.")


@pytest.mark.django_db
def test_pages__of_tasks_and_revisions__show_and_change_nothing(admin_client: Client) -> None:
    number = migrated(REVIEW)
    row = AITask.objects.get(key="review_draft")
    for path in ("", f"{row.pk}/change/"):
        page = admin_client.get(f"/admin/system/aitask/{path}")
        assert page.status_code == 200
        assert "review_draft" in page.content.decode()
    for path in ("add/", f"{row.pk}/delete/", f"{row.pk}/change/"):
        assert admin_client.post(f"/admin/system/aitask/{path}", {"key": "x"}).status_code == 403
    page = admin_client.get(f"/admin/flags/revision/{number}/change/")
    assert "task review_draft: added" in html.unescape(page.content.decode())
