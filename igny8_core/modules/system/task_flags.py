"""The flags by which models are chosen: one for each type of model and for each task."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import Error as DatabaseError

from flags.models import Flag
from igny8_core.catalogue.names import vocabulary_of
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks.tasks import TASKS


def kept() -> dict[str, str]:
    """Why each of them is neither renamed nor deleted."""
    types = {each.value: f"it chooses among the {each} models" for each in ModelType}
    return types | {task: f"the task {task} asks it" for task in TASKS}


def add_missing(apps: Any = None, **_signal: Any) -> None:
    """After a migration: the flags of tasks that were registered since, which say nothing yet."""
    if apps is None:  # a flush, which empties the tables, sends the signal too
        return
    try:
        migrated = apps.get_model("flags", "Flag")
    except LookupError:
        return
    there, now = ({each.column for each in model._meta.fields} for model in (migrated, Flag))
    if there != now:
        return  # of an earlier version
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
