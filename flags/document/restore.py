"""Document -> rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from django.core.exceptions import ValidationError
from django.db import models, transaction
from waffle import get_waffle_switch_model

from flags.document.export import (
    _PPM_OF_PERCENT,
    PERCENT,
    Json,
    inactive,
    included,
    not_excluded,
    percent_rule_of,
)
from flags.document.problems import row_problem
from flags.engine import Document, DocumentError
from flags.engine.problems import MAX_PROBLEMS, Path
from flags.engine.times import datetime_of_ms, moment_ms
from flags.models import AccountOverride, Flag, Rule, Segment, Trait, Variant
from flags.models.flag import ON_OFF, Kind
from flags.models.keys import EXCLUDED, INCLUDED
from flags.registry import sections

_PPM_OF_TENTH: Final = 1_000


def flag_rows(document: Document) -> dict[str, Flag]:
    """Unsaved rows that say what the document does, by name: what only a request decides is unset.

    Their primary keys are negative.
    """
    rows = {}
    for index, (name, flag) in enumerate(document["flags"].items(), start=1):
        row = Flag(pk=-index, name=name)
        _restore_flag(row, cast(Json, flag))
        rows[name] = row
    return rows


@transaction.atomic
def restore(wanted: Document) -> None:
    """Make the tables say what the document says.

    Facts about accounts stay, and of each flag that stays what only a request decides. Raises
    DocumentError, with nothing changed, where a fact about an account would go with its flag or its
    segment, and for what no row can hold: a text longer than its column, a moment outside the years
    1 to 9999, and a boolean flag forced to a false variant other than the one that it serves when
    off.
    """
    _refuse_to_lose_facts(wanted)
    _restore_traits(wanted)
    _restore_segments(wanted)
    _restore_flags(wanted)
    _restore_switches(wanted)
    for name, section in wanted["sections"].items():
        sections()[name].restore(section)


def _refuse_to_lose_facts(wanted: Document) -> None:
    overrides = AccountOverride.objects.exclude(flag__name__in=wanted["flags"])
    lost = [
        row_problem(("flags", flag), flag, f"It would go, and {key} has an override of it.")
        for flag, key in overrides.order_by("flag__name", "account__key", "pk").values_list(
            "flag__name", "account__key"
        )
    ]
    long = Segment.objects.exclude(key__in=wanted["segments"]).filter(members__isnull=False)
    lost += [
        row_problem(("segments", key), key, "It would go, and with it its long list of accounts.")
        for key in long.distinct().values_list("key", flat=True)
    ]
    if lost:
        raise DocumentError(lost[:MAX_PROBLEMS])


def fit(row: models.Model, *path: str | int) -> None:
    """Raises DocumentError for a text or number that the row's column cannot hold."""
    others = {each.name for each in row._meta.fields if each.is_relation or isinstance(each, _JSON)}
    try:
        row.clean_fields(exclude=others)
    except ValidationError as error:
        raise DocumentError(
            [
                row_problem((*path, name), getattr(row, name), " ".join(messages))
                for name, messages in error.message_dict.items()
            ]
        ) from None


_JSON: Final = models.JSONField


def _restore_traits(wanted: Document) -> None:
    types = {name: kind for name, kind in wanted["traits"].items() if name not in _OF_LISTS}
    Trait.objects.exclude(name__in=types).delete()
    there = {trait.name: trait for trait in Trait.objects.all()}
    for name, kind in types.items():
        trait = there.get(name) or Trait(name=name)
        if trait.type != kind:
            trait.type = kind
            trait.save()


_OF_LISTS: Final = {INCLUDED, EXCLUDED}


def _restore_segments(wanted: Document) -> None:
    Segment.objects.exclude(key__in=wanted["segments"]).delete()
    there = {segment.key: segment for segment in Segment.objects.all()}
    for key, segment in wanted["segments"].items():
        row = there.get(key) or Segment(key=key)
        before = dict(row.__dict__)
        row.is_long, row.rules = _without_lists(key, segment["rules"])
        row.include, row.exclude = segment["include"], segment["exclude"]
        fit(row, "segments", key)
        _save_changed(row, before)


def _without_lists(key: str, rules: Any) -> tuple[bool, Any]:
    """Whether the export added the segment's long lists to its rules, and the rules without."""
    out = not_excluded(key)
    if rules[:1] != [[*included(key), out]] or any(group[-1] != out for group in rules):
        return False, rules
    return True, [group[:-1] for group in rules[1:]]


