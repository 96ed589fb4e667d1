"""Records the changes of rows, by whatever way they are written, in their transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from django.db.models import Field, ForeignKey, Model, QuerySet
from django.db.models.signals import post_save, pre_delete, pre_save

from flags.host import rows_changing
from igny8_core.modules.changes.entries import Values, entry, keep
from igny8_core.modules.changes.models import Action, Change

_MOST_AT_ONCE: Final = 100  # of more rows one entry tells
_HIDDEN: Final = "(hidden)"


class Recorded(NamedTuple):
    """How a model's rows are told: by what names one, its account's key, and its own why."""

    key: Callable[[Any], str] = str
    account: Callable[[Any], str] = lambda _row: ""
    # The column that says why the row is as it is.
    why: str = ""
    # Columns whose values are never told, and those that change by themselves.
    hidden: frozenset[str] = frozenset()
    unsaid: frozenset[str] = frozenset()


_recorded: Final[dict[type[Model], Recorded]] = {}


def watch(model: type[Model], how: Recorded) -> None:
    """Have every change of the model's rows recorded."""
    _recorded[model] = how
    pre_save.connect(_saving, sender=model)
    post_save.connect(_saved, sender=model)
    pre_delete.connect(_deleting, sender=model)
    rows_changing.connect(_writing, sender=model)


class _Old(NamedTuple):
    """A stored row before it is written, and what its columns had."""

    row: Model
    values: Values


def _saving(instance: Model, *, raw: bool = False, **_signal: Any) -> None:
    """The columns of the row that is stored, whether or not this object was read from it."""
    instance.__dict__["_old"] = None
    if not raw and instance.pk is not None:
        for row in _rows(type(instance), [instance.pk]):
            instance.__dict__["_old"] = _Old(row, _values(row))


def _saved(instance: Model, *, raw: bool = False, **signal: Any) -> None:
    old = instance.__dict__.pop("_old", None)
    if raw:
        return
    if old is None:
        keep([_added(instance)])
    else:
        keep(_differing(old, instance, signal.get("update_fields")))


def _deleting(instance: Model, origin: Any = None, **_signal: Any) -> None:
    """Of many that are deleted at once, and of what goes along with them, an entry a kind."""
    if isinstance(origin, QuerySet):
        told = origin.__dict__.setdefault("_told_of", {})
        if not told:
            told[None] = origin.count()
        if told[None] > _MOST_AT_ONCE:
            if type(instance) not in told:
                told[type(instance)] = True
                many = _many_text(told[None], origin.model)
                with_them = f"{instance._meta.verbose_name_plural} of {many}"
                key = many if type(instance) is origin.model else with_them
                keep([entry(Action.DELETED, instance._meta.label_lower, key)])
            return
    how = _recorded[type(instance)]
    what = instance._meta.label_lower, how.key(instance), how.account(instance)
    keep([entry(Action.DELETED, *what, _said(instance), {})])


def _writing(
    sender: type[Model],
    rows: QuerySet[Any] | None,
    values: Mapping[str, Any],
    objs: Iterable[Model] | None = None,
    *,
    may_exist: bool = False,
    **_signal: Any,
) -> Callable[[], None]:
    """What it gives is called when the rows are written."""
    if rows is None:
        made = [*(objs or ())]
        is_many = may_exist or len(made) > _MOST_AT_ONCE
        what = "added, or there already" if may_exist else "added"
        return lambda: (
            _many(Action.ADDED, sender, len(made), what) if is_many else keep(map(_added, made))
        )
    keys = [*rows.order_by().values_list("pk", flat=True)[: _MOST_AT_ONCE + 1]]
    if len(keys) > _MOST_AT_ONCE:
        count, names = rows.count(), ", ".join(values)
        return lambda: _many(Action.CHANGED, sender, count, names)
    old = {row.pk: _Old(row, _values(row)) for row in _rows(sender, keys)}
    return lambda: keep(
        each for row in _rows(sender, keys) for each in _differing(old[row.pk], row)
    )


def _many(action: Action, model: type[Model], count: int, what: str) -> None:
    if count:
        after = {"many": what}
        keep([entry(action, model._meta.label_lower, _many_text(count, model), after=after)])


def _many_text(count: int, model: type[Model]) -> str:
    one, many = model._meta.verbose_name, model._meta.verbose_name_plural
    return f"{count:,} {one if count == 1 else many}"


def _rows(model: type[Model], keys: Iterable[Any]) -> QuerySet[Any]:
    """With what their names and their differences are told by. One query."""
    fields = model._meta.concrete_fields
    related = [field.name for field in fields if isinstance(field, ForeignKey)]
    return model._base_manager.filter(pk__in=[*keys]).select_related(*related)


def _values(row: Model) -> Values:
    return {field.name: getattr(row, field.attname) for field in _columns(row)}


def _columns(row: Model) -> Iterable[Field[Any, Any]]:
    unsaid = _recorded[type(row)].unsaid
    return [
        field
        for field in row._meta.concrete_fields
        if not field.primary_key and field.name not in unsaid
    ]


def _differing(old: _Old, row: Model, written: Iterable[str] | None = None) -> list[Change]:
    """An entry of the columns that differ, of those that were written; none where none does."""
    names = None if written is None else {*written}
    differing = [
        field
        for field in _columns(row)
        if (names is None or field.name in names or field.attname in names)
        and field.to_python(getattr(row, field.attname)) != old.values[field.name]
    ]
    if not differing:
        return []
    before, after = (
        {field.name: _told(field, each) for field in differing} for each in (old.row, row)
    )
    return [changed(row, before, after)]


def _added(row: Model) -> Change:
    how = _recorded[type(row)]
    what = row._meta.label_lower, how.key(row), how.account(row)
    return entry(Action.ADDED, *what, {}, _said(row), why=_own_why(row, [how.why]))


def changed(row: Model, before: Values, after: Values) -> Change:
    """An entry; not stored yet."""
    how = _recorded.get(type(row), Recorded())
    what = row._meta.label_lower, how.key(row), how.account(row)
    return entry(Action.CHANGED, *what, before, after, why=_own_why(row, after))


def _own_why(row: Model, written: Iterable[str]) -> str:
    """What the row says of why, where that was written now."""
    how = _recorded.get(type(row), Recorded())
    return str(getattr(row, how.why)) if how.why and how.why in written else ""


def _said(row: Model) -> Values:
    told = {field.name: _told(field, row) for field in _columns(row)}
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}


def _told(field: Field[Any, Any], row: Model) -> Any:
    value = getattr(row, field.attname)
    if field.name in _recorded[type(row)].hidden:
        return _HIDDEN if value else ""
    if isinstance(field, ForeignKey) and value is not None:
        related = getattr(row, field.name, None)
        return str(related) if related else f"#{value}"
    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return value
    return field.value_to_string(row)
