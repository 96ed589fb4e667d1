"""Records what is added to a many-to-many relation, or removed from it."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.db.models.signals import m2m_changed

from igny8_core.modules.changes.entries import keep
from igny8_core.modules.changes.recording import changed


def watch_members(relation: Any) -> None:
    """Have what is added to a many-to-many relation, or removed, recorded as the row's change."""
    field = relation.field
    words = {"post_add": "added", "post_remove": "removed", "pre_clear": "removed"}

    def hear(
        instance: Model, action: str, pk_set: Any, model: Any, *, reverse: bool, **_signal: Any
    ) -> None:
        if action not in words:
            return
        accessor = field.remote_field.get_accessor_name() if reverse else field.name
        others = getattr(instance, accessor).all() if action == "pre_clear" else None
        if others is None:
            others = model._base_manager.filter(pk__in=pk_set or ())
        members: list[tuple[Model, list[str]]] = [(row, [str(instance)]) for row in others]
        if not reverse:
            members = [(instance, sorted(map(str, others)))]
        name = f"{field.name} ({words[action]})"
        keep(changed(row, {}, {name: texts}) for row, texts in members if texts)

    m2m_changed.connect(hear, sender=relation.through, weak=False, dispatch_uid=relation.through)