def _restore_flags(wanted: Document) -> None:
    model = Flag
    model.objects.exclude(name__in=wanted["flags"]).delete()
    there = {flag.name: flag for flag in model.objects.all()}
    variants: list[Variant] = []
    rules: list[Rule] = []
    for name, flag in wanted["flags"].items():
        row = there.get(name) or model(name=name)
        before = dict(row.__dict__)
        rest = _restore_flag(row, cast(Json, flag))
        fit(row, "flags", name)
        _save_changed(row, before)
        values = flag["variants"]
        if not (row.kind == Kind.BOOL and values == ON_OFF and not row.off_variant):
            variants += [Variant(flag=row, key=key, value=value) for key, value in values.items()]
        rules += [_rule_row(row, position, rule) for position, rule in enumerate(rest)]
    Variant.objects.all().delete()
    Rule.objects.all().delete()
    Variant.objects.bulk_create(variants, batch_size=500)
    Rule.objects.bulk_create(rules, batch_size=500)


def _save_changed(row: models.Model, before: Json) -> None:
    if row._state.adding or row.__dict__ != before:
        row.save()


def _restore_flag(row: Flag, flag: Json) -> list[Json]:
    """Set the row's columns; the rules that are left for rows of their own."""
    values, force = flag["variants"], flag["force"]
    row.kind, row.is_on = flag["kind"], flag.get("on", True)
    row.salt, row.vocabulary = flag.get("salt", row.name), flag.get("vocabulary") or ""
    row.off_variant, row.default = flag["off"] or "", flag["default"]
    row.requires = flag["requires"]
    row.everyone = None if force is None else values[force] is not False
    if row.kind != Kind.BOOL and force is not None:
        row.everyone = True
    row.percent = None
    if row.everyone:
        row.active_variant = force
    elif row.active_variant not in values:
        row.active_variant = ""
    if row.everyone is False and inactive(row, values) != force:
        message = "A boolean flag is forced to the false variant that it serves when it is off."
        raise DocumentError([row_problem(("flags", row.name, "force"), force, message)])
    return _restore_percent(row, flag)


def _restore_percent(row: Flag, flag: Json) -> list[Json]:
    """Take a last rule that says what waffle's percentage says into its column."""
    rules: list[Json] = flag["rules"]
    last = rules[-1] if rules else {}
    if last.get("id") != PERCENT:
        return rules
    variant, when = last["serve"].get("variant"), last["when"]
    to = when[0].get("to", 0) if when else 0
    is_percent = (
        last == percent_rule_of(row.salt, to, variant)
        and 0 < to < 100 * _PPM_OF_PERCENT
        and to % _PPM_OF_TENTH == 0
        and not (row.everyone and row.active_variant != variant)
        and (row.kind != Kind.BOOL or flag["variants"][variant] is True)
    )
    if not is_percent:
        return rules
    row.active_variant = variant
    row.percent = Decimal(to) / _PPM_OF_PERCENT
    return rules[:-1]


def _rule_row(flag: Any, position: int, rule: Json) -> Rule:
    path = ("flags", flag.name, "rules", position)
    row = Rule(
        flag=flag,
        position=position,
        rule_id=rule["id"],
        name=rule.get("name") or "",
        when=rule["when"],
        serve=rule["serve"],
        starts_at=_moment(rule.get("from"), (*path, "from")),
        ends_at=_moment(rule.get("until"), (*path, "until")),
        group=rule.get("group") or "",
    )
    fit(row, *path)
    return row


def _moment(value: Any, path: Path) -> datetime | None:
    at = moment_ms(value)
    if at is None:
        return None
    try:
        return datetime_of_ms(at)
    except OverflowError:
        message = f"{value!r} is outside the years 1 to 9999."
        raise DocumentError([row_problem(path, value, message)]) from None


def _restore_switches(wanted: Document) -> None:
    model = get_waffle_switch_model()
    there = {switch.name: switch for switch in model.objects.all()}
    for name, switch in there.items():
        if name not in wanted["switches"]:
            switch.delete()
    for name, active in wanted["switches"].items():
        switch = there.get(name) or model(name=name, active=not active)
        if switch.active != active:
            switch.active = active
            switch.save()
