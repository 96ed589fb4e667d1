"""Records the changes of rows as they are saved, updated and deleted, in their transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Field, ForeignKey, Model, QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.utils import timezone

from flags.host import actor, rows_changing
from igny8_core import live_settings
from igny8_core.modules.changes.models import Action, Change

_MOST_AT_ONCE: Final = 100  # of more rows one entry tells
_EXPIRED_EVERY: Final = 500  # entries between two looks at those that are too old
_LONGEST: Final = 4_000
_HIDDEN: Final = "(hidden)"
Values = dict[str, Any]


class Recorded(NamedTuple):
    """How a model's rows are told: by what names one, its account's key, and its own why."""

    key: Callable[[Any], str]
    account: Callable[[Any], str] = lambda _row: ""
    why: Callable[[Any], str] = lambda _row: ""
    # Fields whose values are never told, and those that change by themselves.
    hidden: frozenset[str] = frozenset()
    unsaid: frozenset[str] = frozenset()


_recorded: Final[dict[type[Model], Recorded]] = {}


def watch(model: type[Model], how: Recorded) -> None:
    """Have every change of the model's rows recorded."""
    _recorded[model] = how
    pre_save.connect(_saving, sender=model)
    post_save.connect(_saved, sender=model)
    post_delete.connect(_deleted, sender=model)
    rows_changing.connect(_updating, sender=model)


def watch_members(relation: Any, model: type[Model]) -> None:
    """Have what is added to a many-to-many relation, or removed, recorded as the row's change."""

    def hear(instance: Model, action: str, pk_set: Any, *, reverse: bool, **_signal: Any) -> None:
        word, _, _ = action.removeprefix("post_").partition("_")
        if not action.startswith("post_") or reverse:
            return
        told = sorted(map(str, pk_set or ()))
        record(Action.CHANGED, instance, after={f"{relation.field.name} ({word})": told})

    m2m_changed.connect(hear, sender=relation.through, weak=False, dispatch_uid=(model, relation))


def record(
    action: Action, row: Model, *, before: Values | None = None, after: Values | None = None
) -> None:
    how = _recorded[type(row)]
    what = row._meta.label_lower, how.key(row), how.account(row)
    add(action, *what, before or {}, after or {}, why=actor().why or how.why(row))


def add(  # noqa: PLR0913 - an entry's parts
    action: Action,
    object_type: str,
    object_key: str,
    account: str = "",
    before: Values | None = None,
    after: Values | None = None,
    *,
    why: str = "",
) -> None:
    """One entry, by whoever acts in this context."""
    who = actor()
    entry = Change.objects.create(
        actor=who.name[:200],
        address=who.address[:64],
        via=who.via[:200],
        why=(why or who.why)[:500],
        action=action,
        object_type=object_type,
        object_key=object_key[:300],
        account=account[:200],
        before=before or {},
        after=after or {},
    )
    if entry.pk % _EXPIRED_EVERY == 0:
        expire()


def expire() -> None:
    """Delete the entries that are older than the live setting says."""
    days = live_settings.changes_kept_days()
    if days:
        Change.objects.expire(timezone.now() - timedelta(days=days))


def _values(row: Model, names: Iterable[str] | None = None) -> Values:
    how = _recorded[type(row)]
    wanted = None if names is None else {*names}
    found: Values = {}
    for field in row._meta.concrete_fields:
        is_wanted = wanted is None or field.name in wanted or field.attname in wanted
        if is_wanted and not field.primary_key and field.name not in how.unsaid:
            found[field.name] = _told(field, row, how)
    return found


def _told(field: Field[Any, Any], row: Model, how: Recorded) -> Any:
    value = getattr(row, field.attname)
    if field.name in how.hidden:
        return _HIDDEN if value else ""
    if isinstance(field, ForeignKey) and value is not None:
        related = field.related_model._base_manager.filter(pk=value).first()
        return str(related) if related else f"#{value}"
    if isinstance(value, str) and len(value) > _LONGEST:
        return value[:_LONGEST] + "…"
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return field.value_to_string(row)


def _different(before: Values, after: Values) -> tuple[Values, Values]:
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def _saving(instance: Model, *, raw: bool = False, **_signal: Any) -> None:
    is_new = raw or instance._state.adding
    stored = None if is_new else type(instance)._base_manager.filter(pk=instance.pk).first()
    instance.__dict__["_before"] = None if stored is None else (stored, _values(stored))


def _saved(instance: Model, *, created: bool, raw: bool = False, **signal: Any) -> None:
    before = instance.__dict__.pop("_before", None)
    if raw:
        return
    names = signal.get("update_fields")
    if created or before is None:
        record(Action.ADDED, instance, after=_said(_values(instance)))
        return
    stored, old = before
    was, now = _different(old, _values(instance, names))
    hidden = _recorded[type(instance)].hidden
    for name in hidden & {field.name for field in instance._meta.concrete_fields}:
        if getattr(stored, name) != getattr(instance, name) and (not names or name in names):
            was[name], now[name] = was.get(name, _HIDDEN), now.get(name, _HIDDEN)
    if now:
        record(Action.CHANGED, instance, before=was, after=now)


def _said(values: Values) -> Values:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _deleted(instance: Model, **_signal: Any) -> None:
    record(Action.DELETED, instance, before=_said(_values(instance)))


def _updating(
    sender: type[Model],
    rows: QuerySet[Any] | None,
    values: Mapping[str, Any],
    objs: Iterable[Model] | None = None,
    **_signal: Any,
) -> Callable[[], None]:
    """What it gives is called when the rows are written."""
    if rows is None:
        return lambda: _created(sender, [*(objs or ())])
    before = {row.pk: row for row in rows.order_by()[: _MOST_AT_ONCE + 1]}
    if len(before) > _MOST_AT_ONCE:
        count = rows.count()
        return lambda: _many(Action.CHANGED, sender, count, dict.fromkeys(values, "…"))
    old = {pk: _values(row) for pk, row in before.items()}

    def updated() -> None:
        for row in sender._base_manager.filter(pk__in=[*before]):
            was, now = _different(old[row.pk], _values(row))
            if now:
                record(Action.CHANGED, row, before=was, after=now)

    return updated


def _created(model: type[Model], rows: list[Model]) -> None:
    if len(rows) > _MOST_AT_ONCE:
        _many(Action.ADDED, model, len(rows), {})
        return
    for row in rows:
        record(Action.ADDED, row, after=_said(_values(row)))


def _many(action: Action, model: type[Model], count: int, after: Values) -> None:
    what = model._meta.verbose_name_plural
    add(action, model._meta.label_lower, f"{count:,} {what}", after=after)
