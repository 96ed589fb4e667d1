"""The tasks that apps declare, as rows: filled in by `migrate`, published, never edited by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models, transaction

from flags import live
from flags.host import Published, fit, mark_changed
from igny8_core.modules.system.saved_rows import SavedRowsQuerySet
from igny8_core.pricing.meters import ModelType
from igny8_core.tasks.section import ROWS, compiled_in, entry_of
from igny8_core.tasks.tasks import Task, get_task
from igny8_core.tasks.tasks import known_tasks as known_beside

Json = dict[str, Any]


class AITask(Published):
    """A named job of the pipeline, as the last `migrate` of a process that knows it declared it."""

    MODEL_TYPE_CHOICES: ClassVar = [(each.value, each.value) for each in ModelType]

    key = models.CharField(max_length=100, unique=True)
    model_type = models.CharField(max_length=20, choices=MODEL_TYPE_CHOICES)
    needs_json_mode = models.BooleanField("needs JSON mode", default=False)
    needs_vision = models.BooleanField(default=False)
    needs_context_tokens = models.PositiveIntegerField(
        default=0, help_text="The least context that a model must hold."
    )
    prompt = models.TextField(blank=True, help_text="Where no prompt of ours replaces it.")
    parameters = models.JSONField(
        default=dict, blank=True, help_text="Where nobody sets another value."
    )

    objects = SavedRowsQuerySet.as_manager()

    class Meta:
        db_table = "igny8_ai_tasks"
        ordering: ClassVar = ["key"]
        verbose_name = "AI task"

    def __str__(self) -> str:
        return self.key

    @property
    def entry(self) -> Json:
        """As the document has it."""
        return {
            "model_type": self.model_type,
            "needs": {
                "json_mode": self.needs_json_mode,
                "vision": self.needs_vision,
                "context_tokens": self.needs_context_tokens,
            },
            "prompt": self.prompt,
            "parameters": self.parameters,
        }

    @entry.setter
    def entry(self, entry: Json) -> None:
        self.model_type, self.prompt = entry["model_type"], entry["prompt"]
        self.parameters = entry["parameters"]
        for name, value in entry["needs"].items():
            setattr(self, f"needs_{name}", value)


def dump() -> Json:
    """The section of the rows as they are now. One query."""
    return {"tasks": {row.key: row.entry for row in AITask.objects.all()}}


def restored(_section: Json, wanted: Json) -> Json:
    """What `dump` would give after `restore(wanted)`."""
    return wanted


def restore(section: Json) -> None:
    """Make the rows say what the section says."""
    with transaction.atomic():
        mark_changed()
        for row in AITask.objects.exclude(key__in=section["tasks"]):
            row.delete()
        _write(section["tasks"])


def declare(tasks: Mapping[str, Task]) -> None:
    """Add what is missing, write what is declared otherwise, and delete nothing."""
    with transaction.atomic():
        _write({key: entry_of(task) for key, task in tasks.items()})


def _write(entries: Mapping[str, Json]) -> None:
    rows = {row.key: row for row in AITask.objects.all()}
    for key, entry in entries.items():
        row = rows.get(key) or AITask(key=key)
        if row._state.adding or _text(row.entry) != _text(entry):
            row.entry = entry
            fit(row, *ROWS, key)
            row.save()


def _text(entry: Json) -> str:
    return json.dumps(entry, sort_keys=True)


def known_tasks() -> dict[str, Task]:
    """By key those that the document in force declares, and those of this process. No query."""
    return known_beside(compiled_in(live.current().sections))


def known_task(key: str) -> Task:
    """One of them; raises UnknownTask. No query."""
    return get_task(key, compiled_in(live.current().sections))
