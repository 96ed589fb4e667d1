"""What `migrate` writes of tasks: each task's flag, and its declaration; and why flags stay."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import Model

from flags.models import Flag
from igny8_core.catalogue.names import vocabulary_of
from igny8_core.modules.system.declared_tasks import AITask, declare
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks.tasks import TASKS


def kept() -> dict[str, str]:
    """Why the flags of types and of known tasks are neither renamed nor deleted. One query."""
    types = {each.value: f"it chooses among the {each} models" for each in ModelType}
    declared = AITask.objects.values_list("key", flat=True)
    return types | {task: f"the task {task} asks it" for task in [*TASKS, *declared]}


def add_missing(apps: Any = None, **_signal: Any) -> None:
    """After a migration: what this process registers is declared, with a flag that says nothing.

    A declaration that differs is written over; none is deleted. In one transaction, so that it is
    one revision.
    """
    if apps is None:  # a flush, which empties the tables, sends the signal too
        return
    if not all(_is_there(model, apps) for model in (Flag, AITask)):
        return
    with transaction.atomic():
        for task in TASKS.values():
            Flag.objects.get_or_create(
                name=task.key,
                defaults={
                    "kind": "str",
                    "vocabulary": vocabulary_of(task.model_type),
                    "salt": task.key,
                    "note": f"The {task.model_type} model for the task {task.key}.",
                },
            )
        declare(TASKS)


def _is_there(model: type[Model], apps: Any) -> bool:
    """With the columns that it has now; after a part of the migrations it may have others."""
    try:
        migrated = apps.get_model(model._meta.label)
    except LookupError:
        return False
    there, now = ({each.column for each in one._meta.fields} for one in (migrated, model))
    return there == now


def check(*, databases: Collection[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """A task whose key is another flag's would never be decided by it. One query."""
    if not databases:
        return []
    try:
        rows = {row.name: row for row in Flag.objects.filter(name__in=TASKS)}
    except DatabaseError:  # before the first migration
        return []
    return [
        Error(
            f"The flag {name!r} serves no {TASKS[name].model_type} models, as a task's flag does.",
            "Register the task by another key.",
            id="igny8.E002",
        )
        for name, row in rows.items()
        if (row.kind, row.vocabulary) != ("str", vocabulary_of(TASKS[name].model_type))
    ]
