"""The section of a document that has the declared tasks, what is wrong with one, and its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import shorten
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from igny8_core.catalogue.problem import SectionProblem, problem
from igny8_core.errors import AIError
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks.needs import Needs
from igny8_core.tasks.tasks import Task, check_task

SECTION: Final = "tasks"
ROWS: Final = ("sections", SECTION, "tasks")
_STRICT: Final = ConfigDict(extra="forbid", strict=True)
_SHOWN: Final = 80
Json = Mapping[str, Any]
Tasks = Mapping[str, Task]


@with_config(_STRICT)
class NeedsEntry(TypedDict):
    json_mode: bool
    vision: bool
    context_tokens: int


@with_config(_STRICT)
class TaskEntry(TypedDict):
    model_type: Annotated[ModelType, Field(strict=False)]
    needs: NeedsEntry
    prompt: str
    parameters: dict[str, Any]


@with_config(_STRICT)
class TasksSection(TypedDict):
    """Tasks by key."""

    tasks: dict[str, TaskEntry]


_SHAPE: Final = TypeAdapter(TasksSection)


def entry_of(task: Task) -> dict[str, Any]:
    return {
        "model_type": task.model_type.value,
        "needs": task.needs._asdict(),
        "prompt": task.prompt,
        "parameters": dict(task.parameters),
    }


def task_of(key: str, entry: Json) -> Task:
    return Task(
        key,
        ModelType(entry["model_type"]),
        Needs(**entry["needs"]),
        entry["prompt"],
        MappingProxyType(entry["parameters"]),
    )


def compile_section(section: Json, previous: Tasks | None = None) -> Tasks:
    """A checked section as tasks by key; the previous ones where they say the same."""
    tasks = {key: task_of(key, entry) for key, entry in section["tasks"].items()}
    return previous if previous == tasks else MappingProxyType(tasks)


def compiled_in(sections: Json) -> Tasks:
    """Of a snapshot's sections; none of a document of before tasks were in it."""
    tasks: Tasks = sections.get(SECTION, {})
    return tasks


def declared_by(document: Json) -> Tasks:
    """The same of a document that is not compiled."""
    return compile_section(document["sections"].get(SECTION, {"tasks": {}}))


def problems_of(section: object, _document: Json) -> Iterator[SectionProblem]:
    """What is wrong with anything that claims to be a document's section.

    What this process registers counts for nothing in it.
    """
    try:
        tasks = _SHAPE.validate_python(section)["tasks"]
    except ValidationError as error:
        for each in error.errors(include_url=False):
            path = ("sections", SECTION, *each["loc"])
            yield problem(path, each["input"], each["msg"], each["type"])
        return
    for key, entry in tasks.items():
        try:
            check_task(task_of(key, entry))
        except AIError as error:
            yield problem((*ROWS, key), key, str(error), error.code)


def sentences(before: Json, after: Json) -> Iterator[str]:
    """What has changed, a sentence for each fact: “task x: parameter temperature 0.1 → 0.3”."""
    old, new = before.get("tasks", {}), after.get("tasks", {})
    for key in [*old, *(each for each in new if each not in old)]:
        if key not in new:
            yield f"task {key}: removed"
        elif key not in old:
            yield f"task {key}: added"
        else:
            had, has = _facts(old[key]), _facts(new[key])
            for fact in dict.fromkeys([*had, *has]):
                if had.get(fact) != has.get(fact):
                    yield f"task {key}: {fact} {_told(had.get(fact))} → {_told(has.get(fact))}"
            if old[key]["prompt"] != new[key]["prompt"]:
                text = shorten(new[key]["prompt"], _SHOWN, placeholder=" …")
                yield f"task {key}: its prompt is now “{text}”"


def _facts(entry: Json) -> dict[str, object]:
    return {
        "model_type": entry["model_type"],
        **{f"needs {name}": value for name, value in entry["needs"].items()},
        **{f"parameter {name}": value for name, value in entry["parameters"].items()},
    }


def _told(value: object) -> str:
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)
